"""A kind cluster on this machine's Docker Engine, with Multus: real nodes, pods and interfaces.

What can be pulled is pulled. Where nothing can, images are built from the distribution's packages
and from published Go modules, once, and kept by the engine.
"""

from testbed.kind.cluster import KindCluster, bring_up, name_of, standing

__all__ = ["KindCluster", "bring_up", "name_of", "standing"]
