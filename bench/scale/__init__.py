"""`python -m bench scale`: what grows with the cluster, with a full pool, and in a burst.

May hold: what is measured, how it is counted and written down. A part is a control plane of its
own: `growth` (allocations in use), `filling` (a pool nearly full), `bursts` (pods all at once).
It asserts nothing about time: it reports, with the targets beside the figures.
"""

from bench.scale.run import main

__all__ = ["main"]
