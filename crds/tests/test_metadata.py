"""Names are read from protobuf alike, whatever the pieces in which it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.metadata import Named, NamesReader
from crds.tests.protobuf import field, named, names_list, varint

TEXT = st.text(max_size=300)
NAMED = st.builds(Named, TEXT, TEXT)
ONE = named("02-00-00-00-00-01", "7")


def read(raw: bytes, *cuts: int) -> tuple[list[Named], str]:
    reader, found, begin = NamesReader(), [], 0
    for end in (*sorted(cuts), len(raw)):
        found += reader.feed(raw[begin:end])
        begin = end
    return found, reader.version()


@given(
    objects=st.lists(NAMED, max_size=8),
    version=st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    cuts=st.lists(st.integers(0, 3000), max_size=20),
)
def test_a_list_is_read_whatever_its_pieces(
    objects: list[Named], version: str, cuts: list[int]
) -> None:
    raw = names_list(version, [named(*one) for one in objects])

    assert read(raw, *cuts) == (objects, version)


def test_a_list_is_read_byte_by_byte() -> None:
    raw = names_list("9", [ONE, ONE])

    assert read(raw, *range(len(raw))) == ([Named("02-00-00-00-00-01", "7")] * 2, "9")


def test_an_object_is_there_as_soon_as_it_is_whole() -> None:
    raw = names_list("9", [ONE] * 1000)

    assert len(NamesReader().feed(raw[: len(raw) // 2])) > 490


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
def test_what_kubernetes_may_add_is_passed_over(more: bytes) -> None:
    metadata = more + field(1, "a") + more + field(6, "7") + more
    raw = names_list("9", [more + field(1, metadata) + more])

    assert read(raw) == ([Named("a", "7")], "9")


@pytest.mark.parametrize("item", [b"", field(1, b""), field(2, "x")])
def test_an_object_without_a_name_has_an_empty_one(item: bytes) -> None:
    assert read(names_list("9", [item])) == ([Named("", "")], "9")


@pytest.mark.parametrize("length", range(len(names_list("9", [ONE])) - 4))
def test_a_list_that_ends_early_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="no whole list"):
        read(names_list("9", [ONE])[:length])


@pytest.mark.parametrize("raw", [names_list("", []), b"k8s\0" + field(2, b"")])
def test_a_list_of_no_version_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no whole list"):
        read(raw)


@pytest.mark.parametrize("raw", [b"{}", b"k8t", b'{"kind":"Status"}'])
def test_what_is_not_kubernetes_protobuf_is_quoted(raw: bytes) -> None:
    with pytest.raises(ValueError, match=f"not in Kubernetes' protobuf: .*{raw.decode()[:3]}"):
        read(raw)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_do_anything_but_fail(noise: bytes, cut: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # which one does not matter
        read(b"k8s\0" + noise + varint(2 << 3 | 2) + varint(10_000), cut)
