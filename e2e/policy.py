"""Text of the ValidatingAdmissionPolicy, and the patches that it judges."""

from testbed.client import Client, refusal

HOLDER = "Bound to Pod shop/samplepod (interface net1)"
INSTEAD = "to keep an address write spec.mac, and spec.reservedFor if it is for one object"


def patch_fails(client: Client, name: str, change: dict[str, object]) -> str:
    return refusal(lambda: client.patch("mac", name, change))
