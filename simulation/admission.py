"""The API server: it asks a replica to review creates and updates, and stores what was allowed.

A test can act between question and answer, and between answer and storage.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Owner
from crds.carriers import Carrier, OwnerReference
from crds.mac import MacAddress
from crds.networks import ANNOTATION
from crds.tests.fake import FakeCluster, ObjectExists
from crds.tests.kubevirt import Manifest, Nic, nics_of, vm_manifest
from kube.tests.steered import SteeredLoop
from simulation.kubevirt import Key, KubeVirt, vm_with
from simulation.laws import UNSEEN, Laws
from simulation.programs import Request, networks
from simulation.replica import Replica
from simulation.steering import DOING, Calls, Parked
from webhook.admission import Allowed, PodReview, Review, VmReview
from webhook.tests.reviews import as_stored

NAMESPACE = "shop"


class Admission:
    """The reviews of pods, VMs and launcher pods of NAMESPACE, which has opted in."""

    replicas: list[Replica]

    def __init__(self) -> None:
        self.loop = SteeredLoop()
        self.calls = Calls(self.loop)
        self.cluster = FakeCluster(self.calls.gate, self.calls.answer)
        self.laws = Laws(self.cluster)
        self.requests: list[Request] = []
        self.replicas = []
        self.kubevirt = KubeVirt(
            self.cluster, self.laws, lambda: self.loop.now_s, self._is_launching
        )
        self._asked = 0

    # --- questions ----------------------------------------------------------------------------

    def ask(
        self, name: str | None, *macs: MacAddress | None, replica: int = 0, dry_run: bool = False
    ) -> Request:
        """A create of a pod (name None: generated) with an element for each of `macs`."""
        review = PodReview(*self._asking("Pod", name), networks(*(macs or (None,))))
        return self._ask(replace(review, dry_run=dry_run), replica)

    def ask_update(self, pod: Carrier, *macs: MacAddress | None, replica: int = 0) -> Request:
        """An update of `pod` that adds an element for each of `macs`."""
        old = self.cluster.networks_of(pod.namespace, pod.name) or "[]"
        added = json.loads(old) + json.loads(networks(*(macs or (None,)), prefix=f"{self._asked}-"))
        return self.ask_change(pod, json.dumps(added), replica)

    def ask_vm(self, name: str | None, *macs: MacAddress | None, replica: int = 0) -> Request:
        """A create of a VM (name None: generated) with an interface for each of `macs`."""
        nics = [Nic(f"net-{n}", mac) for n, mac in enumerate(macs or (None,))]
        spec = _spec(vm_manifest("", *nics))
        return self._ask(VmReview(*self._asking(VM_KIND, name), spec), replica)

    def ask_vm_update(self, vm: Carrier, nics: Sequence[Nic], replica: int = 0) -> Request:
        """An update of `vm` that leaves it with these interfaces."""
        old = self.cluster.manifest(VM_KIND, vm.namespace, vm.name)
        review = VmReview(
            *self._asking(VM_KIND, vm.name), _spec(vm_with(old, [*nics])), vm.uid, _spec(old)
        )
        return self._ask(review, replica)

    def ask_launcher(self, key: Key, replica: int = 0) -> Request | None:
        """KubeVirt creates a launcher pod, from what it knows of the VMI."""
        wanted = self.kubevirt.wanted_launcher(key)
        if wanted is None:
            return None
        text, uid = wanted
        review = PodReview(
            *self._asking("Pod", None), text, launched_for=OwnerReference(VMI_KIND, key[1], uid)
        )
        return self._ask(review, replica)

    def ask_launcher_update(self, pod: Carrier, replica: int = 0) -> Request | None:
        """KubeVirt changes the annotation of a launcher pod, from what it knows of the VMI."""
        assert pod.controller is not None
        wanted = self.kubevirt.wanted_launcher((pod.namespace, pod.controller.name))
        if wanted is None or wanted[1] != pod.controller.uid:
            return None
        return self.ask_change(pod, wanted[0], replica)

    def ask_again(self, request: Request, replica: int = 0) -> Request:
        """The API server calls once more for the same object; only the new answer will count."""
        request.is_over = True
        return self._ask(replace(request.review, uid=self._uid()), replica)

    def ask_change(self, pod: Carrier, text: str, replica: int = 0) -> Request:
        """An update of `pod` that leaves it with this annotation."""
        old = self.cluster.networks_of(pod.namespace, pod.name)
        review = PodReview(
            *self._asking("Pod", pod.name), text, pod.uid, old, launched_for=pod.controller
        )
        return self._ask(review, replica)

    def _asking(self, kind: str, name: str | None) -> tuple[str, bool, Owner]:
        version = KUBEVIRT if kind == VM_KIND else "v1"
        owner = Owner(api_version=version, kind=kind, namespace=NAMESPACE, name=name)
        return self._uid(), False, owner

    def _uid(self) -> str:
        self._asked += 1
        return f"request-{self._asked}"

    def _ask(self, review: Review, number: int) -> Request:
        replica = self.replicas[number]
        DOING.set(review.uid)
        task = self.loop.create_task(replica.handlers.mutate(review))
        request = Request(review, replica, self.loop.now_s, task)
        self.requests.append(request)
        self.step()
        return request

    # --- answers ------------------------------------------------------------------------------

    def answer(self, request: Request, most: int | None = None) -> Request:
        """Let the calls of `request` through, up to `most`, until it is answered."""
        replica = request.replica
        while (most is None or most > 0) and not request.task.done():
            shared = [
                parked
                for parked in self.calls.parked
                if parked.call.client == replica.name and parked.doing is not replica
            ]
            most = None if most is None else most - 1
            self.let((self.calls.of(request.review.uid) or shared)[0])
        return request

    def store(self, request: Request) -> Carrier | None:
        """The API server stores what was allowed, or refuses it (name taken, object changed)."""
        verdict, review = request.verdict, request.review
        if request.is_over or not isinstance(verdict, Allowed):
            return None
        request.is_over = True
        self._note_stock(request, verdict)
        if isinstance(review, VmReview):
            stored = self._store_vm(review, verdict)
        else:
            stored = self._store_pod(review, verdict)
        self.step()
        return stored

    def stored(self, request: Request) -> Carrier:
        """The API server stores what was allowed, and returns it."""
        stored = self.store(request)
        assert stored is not None, request.verdict
        return stored

    def _note_stock(self, request: Request, verdict: Allowed) -> None:
        """Tell the laws what came from stock, because its allocation has no owner yet."""
        review = request.review
        kind, name = review.owner.kind, review.owner.name
        if isinstance(review, PodReview) and review.launched_for is not None:
            kind, name = VM_KIND, review.launched_for.name
        given = " ".join(operation.value for operation in verdict.patch)
        self.laws.handed |= {
            ((kind, NAMESPACE, name), mac)
            for mac in request.replica.stock.handed
            if str(mac) in given
        }

    def _store_pod(self, review: PodReview, verdict: Allowed) -> Carrier | None:
        made_by = review.launched_for
        sent = {"metadata": {"annotations": {ANNOTATION: review.networks or "[]"}}}
        text: str = as_stored(sent, verdict)["metadata"]["annotations"][ANNOTATION]
        if review.object_uid is not None:
            return self._change_pod(review, text)
        if made_by is not None:
            return self.kubevirt.launch((NAMESPACE, made_by.name), made_by.uid, text)
        try:
            pod = self.cluster.create_pod(NAMESPACE, review.owner.name, text)
        except ObjectExists:
            return None
        if review.owner.name is None:
            self.laws.generated.add(pod.root)
        self.laws.stored(pod, None)
        return pod

    def _change_pod(self, review: PodReview, text: str) -> Carrier | None:
        name = review.owner.name or ""
        pod = self.cluster.pods.get((NAMESPACE, name))
        if pod is None or pod.uid != review.object_uid or pod.terminal:
            return None
        if self.cluster.networks_of(NAMESPACE, name) != review.old_networks:
            return None  # another update came first: 409, the client tries again
        now = self.cluster.annotate(NAMESPACE, name, text)
        self.laws.stored(now, pod)
        return now

    def _store_vm(self, review: VmReview, verdict: Allowed) -> Carrier | None:
        name = review.owner.name
        if name is None:
            name = self.cluster.generated("vm-")
            self.laws.generated.add((VM_KIND, NAMESPACE, name))
        new = as_stored(vm_manifest(name) | {"spec": json.loads(review.spec)}, verdict)
        nics = list(nics_of(new))
        known = self.cluster.vms.get((NAMESPACE, name))
        if review.object_uid is None:
            return None if known else self.kubevirt.store(vm_with(new, nics))
        if known is None or known.uid != review.object_uid:
            return None
        live = self.cluster.manifest(VM_KIND, NAMESPACE, name)
        return self.kubevirt.store(vm_with(live, nics)) if _spec(live) == review.old_spec else None

    def _is_launching(self, key: Key) -> bool:
        """Return True if a launcher pod of that VMI is being created."""
        return any(
            not request.is_over
            and isinstance(request.review, PodReview)
            and request.review.launched_for is not None
            and (NAMESPACE, request.review.launched_for.name) == key
            for request in self.requests
        )

    # --- one after the other ------------------------------------------------------------------

    def pod(self, name: str | None, *macs: MacAddress | None, replica: int = 0) -> Carrier:
        """A pod is created, without interruption."""
        return self.stored(self.answer(self.ask(name, *macs, replica=replica)))

    def vm(self, name: str | None, *macs: MacAddress | None, replica: int = 0) -> Carrier:
        """A VM is created, without interruption."""
        return self.stored(self.answer(self.ask_vm(name, *macs, replica=replica)))

    def start(self, vm: Carrier) -> Carrier:
        """KubeVirt starts a VM as it is; its VMI is returned."""
        key = vm.namespace, vm.name
        self.kubevirt.look(VM_KIND, key)
        vmi = self.kubevirt.start(key)
        assert vmi is not None
        self.step()
        return vmi

    def launch(self, vmi: Carrier) -> Carrier:
        """KubeVirt creates a launcher pod for a VMI as it is, without interruption."""
        key = vmi.namespace, vmi.name
        self.kubevirt.look(VMI_KIND, key)
        request = self.ask_launcher(key)
        assert request is not None
        return self.stored(self.answer(request))

    def bypass(self, name: str, mac: MacAddress, namespace: str = "other") -> Carrier:
        """A pod with its own address appears, which no webhook has reviewed."""
        pod = self.cluster.create_pod(namespace, name, networks(mac))
        self.laws.bypass(pod)
        self.step()
        return pod

    def bypass_vm(self, stored: Manifest) -> Carrier:
        """A VM or VMI without a maker appears in the same way."""
        carrier = self.kubevirt.store(stored, UNSEEN)
        self.step()
        return carrier

    def let(self, which: Parked, *, keep_answer: bool = False) -> None:
        """Let a parked call through; its answer can park, too."""
        self.calls.let(which, keep_answer=keep_answer)
        self.step()

    def step(self) -> None:
        """Let the programs run until all of them wait, and check the laws."""
        raise NotImplementedError


def _spec(stored: Manifest) -> bytes:
    return json.dumps(stored["spec"]).encode()
