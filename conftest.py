"""Which tests run, with how many examples, and on which process: the same rules for every folder.

`make check` must be quick, so a run leaves out the tests marked `kubevirt`, `bench`, `testbed` and
`long`, and makes a tenth of the Hypothesis examples and of the random walks. `--all` runs all tests
with all examples. A file that the command line names runs whole in either case.

A test that hangs ends its process, after a traceback of all threads on stderr. pytest-xdist reports
that as a failure of the test, and goes on in a new process.
"""

from __future__ import annotations

import faulthandler
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadGroupScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

pytest_plugins = ["testbed.fixtures"]

_BY_FIXTURE = {
    "cluster": {
        "audited_cluster",
        "bare_cluster",
        "cluster",
        "control_plane",
        "kubectl",
        "own_cluster",
    },
    "kubevirt": {"kubevirt", "own_kubevirt"},
}
_BY_PATH = {
    "bench": ("e2e/tests/test_bench*.py",),
    "testbed": ("testbed/tests/*.py",),
}
_LEFT_OUT = ("kubevirt", "bench", "testbed", "long")
_COUNT = "tests_left_out"
_counted = pytest.StashKey[dict[str, int]]()
_stderr = pytest.StashKey[int]()

# The waits of the test bed end before that; the slowest test takes 2 minutes. pytest's own
# faulthandler_timeout includes fixtures, and with an empty cache these build binaries for an hour.
_HANGS_AFTER_S = 600

# No deadline: how long an example takes depends on how busy the machine is, not on the code.
for _name, _examples in (("quick", 10), ("all", 100)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option of this project."""
    left_out = ", ".join(_LEFT_OUT)
    parser.addoption(
        "--all",
        action="store_true",
        dest="run_all",
        help=f"also run the tests marked {left_out}, and ten times the examples and walks",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples, before a test module asks for it."""
    settings.load_profile("all" if config.getoption("run_all") else "quick")
    config.stash[_stderr] = os.dup(2)  # pytest does not capture it yet


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set the markers, leave out what `--all` runs, and put the tests with a cluster first.

    Those take minutes per file and the others seconds, so at the end no process waits for another.
    """
    for item in items:
        for marker in _markers(item):
            item.add_marker(marker)
    if not config.getoption("run_all"):
        _leave_out(config, items)
    items.sort(key=lambda item: item.get_closest_marker("cluster") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """End this process if the test, without its fixtures, takes longer than any test should."""
    stderr = item.config.stash[_stderr]
    faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _markers(item: pytest.Item) -> list[str]:
    fixtures = set(getattr(item, "fixturenames", ()))
    return [
        *(marker for marker, names in _BY_FIXTURE.items() if fixtures & names),
        *(marker for marker, globs in _BY_PATH.items() if any(map(item.path.match, globs))),
    ]


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = {(config.invocation_params.dir / arg.split("::")[0]).resolve() for arg in config.args}
    reasons = [
        None if item.path in named else next(filter(item.get_closest_marker, _LEFT_OUT), None)
        for item in items
    ]
    left = [item for item, reason in zip(items, reasons, strict=True) if reason]
    config.hook.pytest_deselected(items=left)
    _count(config, Counter(filter(None, reasons)))
    items[:] = [item for item, reason in zip(items, reasons, strict=True) if not reason]


def _count(config: pytest.Config, left_out: dict[str, int]) -> None:
    config.stash[_counted] = left_out
    if hasattr(config, "workeroutput"):  # one of xdist's processes: the first one has to be told
        config.workeroutput[_COUNT] = dict(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Take over the count of one of xdist's processes; each of them has collected all tests."""
    if left_out := getattr(node, "workeroutput", {}).get(_COUNT):
        node.config.stash[_counted] = left_out


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what the run left out."""
    if left_out := config.stash.get(_counted, {}):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        terminalreporter.section("left to make check-all", sep="=")
        terminalreporter.line(
            f"{sum(left_out.values())} tests ({kinds}), nine tenths of the examples and walks"
        )


class _ByGroupOrFile(LoadGroupScheduling):
    """Files of one `xdist_group` share a process; a file without a group is its own group."""

    def _split_scope(self, nodeid: str) -> str:
        return super()._split_scope(nodeid).split("::")[0]

    def remove_node(self, node: WorkerController) -> str | None:
        """Return the test that ended its process, which xdist would otherwise start again."""
        workload = self.assigned_work.get(node, {})
        ended_by = None
        for unit in workload.values():
            if unfinished := [nodeid for nodeid, is_done in unit.items() if not is_done]:
                ended_by = unfinished[0]
                unit[ended_by] = True
                break
        super().remove_node(node)
        return ended_by


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByGroupOrFile | None:
    """Let `--dist loadgroup` keep the tests of a file together."""
    return _ByGroupOrFile(config, log) if config.getoption("dist") == "loadgroup" else None
