"""Whose a launcher pod's addresses are: reads of its VMI and of that one's VM tell.

Law: what a pod or a VMI says of itself proves nothing: only a VMI that exists, of the UID that the
pod names, makes it a launcher, and only addresses that a VM of the UID that the VMI names has, too,
have been claimed with the VM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE, Carrier, Owner

if TYPE_CHECKING:
    from crds.mac import MacAddress
    from crds.objects import Objects
    from webhook.admission import PodReview


async def rooted(review: PodReview, objects: Objects) -> PodReview:
    """Return the review of a launcher pod as one of its root. Raises StoreUnavailable.

    The VM's: its addresses were claimed with the VM, so the pod passes as it is; what else it
    carries is claimed for the VM. A bare VMI's: as a pod's, and a migration's second pod gets the
    very same.
    """
    made_by, namespace = review.launched_for, review.owner.namespace
    if made_by is None:
        return review
    named = Owner(api_version=KUBEVIRT, kind=INSTANCE, namespace=namespace, name=made_by.name)
    instance = await objects.get(named)
    if instance is None or instance.uid != made_by.uid:
        return review
    machine = instance.controller
    if machine is not None:
        owner = Owner(api_version=KUBEVIRT, kind=MACHINE, namespace=namespace, name=machine.name)
        vm = await objects.get(owner)
        is_real = vm is not None and vm.uid == machine.uid
        return replace(
            review,
            owner=owner,
            object_uid=machine.uid if is_real else None,
            carried=_common(instance, vm) if is_real else frozenset(),
            is_filled=True,
        )
    launchers = await objects.launchers(namespace, instance.name)
    siblings = [pod for pod in launchers if _is_of(pod, instance)]
    return replace(
        review,
        owner=named,
        object_uid=instance.uid,
        siblings={one.interface: one.mac for pod in siblings for one in pod.attachments},
    )


def _common(instance: Carrier, vm: Carrier | None) -> frozenset[MacAddress]:
    """What both carry; what the VMI alone says is claimed, and the VM's own is the VM's."""
    macs = (one.mac for one in instance.attachments)
    return frozenset(mac for mac in macs if vm is not None and vm.carries(mac))


def _is_of(pod: Carrier, instance: Carrier) -> bool:
    return pod.controller is not None and pod.controller.uid == instance.uid
