from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crds.networks import ANNOTATION
from webhook import review
from webhook.admission import Allowed, PodReview, Want
from webhook.tests.reviews import (
    OWNER,
    answered,
    body,
    created,
    denied,
    mac,
    patched,
    planned,
    pod,
    request,
)


def test_an_element_gets_its_namespace_and_an_address() -> None:
    networks, wants = answered(created('[{"name":"ovs-conf"}]'))

    assert networks == '[{"name":"ovs-conf","namespace":"shop","mac":"02:00:00:00:00:a0"}]'
    assert wants == (Want(replace(OWNER, interface="net1", network="shop/ovs-conf")),)


def test_a_namespace_that_is_given_stays() -> None:
    networks, (want,) = answered(created('[{"name":"a","namespace":"other","interface":"eth1"}]'))

    assert networks == (
        '[{"name":"a","namespace":"other","interface":"eth1","mac":"02:00:00:00:00:a0"}]'
    )
    assert (want.owner.interface, want.owner.network) == ("eth1", "other/a")


@pytest.mark.parametrize("empty", ["null", '""'])
def test_empty_members_are_filled_in_place(empty: str) -> None:
    networks, _ = answered(created(f'[{{"mac":{empty},"namespace":{empty},"name":"a"}}]'))

    assert networks == '[{"mac":"02:00:00:00:00:a0","namespace":"shop","name":"a"}]'


def test_a_pod_that_is_to_be_named_yet_is_served() -> None:
    nameless = replace(OWNER, name=None)

    _, (want,) = answered(created('[{"name":"a"}]', nameless))

    assert want.owner.name is None


@pytest.mark.parametrize(
    "text",
    [
        "02:00:00:00:00:2a",
        "02:00:00:00:00:2A",
        "02-00-00-00-00-2a",
        "02-00-00-00-00-2A",
        "0200.0000.002a",
    ],
)
def test_a_requested_address_stays_as_its_author_wrote_it(text: str) -> None:
    networks, (want,) = answered(created(f'[{{"name":"a","mac":"{text}"}}]'))

    assert want.requested == mac(0x2A)
    assert networks == f'[{{"name":"a","mac":"{text}","namespace":"shop"}}]'


def test_nothing_is_written_where_nothing_is_missing() -> None:
    made = planned(created('[{"name":"a","namespace":"shop","mac":"02:00:00:00:00:2a"}]'))

    assert made.write_macs((mac(0x2A),)) == Allowed()


def test_an_element_that_asks_for_an_infiniband_guid_is_left_alone() -> None:
    text = '[{"name":"ib","infiniband-guid":"c2:11:22:33:44:55:66:77"},{"name":"a"}]'

    networks, wants = answered(created(text))

    assert networks == text.replace('"a"', '"a","namespace":"shop","mac":"02:00:00:00:00:a0"')
    assert [want.owner.interface for want in wants] == ["net2"]


def test_a_comma_list_is_left_alone_with_a_warning() -> None:
    made = planned(created("ovs-conf, other/b@eth1"))

    assert made.wants == ()
    assert made.write_macs(()).patch == ()
    (warning,) = made.warnings
    assert warning.startswith(f"{ANNOTATION} is a comma list: only the JSON form gets addresses")
    assert warning.endswith('such as [{"name": "ovs-conf"}]')


@pytest.mark.parametrize("networks", [None, "", "  ", "[]", " [ ] "])
def test_a_pod_without_networks_needs_nothing(networks: str | None) -> None:
    made = planned(created(networks))

    assert (made.wants, made.warnings) == ((), ())
    assert made.write_macs(()) == Allowed()


def test_as_many_interfaces_as_can_be_served_in_time_are_taken() -> None:
    def of(count: int) -> str:
        return json.dumps([{"name": "a"}] * count)

    assert len(planned(created(of(128))).wants) == 128
    assert "it has more than 128 elements: one pod can have up to 128" in denied(created(of(129)))


OURS = {"name", "namespace", "interface", "mac", "infiniband-guid"}
EXTRAS = st.dictionaries(
    st.text(min_size=1).filter(lambda key: key.casefold() not in OURS),
    st.none() | st.booleans() | st.text() | st.lists(st.text(), max_size=2),
    max_size=3,
)


@given(st.lists(EXTRAS, max_size=4), st.dictionaries(st.text("abc/~", min_size=1), st.text()))
def test_the_patch_changes_the_annotation_and_nothing_else(
    extras: list[dict[str, Any]], annotations: dict[str, str]
) -> None:
    elements = [{**extra, "name": f"n{number}"} for number, extra in enumerate(extras)]
    new = pod(json.dumps(elements), **annotations)
    asked = review.read(body(request(new)))
    assert isinstance(asked, PodReview)
    made = planned(asked)
    given_out = [mac(number) for number in range(len(made.wants))]

    stored = patched(new, review.write(asked.uid, made.write_macs(given_out)))

    written = json.loads(stored["metadata"]["annotations"][ANNOTATION], object_pairs_hook=list)
    assert written == [
        [*element.items(), ("namespace", "shop"), ("mac", str(address))]
        for element, address in zip(elements, given_out, strict=True)
    ]
    stored["metadata"]["annotations"][ANNOTATION] = json.dumps(elements)
    assert stored == new


@pytest.mark.parametrize(
    "name", ["x/log", "a/b", ".", "..", "a\nb", "Web", "x" * 300], ids=lambda name: name[:9]
)
@pytest.mark.parametrize("networks", [None, "ovs-conf", '[{"name":"ovs-conf"}]'])
def test_a_pod_that_can_never_be_stored_is_denied(name: str, networks: str | None) -> None:
    message = denied(created(networks, replace(OWNER, name=name)))

    assert message.startswith(f"invalid name {name[:64]!r}"[:60])
    assert "a name has up to 253 lower-case letters, digits, '-' and '.'" in message
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("namespace", ["a/b", "..", "a.b", "x" * 64])
def test_a_namespace_that_cannot_be_is_denied(namespace: str) -> None:
    message = denied(created('[{"name":"a"}]', replace(OWNER, namespace=namespace)))

    assert message.startswith(f"invalid namespace {namespace!r} of a Pod: ")
