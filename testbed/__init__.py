"""The test bed: starts and stops a real Kubernetes control plane, without root or Docker.

It finds binaries, starts and ends processes, and calls kubectl. It knows nothing of MAC addresses.
"""
