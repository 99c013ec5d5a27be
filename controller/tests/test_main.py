"""How the process reacts to the end of its operator: its exit code, and if it starts again."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from controller import __main__ as main
from controller import watched
from controller.options import read_options
from controller.program import Program
from kube.leases import LeaseLost
from testbed.kubeconfig import write_with_token

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = read_options([], {})


@dataclass
class Operator:
    """A fake kopf: each run ends as the next of `ends` says, with a SIGTERM before it or not."""

    ends: list[BaseException | None]
    signals: bool = False
    programs: list[Program] = field(default_factory=list)

    async def __call__(self, program: Program) -> None:
        self.programs.append(program)
        end = self.ends.pop(0)
        if self.signals:
            os.kill(os.getpid(), signal.SIGTERM)
        if isinstance(end, LeaseLost | ZeroDivisionError):
            program.failure = end
        if end is not None:
            raise end


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Operator:
    async def serve(_: Program) -> None: ...

    operator = Operator([])
    monkeypatch.setattr(watched, "operate", operator)
    monkeypatch.setattr(Program, "serve", serve)
    monkeypatch.setattr(main, "_FIRST_WAIT_S", 0.001)
    return operator


async def test_a_stopped_operator_ends_the_process_without_an_error(operator: Operator) -> None:
    operator.ends = [None]

    assert await main.run(OPTIONS) == 0


async def test_a_lost_lease_ends_the_process_with_an_error(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    operator.ends = [LeaseLost("first no longer holds the Lease")]

    assert await main.run(OPTIONS) == 1
    assert "ending, to start again as a standby: first no longer" in caplog.text


async def test_after_an_early_end_of_kopf_everything_starts_again(
    operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    operator.ends = [RuntimeError("a watch said ERROR"), RuntimeError("and again"), None]

    assert await main.run(OPTIONS) == 0

    assert len(set(operator.programs)) == 3
    assert "kopf ended early: RuntimeError('a watch said ERROR')" in caplog.text


async def test_a_fault_of_the_program_ends_the_process_with_its_error(operator: Operator) -> None:
    operator.ends = [ZeroDivisionError("ours")]

    with pytest.raises(ZeroDivisionError, match="ours"):
        await main.run(OPTIONS)


async def test_a_signal_while_kopf_ends_early_ends_the_process(operator: Operator) -> None:
    operator.ends, operator.signals = [RuntimeError("early")], True

    assert await main.run(OPTIONS) == 0


async def test_a_signal_between_two_starts_ends_the_process(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.ends = [RuntimeError("early")]
    monkeypatch.setattr(main, "_FIRST_WAIT_S", 600.0)

    async def stop(_: Program) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Program, "stop", stop)

    assert await main.run(OPTIONS) == 0


async def test_an_address_in_use_ends_the_process_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    write_with_token(kubeconfig, "http://127.0.0.1:1", tmp_path, "user", "t")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = f"--listen-addr=127.0.0.1:{listener.getsockname()[1]}"

        assert await main.run(read_options([taken, "--metrics-addr=0"], {}), str(kubeconfig)) == 1

    [line] = caplog.messages
    assert line.startswith("cannot start: ")
    assert "address already in use" in line


async def test_a_missing_kubeconfig_ends_the_process_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await main.run(OPTIONS, str(tmp_path / "missing")) == 1

    [line] = caplog.messages
    assert line.startswith("cannot start: the configuration of the API server: ")
