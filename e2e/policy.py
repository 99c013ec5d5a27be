"""Text of the ValidatingAdmissionPolicy, and the patches that it judges."""

from e2e.pods import OWNER
from testbed.client import Client, refusal

HOLDER = "Bound to Pod shop/samplepod (interface net1)"


def patch_fails(client: Client, name: str, change: dict[str, object]) -> str:
    return refusal(lambda: client.patch("mac", name, change))


def bind(controller: Client, name: str) -> None:
    change = {"spec": {"state": "Bound", "declared": True, "owner": OWNER}}
    controller.patch("mac", name, change)


INSTEAD = "to keep an address write spec.mac, and spec.reservedFor if it is for one object"
