from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from crds.allocation import Allocation, Owner, Reservation, Source, State, decode_hook, encode_hook
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.networks import Attachment
from crds.tests.world import BOUND, MAC, POD


def test_an_allocation_is_written_with_the_manifest_s_names_and_without_defaults() -> None:
    reserved = Reservation(kind="Pod", namespace="shop", name="web")

    written = msgspec.json.encode(replace(BOUND, reserved_for=reserved), enc_hook=encode_hook)

    assert json.loads(written) == {
        "mac": "02:00:00:00:00:2a",
        "state": "Bound",
        "source": "Pool",
        "pool": "default",
        "owner": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "default",
            "name": "samplepod",
            "uid": "u-1",
            "interface": "net1",
        },
        "request": "r-1",
        "reservedFor": {"kind": "Pod", "namespace": "shop", "name": "web"},
    }


def test_an_allocation_needs_only_its_address() -> None:
    read = msgspec.json.decode(
        b'{"mac":"02:00:00:00:00:2a"}', type=Allocation, dec_hook=decode_hook
    )

    assert read == Allocation(mac=MAC, state=State.DECLARED, source=Source.DECLARED)
    assert (
        msgspec.json.encode(read, enc_hook=encode_hook, order="sorted")
        == b'{"mac":"02:00:00:00:00:2a"}'
    )


@pytest.mark.parametrize("mac", [b'"02:00"', b"42", b"null", b'""'])
def test_an_allocation_without_an_address_is_not_read(mac: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"mac":%s}' % mac, type=Allocation, dec_hook=decode_hook)


def test_the_hooks_accept_only_addresses() -> None:
    with pytest.raises(NotImplementedError):
        encode_hook(object())
    with pytest.raises(NotImplementedError):
        decode_hook(int, "02:00:00:00:00:2a")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (POD, True),
        (replace(POD, uid="another", interface="net7", network="x", api_version="v2"), True),
        (replace(POD, name="other"), False),
        (replace(POD, namespace="other"), False),
        (replace(POD, kind="VirtualMachine"), False),
        (replace(POD, name=None), False),
    ],
)
def test_namesakes_have_kind_namespace_and_name_in_common(other: Owner, same: bool) -> None:  # noqa: FBT001
    assert POD.is_namesake(other) is same
    assert other.is_namesake(POD) is same


def test_two_owners_without_a_name_are_no_namesakes() -> None:
    nameless = replace(POD, name=None)

    assert not nameless.is_namesake(nameless)


def test_the_text_of_an_owner_is_for_people() -> None:
    assert str(POD) == "Pod default/samplepod (interface net1)"
    assert str(replace(POD, name=None, interface=None)) == "Pod default/(name not generated yet)"


RESERVED = Reservation(kind="Pod", namespace="default", name="samplepod")


@pytest.mark.parametrize(
    ("allocation", "owner", "free"),
    [
        (Allocation(mac=MAC), POD, True),
        (Allocation(mac=MAC), replace(POD, name=None), True),
        (Allocation(mac=MAC, reserved_for=RESERVED), POD, True),
        (Allocation(mac=MAC, reserved_for=RESERVED), replace(POD, namespace="x"), False),
        (Allocation(mac=MAC, reserved_for=RESERVED), replace(POD, kind="VirtualMachine"), False),
        (Allocation(mac=MAC, reserved_for=RESERVED), replace(POD, name=None), False),
        (replace(BOUND, declared=True, reserved_for=RESERVED), POD, False),
    ],
)
def test_a_declared_address_is_free_for_its_reservation(
    allocation: Allocation,
    owner: Owner,
    free: bool,  # noqa: FBT001
) -> None:
    assert allocation.is_free_for(owner) is free


def test_a_carrier_becomes_the_owner_with_its_interface() -> None:
    other = MacAddress(MAC.bits + 1)
    carrier = Carrier(
        api_version="v1",
        kind="Pod",
        namespace="shop",
        name="web",
        uid="u",
        version="7",
        attachments=(Attachment(other, "net1", "shop/a"), Attachment(MAC, "net2", "shop/b")),
    )

    owner = carrier.as_owner(MAC)

    assert str(owner) == "Pod shop/web (interface net2)"
    assert (owner.uid, owner.network) == ("u", "shop/b")
    assert carrier.as_owner(MacAddress(2)).interface is None
    assert carrier.carries(MAC)
    assert not carrier.carries(MacAddress(2))
