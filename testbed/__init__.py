"""The test bed: brings a real Kubernetes control plane up and down, without root or Docker.

May hold: where binaries come from, how processes live and die, how kubectl is called. Knows nothing
of MAC addresses.
"""
