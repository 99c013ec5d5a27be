"""The controller's flags."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.certificates.intervals import Intervals
from crds.allocation import QUIET_S
from crds.names import NAMESPACE
from kube import tls
from kube.listen import address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kube.listen import Address
    from kube.tls import TlsOptions

_OWN, _EXTERNAL = "own", "external"


@dataclass(frozen=True, slots=True)
class Options:
    """The flags and the environment, read; `metrics_addr` None: metrics are not served."""

    listen_addr: Address
    metrics_addr: Address | None
    tls: TlsOptions
    namespace: str
    own_certificates: bool
    intervals: Intervals
    quiet_s: float


def read_options(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Options:
    """Read the flags (None: this process's); exits, or raises BadInterval, if one is invalid."""
    intervals = Intervals.read(environ)
    arguments = _parser().parse_args(argv)
    return Options(
        arguments.listen_addr,
        arguments.metrics_addr,
        tls.options(arguments),
        arguments.namespace,
        arguments.certificates == _OWN,
        intervals,
        arguments.quiet_s,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="controller", description="Run the controller of kubemacpool."
    )
    parser.add_argument(
        "--listen-addr",
        type=address,
        default=(None, 8080),
        metavar="HOST:PORT",
        help="where to serve /healthz and /readyz: also [IPv6]:PORT, or :PORT for all addresses"
        " (default :8080)",
    )
    parser.add_argument(
        "--metrics-addr",
        type=lambda text: None if text == "0" else address(text),
        default=(None, 8443),
        metavar="HOST:PORT",
        help="where to serve /metrics: also [IPv6]:PORT, or :PORT for all addresses; 0: nowhere"
        " (default :8443)",
    )
    tls.add_flags(parser)
    parser.add_argument("--namespace", default=NAMESPACE)
    parser.add_argument(
        "--certificates",
        choices=(_OWN, _EXTERNAL),
        default=_OWN,
        help="own: issue and renew the webhook's certificates, and write its caBundle; external:"
        " leave that to another program, such as cert-manager (default %(default)s)",
    )
    parser.add_argument(
        "--quiet-s",
        type=float,
        default=QUIET_S,
        help="Q of the protocol, in seconds; shorter only in tests (default %(default)g)",
    )
    return parser
