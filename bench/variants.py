"""Variants: which webhook the API server asks before it stores an object. Pure."""

from enum import StrEnum


class Variant(StrEnum):
    """One way to handle the same request; each variant has namespaces of its own."""

    # The baseline: no webhook selects the namespace.
    NOT_OPTED_IN = "not opted in"
    # Our webhook selects the namespace, but the pods carry the annotation under another key.
    NO_ANNOTATION = "no annotation"
    # A webhook on our server stack that allows everything and changes nothing.
    NO_OP = "no-op webhook"
    # The same, but it writes addresses that no object can own: the API server applies a patch.
    CONSTANT = "constant patch"
    # Our webhook with `--stock 0`: it creates each address inside the request.
    SYNCHRONOUS = "synchronous"
    # Our webhook as it is released: it creates addresses ahead of time.
    STOCK = "stock"

    @property
    def slug(self) -> str:
        """The variant as a part of a Kubernetes name."""
        return self.value.replace(" ", "-")

    def namespace(self, content: str) -> str:
        """Return the name of the namespace in which its objects are created."""
        return f"bench-{self.slug}-{content}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its namespaces: they decide which webhook is asked."""
        if self is Variant.NOT_OPTED_IN:
            return {}
        if self in {Variant.STOCK, Variant.NO_ANNOTATION}:
            return {f"mutate{kind}.kubemacpool.io": "allocate" for kind in _KINDS}
        return {f"{GROUP}/{self.slug}": "yes"}


GROUP = "bench.example.com"
# These two use the same pool, and the same controller binds their addresses.
OURS = (Variant.SYNCHRONOUS, Variant.STOCK)
_KINDS = ("pods", "virtualmachines")
