"""Finds the root of a launcher pod, which owns its addresses, by reading its VMI and its VM.

Law: the ownerReference of a pod or of a VMI alone proves nothing. A pod is a launcher only if the
VMI exists with the UID that the pod names. An address was claimed with the VM only if the VM exists
with the UID that the VMI names, and both carry the address.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Owner

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.objects import Objects
    from webhook.admission import PodReview


async def resolve_root(review: PodReview, objects: Objects) -> PodReview:
    """Return the review of a launcher pod with its root as the owner. Raises StoreUnavailable.

    If the root is a VM: the addresses were claimed with the VM, so the pod passes as it is; further
    addresses of the pod are claimed for the VM. If it is a VMI without a VM: the pod is served like
    any pod, and the second pod of a migration gets the same addresses.
    """
    vmi, namespace = review.launched_for, review.owner.namespace
    if vmi is None:
        return review
    named = Owner(api_version=KUBEVIRT, kind=VMI_KIND, namespace=namespace, name=vmi.name)
    instance = await objects.get(named)
    if instance is None or instance.uid != vmi.uid:
        return review
    controlling_vm = instance.controller
    if controlling_vm is not None:
        owner = Owner(
            api_version=KUBEVIRT, kind=VM_KIND, namespace=namespace, name=controlling_vm.name
        )
        vm = await objects.get(owner)
        if vm is None or vm.uid != controlling_vm.uid:
            return replace(review, owner=owner, object_uid=None, is_filled=True)
        # Only these were claimed with the VM. An address that only the VMI has is claimed.
        both = frozenset(
            attachment.mac for attachment in instance.attachments if vm.carries(attachment.mac)
        )
        return replace(review, owner=owner, object_uid=vm.uid, carried=both, is_filled=True)
    launchers = await objects.launchers(namespace, instance.name)
    siblings = [pod for pod in launchers if _is_of(pod, instance)]
    return replace(
        review,
        owner=named,
        object_uid=instance.uid,
        siblings={
            attachment.interface: attachment.mac
            for pod in siblings
            for attachment in pod.attachments
        },
    )


def _is_of(pod: Carrier, instance: Carrier) -> bool:
    return pod.controller is not None and pod.controller.uid == instance.uid
