"""Whatever a VM was and is to be: what it is stored as, and what is claimed for that."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crds.mac import MacAddress, MalformedMac
from webhook.admission import Denied
from webhook.tests.reviews import as_stored, mac
from webhook.tests.vms import NAT, machine, made, nic, nics_of, on, on_pod

_SPELT = [
    text
    for last in (1, 2, 3)
    for text in (f"02:00:00:00:00:0{last}", f"02-00-00-00-00-0{last}", f"0200.0000.000{last}")
]
_NONE = [..., None, ""]
_NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
_BINDINGS = st.sampled_from(
    [NAT, {"slirp": {}}, {"bridge": {}}, {"sriov": {}}, {"bridge": {}, "state": "absent"}]
)


def vms(addresses: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    nics = st.builds(
        lambda name, address, binding: nic(name, address, **binding),
        _NAMES,
        st.sampled_from(addresses),
        _BINDINGS,
    )
    networks = st.builds(
        lambda name, make: make(name),
        _NAMES,
        st.sampled_from(
            [on_pod, on, lambda name: on(name, f"infra/{name}"), lambda n: {"name": n}]
        ),
    )
    return st.builds(
        lambda nics, networks: machine(*nics, networks=networks),
        st.lists(nics, max_size=5, unique_by=lambda one: str(one["name"])),
        st.lists(networks, max_size=5, unique_by=lambda one: str(one["name"])),
    )


def read(text: object) -> MacAddress | None:
    try:
        return MacAddress.parse_unicast(str(text))
    except MalformedMac:
        return None


def of_names(vm: dict[str, Any] | None) -> dict[str, MacAddress]:
    """The addresses of its interfaces, by their name."""
    found = {one["name"]: read(one.get("macAddress")) for one in nics_of(vm)} if vm else {}
    return {name: address for name, address in found.items() if address is not None}


def is_served(one: dict[str, Any], vm: dict[str, Any]) -> bool:
    networks = vm["spec"]["template"]["spec"]["networks"]
    of_it: dict[str, Any] = next(
        (network for network in networks if network["name"] == one["name"]), {}
    )
    return "multus" in of_it or ("pod" in of_it and bool({"masquerade", "slirp"} & one.keys()))


def has_twice(vm: dict[str, Any] | None) -> bool:
    addresses = [*of_names(vm).values()]
    return len(set(addresses)) < len(addresses)


def without(vm: dict[str, Any], positions: set[int]) -> dict[str, Any]:
    copy = deepcopy(vm)
    for position in positions:
        nics_of(copy)[position].pop("macAddress", None)
    return copy


@given(
    vms(_NONE * 3 + _SPELT),
    st.none() | vms([*_NONE, "nonsense", "03:00:00:00:00:01", *_SPELT]),
)
def test_what_is_stored_has_all_it_needs_once_and_nothing_else_is_changed(
    new: dict[str, Any], old: dict[str, Any] | None
) -> None:
    planned = made(new, old)

    if isinstance(planned, Denied):
        assert "duplicate address" in planned.message
        assert has_twice(new)
        return
    given_out = [want.requested or mac(0xA0 + n) for n, want in enumerate(planned.wants)]
    stored = as_stored(new, planned.write_macs(given_out))

    # Each interface is served, and no address is written twice.
    asked, had, has = of_names(new), of_names(old), of_names(stored)
    taken_from = {name for name, address in had.items() if address in asked.values()}
    for one in nics_of(stored):
        is_lacking = one.get("state") == "absent" and not (
            one["name"] in had and one["name"] not in taken_from
        )
        assert one["name"] in has or not is_served(one, new) or is_lacking
    assert len(set(has.values())) == len(has) or has_twice(old)
    # What the manifest says stays as it is written, and else everybody keeps his own.
    written = {n for n, one in enumerate(nics_of(new)) if one["name"] not in asked}
    assert without(stored, written) == without(new, written)
    for name in had.keys() & has.keys() - asked.keys() - taken_from:
        assert has[name] == had[name]
    for n in written:
        if read(nics_of(stored)[n].get("macAddress")) is None:
            assert nics_of(stored)[n] == nics_of(new)[n]
    # What it did not have before is claimed, once, and nothing else.
    assert sorted(given_out) == sorted(set(has.values()) - set(had.values()))
