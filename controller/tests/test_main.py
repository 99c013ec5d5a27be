"""What the process does when its operator ends: its exit code, and whether it starts again."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

import pytest

from controller import __main__ as main
from controller import watched
from controller.options import read_options
from controller.program import Program
from kube.leases import LeaseLost

OPTIONS = read_options([], {})


@dataclass
class Operator:
    """Stands in for kopf: each run ends as `ends` says next."""

    ends: list[BaseException | None]
    programs: list[Program] = field(default_factory=list)

    async def __call__(self, program: Program) -> None:
        self.programs.append(program)
        end = self.ends.pop(0)
        if isinstance(end, LeaseLost):
            program.failure = end
        elif end is not None:
            raise end


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Operator:
    operator = Operator([])
    monkeypatch.setattr(watched, "operate", operator)
    monkeypatch.setattr(main, "_FIRST_WAIT_S", 0.001)
    return operator


async def test_a_stopped_operator_ends_the_process_without_an_error(operator: Operator) -> None:
    operator.ends = [None]

    assert await main.run(OPTIONS) == 0


async def test_a_lost_lease_ends_the_process_with_an_error(operator: Operator) -> None:
    operator.ends = [LeaseLost("gone")]

    assert await main.run(OPTIONS) == 1


async def test_after_an_early_end_of_kopf_everything_starts_again(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    operator.ends = [RuntimeError("a watch said ERROR"), RuntimeError("and again"), None]

    assert await main.run(OPTIONS) == 0

    assert len(set(operator.programs)) == 3
    assert "kopf ended early: RuntimeError('a watch said ERROR')" in caplog.text


async def test_a_fault_of_the_program_ends_the_process_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def operate(program: Program) -> None:
        program.failure = ZeroDivisionError("ours")
        raise RuntimeError("kopf's view of it")

    monkeypatch.setattr(watched, "operate", operate)

    with pytest.raises(ZeroDivisionError, match="ours"):
        await main.run(OPTIONS)


async def test_a_signal_between_two_starts_ends_the_process(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.ends = [RuntimeError("early")]
    monkeypatch.setattr(main, "_FIRST_WAIT_S", 600.0)

    async def stop(_: Program) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Program, "stop", stop)

    assert await main.run(OPTIONS) == 0
