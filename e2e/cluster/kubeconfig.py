"""Writes kubeconfigs: one cluster, one user, one context."""

import os
from pathlib import Path

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
    """Write a kubeconfig whose token clients read from `file`, again and again."""
    _write(path, server, authority, user, f"tokenFile: {file}")


def write_secret(path: Path, text: str) -> None:
    """Replace a file at once, readable by us alone."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _write(path: Path, server: str, authority: Path, user: str, credential: str) -> None:
    text = _TEMPLATE.format(server=server, authority=authority, user=user, credential=credential)
    write_secret(path, text)
