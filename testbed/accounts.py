"""Credentials for programs beside the cluster: those of a service account, with its rights."""

from pathlib import Path

from testbed import kubeconfig
from testbed.controlplane import ControlPlane
from testbed.files import write_private

_CREDENTIAL_LIFE_S = 720 * 3600  # outlives any test bed; `renew_token` is for tests


def kubeconfig_of(cluster: ControlPlane, account: str, namespace: str) -> Path:
    """Write the kubeconfig of a service account, with a fresh token, and return its path."""
    renew_token(cluster, account, namespace)
    path = cluster.state / f"{account}.kubeconfig"
    token = _token_file(cluster, account)
    server, authority = cluster.plan.server, cluster.authority
    kubeconfig.write_with_token_file(path, server, authority, account, token)
    return path


def renew_token(cluster: ControlPlane, account: str, namespace: str) -> None:
    """Put a fresh bound token where the account's kubeconfig points."""
    token = cluster.kubectl.client.token(account, namespace, _CREDENTIAL_LIFE_S)
    write_private(_token_file(cluster, account), token)


def _token_file(cluster: ControlPlane, account: str) -> Path:
    return cluster.state / f"{account}.token"
