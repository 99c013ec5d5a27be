"""Invalid reviews and annotations over real HTTPS: each gets a clear answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from crds.allocation import encode_hook
from crds.networks import ANNOTATION
from webhook.tests.program import GOOD
from webhook.tests.reviews import body, pod, request

if TYPE_CHECKING:
    from webhook.tests.program import Program

REVIEW = request(pod(GOOD))
WHOLE = body(REVIEW)
NO_REVIEW = "invalid AdmissionReview: "
NO_UID = "invalid AdmissionReview: it has no request.uid"
NO_OBJECT = "invalid AdmissionReview: it has no object or no namespace"
ONLY_PODS = "expected CREATE or UPDATE of v1 Pod or kubevirt.io/v1 VirtualMachine"


def with_request(**changes: Any) -> bytes:  # noqa: ANN401 # any JSON
    return body({**REVIEW, "request": {**REVIEW["request"], **changes}})


def with_annotations(annotations: object) -> bytes:
    return with_request(object={"metadata": {"name": "web", "annotations": annotations}})


def kind(group: str, version: str, name: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": name}


REVIEWS: dict[str, tuple[bytes, str]] = {
    "no body": (b"", NO_REVIEW + "Input data was truncated"),
    "truncated": (WHOLE[: len(WHOLE) // 2], NO_REVIEW + "Input data was truncated"),
    "two of them": (WHOLE * 2, NO_REVIEW + "JSON is malformed: trailing characters"),
    "text": (b"hello", NO_REVIEW + "JSON is malformed: invalid character (byte 0)"),
    "protobuf": (b"k8s\x00\x0a\x10admission", NO_REVIEW + "JSON is malformed"),
    "null": (b"null", NO_REVIEW + "Expected `object`, got `null`"),
    "array": (b"[]", NO_REVIEW + "Expected `object`, got `array`"),
    "empty object": (b"{}", NO_REVIEW + "Object missing required field `apiVersion`"),
    "no kind": (b'{"apiVersion":"admission.k8s.io/v1"}', "Object missing required field `kind`"),
    "no utf-8": (WHOLE.replace(b"ovs-conf", b"\xff\xfe"), "'utf-8' codec can't decode byte 0xff"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, NO_REVIEW + "JSON is malformed"),
    "null byte": (b"\x00" + WHOLE, NO_REVIEW + "JSON is malformed: invalid character (byte 0)"),
    "utf-16": (WHOLE.decode().encode("utf-16"), NO_REVIEW + "JSON is malformed"),
    "control character": (WHOLE.replace(b"alice", b"al\nice"), NO_REVIEW),
    "NaN": (with_request(x="@").replace(b'"@"', b"NaN"), NO_REVIEW + "JSON is malformed"),
    "half a surrogate pair": (with_request(x="@").replace(b"@", b"\\ud800"), NO_REVIEW),
    "deep arrays": (with_request(x="@").replace(b'"@"', b"[" * 200_000), NO_REVIEW),
    "deep objects": (with_request(x="@").replace(b'"@"', b'{"a":' * 200_000), NO_REVIEW),
    "old version": (
        body({**REVIEW, "apiVersion": "admission.k8s.io/v1beta1"}),
        "unsupported type admission.k8s.io/v1beta1 AdmissionReview: expected admission.k8s.io/v1",
    ),
    "other kind": (
        body({**REVIEW, "kind": "Pod"}),
        "unsupported type admission.k8s.io/v1 Pod: expected",
    ),
    "a pod itself": (body(pod(GOOD)), "unsupported type v1 Pod: expected admission.k8s.io/v1"),
    "no request": (body({**REVIEW, "request": None}), NO_UID),
    "only a response": (
        body({"apiVersion": REVIEW["apiVersion"], "kind": REVIEW["kind"], "response": {}}),
        NO_UID,
    ),
    "request is a list": (body({**REVIEW, "request": []}), "Expected `object | null`, got `array`"),
    "empty uid": (with_request(uid=""), NO_UID),
    "null uid": (with_request(uid=None), "Expected `str`, got `null` - at `$.request.uid`"),
    "number as uid": (with_request(uid=7), "Expected `str`, got `int` - at `$.request.uid`"),
    "uid missing": (
        WHOLE.replace(b'"uid"', b'"Uid"'),
        "Object missing required field `uid` - at `$.request`",
    ),
    "no object": (with_request(object=None), NO_OBJECT),
    "object is a list": (with_request(object=[]), "got `array` - at `$.request.object`"),
    "object without metadata": (with_request(object={}), "missing required field `metadata`"),
    "no namespace": (with_request(namespace=""), NO_OBJECT),
    "null namespace": (with_request(namespace=None), "got `null` - at `$.request.namespace`"),
    "dryRun is a word": (with_request(dryRun="yes"), "got `str` - at `$.request.dryRun`"),
    "kind is a word": (with_request(kind="Pod"), "got `str` - at `$.request.kind`"),
    "a deletion": (
        with_request(operation="DELETE"),
        f"unsupported request DELETE of v1 Pod: {ONLY_PODS}",
    ),
    "a connection": (
        with_request(operation="CONNECT"),
        f"unsupported request CONNECT of v1 Pod: {ONLY_PODS}",
    ),
    "a deletion of a VM": (
        with_request(operation="DELETE", kind=kind("kubevirt.io", "v1", "VirtualMachine")),
        f"unsupported request DELETE of kubevirt.io/v1 VirtualMachine: {ONLY_PODS}",
    ),
    "no operation": (with_request(operation=""), f"unsupported request  of v1 Pod: {ONLY_PODS}"),
    "a Deployment": (
        with_request(kind=kind("apps", "v1", "Deployment")),
        f"unsupported request CREATE of apps/v1 Deployment: {ONLY_PODS}",
    ),
    "a pod of another group": (
        with_request(kind=kind("example.com", "v1", "Pod")),
        f"unsupported request CREATE of example.com/v1 Pod: {ONLY_PODS}",
    ),
    "a VM of an older version": (
        with_request(kind=kind("kubevirt.io", "v1alpha3", "VirtualMachine")),
        f"unsupported request CREATE of kubevirt.io/v1alpha3 VirtualMachine: {ONLY_PODS}",
    ),
    "a VMI": (
        with_request(kind=kind("kubevirt.io", "v1", "VirtualMachineInstance")),
        f"unsupported request CREATE of kubevirt.io/v1 VirtualMachineInstance: {ONLY_PODS}",
    ),
    "annotation is a number": (with_annotations({ANNOTATION: 42}), "got `int`"),
    "annotations are a list": (with_annotations([]), "at `$.request.object.metadata.annotations`"),
    "annotation is a list": (with_annotations({ANNOTATION: [{"name": "a"}]}), "got `array`"),
    "name is a number": (with_request(object={"metadata": {"name": 1}}), "got `int`"),
}


@pytest.mark.parametrize(("sent", "says"), REVIEWS.values(), ids=REVIEWS)
async def test_a_body_that_is_no_review_of_a_pod_is_answered_400(
    program: Program, sent: bytes, says: str
) -> None:
    answer = await program.post(sent)

    assert answer.status == 400
    assert says in answer.text
    assert len(answer.text) < 200
    assert program.cluster.calls == []
    assert await program.still_serves()


ANNOTATIONS: dict[str, tuple[str, str]] = {
    "no list": (
        '{"name":"a"}',
        'expected a list of networks at character 1, found \'{"name":"a"}\'',
    ),
    "deep": ('[{"name":"a","x":' + "[" * 200_000, "it is nested too deeply"),
    "long mac": (
        '[{"name":"a","mac":"' + "0" * 200_000 + '"}]',
        "element 1 (a): '" + "0" * 64 + "...' is not a MAC address: write six octets, such as"
        " 02:00:00:00:00:2a",
    ),
    "emoji as mac": (
        '[{"name":"a","mac":"\U0001f600"}]',
        (
            "element 1 (a): '\U0001f600' is not a MAC address: write six octets, such as"
            " 02:00:00:00:00:2a"
        ),
    ),
    "twice": (
        '[{"name":"a","mac":"02:00:00:00:00:01"},{"name":"b","mac":"0200.0000.0001"}]',
        (
            "duplicate address 02:00:00:00:00:01 in elements 1 (a) and 2 (b): give each interface"
            " its own address, or leave out the mac and get one from the pool"
        ),
    ),
}


@pytest.mark.parametrize(("networks", "says"), ANNOTATIONS.values(), ids=ANNOTATIONS)
async def test_an_annotation_that_cannot_be_served_is_denied_saying_why(
    program: Program, networks: str, says: str
) -> None:
    response = (await program.post(body(request(pod(networks))))).response

    assert response == {
        "uid": "r-1",
        "allowed": False,
        "status": {
            "code": 400,
            "reason": "BadRequest",
            "message": f"Pod shop/web: annotation {ANNOTATION}: {says}",
        },
    }
    assert program.cluster.calls == []
    assert await program.still_serves()


@pytest.mark.parametrize(
    "networks",
    [
        pytest.param('[{"name":"\u00fcber-\U0001f600"}]', id="unicode name"),
        pytest.param('[{"name":"a\\ud800","interface":"\\udfff"}]', id="half a surrogate pair"),
        pytest.param('[{"name":"a\\u0000"}]', id="null byte escaped"),
        pytest.param('[{"name":"a","x":' + "9" * 100_000 + "}]", id="huge number"),
        pytest.param('[{"name":"a","x":"' + "y" * 200_000 + '"}]', id="huge value"),
        pytest.param('[{"name":"a","NAME":"b","mac":null,"MAC":""}]', id="members twice"),
        pytest.param('[{"name":"a\\"b\\\\"}]', id="quote in name"),
    ],
)
async def test_an_annotation_that_multus_can_read_is_served(
    program: Program, networks: str
) -> None:
    response = (await program.post(body(request(pod(networks))))).response

    assert response["allowed"]
    (stored,) = program.cluster.allocated.values()
    assert msgspec.json.encode(stored.allocation, enc_hook=encode_hook)
    assert await program.still_serves()
