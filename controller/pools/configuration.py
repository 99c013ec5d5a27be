"""Reads the range and the policy from the ConfigMap, and decides the MacPool's conditions. Pure.

Law: an invalid value changes only the condition. The last valid value stays in force. The other
value, if it is valid, comes into force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crds.mac import MacAddress, MacRange, MalformedMac
from crds.names import CONFIG_MAP
from crds.pool import CollisionPolicy, Pool
from crds.resources import Condition, PoolStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crds.resources import PoolSnapshot


# Reasons of condition Ready.
IN_FORCE = "RangeInForce"
INVALID = "InvalidRange"
INVALID_POLICY = "InvalidCollisionPolicy"
MISSING = "ConfigMapMissing"
# Reasons of condition Adopted.
ADOPTED = "AllAdopted"
ADOPTING = "Adopting"


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of the ConfigMap; `reason` is the reason of the condition and the event."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values for MacPool `default`, and the faults of the ConfigMap."""

    ranges: tuple[MacRange, ...]
    policy: CollisionPolicy
    problems: tuple[Problem, ...] = ()


def wanted(data: Mapping[str, str] | None, seen: PoolSnapshot | None) -> Wanted:
    """Take the valid values of the ConfigMap (None: it is missing), and the others of `seen`."""
    ranges = seen.pool.ranges if seen else ()
    policy = seen.policy if seen else CollisionPolicy.REJECT
    if data is None:
        missing = Problem(
            MISSING,
            f"ConfigMap {CONFIG_MAP} is missing: the last good range stays in force until you"
            f" create it again with RANGE_START and RANGE_END",
        )
        return Wanted(ranges, policy, (missing,))
    block, chosen = parse_range(data), parse_policy(data)
    return Wanted(
        ranges if isinstance(block, Problem) else (block,),
        policy if isinstance(chosen, Problem) else chosen,
        tuple(found for found in (block, chosen) if isinstance(found, Problem)),
    )


def parse_policy(data: Mapping[str, str]) -> CollisionPolicy | Problem:
    """Read COLLISION_POLICY; if it is absent or blank, Reject."""
    text = data.get("COLLISION_POLICY", "").strip()
    try:
        return CollisionPolicy(text or CollisionPolicy.REJECT)
    except ValueError:
        return Problem(
            INVALID_POLICY,
            f"ConfigMap {CONFIG_MAP}: COLLISION_POLICY: {text[:64]!r} is no policy: write"
            f" {' or '.join(CollisionPolicy)}; the last good one stays in force until then",
        )


def parse_range(data: Mapping[str, str]) -> MacRange | Problem:
    """Read RANGE_START and RANGE_END."""
    try:
        block = MacRange(_end(data, "RANGE_START"), _end(data, "RANGE_END"))
    except MalformedMac as error:
        return Problem(INVALID, f"ConfigMap {CONFIG_MAP}: {error}")
    if not Pool("", (block,)).size:
        return Problem(
            INVALID,
            f"ConfigMap {CONFIG_MAP}: {block} holds group addresses only (odd first octets): choose"
            f" one whose first octet is even, such as 02:00:00:00:00:00 - 02:ff:ff:ff:ff:ff",
        )
    return block


def conditions(
    status: PoolStatus, problems: Sequence[Problem], *, adopted: bool | None, now: str
) -> tuple[Condition, ...]:
    """Return Ready and Adopted. Their transition time changes only with their status.

    `adopted` None: as before. The first of several problems gives the reason.
    """
    ready = (
        Condition(
            "Ready", "False", problems[0].reason, "; ".join(problem.message for problem in problems)
        )
        if problems
        else Condition("Ready", "True", IN_FORCE, "the range of the ConfigMap is in force")
    )
    adoption = (
        Condition("Adopted", "True", ADOPTED, "addresses found in use have an allocation")
        if adopted or (adopted is None and status.says("Adopted"))
        else Condition("Adopted", "False", ADOPTING, "looking for addresses already in use")
    )
    known = {condition.type: condition for condition in status.conditions}
    return tuple(_dated(new, known.get(new.type), now) for new in (ready, adoption))


def status_of(pool: Pool, allocated: int, conditions: tuple[Condition, ...]) -> PoolStatus:
    """Return the status; `allocated` counts the allocations in the pool."""
    return PoolStatus(pool.size, allocated, max(0, pool.size - allocated), conditions)


def _dated(condition: Condition, known: Condition | None, now: str) -> Condition:
    since = known.last_transition_time if known and known.status == condition.status else now
    return Condition(
        condition.type, condition.status, condition.reason, condition.message, since or now
    )


def _end(data: Mapping[str, str], name: str) -> MacAddress:
    text = data.get(name, "").strip()
    if not text:
        raise MalformedMac(f"{name} is missing: write it, such as 02:00:00:00:00:00")
    try:
        return MacAddress.parse_unicast(text)
    except MalformedMac as error:
        raise MalformedMac(f"{name}: {error}") from None
