"""docs/gitops.md is right about the audit log: it shows who held an address, and when."""

import re
from typing import Any

from e2e.audit import Audit
from e2e.gitops import PAGE
from e2e.pods import PodNamespace, allocation, name_of
from e2e.pods import manifest as pod_manifest
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.readiness import eventually
from testbed.shell import typed


def history(cluster: ControlPlane, mac: str, *flags: str) -> list[str]:
    """Return what the page's command prints for this address and this log, without the heading."""
    [line] = re.findall(r"^python3 docs/examples/held\.py \S+ \S+$", PAGE, re.MULTILINE)
    _, script, _, _ = line.split()
    log = cluster.state / "audit.log"
    done = typed(cluster, " ".join(["python3", script, mac, *flags, str(log)]))
    assert done.code == 0, done.output
    return done.output.splitlines()[1:]


def lines(cluster: ControlPlane, mac: str, count: int, *ended: int) -> list[str]:
    """Wait for `count` lines of history, of which those at `ended` have an end; return them."""

    def complete() -> list[str]:
        found = history(cluster, mac)
        done = [at for at, line in enumerate(found) if until(line) != "-"]
        return found if (len(found), done) == (count, list(ended)) else []

    return eventually(complete, f"{count} lines of history of {mac}, {ended} of them ended")


def since(line: str) -> str:
    return line.split(maxsplit=1)[0]


def until(line: str) -> str:
    return line.split()[1]


def hold(pods: PodNamespace, pod: str, mac: str) -> str:
    """Create a pod that comes to hold the address, and return its UID."""
    pods.create(pod, [{"name": "a", "mac": mac}])
    pods.bound(mac, pod)
    uid: str = pods.client.read("pod", pod, pods.namespace)["metadata"]["uid"]
    return uid


def test_the_log_shows_which_pod_held_an_address_and_when(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:01"
    first = hold(pods, "first", mac)
    pods.delete("first")
    pods.freed(mac)

    unnamed = pod_manifest("", [{"name": "a", "mac": mac}], generateName="later-")
    pods.client.create(unnamed, pods.namespace)
    later = pods.holds(mac, lambda found: found["spec"].get("owner", {}).get("uid"), "a bound pod")
    name = pods.spec(mac)["owner"]["name"]

    line, next_line = lines(cluster, mac, 2, 0)
    assert f"Pod {pods.namespace}/first" in line
    assert first in line
    assert f"Pod {pods.namespace}/{name}" in next_line
    assert later in next_line
    assert since(line) < until(line) <= since(next_line)
    [then] = history(cluster, mac, "--at", since(line))
    assert then.split() == line.split()
    assert history(cluster, mac, "--at", "2020-01-01T00:00:00Z") == []


def test_a_pod_made_again_under_its_name_is_another_holder(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:02"
    before = hold(pods, "again", mac)

    pods.delete("again")
    after = hold(pods, "again", mac)

    line, next_line = lines(cluster, mac, 2, 0)
    assert before in line
    assert after in next_line
    assert until(line) <= since(next_line)


def test_refused_requests_and_dry_runs_are_no_history(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:03"
    pods.client.create(allocation(mac), dry_run=True)
    pods.create("holder", [{"name": "a", "mac": mac}])
    pods.bound(mac, "holder")

    assert refusal(lambda: pods.client.delete("mac", name_of(mac)))
    pods.client.label("mac", name_of(mac), {"team": "network"})

    def logged() -> bool:
        found = [(write["verb"], write["responseStatus"]["code"]) for write in writes(cluster, mac)]
        return ("delete", 403) in found and found[-1] == ("patch", 200)

    eventually(logged, "the refused delete and the label in the log")
    [line] = lines(cluster, mac, 1)
    assert f"Pod {pods.namespace}/holder" in line
    refused = [write for write in writes(cluster, mac) if write["responseStatus"]["code"] == 403]
    assert [write["user"]["username"] for write in refused] == ["admin"]


def test_a_pod_that_carries_the_address_of_another_is_in_the_log_too(
    cluster: ControlPlane, pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:04"
    pods.create("holder", [{"name": "a", "mac": mac}])
    pods.bound(mac, "holder")

    elsewhere.create("twin", [{"name": "a", "mac": mac}])
    lines(cluster, mac, 2)
    elsewhere.delete("twin")

    holder, twin = lines(cluster, mac, 2, 1)
    assert f"Pod {pods.namespace}/holder" in holder
    assert f"Pod {elsewhere.namespace}/twin" in twin
    assert twin.endswith("carried it, too")


def test_the_user_who_declared_an_address_is_in_the_log_and_only_allocations_are(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:05"
    pods.client.create(allocation(mac))
    pods.create("gateway", [{"name": "a", "mac": mac}])
    pods.bound(mac, "gateway")
    pods.delete("gateway")

    [line] = lines(cluster, mac, 1, 0)
    declared, *_ = writes(cluster, mac)
    assert f"Pod {pods.namespace}/gateway" in line
    assert (declared["verb"], declared["user"]["username"]) == ("create", "admin")
    events = Audit(cluster).events()
    assert {event["objectRef"]["resource"] for event in events} == {"macallocations"}
    assert {event["stage"] for event in events} == {"ResponseComplete"}
    assert all(event["verb"] not in {"get", "list", "watch"} for event in events)


def writes(cluster: ControlPlane, mac: str) -> list[dict[str, Any]]:
    name = mac.replace(":", "-")
    return [event for event in Audit(cluster).events() if event["objectRef"].get("name") == name]
