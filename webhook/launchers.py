"""Whose a launcher pod's addresses are: reads of its VMI and of that one's VM tell.

Law: what a pod or a VMI says of itself proves nothing: only a VMI that exists, of the UID that the
pod names, makes it a launcher, and only addresses that a VM of the UID that the VMI names has, too,
have been claimed with the VM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE, Owner

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.objects import Objects
    from webhook.admission import PodReview


async def resolve_root(review: PodReview, objects: Objects) -> PodReview:
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
        if vm is None or vm.uid != machine.uid:
            return replace(review, owner=owner, object_uid=None, is_filled=True)
        # What the VMI alone has is claimed: the VM's own is the VM's.
        both = frozenset(one.mac for one in instance.attachments if vm.carries(one.mac))
        return replace(review, owner=owner, object_uid=vm.uid, carried=both, is_filled=True)
    launchers = await objects.launchers(namespace, instance.name)
    siblings = [pod for pod in launchers if _is_of(pod, instance)]
    return replace(
        review,
        owner=named,
        object_uid=instance.uid,
        siblings={one.interface: one.mac for pod in siblings for one in pod.attachments},
    )


def _is_of(pod: Carrier, instance: Carrier) -> bool:
    return pod.controller is not None and pod.controller.uid == instance.uid
