"""The TLS flags, and the refusal of wrong flags and certificates."""

from __future__ import annotations

import argparse
import ssl

import pytest

from kube import tls
from kube.tls import TlsOptions


def parsed(*flags: str) -> TlsOptions:
    parser = argparse.ArgumentParser()
    tls.add_flags(parser)
    return tls.options(parser.parse_args(flags))


def test_without_flags_it_is_tls_1_2_and_pythons_ciphers() -> None:
    assert parsed() == TlsOptions(ssl.TLSVersion.TLSv1_2, None)


def test_the_flags_set_version_and_ciphers() -> None:
    flags = ("--tls-min-version=VersionTLS13", "--tls-cipher-suites=ECDHE-ECDSA-AES256-GCM-SHA384")

    asked = parsed(*flags)

    assert asked == TlsOptions(ssl.TLSVersion.TLSv1_3, "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert asked.context().minimum_version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--tls-cipher-suites=NONSENSE", "invalid cipher suites 'NONSENSE': write OpenSSL's names"),
        ("--tls-min-version=VersionTLS11", "choose from"),
    ],
)
def test_a_wrong_flag_is_refused_with_the_valid_values(
    flag: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(flag)

    assert said in capsys.readouterr().err


def test_nonsense_is_not_loaded() -> None:
    with pytest.raises(ssl.SSLError):
        tls.load(TlsOptions().context(), b"nonsense", b"nonsense")
