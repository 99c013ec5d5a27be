"""Secrets and caBundle on a real API server, written as the controller's service account."""

from __future__ import annotations

import asyncio
import copy
import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controller.certify import AUTHORITY_SECRET, SERVING_SECRET, Certifier
from controller.intervals import PROPAGATION, Intervals
from controller.issuing import Pair, service_names
from controller.namespaces import MUTATOR
from controller.tests.conftest import MANIFEST, NAMESPACE
from controller.tests.test_certificates import RSA
from controller.tests.test_issuing import shake_hands
from crds.client import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from crds.client import Api
    from e2e.cluster.controlplane import ControlPlane
    from e2e.cluster.kubectl import Kubectl

INTERVALS = Intervals()
CONFIGURATION = next(
    one for one in MANIFEST.split("\n---\n") if "kind: MutatingWebhookConfiguration" in one
)


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """An administrator, in a cluster where nothing has been issued yet."""
    kubectl = control_plane.kubectl
    secrets = (AUTHORITY_SECRET, SERVING_SECRET)
    kubectl("delete", "secret", *secrets, "-n", NAMESPACE, "--ignore-not-found")
    kubectl("delete", "mutatingwebhookconfiguration", MUTATOR, "--ignore-not-found")
    kubectl.apply(CONFIGURATION)
    return kubectl


