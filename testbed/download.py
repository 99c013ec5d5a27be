"""Downloads one release binary; the cache takes only files with a verified checksum."""

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from testbed import versions
from testbed.progress import Progress

CONNECT_S = 4.0  # a closed network should cost seconds, not minutes
STALL_S = 30.0  # a download without a byte for this time is dead
_CHUNK = 1 << 20


class Unreachable(Exception):
    """The release cannot be downloaded from there; another source may have it."""


class ChecksumMismatch(Exception):
    """The checksum of a downloaded file is not that of the release."""


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The servers from which releases are downloaded."""

    kubernetes: str
    etcd: str

    @classmethod
    def chosen(cls) -> "Mirrors":
        """Return the projects' own servers, or the mirrors that the environment names."""
        return cls(
            os.environ.get("KUBEMACPOOL_KUBERNETES_URL", "https://dl.k8s.io/release"),
            os.environ.get(
                "KUBEMACPOOL_ETCD_URL", "https://github.com/etcd-io/etcd/releases/download"
            ),
        )


def download(name: str, into: Path, mirrors: Mirrors) -> None:
    """Put the verified binary `name` into the folder `into`, atomically.

    Raises Unreachable and ChecksumMismatch.
    """
    with tempfile.TemporaryDirectory(dir=into, prefix=".download-") as scratch:
        fetch = _etcd if name == "etcd" else _kubernetes
        binary = fetch(name, Path(scratch), mirrors)
        binary.chmod(0o755)
        binary.replace(into / name)


def _kubernetes(name: str, scratch: Path, mirrors: Mirrors) -> Path:
    url = f"{mirrors.kubernetes}/{versions.KUBERNETES}/bin/{versions.OS}/{versions.ARCH}/{name}"
    checksum = text(f"{url}.sha256").split()[0]
    return _verified(url, checksum, scratch / name)


def _etcd(name: str, scratch: Path, mirrors: Mirrors) -> Path:
    folder = f"etcd-{versions.ETCD}-{versions.OS}-{versions.ARCH}"
    url = f"{mirrors.etcd}/{versions.ETCD}"
    archive_name = f"{folder}.tar.gz"
    fields = text(f"{url}/SHA256SUMS").split()
    sums = dict(zip(fields[1::2], fields[::2], strict=True))
    if archive_name not in sums:
        raise Unreachable(f"{url} has no {archive_name}")
    archive = _verified(f"{url}/{archive_name}", sums[archive_name], scratch / archive_name)
    with tarfile.open(archive) as content:
        member = content.extractfile(f"{folder}/{name}")
        if member is None:
            raise Unreachable(f"{archive_name} holds no {name}")
        with (scratch / name).open("wb") as binary:
            shutil.copyfileobj(member, binary)
    return scratch / name


def text(url: str) -> str:
    """Return the text at `url`; raises Unreachable."""
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_S) as answer:  # noqa: S310 - ours
            return str(answer.read().decode())
    except OSError as error:  # URLError and time-outs are OSErrors
        raise Unreachable(f"{url}: {error}") from error


def _verified(url: str, checksum: str, into: Path) -> Path:
    progress = Progress(f"Downloading {url}")
    digest = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(url, timeout=STALL_S) as answer,  # noqa: S310 - ours
            into.open("wb") as file,
        ):
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                progress.tick(f"({file.tell() >> 20} MiB)")
    except OSError as error:
        raise Unreachable(f"{url}: {error}") from error
    if digest.hexdigest() != checksum:
        raise ChecksumMismatch(
            f"{url} has SHA-256 {digest.hexdigest()}, its release says {checksum}: refused. "
            f"Try again, or check the proxies and firewalls between you and that server."
        )
    progress.done()
    return into
