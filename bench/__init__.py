"""`make bench`: what the webhook adds to requests for pods and VMs, on a real API server.

`python -m bench adoption`: what the controller's first start costs on a cluster full of VMs.
`python -m bench scale`: what grows with the cluster. `python -m bench compare`: two revisions of
ours. `python -m bench publish`: a run's report and plot go into the docs.

May hold: what is measured, how it is counted and written down. It uses the test bed of
`testbed` and building blocks of `crds` and `webhook`; neither of them knows of it. It asserts
nothing about time: it reports.
"""
