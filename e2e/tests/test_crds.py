"""The CRDs on a real API server: each address is one object, and kubectl shows it clearly."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.pods import OWNER, allocation
from testbed.client import Client, refusal
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.release import apply_release

CRDS = ("macallocations.kubemacpool.io", "macpools.kubemacpool.io")


@pytest.fixture(scope="module")
def kubectl(bare_cluster: ControlPlane) -> Kubectl:
    """A cluster without our programs: they would release allocations of made-up owners."""
    return bare_cluster.kubectl


def pool(*, name: str = "default", **spec: object) -> str:
    return json.dumps(
        {
            "apiVersion": "kubemacpool.io/v1beta1",
            "kind": "MacPool",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def row(kubectl: Kubectl, *args: str) -> dict[str, str]:
    """The one row that `kubectl get` prints, by column."""
    header, line = kubectl("get", *args).splitlines()
    names = [name for name in header.split("  ") if name.strip()]
    starts = [header.index(name.strip()) for name in names]
    ends = [*starts[1:], len(line)]
    return {
        name.strip(): line[start:end].strip()
        for name, start, end in zip(names, starts, ends, strict=True)
    }


def test_creating_an_address_twice_is_refused_because_it_exists(client: Client, mac: str) -> None:
    client.create(allocation(mac))

    with pytest.raises(Refused) as refused:
        client.create(allocation(mac))

    assert refused.value.reason == "AlreadyExists"


def test_a_second_name_for_an_address_is_refused_with_the_name_it_must_have(
    client: Client, mac: str
) -> None:
    said = refusal(lambda: client.create(allocation(mac, "gateway")))

    assert f"metadata.name must be the address with dashes: {mac.replace(':', '-')}" in said


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ("01:00:5e:00:00:01", "this is a group (multicast) address"),
        ("33:33:00:00:00:01", "this is a group (multicast) address"),
        ("ff:ff:ff:ff:ff:ff", "this is a group (multicast) address"),
        ("00:00:00:00:00:00", "the zero address belongs to no interface"),
        ("02:00:00:00:AA:2A", "write the address in lower case with colons"),
        ("02-00-00-00-aa-2a", "write the address in lower case with colons"),
        ("02:00:00:00:aa", "should be at least 17 chars long"),
    ],
)
def test_an_address_that_no_interface_may_have_is_refused_with_the_reason(
    client: Client, refused: str, reason: str
) -> None:
    name = refused.replace(":", "-").lower()

    said = refusal(lambda: client.create(allocation(refused, name=name)))

    assert reason in said


def test_the_address_of_an_allocation_cannot_change(client: Client, mac: str) -> None:
    client.create(allocation(mac))
    change = {"spec": {"mac": "0e:00:00:00:00:01"}}

    said = refusal(lambda: client.patch("mac", mac.replace(":", "-"), change))

    assert "the address of an allocation cannot change" in said


def test_an_applied_file_with_only_an_address_is_declared(kubectl: Kubectl, mac: str) -> None:
    kubectl.apply(allocation(mac))

    spec = kubectl.json("get", "mac", mac.replace(":", "-"))["spec"]

    assert spec == {"mac": mac, "state": "Declared", "source": "Declared"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"state": "Bound"}, "a Bound allocation needs spec.owner with its uid"),
        (
            {"state": "Bound", "owner": {key: OWNER[key] for key in OWNER if key != "uid"}},
            "a Bound allocation needs spec.owner with its uid",
        ),
        ({"state": "Pending"}, "a Pending allocation needs spec.owner"),
        ({"state": "Declared", "owner": OWNER}, "a Declared allocation has no owner"),
        ({"state": "Lost"}, 'supported values: "Declared", "Stock", "Pending", "Bound"'),
        ({"state": "Pending", "owner": OWNER | {"kind": "Deployment"}}, "supported values"),
        ({"reservedFor": {"kind": "Pod", "name": "web"}}, "spec.reservedFor.namespace: Required"),
    ],
)
def test_a_state_without_the_fields_that_it_needs_is_refused(
    client: Client, mac: str, spec: dict[str, Any], reason: str
) -> None:
    said = refusal(lambda: client.create(allocation(mac, **spec)))

    assert reason in said


def test_an_owner_whose_name_is_not_generated_yet_can_claim(controller: Client, mac: str) -> None:
    unnamed = {key: OWNER[key] for key in ("apiVersion", "kind", "namespace")}

    created = controller.create(allocation(mac, state="Pending", source="Pool", owner=unnamed))

    assert created["spec"]["owner"] == unnamed


def test_get_shows_the_owner_of_the_address(kubectl: Kubectl, controller: Client, mac: str) -> None:
    bound = allocation(mac, state="Bound", owner=OWNER, source="Pool")
    controller.create(bound)

    shown = row(kubectl, "mac", mac.replace(":", "-"))

    assert shown.pop("AGE")
    assert shown == {
        "NAME": mac.replace(":", "-"),
        "MAC": mac,
        "STATE": "Bound",
        "KIND": "Pod",
        "NAMESPACE": "shop",
        "OWNER": "samplepod",
        "INTERFACE": "net1",
    }


def test_the_wide_view_adds_source_pool_uid_and_conflicts(
    kubectl: Kubectl, client: Client, controller: Client, mac: str
) -> None:
    name = mac.replace(":", "-")
    controller.create(allocation(mac, state="Bound", owner=OWNER, source="Pool", pool="default"))
    other = {key: OWNER[key] for key in ("apiVersion", "kind", "namespace", "interface")}
    other |= {"name": "twin", "uid": "other", "since": "2026-01-01T00:00:00Z"}
    client.patch("mac", name, {"status": {"conflicts": [other]}}, subresource="status")

    shown = row(kubectl, "macs", name, "-o", "wide")

    assert list(shown)[-4:] == ["SOURCE", "POOL", "UID", "CONFLICTS"]
    assert list(shown.values())[-4:] == ["Pool", "default", OWNER["uid"], "twin"]


@pytest.mark.parametrize("field", ["state", "owner.kind", "owner.namespace", "owner.name"])
def test_allocations_are_selected_by_their_fields(
    client: Client, controller: Client, mac: str, field: str
) -> None:
    owner = OWNER | {"kind": "VirtualMachine", "namespace": field.lower().replace(".", "-")}
    owner |= {"name": f"vm-{owner['namespace']}"}
    controller.create(allocation(mac, state="Pending", owner=owner))
    value = {"state": "Pending"} | {f"owner.{key}": owner[key] for key in owner}

    def selected(operator: str) -> list[str]:
        found = client.list("macs", fields=f"spec.{field}{operator}{value[field]}")
        return [allocation["spec"]["mac"] for allocation in found]

    assert mac in selected("=")
    assert mac not in selected("!=")


def _fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below `schema` by its path as `kubectl explain` takes it."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _fields(field.get("items", field), f"{path}.{name}")


@pytest.mark.parametrize("crd", CRDS)
def test_explain_describes_every_field(kubectl: Kubectl, client: Client, crd: str) -> None:
    version = client.read("crd", crd)["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    kind = crd.partition(".")[0]
    fields = [field for field in _fields(schema, kind) if field[0] != f"{kind}.metadata"]

    silent = [path for path, field in fields if not field.get("description", "").endswith(".")]
    explained = [kind, *(path for path, field in fields if "properties" in str(field))]
    texts = {path: kubectl("explain", path) for path in explained}

    assert not silent
    assert not [path for path, text in texts.items() if "<no description>" in text]


def test_the_only_pool_is_the_one_named_default(client: Client) -> None:
    ranges = [{"start": "0e:00:00:00:00:00", "end": "0e:00:00:00:00:ff"}]

    said = refusal(lambda: client.create(pool(name="other", ranges=ranges)))

    assert "only the pool named default is served so far" in said


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("0e:00:00:00:00:02", "0e:00:00:00:00:01", "is after end 0e:00:00:00:00:01"),
        ("0f:00:00:00:00:01", "0f:00:00:00:00:02", "should match"),
        ("0e:00:00:00:00:01", "0F:00:00:00:00:02", "should match"),
    ],
)
def test_a_range_that_is_none_is_refused(client: Client, start: str, end: str, reason: str) -> None:
    said = refusal(lambda: client.create(pool(ranges=[{"start": start, "end": end}])))

    assert reason in said


def test_a_pool_can_be_without_a_range_until_a_good_one_is_configured(client: Client) -> None:
    client.delete("macpool", "default", missing_ok=True)
    client.create(pool(ranges=[]), dry_run=True)

    kept = refusal(lambda: client.create(pool(), dry_run=True))

    assert "spec.ranges: Required value" in kept


def test_get_shows_how_full_the_pool_is(kubectl: Kubectl, client: Client) -> None:
    client.apply(
        pool(
            ranges=[{"start": "00:00:00:00:00:00", "end": "fe:ff:ff:ff:ff:ff"}],
            reserved=[{"start": "0e:00:00:00:00:01"}],
        )
    )
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "RangeInForce",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"size": 2**48, "allocated": 1, "free": 2**48 - 1, "conditions": [ready]}
    client.patch("macpool", "default", {"status": status}, subresource="status")

    shown = row(kubectl, "macpool", "default")

    assert shown.pop("AGE")
    assert shown == {
        "NAME": "default",
        "RANGE START": "00:00:00:00:00:00",
        "RANGE END": "fe:ff:ff:ff:ff:ff",
        "SIZE": str(2**48),
        "ALLOCATED": "1",
        "FREE": str(2**48 - 1),
        "READY": "True",
    }


def test_deleting_the_crds_removes_even_bound_allocations_and_leaves_nothing_hanging(
    kubectl: Kubectl, controller: Client, mac: str
) -> None:
    controller.create(allocation(mac, state="Bound", owner=OWNER))

    kubectl("delete", "crd", *CRDS, "--timeout=60s")  # waits until they are gone

    apply_release(kubectl)
    assert kubectl("get", "macs", "-o", "name") == ""
