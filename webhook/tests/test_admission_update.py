"""Updates of a running pod: elements keep their addresses, and new elements get one."""

from __future__ import annotations

import pytest

from crds.mac import MacAddress
from webhook.tests.reviews import UID, answered, mac, planned, updated

A1 = '{"name":"a","namespace":"shop","mac":"02:00:00:00:00:01"}'
A2 = '{"name":"a","namespace":"shop","mac":"02:00:00:00:00:02"}'


def test_a_new_element_gets_an_address_and_the_others_keep_theirs() -> None:
    networks, (want,) = answered(updated(f"[{A1}]", f'[{A1},{{"name":"b"}}]'))

    assert networks == f'[{A1},{{"name":"b","namespace":"shop","mac":"02:00:00:00:00:a0"}}]'
    assert want.object_uid == UID
    assert (want.owner.interface, want.requested) == ("net2", None)


def test_a_first_attachment_of_a_running_pod_gets_an_address() -> None:
    networks, wants = answered(updated(None, '[{"name":"a"}]'))

    assert networks == '[{"name":"a","namespace":"shop","mac":"02:00:00:00:00:a0"}]'
    assert [want.object_uid for want in wants] == [UID]


def test_interfaces_of_one_network_are_told_apart_by_their_name() -> None:
    old = (
        '[{"name":"a","interface":"eth1","mac":"02:00:00:00:00:01"},'
        '{"name":"a","interface":"eth2","mac":"02:00:00:00:00:02"}]'
    )

    networks, wants = answered(updated(old, '[{"name":"a","interface":"eth2"}]'))

    assert networks is not None
    assert "02:00:00:00:00:02" in networks
    assert wants == ()


def test_alike_elements_get_back_theirs_in_order() -> None:
    networks, wants = answered(updated(f"[{A1},{A2}]", '[{"name":"a"},{"name":"a"},{"name":"a"}]'))

    assert networks is not None
    assert [networks.index(end) for end in ("0:01", "0:02", "0:a0")] == sorted(
        networks.index(end) for end in ("0:01", "0:02", "0:a0")
    )
    assert len(wants) == 1


def test_of_alike_elements_the_one_that_kept_its_address_is_itself() -> None:
    for new in (f'[{A2},{{"name":"a"}}]', f'[{{"name":"a"}},{A2}]'):
        networks, wants = answered(updated(f"[{A1},{A2}]", new))

        assert networks is not None
        assert networks.count("02:00:00:00:00:01") == networks.count("02:00:00:00:00:02") == 1
        assert wants == ()


def test_an_interface_that_runs_with_an_unassigned_address_is_left_alone() -> None:
    # As of a pod that was there before its namespace opted in.
    networks, wants = answered(updated('[{"name":"a"}]', '[{"name":"a"},{"name":"b"}]'))

    assert networks == '[{"name":"a"},{"name":"b","namespace":"shop","mac":"02:00:00:00:00:a0"}]'
    assert len(wants) == 1


def test_an_interface_that_ran_without_an_address_may_ask_for_one() -> None:
    networks, (want,) = answered(updated('[{"name":"a"}]', f"[{A1}]"))

    assert networks == f"[{A1}]"
    assert want.requested == mac(1)


@pytest.mark.parametrize(
    "old",
    [
        *("[", "a,b", '[{"name":1}]', "[]", ""),
        pytest.param(" " * 300_000 + f"[{A1}]", id="too large"),
        pytest.param("[" + ",".join(['{"name":"a"}'] * 129) + "]", id="too many"),
    ],
)
def test_an_element_that_no_readable_old_annotation_had_is_new(old: str) -> None:
    for new, requested in ((f"[{A1}]", mac(1)), ('[{"name":"a"}]', None)):
        _, wants = answered(updated(old, new))

        assert [want.requested for want in wants] == [requested]


def test_an_old_address_that_no_interface_can_have_is_not_given_back() -> None:
    old = '[{"name":"a","mac":"nonsense"}]'

    networks, wants = answered(updated(old, '[{"name":"a"}]'))

    assert (networks, wants) == ('[{"name":"a"}]', ())


def test_a_removed_annotation_needs_nothing() -> None:
    assert answered(updated(f"[{A1}]", None)) == (None, ())


def test_another_namespace_is_another_network() -> None:
    _, wants = answered(updated(f"[{A1}]", '[{"name":"a","namespace":"other"}]'))

    assert [want.owner.network for want in wants] == ["other/a"]


def test_pairing_old_and_new_elements_reads_each_address_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 0
    parse = MacAddress.parse

    def counted(text: str) -> MacAddress:
        nonlocal count
        count += 1
        return parse(text)

    monkeypatch.setattr(MacAddress, "parse", counted)
    elements = [f'{{"name":"a","mac":"{mac(n)}"}}' for n in range(1, 129)]

    planned(updated(f"[{','.join(elements)}]", f"[{','.join(reversed(elements))}]"))

    assert count <= 4 * 128
