"""Credentials for programs beside the cluster: those of a service account, with its rights."""

from pathlib import Path

from e2e.cluster import kubeconfig
from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.files import write_private

_CREDENTIAL_LIFE = "720h"  # outlives any test bed; `renew_token` is for tests


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
    token = cluster.kubectl(
        "create", "token", account, "-n", namespace, f"--duration={_CREDENTIAL_LIFE}"
    )
    write_private(_token_file(cluster, account), token.strip())


def _token_file(cluster: ControlPlane, account: str) -> Path:
    return cluster.state / f"{account}.token"
