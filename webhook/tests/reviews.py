"""Pods and reviews for tests, as the API server sends them."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonpatch
import msgspec

from crds.allocation import Owner
from crds.mac import MacAddress, MacRange
from crds.networks import ANNOTATION
from crds.pool import Pool
from webhook import review as wire
from webhook.admission import Allowed, Denied, PodReview, Want
from webhook.pods import PodPlan, plan

OWNER = Owner(api_version="v1", kind="Pod", namespace="shop", name="web")
UID = "7e4180f8-f7ad-47ae-9740-d67c7b865295"


def mac(last: int) -> MacAddress:
    """Address number `last` of the pool: mac(0x2a) is 02:00:00:00:00:2a."""
    return MacAddress(0x02_00_00_00_00_00 + last)


def pool(size: int = 16) -> Pool:
    return Pool("default", (MacRange(mac(0), mac(size - 1)),))


def created(networks: str | None, owner: Owner = OWNER, *, dry_run: bool = False) -> PodReview:
    """The review of a pod's CREATE."""
    return PodReview(uid="r-1", dry_run=dry_run, owner=owner, networks=networks)


def updated(old: str | None, new: str | None) -> PodReview:
    """The review of an UPDATE that changes the annotation from `old` to `new`."""
    return PodReview(
        uid="r-2", dry_run=False, owner=OWNER, networks=new, object_uid=UID, old_networks=old
    )


def planned(review: PodReview) -> PodPlan:
    """The plan, where nothing forbids it."""
    made = plan(review)
    assert isinstance(made, PodPlan), made
    return made


def answered(review: PodReview) -> tuple[str | None, tuple[Want, ...]]:
    """The annotation after the answer, addresses ...:a0, :a1 given out in turn; and the wants."""
    made = planned(review)
    given = [want.requested or mac(0xA0 + n) for n, want in enumerate(made.wants)]
    sent = {"metadata": {"annotations": {ANNOTATION: review.networks}}}
    stored = as_stored(sent, made.write_macs(given))
    networks: str | None = stored["metadata"]["annotations"][ANNOTATION]
    return networks, made.wants


def denied(review: PodReview) -> str:
    """Why it is denied for what the annotation says."""
    made = plan(review)
    assert isinstance(made, Denied), made
    assert made.code == 400
    return made.message


def pod(networks: str | None = None, **annotations: str) -> dict[str, Any]:
    """A whole pod."""
    if networks is not None:
        annotations[ANNOTATION] = networks
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def request(new: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 # any JSON
    """An AdmissionReview of that pod's CREATE, with `changes` in its request."""
    asked = {
        "uid": "r-1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "name": "web",
        "userInfo": {"username": "alice"},
        "object": new,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions"},
        **changes,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked}


def as_stored(sent: dict[str, Any], verdict: Allowed) -> dict[str, Any]:
    """The object as the API server stores it after this verdict went over the wire."""
    return patched(sent, wire.write("r-1", verdict))


def patched(new: dict[str, Any], answer: bytes) -> dict[str, Any]:
    """The pod as the API server stores it after this answer."""
    response = json.loads(answer)["response"]
    assert response["allowed"]
    if "patch" not in response:
        return new
    assert response["patchType"] == "JSONPatch"
    operations = json.loads(base64.b64decode(response["patch"]))
    result: dict[str, Any] = jsonpatch.apply_patch(new, operations)
    return result


def body(review: dict[str, Any]) -> bytes:
    return msgspec.json.encode(review)
