"""Values that are nested too deeply become null, and the rest does not change."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.nesting import decode_bounded, prune_below

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{}é\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab"\\[]{}'), inner),
)


def nested(levels: int, within: str = "1") -> str:
    return '{"a":' * levels + within + "}" * levels


@given(JSON)
def test_ordinary_nesting_does_not_change(value: Any) -> None:  # noqa: ANN401
    raw = json.dumps(value).encode()

    assert prune_below(raw) == raw


@pytest.mark.parametrize("levels", [1, 99, 100])
def test_the_hundredth_level_is_read(levels: int) -> None:
    raw = nested(levels, '"x"').encode()

    assert prune_below(raw) == raw


@pytest.mark.parametrize("levels", [101, 1_000, 10_000, 100_000])
def test_deeper_values_are_null(levels: int) -> None:
    raw = f'{{"before":[1],"deep":{nested(levels)},"after":"}}]"}}'.encode()

    found = json.loads(prune_below(raw))

    assert (found["before"], found["after"]) == ([1], "}]")
    inmost = found["deep"]
    for _ in range(99):
        inmost = inmost["a"]
    assert inmost is None


def test_each_value_that_is_too_deep_is_null() -> None:
    deep = nested(200, '"[\\"{"')

    assert prune_below(f"[{deep},2,{deep}]".encode()).count(b"null") == 2


@pytest.mark.parametrize("raw", [b"[" * 5_000, b'{"a":' * 5_000 + b'"'])
def test_json_that_does_not_end_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="does not end"):
        prune_below(raw)


def test_a_deeply_nested_text_is_decoded_without_the_deep_values() -> None:
    class Whole(msgspec.Struct):
        name: str

    raw = f'{{"deep":{nested(9_000)},"name":"db"}}'.encode()

    assert decode_bounded(msgspec.json.Decoder(Whole).decode, raw) == Whole("db")
