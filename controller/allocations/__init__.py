"""Allocations: binds, adopts and releases addresses.

`decisions` and `ownership` decide, `caches` remembers what the watches have shown; `reconciler`,
`repair` and `adoption` carry the decisions out.
"""
