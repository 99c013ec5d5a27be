"""A namespace whose VMs boot: guests print their addresses on the console, and obey commands."""

import json
import re
from dataclasses import dataclass
from typing import Any

from e2e.functest.node_pods import START_S, NodePods
from e2e.vms import NAT, VmNamespace
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.kubevirt.whole import ANYWHERE, TAP
from testbed.readiness import eventually

# A guest in software emulation on two busy cores: 12 s when they are idle.
BOOT_S = 300.0
_PERIOD_S = 1.0  # asking takes a core that the guest could have
FRONT = Interface("front", network="front", plugin=TAP)
# Its init ignores the power button, so a VM that is stopped ends after this time.
GRACE_S = 5
_UP = "guest is up"
_QEMU = 107  # the user who runs QEMU in a launcher
_CONSOLE, _LAUNCHER = "guest-console-log", "compute"
_INSIDE = re.compile(r"^interface (\S+) ([0-9a-f:]{17})", re.MULTILINE)
_DOMAIN = re.compile(r"<mac address='([0-9a-f:]{17})'/>")


@dataclass(frozen=True, slots=True)
class BootedVms(VmNamespace):
    """One namespace that has opted in for VMs and pods, on a cluster with KubeVirt."""

    guest: str  # the name of an image

    def attach(self) -> None:
        """Define the network of FRONT: an unconnected tap for each VM."""
        tap = {"type": "tap", "owner": _QEMU, "group": _QEMU}
        tuning = {"type": "tuning", "capabilities": {"mac": True}}
        NodePods(self.kubectl, self.namespace).define("front", [tap, tuning])

    def create(
        self,
        name: str,
        *interfaces: Interface,
        run_strategy: str = "Halted",
        grace_s: int = GRACE_S,
    ) -> dict[str, str]:
        """Create a VM with a guest and return its addresses by interface."""
        vm = manifest(name, interfaces or (NAT,), run_strategy=run_strategy)
        vm["spec"]["template"]["spec"] |= self._guest(vm["spec"]["template"]["spec"], grace_s)
        self("create", "-f", "-", stdin=json.dumps(vm))
        return self.addresses(name)

    def create_instance(self, name: str, *interfaces: Interface, grace_s: int = GRACE_S) -> None:
        """Create a VMI that no VM has, with a guest."""
        vm = manifest(name, interfaces or (NAT,))
        spec = vm["spec"]["template"]["spec"]
        vmi = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {"name": name},
            "spec": spec | self._guest(spec, grace_s),
        }
        self("create", "-f", "-", stdin=json.dumps(vmi))

    def wait_served(self) -> None:
        """Wait until the API server asks for VMs of this namespace: it learns of labels later."""
        probe = json.dumps(manifest("probe", [NAT], run_strategy="Halted"))
        dry = ("create", "-f", "-", "-n", self.namespace, "--dry-run=server", "-o", "json")
        eventually(
            lambda: "macAddress" in self.kubectl.run(*dry, stdin=probe).stdout,
            "the namespace is served",
        )

    def up(
        self, name: str, *, after: dict[str, Any] | None = None, starts: int = 1
    ) -> dict[str, Any]:
        """Return the launcher pod of a VMI when its guest has come up in it `starts` times.

        It is the pod of another VMI than that of the pod `after`.
        """
        before = _vm_uid(after) if after else ""

        def runs(vmi: dict[str, Any]) -> bool:
            again: bool = vmi["metadata"]["uid"] != before
            return again and vmi["status"].get("phase") == "Running"

        vmi = self.wait_instance(name, runs, BOOT_S)
        (pod,) = self.launchers_of(vmi)
        what = f"the guest of {name} is up"
        eventually(lambda: self.console(pod).count(_UP) >= starts, what, BOOT_S, period_s=_PERIOD_S)
        return pod

    def console(self, pod: dict[str, Any]) -> str:
        """Return what the guest has said on its console since its launcher started."""
        return self.kubectl.run("logs", *self._of(pod), "-c", _CONSOLE).stdout

    def type(self, pod: dict[str, Any], line: str) -> None:
        """Type a line on the guest's console through its socket, as virtctl console does."""
        socket = f"/var/run/kubevirt-private/{_vm_uid(pod)}/virt-serial0"
        # QEMU throws away what the guest has not read yet when the connection ends.
        script = f"ncat --no-shutdown --idle-timeout 3s -U {socket} || true"
        inside = (*self._of(pod), "-i", "-c", _LAUNCHER, "--", "sh", "-c", script)
        self.kubectl.run("exec", *inside, stdin=f"{line}\n")  # the line may end the launcher

    def answers(self, pod: dict[str, Any], line: str, words: str) -> None:
        """Type a line until the guest prints `words`; a guest that is not ready loses the line."""

        def heard() -> bool:
            self.type(pod, line)
            return words in self.console(pod)

        eventually(heard, f"a guest answering {line} with {words}", BOOT_S, period_s=_PERIOD_S)

    def inside(self, pod: dict[str, Any]) -> dict[str, str]:
        """Return what the guest said last of its interfaces: address by interface."""
        return dict(_INSIDE.findall(self.console(pod)))

    def domain(self, pod: dict[str, Any]) -> list[str]:
        """Return the addresses in libvirt's domain, in its order."""
        virsh = "virsh -c qemu+unix:///session dumpxml $(virsh -c qemu+unix:///session list --name)"
        shown = self.kubectl("exec", *self._of(pod), "-c", _LAUNCHER, "--", "sh", "-c", virsh)
        return _DOMAIN.findall(shown)

    def halted(self, name: str) -> None:
        """Wait until a VM has neither a VMI nor a launcher pod."""

        def gone() -> bool:
            return self.gone("vmi", name) and not self("get", "pods", "-o", "name")

        what = f"the VMI {name} and its launcher gone"
        eventually(gone, what, START_S, period_s=_PERIOD_S)

    def freed(self, *macs: str) -> None:
        """Wait until none of `macs` has an allocation, after Q."""
        NodePods(self.kubectl, self.namespace).freed(macs)

    def _guest(self, spec: dict[str, Any], grace_s: int) -> dict[str, Any]:
        """Return the fields of a VM's spec that boot our guest."""
        source = {"image": self.guest, "imagePullPolicy": "IfNotPresent"}
        boot = {
            "container": source | {"kernelPath": "/boot/vmlinuz", "initrdPath": "/boot/initrd.img"},
            "kernelArgs": "console=ttyS0 quiet panic=1",
        }
        domain = spec["domain"]
        devices = domain["devices"] | {"disks": [{"name": "disk", "disk": {"bus": "virtio"}}]}
        return {
            "domain": domain
            | {"devices": devices, "firmware": {"kernelBoot": boot}, "memory": {"guest": "128Mi"}},
            "terminationGracePeriodSeconds": grace_s,
            "tolerations": ANYWHERE,
            "volumes": [{"name": "disk", "containerDisk": source}],
        }

    def _of(self, pod: dict[str, Any]) -> tuple[str, ...]:
        return (f"pod/{pod['metadata']['name']}", "-n", self.namespace)


def given(vmi: dict[str, Any]) -> dict[str, str]:
    """Return the addresses with which a guest is started, by interface."""
    return {
        interface["name"]: interface["macAddress"]
        for interface in vmi["spec"]["domain"]["devices"]["interfaces"]
    }


def reported(vmi: dict[str, Any]) -> dict[str, str]:
    """Return what virt-handler reports of a running guest's interfaces."""
    return {interface["name"]: interface["mac"] for interface in vmi["status"]["interfaces"]}


def _vm_uid(pod: dict[str, Any]) -> str:
    uid: str = pod["metadata"]["labels"]["kubevirt.io/created-by"]
    return uid
