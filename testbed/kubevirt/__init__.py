"""KubeVirt beside the control plane: its own virt-controller, virt-api and CRDs, as processes.

Two parts are simulated, by `handler` and `kubelet`: no node boots a virtual machine here. Tests say
when a VM runs, ends or has migrated, and virt-controller reads that in statuses and pods.
"""

from testbed.kubevirt.crds import apply_vm_crds, remove_crds
from testbed.kubevirt.start import KubeVirt, start
from testbed.kubevirt.virtualmachines import VirtualMachines

__all__ = [
    "KubeVirt",
    "VirtualMachines",
    "apply_vm_crds",
    "remove_crds",
    "start",
]
