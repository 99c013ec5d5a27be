"""A client of a crowd that ends early fails the test."""

from pathlib import Path

import pytest
from kubernetes.config import ConfigException

from e2e.load import Crowd
from testbed.readiness import eventually


def test_a_client_that_ends_with_an_error_fails_its_crowd(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path / "kubeconfig", 2)

    with pytest.raises(TypeError, match="not JSON serializable"):
        crowd.create("shop", ["pod"], object())


def test_a_client_that_gives_up_fails_its_crowd(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path / "there-is-none", 2)

    with pytest.raises(ConfigException), crowd.steadily("shop", []) as answered:
        eventually(lambda: answered() >= 1, "an answer")
