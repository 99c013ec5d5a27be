"""The CRD's rules, the admission policy and the users' guide agree with the state diagram."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from crds.allocation import Allocation, Source, State, encode_hook
from crds.tests.diagram import ABSENT, ARROWS
from crds.tests.test_lifecycle import BOUND, DECLARED, FORMER, PENDING, ROWS, STOCK
from simulation.cel import evaluate

ROOT = Path(__file__).parents[2]
CRD = yaml.safe_load((ROOT / "crds/macallocation.yaml").read_text())
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
RULES = [rule["rule"] for rule in SPEC["x-kubernetes-validations"]]
POLICY = next(yaml.safe_load_all((ROOT / "deploy/base/protection.yaml").read_text()))["spec"]
OF_STATE = {
    State.DECLARED: replace(DECLARED, reserved_for=None),
    State.STOCK: STOCK,
    State.PENDING: PENDING,
    State.BOUND: BOUND,
}
GONE = {"gone", "deleted", "delete"}


def spec_of(allocation: Allocation) -> dict[str, Any]:
    """Return the spec as the API server stores it: with its defaults."""
    written = msgspec.to_builtins(allocation, enc_hook=encode_hook)
    return {"state": "Declared", "source": "Declared", **written}


def is_valid(allocation: Allocation) -> bool:
    """Return True if the CRD's rules about states accept `allocation`."""
    return all(evaluate(rule, self=spec_of(allocation)) for rule in RULES)


def test_the_crd_accepts_every_allocation_that_a_transition_writes() -> None:
    for row in ROWS:
        assert row.written is None or is_valid(row.written), row


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BOUND, owner=None),
        replace(BOUND, owner=replace(FORMER, uid=None)),
        replace(PENDING, owner=None),
        replace(STOCK, owner=FORMER),
        replace(DECLARED, owner=FORMER),
    ],
    ids=["Bound without owner", "Bound without UID", "Pending", "Stock", "Declared"],
)
def test_the_crd_refuses_an_owner_that_does_not_fit_the_state(wrong: Allocation) -> None:
    assert not is_valid(wrong)


def test_the_crd_knows_these_states_and_sources() -> None:
    fields = SPEC["properties"]

    assert fields["state"]["enum"] == [*State]
    assert set(fields["source"]["enum"]) == {*Source}
    assert fields["state"]["default"] == State.DECLARED


def is_admitted(before: Allocation | None, after: Allocation | None) -> bool:
    """Return True if the admission policy lets a person do this."""
    old = spec_of(before) if before else None
    new = spec_of(after) if after else None
    variables: dict[str, Any] = {"spec": old or new}
    request = {"operation": "DELETE" if new is None else "UPDATE" if old else "CREATE"}
    stored = {"request": request, "oldObject": old and {"spec": old}}
    if new is not None:
        theirs = next(
            variable for variable in POLICY["variables"] if variable["name"] == "notTheirs"
        )
        variables["notTheirs"] = evaluate(theirs["expression"], object={"spec": new})
    return all(
        evaluate(rule["expression"], **stored, object=new and {"spec": new}, variables=variables)
        for rule in POLICY["validations"]
    )


@pytest.mark.parametrize("after", [None, *OF_STATE])
@pytest.mark.parametrize("before", [None, *OF_STATE])
def test_the_policy_admits_a_person_s_transitions_and_no_other(
    before: State | None, after: State | None
) -> None:
    if before is after is None:
        return
    source, target = before or ABSENT, after or ABSENT
    drawn = any(
        (arrow.source, arrow.target, arrow.writer) == (source, target, "a person")
        for arrow in ARROWS
    )
    new = OF_STATE[after] if after else None
    if new is not None and before is after:
        new = replace(new, reserved_for=DECLARED.reserved_for)  # a change of the spec

    assert is_admitted(OF_STATE[before] if before else None, new) is drawn


def test_the_policy_lets_a_person_write_no_field_of_kubemacpool_s() -> None:
    for name in set(Allocation.__struct_fields__) - {"mac", "reserved_for"}:
        before = OF_STATE[State.DECLARED]
        taken_over = replace(before, **{name: getattr(replace(BOUND, shared=True), name)})
        if taken_over != before:
            assert not is_admitted(None, taken_over), name


def test_the_policy_excuses_the_two_programs_that_are_the_other_writers() -> None:
    (excused,) = POLICY["matchConditions"]

    for program in {arrow.writer for arrow in ARROWS} - {"a person"}:
        assert f":kubemacpool-system:kubemacpool-{program}'" in excused["expression"]


def state_table() -> dict[str, str]:
    """Return the last column of the users' table of states, by state."""
    pages = [page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))]
    (table,) = [
        found
        for page in pages
        for found in re.findall(r"^\| state \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    ]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {row[0].strip("`"): row[-1] for row in rows}


def test_the_users_table_of_states_says_what_comes_next() -> None:
    for state, text in state_table().items():
        named = {*re.findall(r"`(\w+)`", text)}
        named |= {ABSENT} if GONE & {*re.findall(r"\w+", text)} else set()
        drawn = {arrow.target for arrow in ARROWS if arrow.source == state} - {state}

        assert named == drawn, f"{state}: {text}"


def test_the_users_diagram_has_every_arrow_that_leads_to_another_state() -> None:
    page = (ROOT / "docs/concepts.md").read_text().replace("[*]", ABSENT)
    shown = re.findall(r"^    (\w+) --> (\w+):", page, re.MULTILINE)

    assert {*shown} == {
        (arrow.source, arrow.target) for arrow in ARROWS if arrow.source != arrow.target
    }
    assert len({*shown}) == len(shown)


def test_the_users_table_has_every_state() -> None:
    assert {*state_table()} == {*State}
