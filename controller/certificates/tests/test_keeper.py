"""Secrets and caBundle on a real API server, written as the controller's service account."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controller.certificates.intervals import PROPAGATION, Intervals
from controller.certificates.issuing import Pair, service_names
from controller.certificates.keeper import Certifier
from controller.certificates.tests.test_checklist import RSA
from controller.certificates.tests.test_issuing import shake_hands
from controller.collisions.namespaces import MUTATOR
from controller.conftest import MANIFEST, NAMESPACE
from crds.names import AUTHORITY_SECRET, SERVING_SECRET
from kube.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from kube.client import Api
    from testbed.client import Client
    from testbed.controlplane import ControlPlane

INTERVALS = Intervals()
CONFIGURATIONS = "mutatingwebhookconfiguration"
CONFIGURATION = next(
    one for one in MANIFEST.split("\n---\n") if "kind: MutatingWebhookConfiguration" in one
)


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    """An administrator, in a cluster where nothing has been issued yet."""
    client = control_plane.kubectl.client
    for name in (AUTHORITY_SECRET, SERVING_SECRET):
        client.delete("secret", name, NAMESPACE, missing_ok=True)
    client.delete(CONFIGURATIONS, MUTATOR, missing_ok=True)
    client.create(CONFIGURATION)
    return client


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


def secret(client: Client, name: str) -> dict[str, Any]:
    return client.read("secret", name, NAMESPACE)


def pair(client: Client, name: str) -> Pair:
    data = secret(client, name)["data"]
    return Pair(b64decode(data["tls.crt"]), b64decode(data["tls.key"]))


def webhooks(client: Client) -> list[dict[str, Any]]:
    return list(client.read(CONFIGURATIONS, MUTATOR)["webhooks"])


def bundles(client: Client) -> list[bytes]:
    return [b64decode(one["clientConfig"].get("caBundle", "")) for one in webhooks(client)]


def bundle(client: Client) -> bytes:
    (one,) = set(bundles(client))
    return one


def empty_bundle(client: Client) -> None:
    """Take the caBundle out of the first webhook."""
    first, *others = webhooks(client)
    del first["clientConfig"]["caBundle"]
    client.patch(CONFIGURATIONS, MUTATOR, {"webhooks": [first, *others]})


def versions(client: Client) -> list[object]:
    secrets = (secret(client, name) for name in (AUTHORITY_SECRET, SERVING_SECRET))
    return [found["metadata"] for found in secrets] + client.list(CONFIGURATIONS)


async def test_an_empty_cluster_gets_a_pair_that_its_webhooks_trust(
    client: Client, certifier: Certifier, tmp_path: Path
) -> None:
    await certifier.reconcile()

    host = service_names(NAMESPACE)[2]
    shake_hands(pair(client, SERVING_SECRET), bundle(client), host, tmp_path)
    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate
    assert secret(client, SERVING_SECRET)["type"] == "kubernetes.io/tls"


async def test_a_settled_cluster_is_not_written_to(client: Client, certifier: Certifier) -> None:
    await certifier.reconcile()
    before = versions(client)

    await certifier.reconcile()

    assert versions(client) == before


async def test_a_deleted_serving_secret_comes_back_from_the_same_ca(
    client: Client, certifier: Certifier, tmp_path: Path
) -> None:
    await certifier.reconcile()
    trusted = bundle(client)
    client.delete("secret", SERVING_SECRET, NAMESPACE)

    await certifier.reconcile()

    assert bundle(client) == trusted
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(client, SERVING_SECRET), trusted, host, tmp_path)


async def test_a_deleted_ca_is_replaced_and_the_pair_follows_when_the_new_one_is_known(
    client: Client, certifier: Certifier, clock: Clock, tmp_path: Path
) -> None:
    await certifier.reconcile()
    trusted, served = bundle(client), pair(client, SERVING_SECRET)
    client.delete("secret", AUTHORITY_SECRET, NAMESPACE)

    left_s = await certifier.reconcile()

    assert left_s == PROPAGATION.total_seconds()
    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate + trusted
    assert pair(client, SERVING_SECRET) == served
    clock.now_s += PROPAGATION.total_seconds()
    await certifier.reconcile()
    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate + trusted
    authority = pair(client, AUTHORITY_SECRET).certificate
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(client, SERVING_SECRET), authority, host, tmp_path)


async def test_a_controller_that_starts_in_between_counts_anew(
    client: Client, certifier: Certifier, clock: Clock, api: Api
) -> None:
    await certifier.reconcile()
    served = pair(client, SERVING_SECRET)
    client.delete("secret", AUTHORITY_SECRET, NAMESPACE)
    await certifier.reconcile()
    clock.now_s += PROPAGATION.total_seconds()

    left_s = await Certifier(
        api, NAMESPACE, INTERVALS, lambda: datetime.now(UTC), clock
    ).reconcile()

    assert left_s == PROPAGATION.total_seconds()
    assert pair(client, SERVING_SECRET) == served


async def test_an_emptied_caBundle_trusts_what_is_still_served_again(  # noqa: N802
    client: Client, certifier: Certifier
) -> None:
    await certifier.reconcile()
    trusted = bundle(client)
    client.delete("secret", AUTHORITY_SECRET, NAMESPACE)
    await certifier.reconcile()
    client.delete(CONFIGURATIONS, MUTATOR)
    client.create(CONFIGURATION)

    await certifier.reconcile()

    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate + trusted


async def test_the_serving_secret_says_who_signed_it(client: Client, certifier: Certifier) -> None:
    await certifier.reconcile()

    signer = b64decode(secret(client, SERVING_SECRET)["data"]["ca.crt"])
    assert signer == pair(client, AUTHORITY_SECRET).certificate
    assert "ca.crt" not in secret(client, AUTHORITY_SECRET)["data"]


@pytest.mark.usefixtures("client")
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
    client: Client, certifier: Certifier, tmp_path: Path
) -> None:
    files = {"tls.crt": RSA.certificate, "tls.key": RSA.key, "note": b"kept"}
    theirs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SERVING_SECRET},
        "data": {name: b64encode(content).decode() for name, content in files.items()},
    }
    client.create(theirs, NAMESPACE)

    await certifier.reconcile()

    host = service_names(NAMESPACE)[2]
    shake_hands(pair(client, SERVING_SECRET), bundle(client), host, tmp_path)
    found = secret(client, SERVING_SECRET)
    assert found["type"] == "Opaque"
    assert b64decode(found["data"]["note"]) == b"kept"


async def test_an_emptied_caBundle_is_filled_again(  # noqa: N802
    client: Client, certifier: Certifier
) -> None:
    await certifier.reconcile()
    empty_bundle(client)

    await certifier.reconcile()

    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate


async def test_who_keeps_emptying_the_caBundle_is_warned_of_and_makes_no_hot_loop(  # noqa: N802
    client: Client, certifier: Certifier, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await certifier.reconcile()
    empty_bundle(client)
    await certifier.reconcile()
    empty_bundle(client)

    left_s = [await certifier.reconcile() for _ in range(3)]

    assert left_s == [1.0] * 3
    assert b"" in bundles(client)
    said = f"MutatingWebhookConfiguration {MUTATOR}: somebody else keeps changing its caBundle"
    assert caplog.text.count(said) == 1
    clock.now_s += 1
    await certifier.reconcile()
    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate


@pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts")])
async def test_applying_the_manifest_again_leaves_the_caBundle(  # noqa: N802
    control_plane: ControlPlane, client: Client, certifier: Certifier, flags: tuple[str, ...]
) -> None:
    kubectl = control_plane.kubectl
    kubectl.apply(CONFIGURATION, *flags)
    await certifier.reconcile()
    trusted = bundle(client)

    kubectl.apply(CONFIGURATION, *flags)

    assert trusted
    assert bundle(client) == trusted


async def test_writing_the_caBundle_leaves_an_edited_selector(  # noqa: N802
    client: Client, certifier: Certifier
) -> None:
    selector = {"matchLabels": {"mine": "yes"}}
    first, *others = webhooks(client)
    edited = [first | {"namespaceSelector": selector}, *others]
    client.patch(CONFIGURATIONS, MUTATOR, {"webhooks": edited})

    await certifier.reconcile()

    assert bundle(client)
    assert webhooks(client)[0]["namespaceSelector"] == selector


@pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts")])
async def test_a_webhook_that_comes_is_given_the_caBundle_and_can_go_again(  # noqa: N802
    control_plane: ControlPlane, client: Client, certifier: Certifier, flags: tuple[str, ...]
) -> None:
    kubectl = control_plane.kubectl
    one = yaml.safe_load(CONFIGURATION)
    count = len(one["webhooks"])
    more = {**one["webhooks"][0], "name": "more.kubemacpool.io"}
    two = {**one, "webhooks": [*one["webhooks"], more]}
    await certifier.reconcile()
    kubectl.apply(yaml.safe_dump(two), *flags)

    await certifier.reconcile()

    assert bundles(client) == [pair(client, AUTHORITY_SECRET).certificate] * (count + 1)
    kubectl.apply(yaml.safe_dump(one), *flags)
    assert bundles(client) == [pair(client, AUTHORITY_SECRET).certificate] * count


async def test_a_missing_webhook_configuration_is_said_and_written_when_it_appears(
    client: Client, certifier: Certifier, caplog: pytest.LogCaptureFixture
) -> None:
    client.delete(CONFIGURATIONS, MUTATOR)

    await certifier.reconcile()
    await certifier.reconcile()

    assert caplog.text.count("there is no MutatingWebhookConfiguration kubemacpool-mutator") == 1
    client.create(CONFIGURATION)
    await certifier.reconcile()
    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate


async def test_a_configuration_deleted_in_between_is_not_created_by_us(
    client: Client, certifier: Certifier
) -> None:
    seen = (await certifier._look()).configuration
    assert seen
    client.delete(CONFIGURATIONS, MUTATOR)

    with pytest.raises(ApiError) as caught:
        await certifier._distribute(seen, b"")

    assert caught.value.status == 404
    assert client.get(CONFIGURATIONS, MUTATOR) is None


async def test_a_selector_edited_in_between_is_not_lost(
    client: Client, certifier: Certifier
) -> None:
    seen = (await certifier._look()).configuration
    assert seen
    client.label(CONFIGURATIONS, MUTATOR, {"touched": "yes"})

    with pytest.raises(ApiError) as caught:
        await certifier._distribute(seen, b"")

    assert caught.value.status == 409


async def test_a_secret_changed_in_between_is_not_overwritten(
    client: Client, certifier: Certifier
) -> None:
    await certifier.reconcile()
    old = (await certifier._look()).authority
    client.label("secret", AUTHORITY_SECRET, {"touched": "yes"}, NAMESPACE)

    with pytest.raises(ApiError) as caught:
        await certifier._write(AUTHORITY_SECRET, old, RSA)

    assert caught.value.status == 409


async def test_several_controllers_at_once_agree(
    client: Client, certifier: Certifier, tmp_path: Path
) -> None:
    await asyncio.gather(*(certifier.reconcile() for _ in range(4)))

    assert bundle(client) == pair(client, AUTHORITY_SECRET).certificate
    host = service_names(NAMESPACE)[2]
    shake_hands(pair(client, SERVING_SECRET), bundle(client), host, tmp_path)


async def test_what_is_due_is_renewed_and_the_rest_stays(
    client: Client, certifier: Certifier, api: Api
) -> None:
    await certifier.reconcile()
    authority, serving = pair(client, AUTHORITY_SECRET), pair(client, SERVING_SECRET)
    later = Certifier(
        api,
        NAMESPACE,
        INTERVALS,
        lambda: datetime.now(UTC) + INTERVALS.cert_rotate,
        Clock(),
    )

    await later.reconcile()

    assert pair(client, AUTHORITY_SECRET) == authority
    assert pair(client, SERVING_SECRET) != serving


async def test_no_key_reaches_log_or_repr(
    client: Client, certifier: Certifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    await certifier.reconcile()

    kept = pair(client, AUTHORITY_SECRET).key
    world = await certifier._look()
    for text in (caplog.text, repr(world), repr(world.found(NAMESPACE))):
        assert "PRIVATE" not in text
        assert kept.splitlines()[1].decode() not in text
    assert "issuing a CA (Secret kubemacpool-mutator-ca): there is none" in caplog.text
