"""The admission webhook: writes addresses into objects, and refuses addresses of other objects.

`server` listens, `review` parses, and `handler` runs a request: `pods` and `virtualmachines` read
and write the object, `planning` decides which addresses it lacks, and `claims` claims them.
`requested` and `sharing` decide about addresses that are allocated already. `stock` creates
addresses in advance. `replica` wires these parts. Any number of replicas run at once; no replica
keeps state that another one needs.
"""
