"""Two ways of applying a manifest, and the check that no GitOps tool then finds drift."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e import drift
from testbed.kubectl import Kubectl

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs/gitops.md").read_text()
Apply = Callable[[Kubectl, str], object]


def client_side(kubectl: Kubectl, text: str) -> object:
    return kubectl.apply(text)


def server_side(kubectl: Kubectl, text: str) -> object:
    return drift.applies(kubectl, drift.FLUX, text)


WAYS = pytest.mark.parametrize("apply", [client_side, server_side])


def no_drift(kubectl: Kubectl, text: str) -> None:
    """Assert that kubectl, Flux, and Argo CD with ServerSideDiff find no difference."""
    assert drift.shown(kubectl, text) == ""
    assert drift.by_dry_run(kubectl, drift.FLUX, text) == []
    assert drift.by_dry_run(kubectl, drift.ARGO, text) == []
