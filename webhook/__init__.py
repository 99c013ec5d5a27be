"""The admission webhook: writes addresses into objects, and lets nobody have another's.

`admission` decides, `claims` and `handlers` wait, `server` listens, `__main__` wires. Any number of
replicas run at once; none keeps anything that another could miss.
"""
