"""Certificates are replaced every few seconds, and no request is refused."""

import datetime as dt
import itertools
import operator
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from cryptography import x509

from e2e.conftest import QUIET_S
from e2e.metrics import Scrape
from e2e.pods import PodNamespace
from e2e.rotation import AUTHORITY, bundle_of, distrust, read, requests
from testbed.client import Client
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.programs import SERVICE, Program, start_controller
from testbed.readiness import eventually
from testbed.release import Installed

SECONDS = {
    "CA_ROTATE_INTERVAL": "15s",
    "CA_OVERLAP_INTERVAL": "15s",
    "CERT_ROTATE_INTERVAL": "3s",
    "CERT_OVERLAP_INTERVAL": "1s",
}
QUIET = ("--quiet-s", f"{QUIET_S:g}")
# The controller allows API servers 10 s to learn of a caBundle; this one takes most of it.
BEHIND_S = 8.0


@dataclass(slots=True)
class Watcher:
    """Checks the served certificates as an API server that is BEHIND_S late; call `look` often."""

    client: Client
    webhooks: list[Program]
    authorities: set[bytes] = field(default_factory=set)
    pairs: set[bytes] = field(default_factory=set)
    at_once: int = 0  # the most certificates in one caBundle
    distrusted: list[str] = field(default_factory=list)
    _known: list[tuple[float, str]] = field(default_factory=list)

    def look(self) -> None:
        self.authorities.add(read(self.client, AUTHORITY)["tls.crt"])
        self.pairs.add(read(self.client, SERVICE)["tls.crt"])
        asked, bundle = time.monotonic(), bundle_of(self.client)
        self.at_once = max(self.at_once, bundle.count("BEGIN CERTIFICATE"))
        self._known.append((asked, bundle))
        for webhook in self.webhooks:
            since = time.monotonic() - BEHIND_S
            late = next((known for when, known in self._known if when >= since), bundle)
            for trusted in {late, bundle}:
                if said := distrust(webhook, trusted):
                    self.distrusted.append(said)


@contextmanager
def hasty_controller(cluster: ControlPlane, release: Installed) -> Iterator[None]:
    """Replace certificates every few seconds until the block ends."""
    release.controller.process.stop()
    hasty = start_controller(cluster, "controller-1", *QUIET, env=SECONDS)
    try:
        hasty.wait_ready()
        yield
    finally:
        hasty.process.stop()
        release.controller = start_controller(cluster, "controller-1", *QUIET)
        release.controller.wait_ready()


@pytest.mark.parametrize(
    ("least_s", "authorities", "clients"),
    [
        pytest.param(0, 3, 1, id="two-cas"),
        pytest.param(60, 5, 4, id="a-minute-and-four-cas", marks=pytest.mark.long),
    ],
)
def test_rotations_refuse_no_request(  # noqa: PLR0913, PLR0917 - three are one row of the table
    cluster: ControlPlane,
    release: Installed,
    pods: PodNamespace,
    least_s: float,
    authorities: int,
    clients: int,
) -> None:
    with hasty_controller(cluster, release):
        watcher = Watcher(cluster.kubectl.client, release.webhooks)
        watcher.look()
        begun = time.monotonic()

        with requests(cluster, pods.namespace, clients) as seen:
            answered = {len(watcher.authorities): list(seen.allowed)}

            def rotated() -> bool:
                watcher.look()
                answered.setdefault(len(watcher.authorities), list(seen.allowed))
                enough = authorities <= len(watcher.authorities) < len(watcher.pairs)
                return time.monotonic() > begun + least_s and enough and watcher.at_once >= 2

            what = f"{authorities - 1} CAs after the first, and more certificates than CAs"
            eventually(rotated, what, 120)
    print(f"{seen.allowed} requests, {len(watcher.authorities)} CAs, {len(watcher.pairs)} pairs")

    assert seen.refusals == []
    assert watcher.distrusted == []
    # Each client had answers between one CA and the next; the first may come as the clients begin.
    _, *since = answered.values()
    assert len(since) >= 2
    for before, after in itertools.pairwise(since):
        assert all(map(operator.lt, before, after)), answered
    assert all(webhook.process.alive for webhook in release.webhooks)


DAY = dt.timedelta(days=1)


def test_days_left_are_a_metric(kubectl: Kubectl, scrape: Scrape) -> None:
    def shown() -> tuple[dict[str, float], dict[str, dt.datetime]] | None:
        """Return the metrics and the stored ends, once the controller has read these Secrets."""
        said = scrape()
        ends = {"ca": end(kubectl, AUTHORITY), "serving": end(kubectl, SERVICE)}
        expiry = "kmp_certificate_expiry_timestamp_seconds"
        read_now = all(
            said.get(f'{expiry}{{certificate="{label}"}}') == at.timestamp()
            for label, at in ends.items()
        )
        return (said, ends) if read_now else None

    both = eventually(shown, "the expiry of both certificates")

    assert both
    said, ends = both
    for label, at in ends.items():
        left = said[f'kmp_certificate_days_left{{certificate="{label}"}}']
        assert abs((at - dt.datetime.now(dt.UTC)) / DAY - left) < 0.1


def end(kubectl: Kubectl, secret: str) -> dt.datetime:
    """Return when the certificate in `secret` expires."""
    certificate = x509.load_pem_x509_certificate(read(kubectl.client, secret)["tls.crt"])
    return certificate.not_valid_after_utc
