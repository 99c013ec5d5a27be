"""The controller: binds allocations to their owners, releases unused ones, adopts addresses in use.

One replica is active, by Lease. `__main__` runs `program`, which kopf hosts (`watched`); `leading`
is the work of the active replica. Each folder is one part of that work.
"""
