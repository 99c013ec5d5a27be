"""`make bench`: what the webhook adds to requests for pods and VMs, on a real API server.

`python -m bench adoption`: what the controller's first start costs on a cluster full of VMs.

May hold: what is measured, how it is counted and written down. It uses the test bed of
`e2e.cluster` and building blocks of `crds` and `webhook`; neither of them knows of it. It asserts
nothing about time: it reports.
"""
