"""The start of both programs: parse listen addresses, and set up the log."""

from __future__ import annotations

import argparse
import logging
import re

# Host None: all addresses of both families.
Address = tuple[str | None, int]

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\[\]:]*)):(?P<port>\d{1,5})")
_LAST_PORT = 65_535


def address(text: str) -> Address:
    """Parse HOST:PORT, [IPv6]:PORT or :PORT; a type of argparse."""
    read = _ADDRESS.fullmatch(text)
    if read is None or int(read["port"]) > _LAST_PORT:
        raise argparse.ArgumentTypeError(
            f"invalid address {text!r}: write HOST:PORT, [IPv6]:PORT or :PORT, such as [::1]:8000"
        )
    return read["v6"] or read["host"] or None, int(read["port"])


def start_log() -> None:
    """Log to stderr, from level INFO."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
