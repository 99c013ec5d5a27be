"""Least privilege: the manifest grants exactly the rights that our programs use.

One session in which both do all that they ever do is compared with the roles, both ways, by the API
server's audit log.
"""

import fnmatch
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.audit import CONTROLLER, WEBHOOK, Audit
from e2e.manifest import deployments, documents
from e2e.rights import Call, Right, asked, granted, idle, missing, nameable, refused
from e2e.session import everything
from testbed.controlplane import ControlPlane
from testbed.kubevirt import remove_crds
from testbed.programs import NAMESPACE
from testbed.release import remove_release

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True)
class Log:
    """The calls of both programs in a session, and the rights that every account has."""

    events: list[dict[str, Any]]
    calls: set[Call]
    open_paths: list[str]


@pytest.fixture(scope="module")
def rights() -> set[Right]:
    return granted(documents())


@pytest.fixture(scope="module")
def log(audited_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Log:
    kubectl, audit = audited_cluster.kubectl, Audit(audited_cluster)
    remove_release(kubectl)
    remove_crds(kubectl)
    before = len(audit.events())
    everything(audited_cluster, tmp_path_factory.mktemp("often"))
    events = audit.events()[before:]
    discovery = kubectl.json("get", "clusterrole", "system:discovery")["rules"]
    paths = [path for rule in discovery for path in rule["nonResourceURLs"]]
    return Log(events, asked(events, {WEBHOOK, CONTROLLER}), paths)


def test_no_call_is_refused_for_want_of_a_right(log: Log) -> None:
    assert refused(log.events) == []


def test_every_call_is_granted_by_the_manifest(log: Log, rights: set[Right]) -> None:
    assert missing(rights, log.calls) == []


def test_every_right_in_the_manifest_is_used(log: Log, rights: set[Right]) -> None:
    assert idle(rights, log.calls, NAMESPACE) == []


def test_a_right_that_is_used_on_one_object_is_granted_on_that_object_only(
    log: Log, rights: set[Right]
) -> None:
    assert nameable(rights, log.calls) == []


def test_paths_that_are_no_resource_are_open_to_every_account(log: Log) -> None:
    paths = {
        event["requestURI"].partition("?")[0] for event in log.events if "objectRef" not in event
    }

    assert paths
    assert [
        path
        for path in paths
        if not any(fnmatch.fnmatchcase(path, allowed) for allowed in log.open_paths)
    ] == []


def test_each_program_has_an_account_of_its_own_and_no_other_has_theirs(
    rights: set[Right],
) -> None:
    accounts = [
        f"system:serviceaccount:{NAMESPACE}:{template['spec']['serviceAccountName']}"
        for template in deployments().values()
    ]

    assert sorted(accounts) == sorted([WEBHOOK, CONTROLLER])
    assert {right.user for right in rights} == {WEBHOOK, CONTROLLER}
