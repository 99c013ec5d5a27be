"""Credentials for programs beside the cluster: those of a service account, with its rights."""

from pathlib import Path

from testbed import kubeconfig
from testbed.controlplane import ControlPlane

_CREDENTIAL_LIFE_S = 720 * 3600  # outlives any test bed


def kubeconfig_of(cluster: ControlPlane, account: str, namespace: str) -> Path:
    """Write the kubeconfig of a service account, with a fresh token, and return its path."""
    token = cluster.kubectl.client.token(account, namespace, _CREDENTIAL_LIFE_S)
    path = cluster.state / f"{account}.kubeconfig"
    kubeconfig.write_with_token(path, cluster.plan.server, cluster.authority, account, token)
    return path
