"""KubeVirt beside the control plane: its own virt-controller, virt-api and CRDs, as processes.

Two parts are stand-ins, in `handler` and `kubelet`: no node boots a virtual machine here, so tests
say when one runs, ends or has migrated, and virt-controller takes them at their word.
"""

from e2e.cluster.kubevirt.crds import (
    apply_crds,
    apply_machine_crds,
    apply_networks_crd,
    remove_crds,
)
from e2e.cluster.kubevirt.machines import Machines
from e2e.cluster.kubevirt.start import KubeVirt, start

__all__ = [
    "KubeVirt",
    "Machines",
    "apply_crds",
    "apply_machine_crds",
    "apply_networks_crd",
    "remove_crds",
    "start",
]
