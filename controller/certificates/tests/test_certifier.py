"""Secrets and caBundle on a real API server, written as the controller's service account."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from controller.certificates.intervals import PROPAGATION
from controller.certificates.tests.certifying import CONFIGURATIONS, INTERVALS, Scene
from controller.certificates.tests.test_checklist import RSA
from controller.conftest import MANIFEST
from crds.names import AUTHORITY_SECRET, MUTATOR, NAMESPACE, SERVING_SECRET
from kube.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from kube.client import Api
    from testbed.controlplane import ControlPlane

PROPAGATION_S = PROPAGATION.total_seconds()
CONFIGURATION = next(
    document
    for document in MANIFEST.split("\n---\n")
    if "kind: MutatingWebhookConfiguration" in document
)
FLAGS = pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts")])


@pytest.fixture
def scene(control_plane: ControlPlane, api: Api, tmp_path: Path) -> Scene:
    """A cluster in which no certificate has been issued yet."""
    client = control_plane.kubectl.client
    for name in (AUTHORITY_SECRET, SERVING_SECRET):
        client.delete("secret", name, NAMESPACE, missing_ok=True)
    client.delete(CONFIGURATIONS, MUTATOR, missing_ok=True)
    client.create(CONFIGURATION)
    return Scene(api, client, tmp_path)


async def test_an_empty_cluster_gets_a_pair_that_its_webhooks_trust_and_is_then_left_alone(
    scene: Scene,
) -> None:
    await scene.reconcile()

    scene.call()
    assert scene.bundles() == {scene.ca}
    assert scene.secret(SERVING_SECRET)["type"] == "kubernetes.io/tls"
    before = scene.versions()
    await scene.reconcile()
    assert scene.versions() == before


async def test_it_returns_when_the_next_certificate_is_due_and_when_each_expires(
    scene: Scene,
) -> None:
    before = datetime.now(UTC)

    left_s = await scene.reconcile()

    most = INTERVALS.cert_rotate.total_seconds()
    assert left_s is not None
    assert most - 60 < left_s <= most
    lives = {"ca": INTERVALS.ca_life, "serving": INTERVALS.cert_life}
    assert lives.keys() == scene.certifier.ends.keys()
    for name, life in lives.items():
        assert abs(scene.certifier.ends[name] - before - life) < timedelta(minutes=1)


async def test_a_deleted_serving_secret_is_issued_again_by_the_same_ca(scene: Scene) -> None:
    await scene.reconcile()
    trusted = scene.bundles()
    scene.delete(SERVING_SECRET)

    await scene.reconcile()

    assert scene.bundles() == trusted
    scene.call()


async def test_a_deleted_ca_is_replaced_and_the_pair_follows_when_the_new_one_is_known(
    scene: Scene,
) -> None:
    await scene.reconcile()
    old, served = scene.ca, scene.pair(SERVING_SECRET)
    scene.delete(AUTHORITY_SECRET)

    assert await scene.reconcile() == PROPAGATION_S
    assert scene.bundles() == {scene.ca + old}
    assert scene.pair(SERVING_SECRET) == served
    scene.now_s += PROPAGATION_S
    scene.restart()  # it counts from its start
    assert await scene.reconcile() == PROPAGATION_S
    assert scene.pair(SERVING_SECRET) == served
    scene.now_s += PROPAGATION_S
    await scene.reconcile()
    assert scene.bundles() == {scene.ca + old}
    assert scene.pair(SERVING_SECRET) != served
    scene.call()


async def test_a_new_configuration_trusts_the_former_ca_while_its_pair_is_served(
    scene: Scene,
) -> None:
    await scene.reconcile()
    old = scene.ca
    scene.delete(AUTHORITY_SECRET)
    await scene.reconcile()
    scene.client.delete(CONFIGURATIONS, MUTATOR)
    scene.client.create(CONFIGURATION)

    await scene.reconcile()

    assert scene.bundles() == {scene.ca + old}


async def test_a_secret_of_the_go_manager_is_taken_over_with_its_other_keys(scene: Scene) -> None:
    files = {"tls.crt": RSA.certificate, "tls.key": RSA.key, "note": b"kept"}
    theirs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SERVING_SECRET},
        "data": {name: b64encode(content).decode() for name, content in files.items()},
    }
    scene.client.create(theirs, NAMESPACE)

    await scene.reconcile()

    scene.call()
    found = scene.secret(SERVING_SECRET)
    assert found["type"] == "Opaque"
    assert b64decode(found["data"]["note"]) == b"kept"


async def test_a_client_that_keeps_emptying_the_caBundle_is_reported_and_makes_no_hot_loop(  # noqa: N802
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    await scene.reconcile()
    scene.empty_bundle()
    await scene.reconcile()
    assert scene.bundles() == {scene.ca}
    scene.empty_bundle()

    assert [await scene.reconcile() for _ in range(3)] == [1.0] * 3
    assert b"" in scene.bundles()
    line = f"MutatingWebhookConfiguration {MUTATOR}: another client keeps changing its caBundle"
    assert caplog.text.count(line) == 1
    scene.now_s += 1
    await scene.reconcile()
    assert scene.bundles() == {scene.ca}


async def test_writing_the_caBundle_leaves_an_edited_selector(scene: Scene) -> None:  # noqa: N802
    selector = {"matchLabels": {"mine": "yes"}}
    first, *others = scene.webhooks()
    edited = [first | {"namespaceSelector": selector}, *others]
    scene.client.patch(CONFIGURATIONS, MUTATOR, {"webhooks": edited})

    await scene.reconcile()

    assert scene.bundles() == {scene.ca}
    assert scene.webhooks()[0]["namespaceSelector"] == selector


@FLAGS
async def test_a_user_can_apply_the_manifest_again_add_a_webhook_and_remove_it(
    control_plane: ControlPlane, scene: Scene, flags: tuple[str, ...]
) -> None:
    kubectl = control_plane.kubectl
    release = yaml.safe_load(CONFIGURATION)
    more = {**release["webhooks"][0], "name": "more.kubemacpool.io"}
    extended = {**release, "webhooks": [*release["webhooks"], more]}
    kubectl.apply(CONFIGURATION, *flags)
    await scene.reconcile()

    kubectl.apply(CONFIGURATION, *flags)
    assert scene.bundles() == {scene.ca}
    kubectl.apply(yaml.safe_dump(extended), *flags)
    await scene.reconcile()
    assert (len(scene.webhooks()), scene.bundles()) == (len(extended["webhooks"]), {scene.ca})
    kubectl.apply(yaml.safe_dump(release), *flags)
    assert (len(scene.webhooks()), scene.bundles()) == (len(release["webhooks"]), {scene.ca})


async def test_a_missing_webhook_configuration_is_reported_once_and_written_when_it_appears(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.client.delete(CONFIGURATIONS, MUTATOR)

    await scene.reconcile()
    await scene.reconcile()

    assert caplog.text.count("there is no MutatingWebhookConfiguration kubemacpool-mutator") == 1
    scene.client.create(CONFIGURATION)
    await scene.reconcile()
    assert scene.bundles() == {scene.ca}


async def test_an_object_that_changed_after_the_read_is_not_overwritten_or_created(
    scene: Scene,
) -> None:
    await scene.reconcile()
    old = await scene.certifier._read_all()
    assert old.configuration
    scene.client.label("secret", AUTHORITY_SECRET, {"touched": "yes"}, NAMESPACE)
    scene.client.label(CONFIGURATIONS, MUTATOR, {"touched": "yes"})

    with pytest.raises(ApiError, check=lambda error: error.status == 409):
        await scene.certifier._write(AUTHORITY_SECRET, old.authority, RSA)
    with pytest.raises(ApiError, check=lambda error: error.status == 409):
        await scene.certifier._distribute(old.configuration, b"")
    scene.client.delete(CONFIGURATIONS, MUTATOR)
    with pytest.raises(ApiError, check=lambda error: error.status == 404):
        await scene.certifier._distribute(old.configuration, b"")

    assert scene.client.get(CONFIGURATIONS, MUTATOR) is None


async def test_several_controllers_at_once_agree(scene: Scene) -> None:
    await asyncio.gather(*(scene.reconcile() for _ in range(4)))

    assert scene.bundles() == {scene.ca}
    scene.call()


async def test_a_certificate_that_is_due_is_renewed_and_the_rest_stays(scene: Scene) -> None:
    await scene.reconcile()
    authority, serving = scene.pair(AUTHORITY_SECRET), scene.pair(SERVING_SECRET)
    scene.later = INTERVALS.cert_rotate

    await scene.reconcile()

    assert scene.pair(AUTHORITY_SECRET) == authority
    assert scene.pair(SERVING_SECRET) != serving


async def test_no_key_reaches_log_or_repr(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    await scene.reconcile()

    kept = scene.pair(AUTHORITY_SECRET).key
    objects = await scene.certifier._read_all()
    for text in (caplog.text, repr(objects), repr(objects.found(NAMESPACE))):
        assert "PRIVATE" not in text
        assert kept.splitlines()[1].decode() not in text
    assert "issuing a CA (Secret kubemacpool-mutator-ca): there is none" in caplog.text
