"""The client refuses and fails as clearly as kubectl; the e2e tests show the rest of it."""

import pytest

from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.kubectl import Kubectl

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


@pytest.fixture
def client(kubectl: Kubectl) -> Client:
    return kubectl.client


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


def test_a_wait_that_fails_names_the_condition(client: Client, namespace: str) -> None:
    with pytest.raises(AssertionError, match="not within 1 s: the settings"):
        client.wait("cm", "settings", bool, "the settings", namespace, deadline_s=1)
