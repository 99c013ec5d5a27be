"""A stock on a fake cluster."""

from __future__ import annotations

import pytest

from webhook.stock.tests.stocks import Stocking


@pytest.fixture
def scene() -> Stocking:
    return Stocking()
