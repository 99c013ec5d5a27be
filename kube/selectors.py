"""Label selectors (metav1.LabelSelector), evaluated as the API server does. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operator(StrEnum):
    """The condition that an expression puts on a label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Expression(msgspec.Struct, frozen=True):
    """One of `matchExpressions`."""

    key: str
    operator: Operator
    values: tuple[str, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return True if these labels match. NotIn also matches if the label is absent."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in (self.values or ())
            case Operator.NOT_IN:
                return labels.get(self.key) not in (self.values or ())
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels
            case _:
                assert_never(self.operator)


class Selector(msgspec.Struct, frozen=True, rename="camel"):
    """All of its parts must match. A selector without parts matches everything."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Expression, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return True if an object with these labels is selected."""
        wanted = (self.match_labels or {}).items()
        return all(labels.get(key) == value for key, value in wanted) and all(
            expression.matches(labels) for expression in self.match_expressions or ()
        )


def selects(selector: Selector | None, labels: Mapping[str, str]) -> bool:
    """Return True if `selector` selects `labels`. None selects nothing."""
    return selector is not None and selector.matches(labels)
