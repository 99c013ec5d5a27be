"""The client shows what kubectl shows: objects, refusals, warnings, and changes as they come."""

import threading

import pytest

from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.kubectl import Kubectl

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


@pytest.fixture
def client(kubectl: Kubectl) -> Client:
    return kubectl.client


@pytest.mark.parametrize("kind", ["cm", "configmap", "configmaps", "v1/ConfigMap"])
def test_every_name_of_a_kind_leads_to_its_objects(
    client: Client, namespace: str, kind: str
) -> None:
    stored = client.create(SETTINGS, namespace)

    [listed] = client.list(kind, namespace, fields="metadata.name=settings")

    assert client.get(kind, "settings", namespace) == stored
    assert listed["metadata"] == stored["metadata"]
    assert client.get(kind, "other", namespace) is None


def test_a_kind_that_is_new_is_known_and_one_that_does_not_exist_is_named(client: Client) -> None:
    assert client.resource("deployments.apps").plural == "deployments"
    with pytest.raises(LookupError, match="does not have a resource type 'nonsense'"):
        client.resource("nonsense")


def test_a_refusal_says_what_kubectl_says(client: Client, kubectl: Kubectl, namespace: str) -> None:
    absent = kubectl.fails("get", "cm", "absent", "-n", namespace)
    invalid = {**SETTINGS, "metadata": {"name": "Not a name"}}
    said = refusal(lambda: client.create(invalid, namespace))

    with pytest.raises(Refused) as refused:
        client.read("cm", "absent", namespace)

    assert absent.strip() == f"Error from server ({refused.value.reason}): {refused.value}"
    assert 'ConfigMap "Not a name" is invalid: metadata.name' in said
    assert refusal(lambda: client.create(SETTINGS, namespace, dry_run=True)) == ""


def test_warnings_come_with_the_answer(client: Client, namespace: str) -> None:
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web, env: [{name: A, value: "1"}, {name: A, value: "2"}]}]}
"""

    answer = client.ask_create(pod, namespace, dry_run=True)

    [warning] = answer.warnings
    assert 'spec.containers[0].env[1]: hides previous definition of "A"' in warning
    assert client.get("pod", "web", namespace) is None


def test_a_change_is_seen_when_it_comes(client: Client, namespace: str) -> None:
    def change() -> None:
        client.create(SETTINGS, namespace)
        client.label("cm", "settings", {"tier": "front"}, namespace)
        client.label("cm", "settings", {"tier": "back"}, namespace)

    changing = threading.Thread(target=change)
    changing.start()
    found = client.wait(
        "cm",
        "settings",
        lambda found: found["metadata"].get("labels", {}).get("tier") == "back" and found,
        "the label",
        namespace,
    )
    changing.join()

    assert found
    client.delete("cm", "settings", namespace)
    assert client.list("cm", namespace, labels="tier=back") == []


def test_a_wait_that_is_in_vain_says_for_what(client: Client, namespace: str) -> None:
    with pytest.raises(AssertionError, match="not within 1 s: the settings"):
        client.wait("cm", "settings", bool, "the settings", namespace, deadline_s=1)
