"""Base images: pulled, or built from the distribution's packages."""

import functools
import shutil
import tempfile
from pathlib import Path

from testbed.kind.engine import docker, follow, has, pulled
from testbed.progress import CommandFailed, say

PYTHON = "python:3.13-slim"  # the Dockerfile's own default
_SUITE = "bookworm"
_OUR_PACKAGES = "kubemacpool.test/node-packages:1"
_OUR_PYTHON = "kubemacpool.test/python:1"
_FILES = Path(__file__).with_name("node")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PYTHON_DOCKERFILE = """
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \\
      python3 python3-venv ca-certificates >/dev/null \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# Behind a proxy that opens TLS, pip must trust the authorities that this machine trusts.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


@functools.cache
def debian(suite: str = _SUITE) -> str:
    """Return the image of a minimal Debian."""
    released, ours = f"debian:{suite}-slim", f"kubemacpool.test/debian:{suite}"
    if pulled(released):
        return released
    if not has(ours):
        say(f"{released} cannot be pulled: it is made of the distribution's packages, once.")
        _bootstrap(suite, released, ours)
    return ours


def packages() -> str:
    """Return a Debian with the packages that a node needs."""
    if not has(_OUR_PACKAGES):
        build(
            "Installing a node's packages", _OUR_PACKAGES, _FILES, "Dockerfile.packages", debian()
        )
    return _OUR_PACKAGES


def python() -> str:
    """Return a Python to run our programs, with pip to build their image."""
    if pulled(PYTHON):
        return PYTHON
    if not has(_OUR_PYTHON):
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder)
            (context / "Dockerfile").write_text(_PYTHON_DOCKERFILE)
            shutil.copyfile(_AUTHORITIES, context / _AUTHORITIES.name)
            build("Installing Python into an image", _OUR_PYTHON, context, "Dockerfile", debian())
    return _OUR_PYTHON


def build(work: str, image: str, context: Path, dockerfile: str, base: str) -> None:
    """Build `image` from a folder, with progress."""
    argv = ["docker", "build", "-t", image, "-f", dockerfile, "--build-arg", f"BASE={base}", "."]
    follow(work, argv, context, "image.log")


def _bootstrap(suite: str, released: str, ours: str) -> None:
    if not shutil.which("debootstrap"):
        raise CommandFailed(
            f"{released} cannot be pulled, and debootstrap is not there to make it: as root,"
            f" apt-get install debootstrap"
        )
    with tempfile.TemporaryDirectory(prefix="kubemacpool-debian-") as folder:
        root, archive = Path(folder) / "root", Path(folder) / "root.tar"
        command = ["debootstrap", "--variant=minbase", suite, str(root)]
        follow("Making a Debian (about 1 min)", command, Path(folder), "debootstrap.log")
        follow("Packing it", ["tar", "-cf", str(archive), "."], root, "debootstrap.log")
        docker("import", str(archive), ours)
