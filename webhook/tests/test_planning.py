"""One planner for both kinds: each row is a pod, and a VM, and both get the same answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.mac import MacAddress
from crds.networks import ANNOTATION
from webhook import pods, virtualmachines
from webhook import review as wire
from webhook.admission import Denied, PodReview
from webhook.tests.reviews import UID, as_stored, body, mac, pod, request
from webhook.tests.vms import addresses, nic, reviewed, vm_manifest

if TYPE_CHECKING:
    from webhook.admission import Plan

A, B, C = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))
NEW, NEW_TOO = str(mac(0xA0)), str(mac(0xA1))
NONE = None
Interfaces = dict[str, str | None]  # by name: the address that is written there, or None
KINDS = ["pod", "VM"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The stored object, and the addresses claimed for it: None is any of the pool."""

    stored: Interfaces
    claimed: list[tuple[str, str | None]]


def pod_of(interfaces: Interfaces) -> dict[str, Any]:
    """A pod with an element of a network of its own for each interface."""
    elements = [
        {"name": name, "namespace": "shop", "interface": name} | ({"mac": text} if text else {})
        for name, text in interfaces.items()
    ]
    made = pod(json.dumps(elements))
    made["metadata"]["uid"] = UID
    return made


def vm_of(interfaces: Interfaces) -> dict[str, Any]:
    return vm_manifest(*(nic(name, text or ...) for name, text in interfaces.items()))


def shown_by_pod(stored: dict[str, Any]) -> Interfaces:
    elements = json.loads(stored["metadata"]["annotations"][ANNOTATION])
    return {element["interface"]: element.get("mac") for element in elements}


def answer(kind: str, new: Interfaces, old: Interfaces | None) -> Answer | Denied:
    """Send it to the webhook; it gives out the addresses NEW, NEW_TOO, ... in turn."""
    if kind == "pod":
        changes = {} if old is None else {"operation": "UPDATE", "oldObject": pod_of(old)}
        sent, asked = pod_of(new), request(pod_of(new), **changes)
    else:
        sent, asked = vm_of(new), reviewed(vm_of(new), None if old is None else vm_of(old))
    review = wire.read(body(asked))
    plan: Plan | Denied = (
        pods.plan(review) if isinstance(review, PodReview) else virtualmachines.plan(review)
    )
    if isinstance(plan, Denied):
        return plan
    given_out = [want.requested or mac(0xA0 + n) for n, want in enumerate(plan.wants)]
    stored = as_stored(sent, plan.write_macs(given_out))
    shown = shown_by_pod(stored) if kind == "pod" else addresses(stored)
    return Answer(
        {name: shown.get(name) for name in new},
        [
            (want.owner.interface or "", str(want.requested) if want.requested else None)
            for want in plan.wants
        ],
    )


