"""Finds the managed namespaces: those that the webhooks of `kubemacpool-mutator` select.

Law: the selector that users edit decides, for the API server and for us. A webhook that does not
exist manages nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds
from kube.selectors import Selector, selects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class _NamespaceMetadata(msgspec.Struct, frozen=True):
    name: str
    labels: dict[str, str] = {}


class Namespace(msgspec.Struct, frozen=True):
    """A Namespace and its labels."""

    metadata: _NamespaceMetadata


class Webhook(msgspec.Struct, frozen=True, rename="camel"):
    """One of the `webhooks`."""

    name: str
    namespace_selector: Selector | None = None  # if there is none, the API server writes {}


class Mutator(msgspec.Struct, frozen=True):
    """A MutatingWebhookConfiguration."""

    webhooks: tuple[Webhook, ...] = ()


class Namespaces:
    """All Namespaces. `changed` is called when `is_managed` may give another answer."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}
        self._changed = changed
        self.webhooks = Webhooks(changed)

    def is_managed(self, kind: str, namespace: str) -> bool:
        """Return True if a webhook serves objects of `kind` in `namespace`."""
        labels = self._labels.get(namespace)
        row = kinds.KINDS.get(kind)
        return labels is not None and row is not None and self.webhooks.select(row.webhook, labels)

    def put(self, item: Namespace) -> None:
        """Add or replace a Namespace."""
        before = self._answers(item.metadata.name)
        self._labels[item.metadata.name] = item.metadata.labels
        if self._answers(item.metadata.name) != before:
            self._changed()

    def drop(self, item: Namespace) -> None:
        """Remove a Namespace; its objects were deleted before it."""
        self._labels.pop(item.metadata.name, None)

    def _answers(self, namespace: str) -> tuple[bool, ...]:
        return tuple(self.is_managed(kind, namespace) for kind in kinds.KINDS)


class Webhooks:
    """The webhooks of the configuration names.MUTATOR."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._selectors: dict[str, Selector | None] = {}
        self._changed = changed

    def select(self, webhook: str, labels: Mapping[str, str]) -> bool:
        """Return True if the webhook of that name selects namespaces with these labels."""
        return selects(self._selectors.get(webhook), labels)

    def put(self, item: Mutator) -> None:
        """Replace the configuration."""
        self._replace({webhook.name: webhook.namespace_selector for webhook in item.webhooks})

    def drop(self) -> None:
        """Remove the configuration."""
        self._replace({})

    def _replace(self, selectors: dict[str, Selector | None]) -> None:
        if selectors != self._selectors:
            self._selectors = selectors
            self._changed()
