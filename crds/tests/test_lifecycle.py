"""All transitions of a MacAllocation as one table, and the state diagram held against it."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from crds import lifecycle
from crds.allocation import Allocation, Owner, Reservation, Source, State
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.tests.diagram import ABSENT, ARROWS

MAC = MacAddress.parse("02:00:00:00:00:2a")
POOL = Pool("default", (MacRange(MAC, MAC),))
ELSEWHERE = Pool("default", (MacRange(MacAddress(2 << 40), MacAddress(2 << 40)),))
FORMER = Owner(api_version="v1", kind="Pod", namespace="shop", name="web", uid="u-1")
OWNER = replace(FORMER, uid=None)
LATER = replace(FORMER, uid="u-2", interface="net1", network="shop/ovs")
FOR_WEB = Reservation(kind="Pod", namespace="shop", name="web")

DECLARED = Allocation(mac=MAC, reserved_for=FOR_WEB)
STOCK = Allocation(mac=MAC, state=State.STOCK, source=Source.POOL, pool="default")
PENDING = replace(STOCK, state=State.PENDING, owner=OWNER, request="before")
BOUND = replace(PENDING, state=State.BOUND, owner=FORMER)
KEPT = {"declared": True, "source": Source.DECLARED, "reserved_for": FOR_WEB}


class Row(NamedTuple):
    """One transition: its name, what is stored before and after it, and what it writes."""

    name: str
    before: Allocation | None
    after: Allocation | None
    written: Allocation | None


ROWS = (
    Row("stock", None, STOCK, lifecycle.stock(MAC, POOL)),
    Row(
        "claim",
        None,
        replace(PENDING, request="now"),
        lifecycle.claim(MAC, OWNER, "now", POOL, is_requested=False),
    ),
    Row(
        "claim",
        None,
        replace(PENDING, request="now", source=Source.REQUESTED),
        lifecycle.claim(MAC, OWNER, "now", POOL, is_requested=True),
    ),
    Row(
        "claim",
        None,
        replace(PENDING, request="now", source=Source.REQUESTED, pool=None),
        lifecycle.claim(MAC, OWNER, "now", ELSEWHERE, is_requested=True),
    ),
    Row(
        "claim_declared",
        DECLARED,
        replace(DECLARED, state=State.PENDING, owner=OWNER, request="now", declared=True),
        lifecycle.claim_declared(DECLARED, OWNER, "now"),
    ),
    Row(
        "claim_stock",
        STOCK,
        replace(PENDING, request="now", source=Source.REQUESTED),
        lifecycle.claim_stock(STOCK, OWNER, "now"),
    ),
    Row(
        "reclaim",
        PENDING,
        replace(PENDING, owner=replace(LATER, uid=None), request="now"),
        lifecycle.reclaim(PENDING, LATER, "now"),
    ),
    Row(
        "reclaim",
        BOUND,
        replace(BOUND, state=State.PENDING, owner=replace(LATER, uid="u-1"), request="now"),
        lifecycle.reclaim(BOUND, LATER, "now"),
    ),
    Row("confirm", PENDING, replace(PENDING, request="now"), lifecycle.confirm(PENDING, "now")),
    Row("confirm", BOUND, replace(BOUND, request="now"), lifecycle.confirm(BOUND, "now")),
    Row(
        "share",
        BOUND,
        replace(BOUND, shared=True, request="now"),
        lifecycle.share(BOUND, "now"),
    ),
    Row(
        "adopt",
        None,
        Allocation(mac=MAC, state=State.BOUND, source=Source.ADOPTED, pool="default", owner=FORMER),
        lifecycle.adopt(MAC, FORMER, "default"),
    ),
    Row(
        "bind",
        DECLARED,
        replace(DECLARED, state=State.BOUND, owner=LATER, declared=True),
        lifecycle.bind(DECLARED, LATER),
    ),
    Row(
        "bind", STOCK, replace(STOCK, state=State.BOUND, owner=LATER), lifecycle.bind(STOCK, LATER)
    ),
    Row("bind", PENDING, replace(BOUND, owner=LATER), lifecycle.bind(PENDING, LATER)),
    Row(
        "bind",
        PENDING,
        replace(BOUND, owner=LATER, shared=True),
        lifecycle.bind(PENDING, LATER, shared=True),
    ),
    Row("bind", BOUND, replace(BOUND, owner=LATER), lifecycle.bind(BOUND, LATER)),
    Row(
        "bind",
        replace(BOUND, shared=True),
        replace(BOUND, owner=LATER, shared=True),
        lifecycle.bind(replace(BOUND, shared=True), LATER),
    ),
    Row("wait_again", PENDING, replace(PENDING, request=None), lifecycle.wait_again(PENDING)),
    Row(
        "wait_again",
        BOUND,
        replace(BOUND, state=State.PENDING, request=None),
        lifecycle.wait_again(BOUND),
    ),
    Row("release", STOCK, None, lifecycle.release(STOCK)),
    Row("release", PENDING, None, lifecycle.release(PENDING)),
    Row("release", BOUND, None, lifecycle.release(BOUND)),
    Row(
        "release",
        replace(PENDING, **KEPT),
        DECLARED,
        lifecycle.release(replace(PENDING, **KEPT)),
    ),
    Row("release", replace(BOUND, **KEPT), DECLARED, lifecycle.release(replace(BOUND, **KEPT))),
)


def state_of(allocation: Allocation | None) -> str:
    return ABSENT if allocation is None else allocation.state.value


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{state_of(row.before)}-{row.name}-{state_of(row.after)}-{number}")
        for number, row in enumerate(ROWS)
    ],
)
def test_a_transition_writes_this(row: Row) -> None:
    assert row.written == row.after


def test_the_diagram_has_every_transition_of_the_table_and_no_other() -> None:
    # A person's transitions need no function; nor do the webhook's deletes of what it created.
    without_function = {"declare", "withdraw", "discard", "undo"}
    drawn = {arrow.without_writer for arrow in ARROWS if arrow.name not in without_function}

    assert drawn == {(state_of(row.before), row.name, state_of(row.after)) for row in ROWS}


def test_every_function_of_the_module_is_in_the_diagram() -> None:
    functions = {
        name
        for name, value in vars(lifecycle).items()
        if inspect.isfunction(value) and value.__module__ == lifecycle.__name__
    }

    assert functions <= {arrow.name for arrow in ARROWS}


def test_every_state_is_in_the_diagram_and_every_arrow_has_a_writer() -> None:
    assert {arrow.source for arrow in ARROWS} == {*State, ABSENT}
    assert {arrow.target for arrow in ARROWS} == {*State, ABSENT}
    assert {arrow.writer for arrow in ARROWS} == {"a person", "webhook", "controller"}
    assert len(set(ARROWS)) == len(ARROWS)
