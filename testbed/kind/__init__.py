"""A kind cluster on this machine's Docker Engine, with Multus: real nodes, pods and interfaces.

Images are pulled if a registry can be reached. Otherwise they are built once, from the
distribution's packages and from published Go modules, and the engine keeps them.
"""

from testbed.kind.cluster import KindCluster, bring_up, name_of, standing

__all__ = ["KindCluster", "bring_up", "name_of", "standing"]
