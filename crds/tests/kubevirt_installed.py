"""KubeVirt's kinds on a real API server: installed, served or not, and taken away again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from crds.allocation import VM_KIND, VMI_KIND
from crds.resources import KINDS
from crds.tests.kubevirt import crd
from kube.errors import ApiError
from kube.resource import CRDS

if TYPE_CHECKING:
    from kube.client import Api

BOTH = (VM_KIND, VMI_KIND)
_WAIT_S = 20.0  # for what the API server does within a second or two
_LOOK_EVERY_S = 0.05


async def install(api: Api) -> None:
    for kind in BOTH:
        try:
            await api.post(CRDS, json.dumps(crd(kind)).encode())
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
    await serve(api, served=True)


async def serve(api: Api, *, served: bool) -> None:
    for kind in BOTH:
        definition = crd(kind, served=served)
        path = f"{CRDS}/{definition['metadata']['name']}"
        change = {"spec": {"versions": definition["spec"]["versions"]}}
        await api.merge(path, json.dumps(change).encode())
        await _until(api, KINDS[kind].collection, there=served)


async def take_away(api: Api) -> None:
    for kind in BOTH:
        path = f"{CRDS}/{KINDS[kind].crd}"
        try:
            await api.delete(path, b"{}")
        except ApiError as error:
            if error.reason != "NotFound":
                raise
        await _until(api, path, there=False)


async def _is_there(api: Api, path: str) -> bool:
    try:
        await api.get(path)
    except ApiError as error:
        if error.status not in {404, 503}:
            raise
        return False
    return True


async def _until(api: Api, path: str, *, there: bool) -> None:
    async with asyncio.timeout(_WAIT_S):
        while await _is_there(api, path) is not there:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(_LOOK_EVERY_S)
