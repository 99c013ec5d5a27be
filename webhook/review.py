"""The JSON of AdmissionReview (admission.k8s.io/v1): parses the request, writes the answer."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from crds.allocation import KUBEVIRT, VM_KIND, Owner
from crds.kubevirt import Reference
from crds.networks import ANNOTATION
from crds.resources import Labels, launched_for
from webhook.admission import Allowed, Denied, PodReview, Review, VmReview

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadReview(ValueError):
    """The body is not an AdmissionReview that this webhook can answer."""


class _Annotations(msgspec.Struct):
    networks: str | None = msgspec.field(default=None, name=ANNOTATION)


class _Metadata(msgspec.Struct, rename="camel"):
    name: str | None = None
    uid: str | None = None
    annotations: _Annotations | None = None
    labels: Labels | None = None
    owner_references: list[Reference] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = msgspec.Raw(b"null")


class _Kind(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: _Kind
    operation: str
    namespace: str = ""
    dry_run: bool = False
    object: _Object | None = None
    old_object: _Object | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Request | None = None


_POD = _Kind("", "v1", "Pod")
_VM = _Kind("kubevirt.io", "v1", VM_KIND)
_decoder = msgspec.json.Decoder(_Review)


def read(body: bytes) -> Review:
    """Read a review of a pod's or a VM's CREATE or UPDATE, or raise BadReview."""
    try:
        review = _decoder.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: malformed JSON or UTF-8
        raise BadReview(f"invalid AdmissionReview: {error}") from error
    if (review.api_version, review.kind) != ("admission.k8s.io/v1", "AdmissionReview"):
        raise BadReview(
            f"unsupported type {review.api_version} {review.kind}:"
            f" expected admission.k8s.io/v1 AdmissionReview"
        )
    request = review.request
    if request is None or not request.uid:
        raise BadReview("invalid AdmissionReview: it has no request.uid")
    if request.kind not in {_POD, _VM} or request.operation not in {"CREATE", "UPDATE"}:
        raise BadReview(
            f"unsupported request {request.operation} of {_api_version(request.kind)}"
            f" {request.kind.kind}: expected CREATE or UPDATE of v1 Pod or {KUBEVIRT} {VM_KIND}"
        )
    if request.object is None or not request.namespace:
        raise BadReview("invalid AdmissionReview: it has no object or no namespace")
    owner = Owner(
        api_version=_api_version(request.kind),
        kind=request.kind.kind,
        namespace=request.namespace,
        name=request.object.metadata.name or None,
    )
    of_kind = _pod if request.kind == _POD else _vm
    return of_kind(request, request.object, owner)


def _pod(request: _Request, new: _Object, owner: Owner) -> PodReview:
    meta, old = new.metadata, request.old_object and request.old_object.metadata
    return PodReview(
        uid=request.uid,
        dry_run=request.dry_run,
        owner=owner,
        networks=_networks(meta),
        object_uid=old.uid if old else None,
        old_networks=_networks(old) if old else None,
        launched_for=launched_for(meta.labels or Labels(), meta.owner_references),
    )


def _vm(request: _Request, new: _Object, owner: Owner) -> VmReview:
    old = request.old_object
    return VmReview(
        uid=request.uid,
        dry_run=request.dry_run,
        owner=owner,
        spec=bytes(new.spec),
        object_uid=old.metadata.uid if old else None,
        old_spec=bytes(old.spec) if old else None,
    )


def write(uid: str, verdict: Allowed | Denied) -> bytes:
    """Return the answer to the request of that UID, with a JSON patch (RFC 6902)."""
    response: dict[str, object] = {"uid": uid, "allowed": isinstance(verdict, Allowed)}
    match verdict:
        case Allowed(patch, warnings):
            if patch:
                operations = [operation._asdict() for operation in patch]
                response["patchType"] = "JSONPatch"
                response["patch"] = base64.b64encode(msgspec.json.encode(operations)).decode()
            if warnings:
                response["warnings"] = warnings
        case Denied(message, code):
            response["status"] = {"code": code, "message": message, "reason": _REASONS[code]}
    return msgspec.json.encode(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )


# metav1.StatusReason for the codes that Denied uses.
_REASONS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}


def _networks(metadata: _Metadata) -> str | None:
    return metadata.annotations.networks if metadata.annotations else None


def _api_version(kind: _Kind) -> str:
    return f"{kind.group}/{kind.version}" if kind.group else kind.version
