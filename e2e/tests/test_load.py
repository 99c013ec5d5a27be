"""A client of a crowd that ends before its time is not overlooked."""

from pathlib import Path

import pytest
from kubernetes.config import ConfigException

from e2e.load import Crowd
from testbed.readiness import eventually


def test_a_client_that_cannot_say_what_it_wants_fails_its_crowd(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path / "kubeconfig", 2)

    with pytest.raises(TypeError, match="not JSON serializable"):
        crowd.create("shop", ["pod"], object())


def test_a_client_that_gives_up_fails_its_crowd(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path / "there-is-none", 2)

    with pytest.raises(ConfigException), crowd.steadily("shop", []) as answered:
        eventually(lambda: answered() >= 1, "an answer")
