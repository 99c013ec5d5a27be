"""Pods that come all at once, and namespaces full of pods that go all at once.

A namespace is deleted twice: with pods that are younger than Q, whose addresses must stay
allocated until Q after they were bound, and with older ones, whose addresses go at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from bench.clients import followed
from bench.process import used_s
from bench.scale.figures import Burst, Farewell
from bench.scale.ledger import Crowd, Ledger, NeverCame
from bench.scale.load import create_pods
from bench.scale.place import Place, Programs, memory, place
from crds.resources import ALLOCATIONS, PODS
from e2e.audit import CONTROLLER, Audit
from testbed.progress import say

if TYPE_CHECKING:
    from collections import Counter

    from crds.mac import MacAddress
    from kube.client import Api

_CLIENTS = 32
YOUNG, OLD = "younger than Q", "older than Q"
# What is not Bound, deleted or released by then never is.
_WITHIN_S = 600.0
_NAMESPACES = "/api/v1/namespaces"


@dataclass(frozen=True, slots=True)
class Effort:
    """How many pods come at once, and how many go at once."""

    coming: int
    leaving: int


FULL = Effort(coming=1000, leaving=5000)
# A smoke run: its figures say nothing.
QUICK = Effort(coming=50, leaving=100)


def measure(effort: Effort, quiet_s: float) -> tuple[list[Burst], list[Farewell]]:
    """Measure one burst, then two farewells, each of which begins with a burst of its own."""
    with place(quiet_s, audited=True) as here:
        programs = here.start("bursts")
        here.wait_in_force()
        bursts: list[Burst] = []
        farewells: list[Farewell] = []
        for namespace, pods in (
            ("coming", effort.coming), ("young", effort.leaving), ("old", effort.leaving)
        ):  # fmt: skip
            here.opted_in(namespace)
            age = {"young": YOUNG, "old": OLD}.get(namespace)
            burst, farewell = uvloop.run(_life(here, programs, namespace, pods, age))
            bursts.append(burst)
            farewells += [farewell] if farewell else []
    return bursts, farewells


async def _life(
    here: Place, programs: Programs, namespace: str, pods: int, age: str | None
) -> tuple[Burst, Farewell | None]:
    ledger = Ledger()
    async with here.admin() as api, followed(api, ALLOCATIONS, ledger):
        began_s = time.monotonic()
        created = await create_pods(api, namespace, pods, _CLIENTS)
        created_s = time.monotonic() - began_s
        if not created.macs:
            raise NeverCame(f"no pod was created: {created.refusals[0]}")
        last_s = await ledger.all_bound(created.macs, _WITHIN_S)
        burst = Burst(_CLIENTS, created.latencies_ms, created_s, last_s - began_s, created.refusals)
        say(f"{pods} pods were created in {created_s:.1f} s and Bound after {burst.bound_s:.1f} s")
        if age is None:
            return burst, None
        owed_s = last_s + here.quiet_s
        if age == OLD:
            await _wait_until(ledger, owed_s)
        leaving = _Leaving(here, programs, api, ledger, namespace)
        return burst, await leaving.farewell(age, created.macs, owed_s)


async def _wait_until(ledger: Ledger, moment_s: float) -> None:
    """Wait a few seconds longer than until then."""
    left_s = moment_s - time.monotonic()
    what = f"every pod is older than Q, in {left_s:.0f} s"
    await ledger.until(lambda: time.monotonic() > moment_s, what, max(left_s, 0.0) + _WITHIN_S)


@dataclass(frozen=True, slots=True)
class _Leaving:
    here: Place
    programs: Programs
    api: Api
    ledger: Ledger
    namespace: str

    async def farewell(self, age: str, macs: set[MacAddress], owed_s: float) -> Farewell:
        """Delete the namespace, and wait until nothing is left; `owed_s` is a moment."""
        pid = self.programs.controller_pid
        crowd = Crowd(self.namespace)
        async with followed(self.api, PODS, crowd):
            pods = len(crowd.names)
            calls, cpu_s = self._calls(), used_s(pid)
            began_s = time.monotonic()
            await self.api.delete(f"{_NAMESPACES}/{self.namespace}", b"{}")
            await crowd.until(lambda: not crowd.names, f"{pods} pods are gone", _WITHIN_S)
            pods_gone_s = time.monotonic() - began_s
            await self.ledger.all_gone(macs, self.here.quiet_s + _WITHIN_S)
            gone_s = time.monotonic() - began_s
        say(f"{pods} pods {age} were gone after {pods_gone_s:.1f} s, allocations {gone_s:.1f} s")
        return Farewell(
            age=age,
            pods=pods,
            pods_gone_s=pods_gone_s,
            allocations_gone_s=gone_s,
            owed_s=max(owed_s - began_s, 0.0),
            cpu_s=used_s(pid) - cpu_s,
            peak_mb=memory(pid).peak_mb,
            calls={f"{verb} {what}": n for (verb, what), n in (self._calls() - calls).items()},
        )

    def _calls(self) -> Counter[tuple[str, str]]:
        return Audit(self.here.cluster).calls(CONTROLLER)
