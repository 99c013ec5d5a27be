"""`make demo`: watch the pool at work, on a real control plane.

The demo runs every line after a `$` exactly as it is written, and prints its output below it.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.demo_vm import show_vm
from e2e.terminal import DemoFailed, Terminal, tell, title
from testbed import external
from testbed.controlplane import ControlPlane, attach
from testbed.kubectl import KubectlFailed
from testbed.progress import Progress
from testbed.readiness import NotReady, eventually
from testbed.release import start

STATE = Path(__file__).parents[1] / ".cluster"
# Q of the protocol. The default is 60 s, too long to watch.
QUIET_S = 5.0

_NETWORKS = r"""\
      -o jsonpath='{.metadata.annotations.k8s\.v1\.cni\.cncf\.io/networks}{"\n"}'"""
_EXAMPLES = "docs/examples"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="the cluster's folder")
    state = parser.parse_args(argv).state.absolute()
    if external.chosen():
        tell(
            "The demo brings up a cluster of its own and does not run on KUBEVIRT_PROVIDER="
            "external: unset that, or install the release on your cluster (README.md)."
        )
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        _show(_bring_up(state))
    except (DemoFailed, KubectlFailed, NotReady, AssertionError) as error:
        tell(f"\nThe demo failed: {error}")
        tell(f"What was started still runs, with its logs in {state}; `make cluster-down` ends it.")
        return 1
    except KeyboardInterrupt:
        tell("\nInterrupted. `make cluster-down` ends what was started.")
        return 128 + signal.SIGINT
    _farewell(attach(state), time.monotonic() - began)
    return 0


def sweep(cluster: ControlPlane) -> None:
    """Remove the examples that an earlier run left, and wait until their addresses are free."""
    client = cluster.kubectl.client
    if client.get("namespace", "shop") is None:
        return
    progress = Progress("   Removing namespace shop, which an earlier run left")
    client.delete("namespace", "shop", wait=False)

    def gone() -> bool:
        progress.tick()
        held = client.list("mac", fields="spec.owner.namespace=shop")
        return client.get("namespace", "shop") is None and not held

    eventually(gone, "namespace shop and its addresses are gone")
    client.delete("mac", "02-00-00-00-00-01", missing_ok=True)  # that of declared.yaml
    progress.done()


def _bring_up(state: Path) -> ControlPlane:
    title("A control plane: etcd, kube-apiserver, kube-controller-manager (about 6 s)")
    command = [sys.executable, "-m", "testbed", "up", "--state", str(state)]
    # Also where Docker runs, or VMs are to boot.
    beside_us = {"KUBEVIRT_PROVIDER": "control-plane", "KUBEVIRT": ""}
    if subprocess.run(command, env=os.environ | beside_us, check=False).returncode:
        raise DemoFailed("there is no control plane")
    return attach(state)


def _show(cluster: ControlPlane) -> None:
    terminal = Terminal(cluster)
    _install(terminal)
    _opt_in(terminal)
    _dry_run(terminal)
    _pool_address(terminal)
    _several_interfaces(terminal)
    _manual_address(terminal)
    _protection(terminal)
    _declared_address(terminal)
    show_vm(terminal)
    _release(terminal)


def _install(terminal: Terminal) -> None:
    title("The release, as it is on any cluster")
    terminal.run("kubectl apply -f deploy/kubemacpool.yaml", most_lines=3)
    title(
        f"One controller (--quiet-s {QUIET_S:g}, explained below), two webhooks (about 5 s)",
        "As processes, because nothing runs the Deployments' pods here, but under their service"
        " accounts and with no more rights.",
    )
    start(terminal.cluster, quiet_s=QUIET_S)
    tell("   Ready: the API server asks them.")
    sweep(terminal.cluster)


def _opt_in(terminal: Terminal) -> None:
    title("Opt a namespace in")
    terminal.run("kubectl create namespace shop")
    terminal.run("kubectl label namespace shop mutatepods.kubemacpool.io=allocate")
    terminal.cluster.kubectl.client.wait_account("shop")


def _dry_run(terminal: Terminal) -> None:
    title("A pod that asks for a network, at first as a dry run: it writes nothing")
    terminal.run(f"cat {_EXAMPLES}/samplepod.yaml")
    terminal.run(f"kubectl create --dry-run=server -f {_EXAMPLES}/samplepod.yaml {_NETWORKS}")
    terminal.run("kubectl get macallocations")


def _pool_address(terminal: Terminal) -> None:
    title("Without the dry run: the annotation gets an address, and the address is an object")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/samplepod.yaml")
    terminal.run(f"kubectl get pod samplepod -n shop {_NETWORKS}")
    terminal.wait_bound("samplepod")
    terminal.run("kubectl get macallocations")
    tell("   One in state Stock has no owner yet: it is kept ready for the next pod.")


def _several_interfaces(terminal: Terminal) -> None:
    title("Several interfaces")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/router.yaml")
    terminal.wait_bound("router", 3)
    terminal.run("kubectl get macallocations --field-selector spec.owner.name=router")


def _manual_address(terminal: Terminal) -> None:
    title(
        "A manual address stays as it was written, and is the same in any spelling",
        "The second pod asks for it with dots.",
    )
    terminal.run(f"kubectl apply -f {_EXAMPLES}/manual.yaml")
    terminal.run(f"kubectl get pod manual -n shop {_NETWORKS}")
    terminal.wait_bound("manual")
    terminal.run(f"grep cncf {_EXAMPLES}/duplicate.yaml")
    terminal.refused(f"kubectl apply -f {_EXAMPLES}/duplicate.yaml", "belongs to Pod shop/manual")


def _protection(terminal: Terminal) -> None:
    title("Not even an administrator takes an address away from a pod that has it")
    terminal.run("kubectl auth whoami -o jsonpath='{.status.userInfo.groups}{\"\\n\"}'")
    delete = "kubectl delete macallocation 02-00-00-00-00-2a"
    terminal.refused(delete, "can be deleted only after its owner")


def _declared_address(terminal: Terminal) -> None:
    title("An address declared in a file (in Git, say) before its pod exists")
    terminal.run(f"cat {_EXAMPLES}/declared.yaml")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/declared.yaml")
    terminal.refused(f"kubectl apply -f {_EXAMPLES}/intruder.yaml", "declared for Pod shop/gateway")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/gateway.yaml")
    terminal.wait_bound("gateway")
    terminal.run("kubectl get macallocation 02-00-00-00-00-01")
    tell("   Applying the file again, as a GitOps tool does, changes nothing:")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/declared.yaml")


def _release(terminal: Terminal) -> None:
    title(
        "Release: an address is freed when its pod is gone and no request can still grant it",
        f"It stays for {QUIET_S:g} s (60 s on a cluster) after it was last written, because an"
        " answer that grants it may still be under way. A pod that lived longer frees its"
        " addresses at once.",
    )
    selector = "--field-selector spec.owner.name=samplepod"
    terminal.run("kubectl delete pod samplepod -n shop")
    terminal.run(f"kubectl wait --for=delete macallocation {selector} --timeout=60s")
    terminal.run(f"kubectl get macallocation {selector}")
    tell(f"   A pod that lived for a moment keeps them, so this takes {QUIET_S:g} s:")
    terminal.run(f"kubectl apply -f {_EXAMPLES}/samplepod.yaml")
    terminal.wait_bound("samplepod")
    terminal.run("kubectl delete pod samplepod -n shop")
    terminal.run(f"kubectl wait --for=delete macallocation {selector} --timeout=60s")
    tell("   A declared address outlives its pod, and is Declared again:")
    terminal.run("kubectl delete pod gateway -n shop")
    declared = "macallocation/02-00-00-00-00-01"
    state = "--for=jsonpath='{.spec.state}'=Declared"
    terminal.run(f"kubectl wait {state} {declared} --timeout=60s")
    terminal.run("kubectl get macallocations")
    kept = terminal.cluster.kubectl.client.list("mac")
    left = sum(allocation["spec"]["state"] != "Stock" for allocation in kept)
    tell("   And the pool; its status is counted every few seconds:")
    terminal.run(f"kubectl wait --for=jsonpath='{{.status.allocated}}'={left} macpool/default")
    terminal.run("kubectl get macpool")


def _farewell(cluster: ControlPlane, took_s: float) -> None:
    kubectl = cluster.kubectl
    title(f"That took {took_s:.0f} s. It all still runs; to go on by hand:")
    tell(
        f"""  export KUBECONFIG={kubectl.kubeconfig}
  export PATH={kubectl.binary.parent}:$PATH    # where kubectl is

  kubectl get macs -o wide                          # who has which address
  kubectl explain macallocation.spec                # what the fields mean
  kubectl get macs --field-selector spec.owner.namespace=shop
  kubectl delete mac 02-00-00-00-00-2a              # refused: its pod lives
  kubectl edit configmap -n kubemacpool-system kubemacpool-mac-range-config   # the range

To type the README's examples yourself, begin with an empty namespace:
  kubectl delete namespace shop; kubectl delete -f docs/examples/declared.yaml --ignore-not-found

The logs are in {cluster.state}. `make demo` shows it again (it deletes namespace shop first, and
starts our programs again, also after you have deleted the release); `make cluster-down` ends and
removes everything."""
    )


if __name__ == "__main__":
    sys.exit(main())
