"""KubeVirt's own virt-controller and virt-api as pods of a kind cluster.

They come up as virt-operator brings them: the same Secrets, Service, webhooks and service accounts,
beside the control plane. No machine boots: there is neither virt-handler nor an image of
virt-launcher, so what is real of a launcher pod ends with its sandbox, on a node, on its networks.
"""

import base64
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import release
from e2e.cluster.kind.cluster import KindCluster
from e2e.cluster.kind.engine import docker, has
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.kubevirt import api, controller
from e2e.cluster.kubevirt.crds import NAMESPACE, apply_own_crds
from e2e.cluster.kubevirt.start import await_collector, declare
from e2e.cluster.locate import find_kubevirt
from e2e.cluster.progress import Progress
from e2e.cluster.readiness import eventually

_PORT = 8443
_START_S = 300.0  # seen: 100 s, on two cores with a load of 40
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_USER = 1001  # as in KubeVirt's images
# A pod that requests nothing gets what others leave: at such a load virt-api was not up in 4 min.
_SHARE = {"cpu": "100m", "memory": "100Mi"}
# What virt-handler finds out about its node, for the machine type that virt-api fills in.
_LABELS = ("kubevirt.io/schedulable=true", "machine-type.node.kubevirt.io/q35=true")
# What its device plugin offers (any number will do), and what a kubelet does not count where it
# cannot isolate it (control groups of version 1); launchers ask for both.
_CAPACITY = {"devices.kubevirt.io/tun": "110", "ephemeral-storage": "64Gi"}


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    account: str
    arguments: Sequence[str]
    ready: str
    folders: Mapping[str, str]  # where it looks for certificates, by Secret; it has constants


_CONTROLLER = _Program(
    controller.NAME,
    "kubevirt-controller",
    (
        f"--launcher-image=kubemacpool.test/virt-launcher:{release.KUBEVIRT}",
        f"--exporter-image=kubemacpool.test/virt-exportserver:{release.KUBEVIRT}",
    ),
    "/leader",
    {
        "kubevirt-controller-certs": "/etc/virt-controller/certificates",
        "kubevirt-export-ca": "/etc/virt-controller/exportca",
        "kubevirt-backup-ca": "/etc/virt-controller/backupca",
    },
)
_API = _Program(
    api.NAME,
    "kubevirt-apiserver",
    ("--subresources-only",),
    "/apis/subresources.kubevirt.io/v1/healthz",
    {
        "kubevirt-virt-api-certs": "/etc/virt-api/certificates",
        "kubevirt-virt-handler-certs": "/etc/virt-handler/clientcertificates",
    },
)


def install(cluster: KindCluster) -> None:
    """Put KubeVirt on the cluster; return when machines are admitted and started.

    Where it is already, nothing changes.
    """
    binaries = find_kubevirt()
    image = _image([binaries[_CONTROLLER.name], binaries[_API.name]])
    cluster.load(image)
    kubectl = cluster.kubectl
    apply_own_crds(kubectl)  # that of networks came with Multus
    progress = Progress("Starting virt-controller and virt-api as pods")
    declare(kubectl)
    folder = api.write_certificates(cluster.state / api.NAME)
    deployments = [_deployment(program, image) for program in (_CONTROLLER, _API)]
    items = [*_secrets(cluster.state, folder), api.service(), *deployments]
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    names = [f"deployment/{program.name}" for program in (_CONTROLLER, _API)]
    wait = ("wait", "--for=condition=Available", *names, "-n", NAMESPACE, "--timeout=60s")
    eventually(lambda: not kubectl.run(*wait).returncode, "KubeVirt's pods available", _START_S)
    api.ask(kubectl, folder, port=443)
    await_collector(kubectl)
    progress.done()


def take_launchers(kubectl: Kubectl) -> None:
    """Let launcher pods be placed on the nodes, in place of virt-handler.

    A kubelet that starts again takes back what it does not know, so this may be needed again.
    """
    nodes = kubectl.json("get", "nodes")["items"]
    for node in nodes:
        name, capacity = node["metadata"]["name"], node["status"]["capacity"]
        kubectl("label", "node", name, "--overwrite", *_LABELS)
        lacking = {key: _CAPACITY[key] for key in _CAPACITY if capacity.get(key, "0") == "0"}
        patch = json.dumps({"status": {"capacity": lacking}})
        kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", patch)
    eventually(lambda: _can_take(kubectl), "the kubelets offer what launchers ask for")


def _can_take(kubectl: Kubectl) -> bool:
    nodes = kubectl.json("get", "nodes")["items"]
    offered = [node["status"]["allocatable"] for node in nodes]
    return all(one.get(key, "0") != "0" for one in offered for key in _CAPACITY)


def _image(binaries: Sequence[Path]) -> str:
    """Return the image with both programs and nothing else, which the engine has then."""
    image = f"kubemacpool.test/kubevirt:{release.cached_kubevirt().name}"
    if not has(image):
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder)
            names = [binary.name for binary in binaries]
            for binary in binaries:
                shutil.copy(binary, context)
            (context / "Dockerfile").write_text(f"FROM scratch\nCOPY {' '.join(names)} /\n")
            docker("build", "-t", image, folder)
    return image


def _secrets(state: Path, of_api: Path) -> list[dict[str, Any]]:
    of_controller = state / controller.NAME
    if not of_controller.exists():
        controller.write_certificates(of_controller)
    return [
        *(
            _secret(name, of_controller / Path(folder).name)
            for name, folder in _CONTROLLER.folders.items()
        ),
        _secret("kubevirt-virt-api-certs", of_api),
        _secret("kubevirt-virt-handler-certs", of_api, "handler"),
    ]


def _secret(name: str, folder: Path, pair: str = "tls") -> dict[str, Any]:
    """A certificate and its key, that lie in a folder."""
    data = {
        f"tls.{end}": base64.b64encode((folder / f"{pair}.{end}").read_bytes()).decode()
        for end in ("crt", "key")
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def _deployment(program: _Program, image: str) -> dict[str, Any]:
    labels = {"kubevirt.io": program.name}
    probe = {"scheme": "HTTPS", "port": _PORT, "path": program.ready}
    container = {
        "name": program.name,
        "image": image,
        "imagePullPolicy": "Never",
        "command": [f"/{program.name}", f"--port={_PORT}", *program.arguments],
        "readinessProbe": {"httpGet": probe, "periodSeconds": 2},
        "resources": {"requests": _SHARE},
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - of the pod, not ours
            *({"name": secret, "mountPath": path} for secret, path in program.folders.items()),
        ],
    }
    pod = {
        "serviceAccountName": program.account,
        "securityContext": {"runAsUser": _USER, "runAsNonRoot": True},
        "nodeSelector": {_CONTROL_PLANE: ""},  # tests stop the others
        "tolerations": [{"key": _CONTROL_PLANE, "operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            *({"name": secret, "secret": {"secretName": secret}} for secret in program.folders),
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": program.name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
