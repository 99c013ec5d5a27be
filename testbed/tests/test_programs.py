"""Programs run beside the cluster as their service accounts, and end with it."""

import secrets
from collections.abc import Iterator

import pytest

from testbed import programs
from testbed.controlplane import ControlPlane
from testbed.ports import free_ports
from testbed.readiness import NotReady, eventually

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer((sys.argv[1], int(sys.argv[2])), Ready).serve_forever()
"""


@pytest.fixture
def account(cluster: ControlPlane) -> Iterator[str]:
    """A service account in the programs' namespace, which other tests use, too."""
    kubectl, name = cluster.kubectl, f"tester-{secrets.token_hex(4)}"
    kubectl.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {programs.NAMESPACE}}}}}")
    kubectl("create", "serviceaccount", name, "-n", programs.NAMESPACE)
    yield name
    kubectl("delete", "serviceaccount", name, "-n", programs.NAMESPACE)


def start_server(cluster: ControlPlane, name: str, account: str) -> programs.Program:
    address, port = cluster.plan.address, free_ports(cluster.plan.address, 1)[0]
    return programs.start(
        cluster,
        name,
        ["-c", SERVER, address, str(port)],
        account=account,
        ready_url=f"http://{address}:{port}/readyz",
    )


def test_a_program_that_ends_early_shows_its_log(cluster: ControlPlane, account: str) -> None:
    broken = programs.start(
        cluster,
        "broken",
        ["-c", "raise SystemExit('no pool, no service')"],
        account=account,
        ready_url=f"http://{cluster.plan.address}:1/readyz",
    )

    with pytest.raises(NotReady, match="no pool, no service"):
        broken.wait_ready()


def test_a_renewed_token_is_read_from_the_same_file(cluster: ControlPlane, account: str) -> None:
    program = start_server(cluster, "renewal", account)
    token = cluster.state / f"{account}.token"
    before = token.read_text()

    def renewed() -> bool:
        """Two tokens of one second are the same but for their id."""
        programs.renew_token(cluster, account)
        return token.read_text() != before

    eventually(renewed, "the token differs")
    program.process.stop()
    assert token.stat().st_mode & 0o777 == 0o600
