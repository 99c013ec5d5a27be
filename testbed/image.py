"""Builds our image with the first builder that works: `make image`, `make cluster-sync`.

python -m testbed.image [TAG] [--base BASE]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from testbed.kind import bases, engine
from testbed.kind.engine import docker
from testbed.progress import CommandFailed, say

NAME = "kubemacpool"
_CHECKOUT = Path(__file__).parents[1]
_BUSYBOX = "busybox:stable"  # what the examples run
_BUSYBOX_DOCKERFILE = """
FROM {packages} AS packages
RUN mkdir /tools && cp /bin/busybox /tools/ \\
 && for applet in $(busybox --list); do ln -s busybox /tools/$applet || true; done
FROM scratch
COPY --from=packages /tools /bin
CMD ["sh"]
"""
_REPORT = """
import importlib.metadata, importlib.util, pathlib, platform, shutil, sys
packages = {f"{package.name} {package.version}" for package in importlib.metadata.distributions()}
print("Python", platform.python_version())
print("packages:", ", ".join(sorted(packages)))
print("modules:", len(list(pathlib.Path("/app").rglob("*.py"))), "below /app")
found = [name for name in ("gcc", "cc", "ld", "pip", "pip3") if shutil.which(name)]
found += [name for name in ("pip", "ensurepip") if importlib.util.find_spec(name)]
print("compilers, linkers and pip:", ", ".join(found) or "none")
sys.exit(bool(found))
"""


def build(tag: str = "", base: str = "") -> str:
    """Build the image and return its name: `tag`, or one that changes with its content."""
    builder = _builder()
    arguments = {
        "BASE": base or _base(builder),
        "REVISION": _revision(),
        "VERSION": _version(),
    }
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "id"
        command = [builder, "build", "-f", "Dockerfile", "--iidfile", str(written)]
        command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        work = f"Building {tag or NAME} with {builder}"
        engine.follow(work, [*command, "."], _CHECKOUT, "image.log")
        made = written.read_text().strip()
    name = tag or f"{NAME}:dev-{made.removeprefix('sha256:')[:12]}"
    _said(builder, "tag", made, name)
    return name


def push(image: str, repository: str) -> str:
    """Push `image` to `repository` and return its name there."""
    builder, name = _builder(), f"{repository}:{image.rpartition(':')[2]}"
    _said(builder, "tag", image, name)
    engine.follow(f"Pushing {name}", [builder, "push", name], _CHECKOUT, "push.log")
    return name


def busybox() -> str:
    """Return the image of the examples' pods: pulled, or built from the distribution's busybox."""
    if not engine.pulled(_BUSYBOX):
        with tempfile.TemporaryDirectory() as folder:
            dockerfile = Path(folder) / "Dockerfile"
            dockerfile.write_text(_BUSYBOX_DOCKERFILE.format(packages=bases.packages()))
            docker("build", "-t", _BUSYBOX, folder)
    return _BUSYBOX


def _version() -> str:
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
    version: str = project["version"]
    return version


def _revision() -> str:
    """Return the checked-out commit, with `-dirty` if files differ; empty if this is no clone."""
    if not shutil.which("git"):
        return ""
    return _said("git", "describe", "--always", "--abbrev=40", "--dirty", check=False)


def _said(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, cwd=_CHECKOUT, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise CommandFailed(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _builder() -> str:
    """Return the first builder that works here."""
    if engine.runs():
        return "docker"
    for name in ("podman", "buildah"):
        if shutil.which(name):
            return name
    raise CommandFailed(
        "There is nothing to build an image with: start Docker, or install podman or buildah."
    )


def _base(builder: str) -> str:
    """Return the Dockerfile's own base, or one built here if Docker cannot pull it."""
    return bases.python() if builder == "docker" else bases.PYTHON


def _report(builder: str, image: str) -> int:
    """Print the content of the image; the exit code is 1 if it has unwanted files."""
    if builder == "buildah":
        subprocess.run([builder, "images", image], check=True)
        return 0
    inspect = [builder, "image", "inspect", "--format", "{{.Size}} {{.Config.User}}", image]
    size, user = _said(*inspect).split()
    print(f"{image}: {int(size) / 1e6:.0f} MB, runs as {user}", flush=True)
    run = [builder, "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL", image]
    return subprocess.run([*run, "python", "-c", _REPORT], check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testbed.image", description=__doc__)
    parser.add_argument("tag", nargs="?", default=f"{NAME}:latest")
    text = f"an image with Python 3.11 or newer (default: {bases.PYTHON})"
    parser.add_argument("--base", default="", help=text)
    chosen = parser.parse_args()
    try:
        return _report(_builder(), build(chosen.tag, chosen.base))
    except CommandFailed as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
