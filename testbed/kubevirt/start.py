"""Starts KubeVirt on a cluster: its objects, as its operator writes them, and its two programs."""

from dataclasses import dataclass

from testbed import versions
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt import api, controller
from testbed.kubevirt.crds import NAMESPACE, apply_accounts, apply_crds
from testbed.kubevirt.handler import Handler
from testbed.kubevirt.kubelet import Kubelet
from testbed.kubevirt.virtualmachines import manifest
from testbed.locate import find_kubevirt
from testbed.programs import Program
from testbed.progress import Progress
from testbed.readiness import READY_S, eventually

# Snapshots and clones are beta, which KubeVirt leaves off.
_FOR_DEVELOPERS = {"useEmulation": True, "featureGates": ["Snapshot"]}
# There is no image of virt-launcher, so no node may pull one.
_CONFIGURATION = {"developerConfiguration": _FOR_DEVELOPERS, "imagePullPolicy": "Never"}
# The object that virt-operator writes. KubeVirt's programs wait until its phase is Deployed.
_DEPLOYED = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": NAMESPACE},
    "spec": {"configuration": _CONFIGURATION},
}
_STATUS = {
    "phase": "Deployed",
    "operatorVersion": versions.KUBEVIRT,
    "targetKubeVirtVersion": versions.KUBEVIRT,
    "observedKubeVirtVersion": versions.KUBEVIRT,
    "defaultArchitecture": versions.ARCH,
}


@dataclass(frozen=True, slots=True)
class KubeVirt:
    """KubeVirt on one cluster: two real programs, and stand-ins for the parts that need a node."""

    cluster: ControlPlane
    controller: Program
    api: Program
    handler: Handler

    def stop(self) -> None:
        """End both programs, and remove the webhooks of virt-api; other objects stay."""
        api.unregister(self.cluster.kubectl)
        for program in (self.api, self.controller):
            program.process.kill()  # neither writes anything at its end, and virt-api takes 5 s


def start(cluster: ControlPlane) -> KubeVirt:
    """Install KubeVirt on `cluster`; return when VMs are admitted and started."""
    find_kubevirt()  # all at once, so that one build makes all of them
    apply_crds(cluster.kubectl)
    progress = Progress("Starting virt-controller and virt-api")
    _declare(cluster.kubectl)
    virt_controller, virt_api = controller.launch(cluster), api.launch(cluster)
    virt_controller.wait_ready()
    virt_api.wait_ready()
    api.register(cluster)
    await_collector(cluster.kubectl)
    kubelet = Kubelet(cluster.kubectl.client)
    kubelet.join()
    progress.done()
    return KubeVirt(cluster, virt_controller, virt_api, Handler.of(cluster, kubelet))


def await_collector(kubectl: Kubectl, deadline_s: float = READY_S) -> None:
    """Return when the garbage collector knows machines: up to 30 s after their CRDs are there.

    Before that, it deletes the instance of an orphaned machine, because it does not find the owner.
    So this creates a machine whose owner does not exist, and waits until the collector deletes it.
    The API server admits machines when it reaches virt-api: at most `deadline_s` from now.
    """
    probe = manifest("collector-probe", run_strategy="Halted")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "no-such-uid"}
    probe["metadata"] |= {"namespace": "default", "ownerReferences": [owner]}
    client, said = kubectl.client, ""

    def admitted() -> bool:
        nonlocal said
        said = refusal(lambda: client.apply(probe))
        return not said

    try:
        eventually(admitted, "a machine admitted by virt-api", deadline_s, period_s=1.0)
    except AssertionError as error:
        raise AssertionError(f"{error}: {said}") from None
    client.until(
        "vm", lambda found: not found, "the probe collected", "default",
        name=probe["metadata"]["name"], deadline_s=120,
    )  # fmt: skip


def _declare(kubectl: Kubectl) -> None:
    """Write the objects that KubeVirt's programs need at their start: its status and accounts."""
    apply_accounts(kubectl)
    client = kubectl.client
    client.apply(_DEPLOYED)
    client.patch("kubevirt", "kubevirt", {"status": _STATUS}, NAMESPACE, subresource="status")
