"""What both programs do before they serve: read where to listen, and say where the log goes."""

from __future__ import annotations

import argparse
import logging
import re

# Host None: all addresses of both families.
Address = tuple[str | None, int]

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\[\]:]*)):(?P<port>\d{1,5})")
_LAST_PORT = 65_535


def address(text: str) -> Address:
    """Read HOST:PORT, [IPv6]:PORT or :PORT, as a type of argparse."""
    read = _ADDRESS.fullmatch(text)
    if read is None or int(read["port"]) > _LAST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: write HOST:PORT, [IPv6]:PORT or :PORT, such as [::1]:8000"
        )
    return read["v6"] or read["host"] or None, int(read["port"])


def start_log() -> None:
    """Write what is worth knowing to stderr."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
