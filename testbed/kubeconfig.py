"""Writes kubeconfigs: one cluster, one user, one context."""

from pathlib import Path

from testbed.files import write_private

_TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
- name: test-bed
  cluster:
    server: {server}
    certificate-authority: {authority}
users:
- name: {user}
  user:
    token: {token}
contexts:
- name: test-bed
  context:
    cluster: test-bed
    user: {user}
current-context: test-bed
"""


def write_with_token(path: Path, server: str, authority: Path, user: str, token: str) -> None:
    """Write a kubeconfig with a token, readable by us alone."""
    text = _TEMPLATE.format(server=server, authority=authority, user=user, token=token)
    write_private(path, text)
