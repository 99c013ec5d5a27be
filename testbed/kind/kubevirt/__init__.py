"""All of KubeVirt on a kind cluster: VMs boot, in software if the machine has no KVM.

Its own operator installs it: the released one if its images can be pulled. Otherwise everything is
built once, from published Go modules and Debian's packages, and the engine keeps it.
"""

from testbed.kind.kubevirt.images import at_hand, build_guest, fetch
from testbed.kind.kubevirt.install import count_storage, install

__all__ = ["at_hand", "build_guest", "count_storage", "fetch", "install"]
