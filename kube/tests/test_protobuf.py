"""The chunks of a list in protobuf do not change the names that are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.protobuf import Named, NamesReader
from kube.tests.protobuf import field, named, names_list, varint

TEXT = st.text(max_size=300)
NAMED = st.builds(Named, TEXT, TEXT)
ONE = named("02-00-00-00-00-01", "7")


def read(raw: bytes, *cuts: int) -> tuple[list[Named], str]:
    reader, begin = NamesReader(), 0
    found: list[Named] = []
    for end in (*sorted(cuts), len(raw)):
        found += reader.feed(raw[begin:end])
        begin = end
    return found, reader.version()


@given(
    objects=st.lists(NAMED, max_size=8),
    version=st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    cuts=st.lists(st.integers(0, 3000), max_size=20),
)
def test_a_list_is_read_in_any_chunks(objects: list[Named], version: str, cuts: list[int]) -> None:
    raw = names_list(version, [named(*item) for item in objects])

    assert read(raw, *cuts) == (objects, version)


def test_a_list_is_read_byte_by_byte() -> None:
    raw = names_list("9", [ONE, ONE])

    assert read(raw, *range(len(raw))) == ([Named("02-00-00-00-00-01", "7")] * 2, "9")


def test_an_object_is_read_as_soon_as_it_is_complete() -> None:
    raw = names_list("9", [ONE] * 1000)

    assert len(list(NamesReader().feed(raw[: len(raw) // 2]))) > 490


@pytest.mark.parametrize(
    "more",
    [
        field(20, "x" * 200),
        varint(20 << 3) + varint(1 << 40),
        varint(20 << 3 | 1) + bytes(8),
        varint(20 << 3 | 5) + bytes(4),
    ],
    ids=["text", "number", "64 bits", "32 bits"],
)
def test_unknown_fields_are_skipped(more: bytes) -> None:
    metadata = more + field(1, "a") + more + field(6, "7") + more
    raw = names_list("9", [more + field(1, metadata) + more])

    assert read(raw) == ([Named("a", "7")], "9")


@pytest.mark.parametrize("item", [b"", field(1, b""), field(2, "x")])
def test_an_object_without_a_name_has_an_empty_one(item: bytes) -> None:
    assert read(names_list("9", [item])) == ([Named("", "")], "9")


@pytest.mark.parametrize("length", range(len(names_list("9", [ONE])) - 4))
def test_a_list_that_ends_early_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="incomplete"):
        read(names_list("9", [ONE])[:length])


@pytest.mark.parametrize("raw", [names_list("", []), b"k8s\0" + field(2, b"")])
def test_a_list_without_a_version_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="incomplete"):
        read(raw)


@pytest.mark.parametrize("raw", [b"{}", b"k8t", b'{"kind":"Status"}'])
def test_a_text_that_is_not_kubernetes_protobuf_is_quoted(raw: bytes) -> None:
    with pytest.raises(ValueError, match=f"not in Kubernetes' protobuf: .*{raw.decode()[:3]}"):
        read(raw)


@pytest.mark.parametrize(
    "item",
    [
        b"\x0a\x03\x0a\x7fa",  # a name of 127 bytes in metadata of 3
        b"\x0a\xff",  # a length that does not end within the object
        field(1, field(1, "a") + b"\x32"),
        b"\x0b",  # a group, which proto3 does not have
    ],
    ids=["name", "length", "key", "kind"],
)
def test_an_object_that_does_not_fit_is_an_error_in_any_chunks(item: bytes) -> None:
    raw = names_list("9", [item, ONE])

    for cuts in ((), range(len(raw)), range(0, len(raw), 30)):
        with pytest.raises(ValueError, match="protobuf"):
            read(raw, *cuts)


def test_a_name_that_is_a_number_is_empty() -> None:
    assert read(names_list("9", [field(1, b"\x08\x31")])) == ([Named("", "")], "9")


def test_a_list_with_a_second_page_is_an_error() -> None:
    with pytest.raises(ValueError, match="second page"):
        read(names_list("9", [ONE], more="token"))


@pytest.mark.parametrize(
    "claims", [b"k8s\0\x12\xff\xff\xff\xff\x0f\x12\xff\xff\xff\x7f", b"k8s\0" + b"\xff" * 20]
)
def test_an_endless_field_is_an_error_at_once(claims: bytes) -> None:
    with pytest.raises(ValueError, match="in protobuf"):
        list(NamesReader().feed(claims))


@given(st.lists(st.binary(max_size=40), max_size=3), st.lists(st.integers(0, 200)))
def test_noise_has_the_same_result_in_any_chunks(noise: list[bytes], cuts: list[int]) -> None:
    raw = names_list("9", noise)

    assert outcome(raw, *cuts) == outcome(raw)


def outcome(raw: bytes, *cuts: int) -> object:
    try:
        return read(raw, *cuts)
    except ValueError:
        return "an error"
