"""The demo's virtual machine. KubeVirt's CRDs are real, but none of its programs runs."""

from e2e.terminal import Terminal, title
from e2e.vms import addresses
from testbed.kubevirt import crds

_VM = "docs/examples/vm.yaml"
_INTERFACES = ".spec.template.spec.domain.devices.interfaces"
_SHOW = f"""kubectl get vm web -n shop \\
      -o custom-columns='VERSION:.metadata.resourceVersion,ADDRESSES:{_INTERFACES}[*].macAddress'"""


def show_vm(terminal: Terminal) -> None:
    """Show a VM's addresses if KubeVirt's CRDs are built; otherwise say that they are not."""
    if not crds.are_built():
        title(
            "A virtual machine: not shown, because KubeVirt's CRDs are not built yet",
            "`make kubevirt-crds` builds them (Go, 3 minutes, once); then `make demo` shows one.",
        )
        return
    title(
        "A virtual machine: its addresses are in its own spec",
        "KubeVirt may be installed after the pool. The demo applies its CRDs of VMs and VMIs. None"
        " of its programs runs, so nothing boots.",
    )
    crds.apply_vm_crds(terminal.cluster.kubectl)
    terminal.run("kubectl label namespace shop mutatevirtualmachines.kubemacpool.io=allocate")
    terminal.run(f"cat {_VM}")
    terminal.run(f"kubectl apply -f {_VM}")
    terminal.wait_bound("web", 2)
    terminal.run(_SHOW)
    terminal.run("kubectl get macs --field-selector spec.owner.name=web")
    title(
        "The same file again, as a GitOps tool applies it: the VM keeps its addresses",
        "kubectl says `configured` because the file lacks them; the VM is not even written.",
    )
    terminal.run(f"kubectl apply -f {_VM}")
    terminal.run(_SHOW)
    _copy(terminal)


def _copy(terminal: Terminal) -> None:
    mac = addresses(terminal.cluster.kubectl.client.read("vm", "web", "shop"))["front"]
    title("A second VM that asks for the first one's address, while the first one exists")
    edit = f's/name: web,/name: web-copy,/; s/bridge: {{}}/&, macAddress: "{mac}"/'
    terminal.refused(
        f"sed '{edit}' {_VM} \\\n      | kubectl apply -f -",
        "belongs to VirtualMachine shop/web (interface front)",
    )
    title("A deleted VM gives its addresses back")
    selector = "--field-selector spec.owner.name=web"
    terminal.run("kubectl delete vm web -n shop")
    terminal.run(f"kubectl wait --for=delete macallocation {selector} --timeout=60s")
