"""The contract of the port Objects: tests for the fake and for a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from crds.objects import UnknownKind
from crds.tests.world import MAC, NETWORKS, POD, World

if TYPE_CHECKING:
    from crds.allocation import Owner


class ObjectsContract:
    """Tests of the port Objects; a subclass brings the fixture `world`."""

    async def test_an_object_that_does_not_exist_is_none(self, world: World) -> None:
        assert await world.objects.get(POD) is None

    async def test_a_pod_is_found_by_name_with_what_it_carries(self, world: World) -> None:
        created = await world.create_pod("samplepod", NETWORKS)

        found = await world.objects.get(replace(POD, uid="of-an-earlier-pod"))

        assert found == created
        assert found.root == ("Pod", "default", "samplepod")
        assert found.carries(MAC)
        assert found.as_owner(MAC).network == "shop/ovs-conf"
        assert found.as_owner(MAC).interface == "net1"

    async def test_a_pod_without_the_annotation_carries_nothing(self, world: World) -> None:
        await world.create_pod("samplepod")

        found = await world.objects.get(POD)

        assert found is not None
        assert found.attachments == ()

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    async def test_a_pod_that_has_ended_carries_nothing(self, world: World, phase: str) -> None:
        await world.create_pod("samplepod", NETWORKS)

        await world.set_phase("samplepod", phase)

        found = await world.objects.get(POD)
        assert found is not None
        assert found.terminal
        assert not found.carries(MAC)

    async def test_a_changed_annotation_is_a_new_version(self, world: World) -> None:
        created = await world.create_pod("samplepod", NETWORKS)

        await world.annotate("samplepod", "[]")

        found = await world.objects.get(POD)
        assert found is not None
        assert found.uid == created.uid
        assert found.version != created.version
        assert not found.carries(MAC)

    async def test_a_pod_created_again_is_another(self, world: World) -> None:
        first = await world.create_pod("samplepod", NETWORKS)
        await world.delete_pod("samplepod")

        second = await world.create_pod("samplepod", NETWORKS)

        assert second.uid != first.uid
        assert await world.objects.get(POD) == second

    async def test_every_pod_is_listed(self, world: World) -> None:
        created = [await world.create_pod(f"samplepod-{n}", NETWORKS) for n in range(5)]

        listed = await world.objects.list()

        assert sorted((pod for pod in listed if pod.carries(MAC)), key=lambda pod: pod.name) == (
            created
        )

    @pytest.mark.parametrize(
        "owner", [replace(POD, kind="Toaster"), replace(POD, name=None)], ids=["kind", "no name"]
    )
    async def test_an_object_that_cannot_be_looked_up_never_counts_as_gone(
        self, world: World, owner: Owner
    ) -> None:
        with pytest.raises(UnknownKind):
            await world.objects.get(owner)
