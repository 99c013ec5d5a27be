"""KubeVirt whole on a kind cluster: VMs boot, in software where the machine has no KVM.

Its own operator brings it up: the released one where its images can be pulled; else everything is
built once, from published Go modules and Debian's packages, and kept by the engine.
"""

from testbed.kind.kubevirt.images import at_hand, build_guest, fetch
from testbed.kind.kubevirt.install import count_storage, install

__all__ = ["at_hand", "build_guest", "count_storage", "fetch", "install"]