class Clock:
    """A monotonic clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def certifier(api: Api, clock: Clock) -> Certifier:
    return Certifier(api, NAMESPACE, INTERVALS, lambda: datetime.now(UTC), clock)


def secret(kubectl: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "secret", name, "-n", NAMESPACE, "-ojson"))
    return found


def pair(kubectl: Kubectl, name: str) -> Pair:
    data = secret(kubectl, name)["data"]
    return Pair(b64decode(data["tls.crt"]), b64decode(data["tls.key"]))


def webhooks(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = json.loads(kubectl("get", "mutatingwebhookconfiguration", MUTATOR, "-ojson"))
    return list(found["webhooks"])


def bundles(kubectl: Kubectl) -> list[bytes]:
    return [b64decode(one["clientConfig"].get("caBundle", "")) for one in webhooks(kubectl)]


def bundle(kubectl: Kubectl) -> bytes:
    (one,) = set(bundles(kubectl))
    return one


def empty_bundle(kubectl: Kubectl) -> None:
    """Take the caBundle out of the first webhook."""
    empty = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    kubectl(
        "patch", "mutatingwebhookconfiguration", MUTATOR, "--type=json", "-p", json.dumps(empty)
    )


def versions(kubectl: Kubectl) -> str:
    both = f"secret/{AUTHORITY_SECRET}", f"secret/{SERVING_SECRET}"
    where = ("-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.resourceVersion}")
    webhooks = kubectl("get", "mutatingwebhookconfiguration", "-ojsonpath={.items}")
    return kubectl("get", *both, *where) + webhooks


async def test_an_empty_cluster_gets_a_pair_that_its_webhooks_trust(
    kubectl: Kubectl, certifier: Certifier, tmp_path: Path
) -> None:
    await certifier.reconcile()

    host = service_names(NAMESPACE)[2]
    shake_hands(pair(kubectl, SERVING_SECRET), bundle(kubectl), host, tmp_path)
    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate
    assert secret(kubectl, SERVING_SECRET)["type"] == "kubernetes.io/tls"


async def test_a_settled_cluster_is_not_written_to(kubectl: Kubectl, certifier: Certifier) -> None:
    await certifier.reconcile()
    before = versions(kubectl)

    await certifier.reconcile()

    assert versions(kubectl) == before


async def test_a_deleted_serving_secret_comes_back_from_the_same_ca(
    kubectl: Kubectl, certifier: Certifier, tmp_path: Path
) -> None:
    await certifier.reconcile()
    trusted = bundle(kubectl)
    kubectl("delete", "secret", SERVING_SECRET, "-n", NAMESPACE)

    await certifier.reconcile()

    assert bundle(kubectl) == trusted
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(kubectl, SERVING_SECRET), trusted, host, tmp_path)


async def test_a_deleted_ca_is_replaced_and_the_pair_follows_when_the_new_one_is_known(
    kubectl: Kubectl, certifier: Certifier, clock: Clock, tmp_path: Path
) -> None:
    await certifier.reconcile()
    trusted, served = bundle(kubectl), pair(kubectl, SERVING_SECRET)
    kubectl("delete", "secret", AUTHORITY_SECRET, "-n", NAMESPACE)

    left_s = await certifier.reconcile()

    assert left_s == PROPAGATION.total_seconds()
    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate + trusted
    assert pair(kubectl, SERVING_SECRET) == served
    clock.now_s += PROPAGATION.total_seconds()
    await certifier.reconcile()
    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate + trusted
    authority = pair(kubectl, AUTHORITY_SECRET).certificate
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(kubectl, SERVING_SECRET), authority, host, tmp_path)


async def test_a_controller_that_starts_in_between_counts_anew(
    kubectl: Kubectl, certifier: Certifier, clock: Clock, api: Api
) -> None:
    await certifier.reconcile()
    served = pair(kubectl, SERVING_SECRET)
    kubectl("delete", "secret", AUTHORITY_SECRET, "-n", NAMESPACE)
    await certifier.reconcile()
    clock.now_s += PROPAGATION.total_seconds()

    left_s = await Certifier(
        api, NAMESPACE, INTERVALS, lambda: datetime.now(UTC), clock
    ).reconcile()

    assert left_s == PROPAGATION.total_seconds()
    assert pair(kubectl, SERVING_SECRET) == served


async def test_an_emptied_caBundle_trusts_what_is_still_served_again(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier
) -> None:
    await certifier.reconcile()
    trusted = bundle(kubectl)
    kubectl("delete", "secret", AUTHORITY_SECRET, "-n", NAMESPACE)
    await certifier.reconcile()
    kubectl("delete", "mutatingwebhookconfiguration", MUTATOR)
    kubectl.apply(CONFIGURATION)

    await certifier.reconcile()

    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate + trusted


async def test_the_serving_secret_says_who_signed_it(
    kubectl: Kubectl, certifier: Certifier
) -> None:
    await certifier.reconcile()

    signer = b64decode(secret(kubectl, SERVING_SECRET)["data"]["ca.crt"])
    assert signer == pair(kubectl, AUTHORITY_SECRET).certificate
    assert "ca.crt" not in secret(kubectl, AUTHORITY_SECRET)["data"]


@pytest.mark.usefixtures("kubectl")
async def test_it_says_when_it_is_to_be_asked_again_and_when_what_it_read_expires(
    certifier: Certifier,
) -> None:
    before = datetime.now(UTC)

    left_s = await certifier.reconcile()

    most = INTERVALS.cert_rotate.total_seconds()
    assert left_s is not None
    assert most - 60 < left_s <= most
    lives = {"ca": INTERVALS.ca_life, "serving": INTERVALS.cert_life}
    assert lives.keys() == certifier.ends.keys()
    for name, life in lives.items():
        assert abs(certifier.ends[name] - before - life) < timedelta(minutes=1)


async def test_a_secret_of_the_go_manager_is_taken_over_with_what_else_it_holds(
    kubectl: Kubectl, certifier: Certifier, tmp_path: Path
) -> None:
    files = {"tls.crt": RSA.certificate, "tls.key": RSA.key, "note": b"kept"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    kubectl(
        "create", "secret", "generic", SERVING_SECRET, "-n", NAMESPACE, f"--from-file={tmp_path}"
    )

    await certifier.reconcile()

    host = service_names(NAMESPACE)[2]
    shake_hands(pair(kubectl, SERVING_SECRET), bundle(kubectl), host, tmp_path)
    found = secret(kubectl, SERVING_SECRET)
    assert found["type"] == "Opaque"
    assert b64decode(found["data"]["note"]) == b"kept"


async def test_an_emptied_caBundle_is_filled_again(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier
) -> None:
    await certifier.reconcile()
    empty_bundle(kubectl)

    await certifier.reconcile()

    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate


async def test_who_keeps_emptying_the_caBundle_is_warned_of_and_makes_no_hot_loop(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await certifier.reconcile()
    empty_bundle(kubectl)
    await certifier.reconcile()
    empty_bundle(kubectl)

    left_s = [await certifier.reconcile() for _ in range(3)]

    assert left_s == [1.0] * 3
    assert b"" in bundles(kubectl)
    said = f"MutatingWebhookConfiguration {MUTATOR}: somebody else keeps changing its caBundle"
    assert caplog.text.count(said) == 1
    clock.now_s += 1
    await certifier.reconcile()
    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate


@pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts")])
async def test_applying_the_manifest_again_leaves_the_caBundle(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier, flags: tuple[str, ...], tmp_path: Path
) -> None:
    await certifier.reconcile()
    trusted = bundle(kubectl)
    (tmp_path / "again.yaml").write_text(CONFIGURATION)

    kubectl("apply", *flags, "-f", str(tmp_path / "again.yaml"))

    assert trusted
    assert bundle(kubectl) == trusted


async def test_writing_the_caBundle_leaves_an_edited_selector(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier
) -> None:
    selector = {"matchLabels": {"mine": "yes"}}
    edit = [{"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": selector}]
    kubectl("patch", "mutatingwebhookconfiguration", MUTATOR, "--type=json", "-p", json.dumps(edit))

    await certifier.reconcile()

    assert bundle(kubectl)
    assert webhooks(kubectl)[0]["namespaceSelector"] == selector


@pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts")])
async def test_a_webhook_that_comes_is_given_the_caBundle_and_can_go_again(  # noqa: N802
    kubectl: Kubectl, certifier: Certifier, flags: tuple[str, ...], tmp_path: Path
) -> None:
    one = yaml.safe_load(CONFIGURATION)
    count = len(one["webhooks"])
    two = copy.deepcopy(one)
    two["webhooks"].append({**one["webhooks"][0], "name": "more.kubemacpool.io"})
    for name, configuration in (("one", one), ("two", two)):
        (tmp_path / name).write_text(yaml.safe_dump(configuration))
    await certifier.reconcile()
    kubectl("apply", *flags, "-f", str(tmp_path / "two"))

    await certifier.reconcile()

    assert bundles(kubectl) == [pair(kubectl, AUTHORITY_SECRET).certificate] * (count + 1)
    kubectl("apply", *flags, "-f", str(tmp_path / "one"))
    assert bundles(kubectl) == [pair(kubectl, AUTHORITY_SECRET).certificate] * count


async def test_a_missing_webhook_configuration_is_said_and_written_when_it_appears(
    kubectl: Kubectl, certifier: Certifier, caplog: pytest.LogCaptureFixture
) -> None:
    kubectl("delete", "mutatingwebhookconfiguration", MUTATOR)

    await certifier.reconcile()
    await certifier.reconcile()

    assert caplog.text.count("there is no MutatingWebhookConfiguration kubemacpool-mutator") == 1
    kubectl.apply(CONFIGURATION)
    await certifier.reconcile()
    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate


async def test_a_configuration_deleted_in_between_is_not_created_by_us(
    kubectl: Kubectl, certifier: Certifier
) -> None:
    seen = (await certifier._look()).configuration
    assert seen
    kubectl("delete", "mutatingwebhookconfiguration", MUTATOR)

    with pytest.raises(ApiError) as caught:
        await certifier._distribute(seen, b"")

    assert caught.value.status == 404
    assert MUTATOR not in kubectl("get", "mutatingwebhookconfiguration", "-oname")


async def test_a_selector_edited_in_between_is_not_lost(
    kubectl: Kubectl, certifier: Certifier
) -> None:
    seen = (await certifier._look()).configuration
    assert seen
    kubectl("label", "mutatingwebhookconfiguration", MUTATOR, "touched=yes")

    with pytest.raises(ApiError) as caught:
        await certifier._distribute(seen, b"")

    assert caught.value.status == 409


async def test_a_secret_changed_in_between_is_not_overwritten(
    kubectl: Kubectl, certifier: Certifier
) -> None:
    await certifier.reconcile()
    old = (await certifier._look()).authority
    kubectl("label", "secret", AUTHORITY_SECRET, "-n", NAMESPACE, "touched=yes")

    with pytest.raises(ApiError) as caught:
        await certifier._write(AUTHORITY_SECRET, old, RSA)

    assert caught.value.status == 409


async def test_several_controllers_at_once_agree(
    kubectl: Kubectl, certifier: Certifier, tmp_path: Path
) -> None:
    await asyncio.gather(*(certifier.reconcile() for _ in range(4)))

    assert bundle(kubectl) == pair(kubectl, AUTHORITY_SECRET).certificate
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(kubectl, SERVING_SECRET), bundle(kubectl), host, tmp_path)


async def test_what_is_due_is_renewed_and_the_rest_stays(
    kubectl: Kubectl, certifier: Certifier, api: Api
) -> None:
    await certifier.reconcile()
    authority, serving = pair(kubectl, AUTHORITY_SECRET), pair(kubectl, SERVING_SECRET)
    later = Certifier(
        api,
        NAMESPACE,
        INTERVALS,
        lambda: datetime.now(UTC) + INTERVALS.cert_rotate,
        Clock(),
    )

    await later.reconcile()

    assert pair(kubectl, AUTHORITY_SECRET) == authority
    assert pair(kubectl, SERVING_SECRET) != serving


async def test_no_key_reaches_log_or_repr(
    kubectl: Kubectl, certifier: Certifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    await certifier.reconcile()

    kept = pair(kubectl, AUTHORITY_SECRET).key
    world = await certifier._look()
    for text in (caplog.text, repr(world), repr(world.found(NAMESPACE))):
        assert "PRIVATE" not in text
        assert kept.splitlines()[1].decode() not in text
    assert "issuing a CA (Secret kubemacpool-mutator-ca): there is none" in caplog.text
