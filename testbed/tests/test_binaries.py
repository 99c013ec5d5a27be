"""Binaries are taken from where they are quickest to have, and only when they are the real ones."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from testbed import gobuild, locate, versions
from testbed.download import ChecksumMismatch
from testbed.progress import CommandFailed

PLATFORM = f"{versions.OS}-{versions.ARCH}"
PROGRAM = b"#!/bin/sh\necho served\n"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served as both mirrors, an empty cache, and nothing else to take binaries from."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("KUBEMACPOOL_KUBERNETES_URL", url)
        monkeypatch.setenv("KUBEMACPOOL_ETCD_URL", url)
        monkeypatch.setenv("KUBEMACPOOL_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
        yield folder
        server.shutdown()
        thread.join()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were left to the build. A real build takes minutes; this one writes files."""
    names: list[str] = []

    def build(wanted: Sequence[str], into: Path) -> None:
        names.extend(wanted)
        for name in wanted:
            executable(into / name)

    monkeypatch.setattr(locate, "build", build)
    return names


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PROGRAM)
    path.chmod(0o755)
    return path


def publish(served: Path, name: str, checksum: str) -> None:
    binary = executable(served / versions.KUBERNETES / "bin" / versions.OS / versions.ARCH / name)
    binary.with_name(f"{name}.sha256").write_text(checksum)


def publish_etcd(served: Path) -> None:
    folder = served / versions.ETCD
    folder.mkdir()
    archive = folder / f"etcd-{versions.ETCD}-{PLATFORM}.tar.gz"
    with tarfile.open(archive, "w:gz") as content:
        member = tarfile.TarInfo(f"etcd-{versions.ETCD}-{PLATFORM}/etcd")
        member.size = len(PROGRAM)
        content.addfile(member, io.BytesIO(PROGRAM))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  {archive.name}\n")


def test_release_binaries_are_downloaded_into_the_cache(served: Path, built: list[str]) -> None:
    publish(served, "kubectl", hashlib.sha256(PROGRAM).hexdigest())
    publish_etcd(served)

    found = locate.find(["etcd", "kubectl"])

    assert found == {name: versions.cached_binaries() / name for name in ("etcd", "kubectl")}
    assert all(path.read_bytes() == PROGRAM for path in found.values())
    assert not built


def test_a_binary_with_a_wrong_checksum_is_refused(served: Path, built: list[str]) -> None:
    publish(served, "kubectl", "0" * 64)

    with pytest.raises(ChecksumMismatch, match="refused"):
        locate.find(["kubectl"])

    assert not (versions.cached_binaries() / "kubectl").exists()
    assert not built


def test_what_cannot_be_downloaded_is_built(
    served: Path, built: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    publish_etcd(served)

    locate.find(["etcd", "kube-apiserver", "kubectl"])

    assert built == ["kube-apiserver", "kubectl"]
    assert "No download: http://127.0.0.1" in capsys.readouterr().err


def test_only_what_the_assets_lack_comes_from_elsewhere(
    served: Path, built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(served, "kube-controller-manager", hashlib.sha256(PROGRAM).hexdigest())
    assets = tmp_path / "assets"
    given = [executable(assets / name) for name in ("etcd", "kube-apiserver", "kubectl")]
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

    found = locate.find(versions.CONTROL_PLANE)

    cached = versions.cached_binaries() / "kube-controller-manager"
    assert set(found.values()) == {*given, cached}
    assert not built


@pytest.mark.usefixtures("served")
def test_the_cache_is_filled_once_for_all_who_look_for_a_binary(built: list[str]) -> None:
    finders = [threading.Thread(target=locate.find, args=[["kubectl"]]) for _ in range(4)]

    for finder in finders:
        finder.start()
    for finder in finders:
        finder.join()

    assert built == ["kubectl"]


def test_what_is_linked_with_c_libraries_names_the_packages_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandFailed, match="apt-get install gcc libc6-dev pkg-config libvirt-dev"):
        gobuild.build(["virt-handler", "virt-probe"], tmp_path)
