"""The pods and VMs that the experiments create, as JSON. Pods are about 4 kB, VMs about 2 kB."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from crds.mac import MacAddress
from crds.networks import ANNOTATION
from testbed.kubevirt.virtualmachines import Interface, manifest

PODS_PATH = "/api/v1/namespaces/{}/pods"
VMS_PATH = "/apis/kubevirt.io/v1/namespaces/{}/virtualmachines"
# Nothing runs the pods, so they can go at once.
AT_ONCE = msgspec.json.encode({"gracePeriodSeconds": 0})
_OTHER_KEY = "bench.example.com/networks"
_LABELS = {"app.kubernetes.io/name": "shop", "pod-template-hash": "6d4b75cb6d"}


def pod(interfaces: int = 1, *, annotated: bool = True) -> bytes:
    """Return a pod without a node. Without the annotation it has the same size."""
    elements = [{"name": f"ovs-net-{number}"} for number in range(1, interfaces + 1)]
    key = ANNOTATION if annotated else _OTHER_KEY
    metadata = {
        # As a ReplicaSet does it: the webhook does not see the name.
        "generateName": "shop-front-6d4b75cb6d-",
        "labels": _LABELS,
        "annotations": {key: msgspec.json.encode(elements).decode(), "prometheus.io/port": "9102"},
    }
    volumes = [{"name": name, "secret": {"secretName": name}} for name in ("config", "tls")]
    spec = {"containers": [_container("front"), _container("exporter")], "volumes": volumes}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    )


def vm(interfaces: int) -> bytes:
    """Return a VM that is to run, without addresses. Nothing starts it."""
    body = manifest("", _interfaces([""] * interfaces))
    body["metadata"] = {"generateName": "shop-db-", "labels": _LABELS}
    template = body["spec"]["template"]["spec"]
    template["domain"]["devices"]["disks"] = [{"name": "init", "cdrom": {"bus": "sata"}}]
    user_data = {"userData": "#cloud-config\n" + "# comment\n" * 100}
    template["volumes"] = [{"name": "init", "cloudInitNoCloud": user_data}]
    return msgspec.json.encode(body)


def interfaces_of_vm(number: int) -> bytes:
    """Return the merge patch that gives a VM this number of interfaces, without addresses."""
    template = manifest("", _interfaces([""] * number))["spec"]["template"]["spec"]
    devices = {"interfaces": template["domain"]["devices"]["interfaces"]}
    patch = {"domain": {"devices": devices}, "networks": template["networks"]}
    return msgspec.json.encode({"spec": {"template": {"spec": patch}}})


def halted_vm(name: str, macs: Iterable[MacAddress]) -> bytes:
    """Return a VM that does not run, with these addresses."""
    interfaces = _interfaces([str(mac) for mac in macs])
    return msgspec.json.encode(manifest(name, interfaces, run_strategy="Halted"))


def addresses(first: int, count: int) -> list[MacAddress]:
    """Return addresses in a row."""
    return [MacAddress(first + at) for at in range(count)]


def _interfaces(macs: Sequence[str]) -> list[Interface]:
    """The first one is on the pod network."""
    return [Interface(f"net{at}", f"lan{at}" if at else "", mac) for at, mac in enumerate(macs)]


def _container(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/shop/{name}@sha256:{'c0ffee' * 10}beef",
        "env": [{"name": f"SHOP_SETTING_{n}", "value": f"value-{n}"} for n in range(24)],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": name, "mountPath": f"/etc/{name}"} for name in ("config", "tls")],
    }
