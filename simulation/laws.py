"""What must hold, whatever happens when: of what is stored, at every moment and at rest.

I1 nothing admitted carries what a live object of another root carries; I2 nobody can be given what
a live object carries, by a create or from a stock, or what a pod was bound to and may still have on
an interface, what a replica would hand out is Stock, and what people declared stays; I3 at rest
nothing leaks and everything carried is bound to its root. A VM, its VMI and its launcher pods are
one root; an address that was shared under policy Warn is excused from I1, and from belonging to all
who carry it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.allocations.ownership import is_one_guest
from crds.allocation import INSTANCE, MACHINE, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.allocation import Allocation, Root
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.tests.fake import FakeCluster

Group = list["Carrier"]
UNSEEN = "nobody's"  # what objects are made from that no webhook has seen


class Laws:
    """The laws, and what they must know of the past: who came by without the webhook."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.bypassed = {UNSEEN}  # UIDs of objects that no webhook has seen, nor their makers
        self.declared: dict[MacAddress, Allocation] = {}  # as people wrote it, until withdrawn
        self.held: dict[str, set[MacAddress]] = {}  # what was ever bound to an object, by its UID
        self.generated: set[Root] = set()  # those that were admitted without a name
        self.handed: set[tuple[Root, MacAddress]] = set()  # who was admitted with what from stock
        self.spoilt: set[MacAddress] = set()  # addresses that a bypassing object has ever carried
        self.shared: set[MacAddress] = set()  # addresses that policy Warn has ever let others have
        # What the replicas would hand out from stock at this moment.
        self.ready: Callable[[], set[MacAddress]] = set

    def bypass(self, one: Carrier) -> None:
        """`one` was stored without the webhook, or made from what was."""
        self.bypassed.add(one.uid)
        self.spoilt |= _macs(one)

    def live(self) -> Group:
        """All that carry addresses."""
        kinds = (self.cluster.machines, self.cluster.instances, self.cluster.pods)
        return [one for kind in kinds for one in kind.values() if one.attachments]

    def stored(self, now: Carrier, before: Carrier | None, made_by: str | None = None) -> None:
        """I1, when an object is stored, made from that of UID `made_by`."""
        if made_by in self.bypassed or now.uid in self.bypassed:
            self.bypass(now)
        else:
            self._admit(now, _macs(now) - (_macs(before) if before is not None else set()))

    def _admit(self, one: Carrier, macs: set[MacAddress]) -> None:
        self._share()
        for other in self.live():
            if other.root != one.root and other.uid not in self.bypassed:
                excused = self._excused(other) | self._excused(one) | self.shared
                both = macs & _macs(other) - excused
                assert not both, f"{_named(one)} and {_named(other)} both carry {both}"
        for mac in macs & self.declared.keys() - self.shared:
            reserved = self.declared[mac].reserved_for
            place = None if reserved is None else (reserved.kind, reserved.namespace, reserved.name)
            assert place in {None, one.root}, f"{_named(one)} got {mac}, reserved for {reserved}"

    def _share(self) -> None:
        self.shared |= {mac for mac, one in self.cluster.allocated.items() if one.allocation.shared}

    def _excused(self, one: Carrier) -> set[MacAddress]:
        """A known gap: where no name is on record, the address fits whatever carries it.

        That is so in the namespace while a name is not generated yet, and anywhere for what came
        from stock. So an object that came by without us may be bound in the place of `one`; then
        the address goes its way, until `one` has it by rule 5 or 9.
        """
        if one.root in self.generated:
            return self.spoilt
        return {mac for mac in self.spoilt if (one.root, mac) in self.handed}

    def check(self) -> None:
        """I2, at every moment."""
        self._hold()
        self._share()
        ready = self.ready() - self.spoilt
        for mac in ready:
            stock = self.cluster.allocated.get(mac)
            assert stock is not None, f"{mac} would be handed out, and has no allocation"
            state = stock.allocation.state
            assert state is State.STOCK, f"{mac} would be handed out, and is {state}"
        for mac, declared in self.declared.items():
            stored = self.cluster.allocated.get(mac)
            assert stored is not None, f"{mac} was declared, and is no more"
            now = stored.allocation
            kept = now.declared or now.state is State.DECLARED
            assert kept, f"{mac} was declared, and nobody knows any more"
            assert now.reserved_for == declared.reserved_for, f"{mac} is reserved for another"
        for one in self.live():
            if one.uid not in self.bypassed:
                for mac in _macs(one):
                    assert mac not in ready, f"{_named(one)} carries {mac}, to be handed out"
                    self._check(one, mac)
        for pod in self.cluster.pods.values():
            if pod.uid in self.held and not pod.terminal:
                for mac in self.held[pod.uid] - self.spoilt - self.shared:
                    self._check(pod, mac)

    def _hold(self) -> None:
        for mac, stored in self.cluster.allocated.items():
            owner = stored.allocation.owner
            if owner is not None and owner.uid is not None:
                self.held.setdefault(owner.uid, set()).add(mac)
            # Bound to another, it was that one's: rule 5, when the first one is gone.
            for uid, macs in self.held.items():
                if owner is not None and owner.uid not in {uid, None}:
                    macs.discard(mac)

    def _check(self, one: Carrier, mac: MacAddress) -> None:
        if mac in self._excused(one):
            return
        stored = self.cluster.allocated.get(mac)
        assert stored is not None, f"{_named(one)} carries {mac}, which has no allocation"
        owner = stored.allocation.owner
        if stored.allocation.state is State.STOCK:
            return  # handed out, and not bound yet: nobody is on record
        assert owner is not None, f"{_named(one)} carries {mac}, which is free to take"
        if mac not in self.spoilt | self.shared:
            kind, namespace, name = owner.root
            same = (kind, namespace, name or one.root[2]) == one.root
            assert same, f"{_named(one)} carries {mac}, which is {owner}'s"

    def check_rest(self) -> None:
        """I3: all requests are over, Q has passed again and again, and V since the last create."""
        for mac in {*self.cluster.allocated, *(mac for one in self.live() for mac in _macs(one))}:
            stored = self.cluster.allocated.get(mac)
            groups = self._groups(mac)
            assert stored is not None, f"{mac} is carried, and has no allocation"
            root, owner = self._owner_at_rest(stored.allocation)
            mine = groups.pop(root, []) if root is not None else []
            whose = self._whose(mine) if mine else {owner}
            assert owner in whose, f"{mac} is {stored.allocation.owner}'s, and not that of {whose}"
            others = [
                group for group in groups.values() if not (mine and is_one_guest(group, mine))
            ]
            noted = {one.uid for one in stored.conflicts}
            theirs = [self._whose(group) for group in others]
            assert len(noted) == len(theirs), f"{mac}: conflicts {noted}, and not {theirs}"
            assert all(one & noted for one in theirs), f"{mac}: conflicts {noted} lack {theirs}"
            if mac not in self.spoilt | self.shared:
                assert not others, f"{mac} is {owner}'s, and carried by {_named(others[0][0])}"

    def _groups(self, mac: MacAddress) -> dict[Root, Group]:
        groups: dict[Root, Group] = {}
        for one in self.live():
            if one.carries(mac):
                groups.setdefault(one.root, []).append(one)
        return groups

    def _whose(self, group: Group) -> set[str | None]:
        """Return the UID of who owns what `group` carries: the highest, or who made that.

        Where a launcher pod alone carries it, its VMI may stand for the VM until both are read.
        """
        highest = group[0]  # VMs are live before VMIs before pods
        made_by = highest.controller
        if highest.kind == MACHINE or made_by is None:
            return {highest.uid}
        if highest.kind == INSTANCE:
            return {made_by.uid}
        _, namespace, name = highest.root
        vmi = self.cluster.instances.get((namespace, name or ""))
        is_its_own = vmi is not None and vmi.uid == made_by.uid
        above = vmi.controller if vmi is not None and is_its_own else None
        makers: set[str | None] = {pod.controller.uid for pod in group if pod.controller}
        return makers | ({above.uid} if above is not None else set())

    def _owner_at_rest(self, allocation: Allocation) -> tuple[Root | None, str | None]:
        mac, owner = allocation.mac, allocation.owner
        carriers = [one for one in self.live() if one.carries(mac)]
        if allocation.state is State.DECLARED:
            users = [one for one in carriers if allocation.is_free_for(one.as_owner(mac))]
            assert not users, f"{mac} is free to take, and carried by {_named(users[0])}"
            return None, None
        assert allocation.state is State.BOUND, f"{mac} is {allocation.state} for ever"
        assert owner is not None
        pods = [pod for pod in self.cluster.pods.values() if not pod.terminal]
        holders = {pod.uid for pod in pods} | {pod.controller.uid for pod in pods if pod.controller}
        there = owner.uid in holders or any(one.root == owner.root for one in carriers)
        assert there, f"{mac} leaks: {owner} is gone"
        return owner.root, owner.uid


def _macs(one: Carrier) -> set[MacAddress]:
    return {attachment.mac for attachment in one.attachments}


def _named(one: Carrier) -> str:
    return f"{one.kind} {one.namespace}/{one.name}"
