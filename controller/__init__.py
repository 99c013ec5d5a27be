"""The controller: binds allocations to their owners, collects the unused, adopts what it finds.

`binding`, `configuration` and `certificates` decide; `loops`, `handlers` and their like wait;
`__main__` wires. One replica is active, by Lease.
"""
