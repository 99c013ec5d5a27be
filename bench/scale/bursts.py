"""Many pods created at once, and a namespace that is deleted with all its pods.

One namespace is deleted when its pods are younger than Q: their addresses stay allocated until Q
after they were Bound. Another is deleted when its pods are older: their addresses go at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import uvloop

from bench import host
from bench.figures import quantile
from bench.ledger import Ledger, NeverCame, PodNames, by_resource, controller_calls
from bench.load import create_pods, followed
from bench.report import Part, Table, Target, none_refused
from bench.testcluster import TestCluster
from bench.variants import Variant
from crds.mac import MacAddress
from crds.resources import ALLOCATIONS, PODS
from kube.client import Api
from testbed.progress import say
from testbed.readiness import eventually

_CLIENTS = 32
YOUNG, OLD = "younger than Q", "older than Q"
_WITHIN_S = 600.0  # a multiple of the usual duration
_CREATES = """Pods with one interface, created at once by {clients} clients. Latencies in ms, all
else in s."""
_DELETES = """A namespace is deleted; seconds since then. The last address may not be released
before "Q over"; "after Q" is what the controller needed after that."""
_CALLS = "The calls of the controller, from the deletion until the last allocation is gone."


@dataclass(frozen=True, slots=True)
class Effort:
    """The number of pods: created at once, and deleted at once."""

    created: int
    deleted: int


FULL = Effort(created=1000, deleted=5000)
# A smoke run: its figures mean nothing.
QUICK = Effort(created=20, deleted=40)


@dataclass(frozen=True, slots=True)
class Burst:
    """Pods created at once: seconds until the last of them was created, and Bound."""

    latencies_ms: list[float]
    created_s: float
    bound_s: float
    refusals: list[str]


@dataclass(frozen=True, slots=True)
class Deletion:
    """A namespace deleted with its pods. Seconds count from the deletion.

    `kept_s`: when Q after the last bind ended (0: before). `calls` are the controller's.
    """

    age: str
    pods: int
    pods_gone_s: float
    released_s: float
    kept_s: float
    cpu_s: float
    peak_mb: float
    calls: dict[str, int]


@dataclass(frozen=True, slots=True)
class Bursts(Part):
    """All bursts, and the deletions of the last two namespaces."""

    bursts: Sequence[Burst]
    deletions: Sequence[Deletion]

    def targets(self) -> list[Target]:
        """Expect that no pod is refused."""
        return [none_refused("pods refused", [s for burst in self.bursts for s in burst.refusals])]

    def tables(self) -> list[Table]:
        """Return creates, deletions, and calls."""
        columns = "pods", "median", "p99", "max", "all created", "per s", "all Bound", "refused"
        gone = "pods are", "pods", "pods gone", "Q over", "released", "after Q", "CPU s", "peak MB"
        ages = [deletion.age for deletion in self.deletions]
        names = sorted(
            {call for deletion in self.deletions for call in deletion.calls}, key=by_resource
        )
        calls = [
            [name, *(f"{deletion.calls.get(name, 0):,}" for deletion in self.deletions)]
            for name in names
        ]
        created = _CREATES.format(clients=_CLIENTS)
        deleted = [_deletion(deletion) for deletion in self.deletions]
        return [
            Table("Pods that come at once", created, [*columns], [list(map(_burst, self.bursts))]),
            Table("Pods that go at once", _DELETES, [*gone], [deleted]),
            Table("Calls for that", _CALLS, ["call", *ages], [calls]),
        ]


def measure(cluster: TestCluster, effort: Effort, _seed: int) -> Bursts:
    """Measure one burst, and two with a deletion."""
    bursts, deletions = [], []
    cluster.start_both()
    for content, pods, age in (
        ("created", effort.created, ""),
        ("young", effort.deleted, YOUNG),
        ("old", effort.deleted, OLD),
    ):
        cluster.create_namespaces(content, [Variant.STOCK])
        namespace = _Namespace(cluster, Variant.STOCK.namespace(content))
        burst, deletion = uvloop.run(namespace.measure(pods, age))
        bursts.append(burst)
        deletions += [deletion] if deletion else []
    return Bursts(bursts, deletions)


@dataclass(frozen=True, slots=True)
class _Namespace:
    cluster: TestCluster
    name: str

    async def measure(self, pods: int, age: str) -> tuple[Burst, Deletion | None]:
        """Create pods, and delete the namespace at this age."""
        ledger = Ledger()
        async with self.cluster.api() as api, followed(api, ALLOCATIONS, ledger):
            began_s = time.monotonic()
            created = await create_pods(api, self.name, pods, _CLIENTS)
            created_s = time.monotonic() - began_s
            macs = created.macs(PODS)
            if not macs:
                raise NeverCame(f"no pod was created: {created.refusals[0]}")
            bound_s = await ledger.all_bound(macs, _WITHIN_S)
            burst = Burst(created.latencies_ms, created_s, bound_s - began_s, created.refusals)
            say(f"{pods} pods were created in {created_s:.1f} s, Bound after {burst.bound_s:.1f} s")
            kept_s = bound_s + self.cluster.quiet_s
            if age == OLD:
                say("Waiting until all pods are older than Q")
                await asyncio.sleep(max(kept_s - time.monotonic(), 0.0))
            return burst, await self._delete(api, ledger, age, macs, kept_s) if age else None

    async def _delete(
        self, api: Api, ledger: Ledger, age: str, macs: set[MacAddress], kept_s: float
    ) -> Deletion:
        """Delete the namespace; `kept_s` is a time on the monotonic clock."""
        pods, pid = PodNames(self.name), self.cluster.pids()["controller"]
        async with followed(api, PODS, pods):
            count = len(pods.names)
            calls, cpu_s = self._calls(), host.cpu_s(pid)
            began_s = time.monotonic()
            await api.delete(f"/api/v1/namespaces/{self.name}", b"{}")
            await pods.until(lambda: not pods.names, f"{count} pods are gone", _WITHIN_S)
            pods_gone_s = time.monotonic() - began_s
            await ledger.all_gone(macs, self.cluster.quiet_s + _WITHIN_S)
            released_s = time.monotonic() - began_s
            cpu_s = host.cpu_s(pid) - cpu_s
        say(f"{count} pods {age} were gone after {pods_gone_s:.1f} s, addresses {released_s:.1f} s")
        return Deletion(
            age,
            count,
            pods_gone_s,
            released_s,
            kept_s=max(kept_s - began_s, 0.0),
            cpu_s=cpu_s,
            peak_mb=host.memory(pid).peak_mb,
            calls=dict(self._calls_since(calls, deletes=len(macs))),
        )

    def _calls(self) -> Counter[str]:
        return controller_calls(self.cluster.control_plane)

    def _calls_since(self, before: Counter[str], deletes: int) -> Counter[str]:
        # The audit log shows a call when it is answered: a watch can show its effect earlier.
        def since() -> Counter[str]:
            return self._calls() - before

        what = f"the audit log shows {deletes} deletes"
        eventually(lambda: since()["delete macallocations"] >= deletes, what)
        return since()


def _burst(burst: Burst) -> list[str]:
    all_ms = burst.latencies_ms
    figures = (median(all_ms), quantile(all_ms, 0.99), max(all_ms))
    return [
        f"{len(all_ms):,}",
        *(f"{ms:.0f}" for ms in figures),
        f"{burst.created_s:.1f}",
        f"{len(all_ms) / burst.created_s:.0f}",
        f"{burst.bound_s:.1f}",
        f"{len(burst.refusals)}",
    ]


def _deletion(deletion: Deletion) -> list[str]:
    after_s = deletion.released_s - deletion.kept_s
    seconds = (deletion.pods_gone_s, deletion.kept_s, deletion.released_s, after_s, deletion.cpu_s)
    return [
        deletion.age,
        f"{deletion.pods:,}",
        *(f"{s:.1f}" for s in seconds),
        f"{deletion.peak_mb:.0f}",
    ]
