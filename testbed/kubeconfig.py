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
    {credential}
contexts:
- name: test-bed
  context:
    cluster: test-bed
    user: {user}
current-context: test-bed
"""


def write_with_token(path: Path, server: str, authority: Path, user: str, token: str) -> None:
    """Write a kubeconfig that holds its token."""
    _write(path, server, authority, user, f"token: {token}")


def write_with_token_file(path: Path, server: str, authority: Path, user: str, file: Path) -> None:
    """Write a kubeconfig whose token clients read from `file` each time."""
    _write(path, server, authority, user, f"tokenFile: {file}")


def _write(path: Path, server: str, authority: Path, user: str, credential: str) -> None:
    text = _TEMPLATE.format(server=server, authority=authority, user=user, credential=credential)
    write_private(path, text)
