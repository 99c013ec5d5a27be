"""The running webhook for tests that speak HTTPS with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webhook.tests.program import Program, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    async with running() as program:
        yield program
