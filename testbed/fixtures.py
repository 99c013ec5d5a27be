"""Control planes that test files share, one of each kind in each pytest process.

The root conftest.py registers this module. Tests use names of their own and restore each part of
the release that they change. Tests that share one of `_SHARED` are in one xdist group: one process
runs them all, on one control plane.
"""

import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from testbed import external
from testbed.controlplane import EPHEMERAL, ControlPlane, ephemeral
from testbed.kubectl import Kubectl
from testbed.kubevirt import KubeVirt, VirtualMachines, start
from testbed.processes import tail
from testbed.release import apply_release, program_logs, remove_release, stop

_AUDIT_POLICY = Path(__file__).parents[1] / "docs" / "examples" / "audit-policy.yaml"
_SHARED = {"bare_cluster": "bare", "audited_cluster": "audited"}


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that share one of these clusters in one group."""
    for item in items:
        for fixture, group in _SHARED.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the ends of our programs' logs to the report of a failed test: its cluster goes."""
    report = yield
    if report.failed:
        logs = [log for cluster in EPHEMERAL for log in program_logs(cluster)]
        report.sections += [(f"{log.name} at the end of {call.when}", tail(log)) for log in logs]
    return report


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[ControlPlane]:
    """A cluster with the release manifest applied, on which our programs do not run."""
    with ephemeral() as cluster:
        apply_release(cluster.kubectl)
        yield cluster


@pytest.fixture
def empty_cluster(bare_cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The same cluster without the release, as before a first installation."""
    remove_release(bare_cluster.kubectl)
    yield bare_cluster
    stop(bare_cluster)
    remove_release(bare_cluster.kubectl)
    apply_release(bare_cluster.kubectl)


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """The session's own control plane, with the audit log of docs/gitops.md.

    Tests that need only kubectl ask for `kubectl` instead.
    """
    if external.chosen():
        pytest.skip("needs a control plane of our own, not KUBEVIRT_PROVIDER=external")
    with ephemeral(audit_policy=_AUDIT_POLICY.read_text()) as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Kubectl:
    """Kubectl as an administrator of the session's cluster, or of the external one."""
    if external.chosen():
        return external.connect()
    control_plane: ControlPlane = request.getfixturevalue("cluster")
    return control_plane.kubectl


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A new namespace in which pods can be created."""
    yield from fresh_namespace(kubectl)


def fresh_namespace(kubectl: Kubectl, **labels: str) -> Iterator[str]:
    """Yield a new namespace in which pods can be created; delete it afterwards."""
    name = f"e2e-{secrets.token_hex(4)}"
    kubectl.client.create_namespace(name, **labels)
    yield name
    kubectl.client.delete("namespace", name, wait=False, missing_ok=True)


@pytest.fixture(scope="session")
def kubevirt(cluster: ControlPlane) -> Iterator[KubeVirt]:
    """KubeVirt's own virt-controller and virt-api on the session's cluster."""
    running = start(cluster)
    yield running
    running.stop()


@pytest.fixture
def vms(kubevirt: KubeVirt, kubectl: Kubectl, namespace: str) -> Iterator[VirtualMachines]:
    """A new namespace for virtual machines."""
    own = VirtualMachines(kubectl, namespace)
    yield own
    kubevirt.handler.end_all(own)
