"""The release manifest: a kustomize base, and what makes one file of it.

May hold: Kubernetes manifests, and the command that builds and checks the one that users download.
"""
