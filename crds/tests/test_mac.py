from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.mac import MacAddress, MacRange, MalformedMac, shown

BITS = st.integers(0, 2**48 - 1)
ADDRESSES = BITS.map(MacAddress)


@given(BITS)
def test_every_spelling_of_an_address_is_one_value(bits: int) -> None:
    digits = f"{bits:012x}"
    octets = [digits[at : at + 2] for at in range(0, 12, 2)]
    quads = [digits[at : at + 4] for at in range(0, 12, 4)]

    spellings = {":".join(octets), "-".join(octets), ".".join(quads)}
    read = {
        MacAddress.parse(text) for spelling in spellings for text in (spelling, spelling.upper())
    }

    assert read == {MacAddress(bits)}


@given(ADDRESSES)
def test_an_address_is_written_in_lower_case_with_colons(mac: MacAddress) -> None:
    assert MacAddress.parse(str(mac)) == mac
    assert str(mac) == str(mac).lower()
    assert mac.name == str(mac).replace(":", "-")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "02",
        "02:00:00:00:00",
        "02:00:00:00:00:00:00",
        "02:00:00:00:00:00:00:00",
        "02:00:00:00:00:0",
        "2:0:0:0:0:0",
        "020000000000",
        "02:00-00:00:00:00",
        "0200:0000:0000",
        "02.00.00.00.00.00",
        " 02:00:00:00:00:00",
        "02:00:00:00:00:00\n",
        "0x:00:00:00:00:00",
        "+2:00:00:00:00:00",
        "0_:00:00:00:00:00",
        "02:00:00:00:00:0g",
        "\u0660\u0662:00:00:00:00:00",
        "\uff10\uff12:00:00:00:00:00",
        "02:00:00:00:00:00\x00",
    ],
)
def test_a_text_that_is_not_six_octets_is_refused(text: str) -> None:
    with pytest.raises(MalformedMac, match="is not a MAC address: write six octets, such as 02:"):
        MacAddress.parse(text)


@given(BITS)
def test_only_unicast_addresses_can_be_owned(bits: int) -> None:
    group = bool(bits >> 40 & 1)

    try:
        read = MacAddress.parse_unicast(str(MacAddress(bits)))
    except MalformedMac as error:
        assert group or not bits
        assert "no interface can own it" in str(error)  # noqa: PT017 # half of them are refused
    else:
        assert not group
        assert read.bits == bits


def test_the_messages_for_zero_and_group_addresses_differ() -> None:
    with pytest.raises(MalformedMac, match="00:00:00:00:00:00 is the zero address"):
        MacAddress.parse_unicast("0000.0000.0000")
    with pytest.raises(MalformedMac, match="ff:ff:ff:ff:ff:ff is a group address"):
        MacAddress.parse_unicast("FF-FF-FF-FF-FF-FF")


@given(BITS, BITS)
def test_addresses_are_ordered_as_their_spellings_are(low: int, high: int) -> None:
    first, second = MacAddress(low), MacAddress(high)

    assert (first < second) == (str(first) < str(second))
    assert (first >= second) == (str(first) >= str(second))
    assert (first == second) == (hash(first) == hash(second))


def test_an_address_never_changes() -> None:
    mac = MacAddress(1)

    with pytest.raises(AttributeError, match="never changes"):
        mac.bits = 2

    assert mac.bits == 1


def test_an_address_is_not_its_spelling() -> None:
    assert MacAddress(2).__eq__("00:00:00:00:00:02") is False


def test_a_range_ends_after_its_start() -> None:
    low, high = MacAddress.parse("02:00:00:00:00:00"), MacAddress.parse("02:00:00:00:00:01")

    assert str(MacRange(low, high)) == "02:00:00:00:00:00 - 02:00:00:00:00:01"
    assert MacRange(low, low).start == low
    with pytest.raises(MalformedMac, match="starts at 02:00:00:00:00:01, after its end 02:"):
        MacRange(high, low)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_shown_text_is_short_and_printable(text: str) -> None:
    quoted = shown(text)

    assert quoted.isprintable()
    assert len(quoted) < 700


@pytest.mark.parametrize("text", [None, "", "02:00", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_a_text_that_no_interface_can_own_is_read_as_none(text: str | None) -> None:
    assert MacAddress.read(text) is None


def test_an_address_that_an_interface_can_own_is_read() -> None:
    assert MacAddress.read("0200.0000.002A") == MacAddress(0x02_00_00_00_00_2A)
