"""The range that users edit, from ConfigMap to MacPool: pure.

Law: a bad range changes nothing but the condition that says so; the last good one stays in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crds.mac import MacAddress, MacRange, MalformedMac
from crds.pool import Pool
from crds.resources import Condition, PoolStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_MAP = "kubemacpool-mac-range-config"

# Reasons of condition Ready.
IN_FORCE = "RangeInForce"
INVALID = "InvalidRange"
MISSING = "ConfigMapMissing"
# Reasons of condition Adopted.
ADOPTED = "AllAdopted"
ADOPTING = "Adopting"


@dataclass(frozen=True, slots=True)
class BadRange:
    """Why the ConfigMap cannot be followed; `reason` is the condition's."""

    reason: str
    message: str


def parse(data: Mapping[str, str] | None) -> MacRange | BadRange:
    """Read RANGE_START and RANGE_END; `data` is None where there is no ConfigMap."""
    if data is None:
        return BadRange(
            MISSING,
            f"ConfigMap {CONFIG_MAP} is missing: the last good range stays in force until you"
            f" create it again with RANGE_START and RANGE_END",
        )
    try:
        block = MacRange(_end(data, "RANGE_START"), _end(data, "RANGE_END"))
    except MalformedMac as error:
        return BadRange(INVALID, f"ConfigMap {CONFIG_MAP}: {error}")
    if not Pool("", (block,)).size:
        return BadRange(
            INVALID,
            f"ConfigMap {CONFIG_MAP}: {block} holds group addresses only (odd first octets): choose"
            f" one whose first octet is even, such as 02:00:00:00:00:00 - 02:ff:ff:ff:ff:ff",
        )
    return block


def conditions(
    status: PoolStatus, problem: BadRange | None, *, adopted: bool | None, now: str
) -> tuple[Condition, ...]:
    """Return Ready and Adopted as they are now; their transition time moves only when they do.

    `adopted` None: as before.
    """
    ready = (
        Condition("Ready", "True", IN_FORCE, "the range of the ConfigMap is in force")
        if problem is None
        else Condition("Ready", "False", problem.reason, problem.message)
    )
    adoption = (
        Condition("Adopted", "True", ADOPTED, "addresses found in use have an allocation")
        if adopted or (adopted is None and status.says("Adopted"))
        else Condition("Adopted", "False", ADOPTING, "looking for addresses already in use")
    )
    known = {one.type: one for one in status.conditions}
    return tuple(_dated(one, known.get(one.type), now) for one in (ready, adoption))


def status_of(pool: Pool, allocated: int, conditions: tuple[Condition, ...]) -> PoolStatus:
    """Return the status; `allocated` counts the allocations that lie in the pool."""
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
