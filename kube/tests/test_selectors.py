"""Label selectors match as in the API server."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.selectors import Expression, Operator, Selector, selects

LABELS = {"team": "shop", "tier": "", "runlevel": "2"}
KEYS = st.sampled_from(["team", "tier", "runlevel", "absent"])
VALUES = st.lists(st.sampled_from(["shop", "", "2", "0"]), max_size=3).map(tuple)


def read(raw: str) -> Selector:
    return msgspec.json.decode(raw, type=Selector)


def expression(key: str, operator: str, *values: str) -> str:
    return json.dumps({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})


@pytest.mark.parametrize(
    ("raw", "selected"),
    [
        ("{}", True),
        ('{"matchLabels": null, "matchExpressions": null}', True),
        ('{"matchLabels": {"team": "shop"}}', True),
        ('{"matchLabels": {"team": "Shop"}}', False),
        ('{"matchLabels": {"team": "shop", "absent": ""}}', False),
        ('{"matchLabels": {"tier": ""}}', True),
        (expression("team", "In", "a", "shop"), True),
        (expression("absent", "In", ""), False),
        (expression("runlevel", "NotIn", "0"), True),
        (expression("runlevel", "NotIn", "2"), False),
        (expression("absent", "NotIn", ""), True),
        (expression("tier", "Exists"), True),
        (expression("absent", "Exists"), False),
        (expression("tier", "DoesNotExist"), False),
        (expression("absent", "DoesNotExist"), True),
        (
            '{"matchLabels": {"tier": ""}, "matchExpressions": [{"key":"a","operator":"Exists"}]}',
            False,
        ),
    ],
)
def test_a_selector_selects_what_matches_all_of_its_parts(raw: str, selected: bool) -> None:  # noqa: FBT001
    assert read(raw).matches(LABELS) is selected


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not selects(None, LABELS)
    assert selects(Selector(), LABELS)


@pytest.mark.parametrize("raw", [expression("a", "Gt"), "[]"])
def test_an_invalid_selector_is_not_read(raw: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(raw)


@given(KEYS, VALUES)
def test_each_operator_has_its_opposite(key: str, values: tuple[str, ...]) -> None:
    def matches(operator: Operator) -> bool:
        return Expression(key, operator, values).matches(LABELS)

    assert matches(Operator.IN) is not matches(Operator.NOT_IN)
    assert matches(Operator.EXISTS) is not matches(Operator.DOES_NOT_EXIST)
    assert matches(Operator.EXISTS) or not matches(Operator.IN)