ROWS: dict[str, tuple[Interfaces | None, Interfaces, Interfaces, list[tuple[str, str | None]]]] = {
    "created without an address": (None, {"a": NONE}, {"a": NEW}, [("a", NONE)]),
    "created with an address": (None, {"a": A}, {"a": A}, [("a", A)]),
    "created with both": (None, {"a": NONE, "b": B}, {"a": NEW, "b": B}, [("a", NONE), ("b", B)]),
    "nothing is changed": ({"a": A}, {"a": A}, {"a": A}, []),
    "applied again": ({"a": A, "b": B}, {"a": NONE, "b": NONE}, {"a": A, "b": B}, []),
    "one is added": ({"a": A}, {"a": NONE, "b": NONE}, {"a": A, "b": NEW}, [("b", NONE)]),
    "reordered": ({"a": A, "b": B}, {"b": NONE, "a": NONE}, {"b": B, "a": A}, []),
    "renamed": ({"a": A}, {"b": NONE}, {"b": NEW}, [("b", NONE)]),
    "one is added with an address": ({"a": A}, {"a": A, "b": B}, {"a": A, "b": B}, [("b", B)]),
    "spelled in another way": (
        {"a": A},
        {"a": "02-00-00-00-00-01"},
        {"a": "02-00-00-00-00-01"},
        [],
    ),
    "two shared one, show it, and one is added": (
        {"a": A, "b": A},
        {"a": A, "b": A, "c": NONE},
        {"a": A, "b": A, "c": NEW},
        [("c", NONE)],
    ),
    "one is removed": ({"a": A, "b": B}, {"b": NONE}, {"b": B}, []),
    "swapped": ({"a": A, "b": B}, {"a": B, "b": A}, {"a": B, "b": A}, []),
    "moved to another, and its own is not shown": (
        {"a": A, "b": B},
        {"a": NONE, "b": A},
        {"a": NEW, "b": A},
        [("a", NONE)],
    ),
    "moved to a new interface": ({"a": A}, {"a": NONE, "b": A}, {"a": NEW, "b": A}, [("a", NONE)]),
    "moved to a new interface that comes first": (
        {"a": A},
        {"b": A, "a": NONE},
        {"b": A, "a": NEW},
        [("a", NONE)],
    ),
    "moved, spelled in another way": (
        {"a": A},
        {"a": NONE, "b": "0200.0000.0001"},
        {"a": NEW, "b": "0200.0000.0001"},
        [("a", NONE)],
    ),
    "moved round": (
        {"a": A, "b": B, "c": C},
        {"a": B, "b": C, "c": NONE},
        {"a": B, "b": C, "c": NEW},
        [("c", NONE)],
    ),
    "changed": ({"a": A}, {"a": B}, {"a": B}, [("a", B)]),
    "renamed with its address": ({"a": A}, {"b": A}, {"b": A}, []),
    "comes back as it was spelled": (
        {"a": "02-00-00-00-00-2A"},
        {"a": NONE},
        {"a": "02-00-00-00-00-2A"},
        [],
    ),
    "two shared one, and show none": (
        {"a": A, "b": A},
        {"a": NONE, "b": NONE},
        {"a": A, "b": A},
        [],
    ),
    "one that shared gets its own": (
        {"a": A, "b": A},
        {"a": NONE, "b": B},
        {"a": A, "b": B},
        [("b", B)],
    ),
    "no interface can have what was there before": (
        {"a": "nonsense", "b": B},
        {"a": "nonsense", "b": NONE},
        {"a": "nonsense", "b": B},
        [],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("old", "new", "stored", "claimed"), ROWS.values(), ids=ROWS)
def test_a_pod_and_a_vm_get_the_same_answer(
    kind: str,
    old: Interfaces | None,
    new: Interfaces,
    stored: Interfaces,
    claimed: list[tuple[str, str | None]],
) -> None:
    assert answer(kind, new, old) == Answer(stored, claimed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (None, {"a": A, "b": A}, f"duplicate address {A}"),
        ({"a": A}, {"a": A, "b": A}, f"duplicate address {A}"),
        ({"a": A, "b": A}, {"a": B, "b": B}, f"duplicate address {B}"),
        ({"a": A, "b": B}, {"a": C, "b": C}, f"duplicate address {C}"),
        (None, {"a": "nonsense"}, "'nonsense' is not a MAC address"),
        ({"a": A}, {"a": "nonsense"}, "'nonsense' is not a MAC address"),
        ({"a": "nonsense"}, {"b": "nonsense"}, "'nonsense' is not a MAC address"),
    ],
)
def test_a_pod_and_a_vm_are_refused_for_the_same_reasons(
    kind: str, old: Interfaces | None, new: Interfaces, says: str
) -> None:
    refused = answer(kind, new, old)

    assert isinstance(refused, Denied)
    assert refused.code == 400
    assert says in refused.message


@pytest.mark.parametrize("kind", KINDS)
def test_two_new_interfaces_claim_one_address_each(kind: str) -> None:
    assert answer(kind, {"a": NONE, "b": NONE}, None) == Answer(
        {"a": NEW, "b": NEW_TOO}, [("a", NONE), ("b", NONE)]
    )


SPELLINGS = [A, B, C, "02-00-00-00-00-01", "0200.0000.0002"]


def objects(texts: list[str | None]) -> st.SearchStrategy[Interfaces]:
    return st.dictionaries(st.sampled_from("abcd"), st.sampled_from(texts), max_size=4)


def read(interfaces: Interfaces) -> dict[str, MacAddress]:
    return {name: MacAddress.parse(text) for name, text in interfaces.items() if text}


@pytest.mark.parametrize("kind", KINDS)
@given(
    old=st.none() | objects([*SPELLINGS]),  # every interface that we served has an address
    new=objects([None, None, None, *SPELLINGS]),
)
def test_each_address_is_once_in_the_object_and_none_is_lost(
    kind: str, old: Interfaces | None, new: Interfaces
) -> None:
    had, asked = read(old or {}), read(new)
    result = answer(kind, new, old)

    if isinstance(result, Denied):
        assert "duplicate address" in result.message
        assert len({*asked.values()}) < len(asked)
        return
    has = read(result.stored)
    # Every interface has an address, and each address is in the object once.
    assert has.keys() == new.keys()
    assert len({*has.values()}) == len(has) or len({*had.values()}) < len(had)
    # An address that was asked for is honoured, as it is written.
    assert all(result.stored[name] == text for name, text in new.items() if text)
    # Nothing that could be kept is lost.
    for name, address in had.items():
        if name in new and name not in asked and address not in asked.values():
            assert has[name] == address
    # Only an address that is new to the object is claimed.
    claimed = [requested or str(has[name]) for name, requested in result.claimed]
    assert sorted(map(MacAddress.parse, claimed)) == sorted({*has.values()} - {*had.values()})
