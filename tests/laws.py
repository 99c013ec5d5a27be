"""What must hold, whatever happens when: of what is stored, at every moment and at rest.

I1 nothing admitted carries what another live object carries; I2 nobody can be given what a live
object carries, or what it was bound to and may still have on an interface, and what people declared
stays; I3 at rest nothing leaks and everything carried is bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crds.allocation import State

if TYPE_CHECKING:
    from crds.allocation import Allocation, Carrier
    from crds.mac import MacAddress
    from crds.tests.fake import FakeCluster


class Laws:
    """The laws, and what they must know of the past: who came by without the webhook."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.bypassed: set[str] = set()  # UIDs of objects that no webhook has seen
        self.declared: dict[MacAddress, Allocation] = {}  # as people wrote it, until withdrawn
        self.held: dict[str, set[MacAddress]] = {}  # what was ever bound to an object, by its UID
        self.generated: set[str] = set()  # UIDs of objects that were admitted without a name
        self.spoilt: set[MacAddress] = set()  # addresses that such an object has ever carried

    def bypass(self, pod: Carrier) -> None:
        """`pod` was stored without the webhook."""
        self.bypassed.add(pod.uid)
        self.spoilt |= {one.mac for one in pod.attachments}

    def live(self) -> list[Carrier]:
        """The pods that carry addresses."""
        return [pod for pod in self.cluster.pods.values() if pod.attachments]

    def admit(self, pod: Carrier, macs: set[MacAddress]) -> None:
        """I1, when `pod` is stored with `macs` that it did not carry before."""
        for other in self.live():
            if other.uid != pod.uid and other.uid not in self.bypassed:
                both = macs & {one.mac for one in other.attachments} - self._excused(other)
                assert not both, f"{pod.name} and {other.name} both carry {both}"
        for mac in macs & self.declared.keys():
            reserved = self.declared[mac].reserved_for
            mine = reserved is None or reserved.admits(pod.as_owner(mac))
            assert mine, f"{pod.name} got {mac}, which is reserved for {reserved}"

    def _excused(self, pod: Carrier) -> set[MacAddress]:
        """A known gap: a name not generated yet fits whatever carries the address in the namespace.

        So an object that came by without us may be bound in the place of `pod`; then the address
        goes its way, until `pod` has it by rule 5 or 9.
        """
        return self.spoilt if pod.uid in self.generated else set()

    def check(self) -> None:
        """I2, at every moment."""
        self._hold()
        for mac, declared in self.declared.items():
            stored = self.cluster.allocated.get(mac)
            assert stored is not None, f"{mac} was declared, and is no more"
            now = stored.allocation
            kept = now.declared or now.state is State.DECLARED
            assert kept, f"{mac} was declared, and nobody knows any more"
            assert now.reserved_for == declared.reserved_for, f"{mac} is reserved for another"
        for pod in self.live():
            if pod.uid not in self.bypassed:
                for attachment in pod.attachments:
                    self._check(pod, attachment.mac)
        for pod in self.cluster.pods.values():
            if pod.uid in self.held and not pod.terminal:
                for mac in self.held[pod.uid] - self.spoilt:
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

    def _check(self, pod: Carrier, mac: MacAddress) -> None:
        if mac in self._excused(pod):
            return
        stored = self.cluster.allocated.get(mac)
        assert stored is not None, f"{pod.name} carries {mac}, which has no allocation"
        owner = stored.allocation.owner
        assert owner is not None, f"{pod.name} carries {mac}, which is free to take"
        if mac not in self.spoilt:
            same = owner.namespace == pod.namespace and owner.name in {None, pod.name}
            assert same, f"{pod.name} carries {mac}, which is {owner}'s"

    def check_rest(self) -> None:
        """I3: all requests are over, and Q has passed again and again."""
        for mac in {*self.cluster.allocated, *(a.mac for p in self.live() for a in p.attachments)}:
            stored = self.cluster.allocated.get(mac)
            carriers = {pod.uid for pod in self.live() if pod.carries(mac)}
            assert stored is not None, f"{mac} is carried, and has no allocation"
            owner = self._owner_at_rest(stored.allocation)
            conflicts = {one.uid for one in stored.conflicts}
            assert conflicts == carriers - {owner}, f"{mac}: conflicts {conflicts} of {carriers}"
            if mac not in self.spoilt:
                assert carriers <= {owner}, f"{mac} is carried by {carriers}, and {owner}'s"

    def _owner_at_rest(self, allocation: Allocation) -> str | None:
        mac, owner = allocation.mac, allocation.owner
        carriers = [pod for pod in self.live() if pod.carries(mac)]
        if allocation.state is State.DECLARED:
            users = [pod for pod in carriers if allocation.is_free_for(pod.as_owner(mac))]
            assert not users, f"{mac} is free to take, and carried by {users[0].name}"
            return None
        assert allocation.state is State.BOUND, f"{mac} is {allocation.state} for ever"
        assert owner is not None
        there = {pod.uid for pod in self.cluster.pods.values() if not pod.terminal}
        assert owner.uid in there, f"{mac} leaks: {owner} is gone"
        return owner.uid
