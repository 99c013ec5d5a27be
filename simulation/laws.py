"""The laws, for the stored objects: some hold at every moment, some when all is at rest.

I1: two live objects of different roots never carry the same address, unless one bypassed the
webhook. I2: no create and no stock can get an address that a live object carries, or that a pod was
bound to and may still have on an interface; what a replica would hand out is Stock; declarations
stay. I3: at rest nothing leaks, and each carried address is bound to its root.

A VM, its VMI and its launcher pods are one root. An address that was shared under policy Warn is
excused from I1, and from being bound to each object that carries it.
"""

from collections.abc import Callable

from controller.allocations.ownership import is_one_guest
from crds.allocation import VM_KIND, VMI_KIND, Allocation, Root, State
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.tests.fake import FakeCluster

Group = list[Carrier]
Ready = Callable[[], set[MacAddress]]
UNSEEN = "unseen"  # the maker of objects that no webhook has reviewed


class Laws:
    """The laws, and what they remember: objects that bypassed the webhook, and more."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.bypassed = {UNSEEN}  # UIDs of objects that no webhook has reviewed
        self.declared: dict[MacAddress, Allocation] = {}  # as users wrote it, until they delete it
        self.held: dict[str, set[MacAddress]] = {}  # what was ever bound to an object, by its UID
        self.generated: set[Root] = set()  # objects that were admitted without a name
        self.handed: set[tuple[Root, MacAddress]] = set()  # objects that got stock
        self.spoilt: set[MacAddress] = set()  # addresses that a bypassing object has ever carried
        self.shared: set[MacAddress] = set()  # addresses that policy Warn has ever let others have
        # Returns the stock that the replicas would hand out at this moment.
        self.ready: Ready = set

    def bypass(self, carrier: Carrier) -> None:
        """`carrier` was stored without the webhook, or made from what was."""
        self.bypassed.add(carrier.uid)
        self.spoilt |= _macs(carrier)

    def live(self) -> Group:
        """Return all objects that carry addresses."""
        kinds = (self.cluster.vms, self.cluster.vmis, self.cluster.pods)
        return [carrier for kind in kinds for carrier in kind.values() if carrier.attachments]

    def stored(self, now: Carrier, before: Carrier | None, made_by: str | None = None) -> None:
        """I1, when an object is stored, made from that of UID `made_by`."""
        if made_by in self.bypassed or now.uid in self.bypassed:
            self.bypass(now)
        else:
            self._admit(now, _macs(now) - (_macs(before) if before is not None else set()))

    def _admit(self, carrier: Carrier, macs: set[MacAddress]) -> None:
        self._share()
        for other in self.live():
            if other.root != carrier.root and other.uid not in self.bypassed:
                excused = self._excused(other) | self._excused(carrier) | self.shared
                both = macs & _macs(other) - excused
                assert not both, f"{_named(carrier)} and {_named(other)} both carry {both}"
        for mac in macs & self.declared.keys() - self.shared:
            reserved = self.declared[mac].reserved_for
            place = None if reserved is None else (reserved.kind, reserved.namespace, reserved.name)
            assert place in {None, carrier.root}, (
                f"{_named(carrier)} got {mac}, reserved for {reserved}"
            )

    def _share(self) -> None:
        self.shared |= {
            mac for mac, stored in self.cluster.allocated.items() if stored.allocation.shared
        }

    def _excused(self, carrier: Carrier) -> set[MacAddress]:
        """Return the addresses of a known gap: without a name in the allocation, any carrier fits.

        That is so in the namespace until a name is generated, and in every namespace for stock. So
        an object that bypassed the webhook can be bound in the place of `carrier`, until `carrier`
        gets the address by rule 5 or 9.
        """
        if carrier.root in self.generated:
            return self.spoilt
        return {mac for mac in self.spoilt if (carrier.root, mac) in self.handed}

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
            assert kept, f"{mac} was declared, and its declaration is lost"
            assert now.reserved_for == declared.reserved_for, f"{mac} is reserved for another"
        for carrier in self.live():
            if carrier.uid not in self.bypassed:
                for mac in _macs(carrier):
                    assert mac not in ready, f"{_named(carrier)} carries {mac}, to be handed out"
                    self._check(carrier, mac)
        for pod in self.cluster.pods.values():
            if pod.uid in self.held and not pod.terminal:
                for mac in self.held[pod.uid] - self.spoilt - self.shared:
                    self._check(pod, mac)

    def _hold(self) -> None:
        for mac, stored in self.cluster.allocated.items():
            owner = stored.allocation.owner
            if owner is not None and owner.uid is not None:
                self.held.setdefault(owner.uid, set()).add(mac)
            # It is bound to another object: rule 5, after the first object is gone.
            for uid, macs in self.held.items():
                if owner is not None and owner.uid not in {uid, None}:
                    macs.discard(mac)

    def _check(self, carrier: Carrier, mac: MacAddress) -> None:
        if mac in self._excused(carrier):
            return
        stored = self.cluster.allocated.get(mac)
        assert stored is not None, f"{_named(carrier)} carries {mac}, which has no allocation"
        owner = stored.allocation.owner
        if stored.allocation.state is State.STOCK:
            return  # handed out, and not bound yet: it has no owner
        assert owner is not None, f"{_named(carrier)} carries {mac}, which is free to take"
        if mac not in self.spoilt | self.shared:
            kind, namespace, name = owner.root
            same = (kind, namespace, name or carrier.root[2]) == carrier.root
            assert same, f"{_named(carrier)} carries {mac}, which is {owner}'s"

    def check_rest(self) -> None:
        """I3: all requests are over, Q has passed again and again, and V since the last create."""
        for mac in {
            *self.cluster.allocated,
            *(mac for carrier in self.live() for mac in _macs(carrier)),
        }:
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
            noted = {conflict.uid for conflict in stored.conflicts}
            theirs = [self._whose(group) for group in others]
            assert len(noted) == len(theirs), f"{mac}: conflicts {noted}, and not {theirs}"
            assert all(uids & noted for uids in theirs), f"{mac}: conflicts {noted} lack {theirs}"
            if mac not in self.spoilt | self.shared:
                assert not others, f"{mac} is {owner}'s, and carried by {_named(others[0][0])}"

    def _groups(self, mac: MacAddress) -> dict[Root, Group]:
        groups: dict[Root, Group] = {}
        for carrier in self.live():
            if carrier.carries(mac):
                groups.setdefault(carrier.root, []).append(carrier)
        return groups

    def _whose(self, group: Group) -> set[str | None]:
        """Return the UIDs of possible owners for `group`: its highest object, or the maker.

        If only a launcher carries the address, its VMI can own it until VM and VMI are read.
        """
        highest = group[0]  # VMs are live before VMIs before pods
        made_by = highest.controller
        if highest.kind == VM_KIND or made_by is None:
            return {highest.uid}
        if highest.kind == VMI_KIND:
            return {made_by.uid}
        _, namespace, name = highest.root
        vmi = self.cluster.vmis.get((namespace, name or ""))
        is_its_own = vmi is not None and vmi.uid == made_by.uid
        above = vmi.controller if vmi is not None and is_its_own else None
        makers: set[str | None] = {pod.controller.uid for pod in group if pod.controller}
        return makers | ({above.uid} if above is not None else set())

    def _owner_at_rest(self, allocation: Allocation) -> tuple[Root | None, str | None]:
        mac, owner = allocation.mac, allocation.owner
        carriers = [carrier for carrier in self.live() if carrier.carries(mac)]
        if allocation.state is State.DECLARED:
            users = [
                carrier for carrier in carriers if allocation.is_free_for(carrier.as_owner(mac))
            ]
            assert not users, f"{mac} is free to take, and carried by {_named(users[0])}"
            return None, None
        assert allocation.state is State.BOUND, f"{mac} is {allocation.state} for ever"
        assert owner is not None
        pods = [pod for pod in self.cluster.pods.values() if not pod.terminal]
        holders = {pod.uid for pod in pods} | {pod.controller.uid for pod in pods if pod.controller}
        there = owner.uid in holders or any(carrier.root == owner.root for carrier in carriers)
        assert there, f"{mac} leaks: {owner} is gone"
        return owner.root, owner.uid


def _macs(carrier: Carrier) -> set[MacAddress]:
    return {attachment.mac for attachment in carrier.attachments}


def _named(carrier: Carrier) -> str:
    return f"{carrier.kind} {carrier.namespace}/{carrier.name}"
