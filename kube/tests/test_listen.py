from __future__ import annotations

import argparse

import pytest

from kube.listen import Address, address


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (":8000", (None, 8000)),
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::]:8000", ("::", 8000)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("localhost:0", ("localhost", 0)),
        ("a.b:65535", ("a.b", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, read: Address) -> None:
    assert address(text) == read


@pytest.mark.parametrize(
    "text", ["", "8000", "::1:8000", "[::1]", "[::1]8000", "[]:80", "a:", "a:b", "a:-1", "a:65536"]
)
def test_an_invalid_address_is_refused_with_the_valid_forms(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write HOST:PORT, "):
        address(text)
