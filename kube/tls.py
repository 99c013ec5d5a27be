"""TLS of both servers: the flags, and certificates that are loaded without a file on disk."""

from __future__ import annotations

import argparse
import os
import ssl
from dataclasses import dataclass

_VERSIONS = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The TLS version and ciphers. `ciphers`: OpenSSL names for TLS 1.2, None: Python's choice."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return a server context without a certificate; ssl.SSLError for unknown ciphers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.minimum
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        return context


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add --tls-min-version and --tls-cipher-suites to `parser`."""
    parser.add_argument(
        "--tls-min-version",
        choices=_VERSIONS,
        default="VersionTLS12",
        help="the oldest TLS version that is accepted (default %(default)s)",
    )
    parser.add_argument(
        "--tls-cipher-suites",
        type=_ciphers,
        metavar="NAME:NAME",
        help="OpenSSL names joined by ':' (TLS 1.2)",
    )


def options(arguments: argparse.Namespace) -> TlsOptions:
    """Return the options that the flags set."""
    return TlsOptions(_VERSIONS[arguments.tls_min_version], arguments.tls_cipher_suites)


def load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate with its chain, and its key (PEM). Raises ssl.SSLError if they are wrong.

    It uses a file in memory: the ssl module reads only files, and the disk is read-only.
    """
    descriptor = os.memfd_create("certificate")
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(key + b"\n" + certificate)
        # With a password, OpenSSL never asks the terminal for the one of an encrypted key.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")


def _ciphers(text: str) -> str:
    try:
        TlsOptions(ciphers=text).context()
    except ssl.SSLError:
        raise argparse.ArgumentTypeError(
            f"invalid cipher suites {text!r}: write OpenSSL's names joined by ':', such as"
            " ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        ) from None
    return text
