"""Decisions about a kind cluster: which images it needs, and when a node is back."""

import hashlib
from pathlib import Path

import pytest

from testbed import versions
from testbed.download import Unreachable
from testbed.gomodules import KUBEVIRT, KUBEVIRT_WHOLE
from testbed.kind import cluster
from testbed.kind.kubevirt import images
from testbed.kubevirt import whole

# The guest's image, and eight digits of what is built into it.
GUEST = ("kubemacpool.test/guest:3", "4b200cbc")
OPERATOR = "quay.io/kubevirt/virt-operator:v1.8.2"
MANIFEST = f"""
kind: CustomResourceDefinition
                      image:
                        description: "image: what a volume is made of"
---
kind: Deployment
        - name: virt-operator
          image: {OPERATOR}
          imagePullPolicy: IfNotPresent
"""


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without network and tools; each test adds what it needs."""
    monkeypatch.setattr(whole, "released", unreachable)
    monkeypatch.setattr(images, "pulled", lambda _: False)
    monkeypatch.setattr(versions, "ARCH", "amd64")
    monkeypatch.setenv("KUBEMACPOOL_CACHE", str(tmp_path))


def unreachable() -> str:
    raise Unreachable("https://github.com: no route to host")


def test_a_change_in_the_guest_s_folder_raises_its_number() -> None:
    files = sorted(images._GUEST_FILES.iterdir())

    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]

    assert (images._GUEST, digest) == GUEST, "raise the number in images.py and docs, and pin both"


def test_the_first_vm_boots_the_guest_of_these_images() -> None:
    assert Path("docs/examples/first-vm.yaml").read_text().count(f'"{images._GUEST}"') == 2


def test_the_operator_s_image_is_read_from_its_manifest() -> None:
    assert whole.image_of(MANIFEST) == OPERATOR


def test_a_release_that_cannot_be_reached_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert not images.released()

    assert "no route to host" in capsys.readouterr().err


def test_a_release_whose_image_cannot_be_pulled_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(whole, "released", lambda: MANIFEST)

    assert not images.released()

    assert f"Pulling {OPERATOR}" in capsys.readouterr().err


def test_images_are_at_hand_where_the_release_s_can_be_pulled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole, "released", lambda: MANIFEST)
    monkeypatch.setattr(images, "pulled", lambda name: name == OPERATOR)

    assert images.at_hand()


def test_images_are_not_at_hand_where_no_guest_can_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole, "released", lambda: MANIFEST)
    monkeypatch.setattr(images, "pulled", lambda _: True)
    monkeypatch.setattr(versions, "ARCH", "arm64")

    assert not images.at_hand()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("", True), ("virt-api", False), ("tap", False), ("operator-manifests", False)],
)
def test_images_are_at_hand_where_all_that_goes_into_them_is_built(
    missing: str, *, expected: bool
) -> None:
    for cache, module in (
        (versions.cached_kubevirt(), KUBEVIRT),
        (versions.cached_kubevirt_whole(), KUBEVIRT_WHOLE),
    ):
        cache.mkdir(parents=True)
        for name in set(module.products) - {missing}:
            (cache / name).touch()

    assert images.at_hand() is expected


@pytest.mark.parametrize(
    ("status", "heartbeat", "expected"),
    [
        pytest.param("True", "2026-11-26T10:00:07Z", True, id="it-says-so-itself"),
        pytest.param("True", "2026-11-26T10:00:00Z", False, id="from-before-it-was-stopped"),
        pytest.param("False", "2026-11-26T10:00:07Z", False, id="not-yet"),
    ],
)
def test_a_node_is_back_when_it_has_reported_since_its_start(
    status: str, heartbeat: str, *, expected: bool
) -> None:
    ready = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}
    node = {"status": {"conditions": [ready]}}

    assert cluster.ready_since(node, "2026-11-26T10:00:00.123456789Z") is expected
