"""Which namespaces are managed: those that the webhooks of `kubemacpool-mutator` select.

Law: the selector that users edit decides, for the API server and for us. A webhook that does not
exist manages nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds, names
from kube.resource import Resource
from kube.selectors import Selector, selects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MUTATOR = names.MUTATOR


class _NamespaceMetadata(msgspec.Struct, frozen=True):
    name: str
    labels: dict[str, str] = {}


class Namespace(msgspec.Struct, frozen=True):
    """A Namespace and its labels."""

    metadata: _NamespaceMetadata


class Webhook(msgspec.Struct, frozen=True, rename="camel"):
    """One of the `webhooks`."""

    name: str
    namespace_selector: Selector | None = None  # the API server writes {} where there is none


class Mutator(msgspec.Struct, frozen=True):
    """A MutatingWebhookConfiguration."""

    webhooks: tuple[Webhook, ...] = ()


NAMESPACES = Resource("/api/v1", "namespaces", msgspec.json.Decoder(Namespace).decode)
MUTATORS = Resource(
    "/apis/admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations",
    msgspec.json.Decoder(Mutator).decode,
)
ONLY_OURS = {"fieldSelector": f"metadata.name={MUTATOR}"}


class Namespaces:
    """The Namespaces (a View); `changed` is called when an answer of `is_managed` can change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._labels: dict[str, Mapping[str, str]] = {}
        self._changed = changed
        self.webhooks = Webhooks(changed)

    def is_managed(self, kind: str, namespace: str) -> bool:
        """Return True if a webhook serves objects of `kind` in `namespace`."""
        labels = self._labels.get(namespace)
        row = kinds.KINDS.get(kind)
        return labels is not None and row is not None and self.webhooks.select(row.webhook, labels)

    def reset(self, everything: list[Namespace]) -> None:
        """See View.reset."""
        self._labels = {found.metadata.name: found.metadata.labels for found in everything}
        self._changed()

    def put(self, item: Namespace) -> None:
        """See View.put."""
        before = self._answers(item.metadata.name)
        self._labels[item.metadata.name] = item.metadata.labels
        if self._answers(item.metadata.name) != before:
            self._changed()

    def drop(self, item: Namespace) -> None:
        """See View.drop; its objects went before."""
        self._labels.pop(item.metadata.name, None)

    def _answers(self, namespace: str) -> tuple[bool, ...]:
        return tuple(self.is_managed(kind, namespace) for kind in kinds.KINDS)


class Webhooks:
    """The one configuration that is followed, ONLY_OURS (a View)."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._selectors: dict[str, Selector | None] = {}
        self._changed = changed

    def select(self, webhook: str, labels: Mapping[str, str]) -> bool:
        """Return True if a webhook of that name is asked about namespaces with these labels."""
        return selects(self._selectors.get(webhook), labels)

    def reset(self, everything: list[Mutator]) -> None:
        """See View.reset."""
        webhooks = [webhook for mutator in everything for webhook in mutator.webhooks]
        self._take({webhook.name: webhook.namespace_selector for webhook in webhooks})

    def put(self, item: Mutator) -> None:
        """See View.put."""
        self.reset([item])

    def drop(self, _item: Mutator) -> None:
        """See View.drop."""
        self.reset([])

    def _take(self, selectors: dict[str, Selector | None]) -> None:
        if selectors != self._selectors:
            self._selectors = selectors
            self._changed()
