"""Where the API server is, whom to trust, and who we are: by a kubeconfig, or as every pod."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config
import yaml
from yarl import URL

# How old a token read from its file may be; the `kubernetes` package re-reads it as often.
_TOKEN_LIFE_S = 60.0
# What the `kubernetes` package raises for files that are missing, or not whole yet. Where a plugin
# fails it logs that, and there is no token.
_UNREADABLE = (kubernetes.config.ConfigException, OSError, ValueError, yaml.YAMLError)


class LoginFailed(Exception):
    """What says it cannot be read now; the message says what and why."""


class Login:
    """What one kubeconfig says, or a pod's service account, as it was when it was last read."""

    def __init__(self, kubeconfig: str | None) -> None:
        """None: the file in KUBECONFIG, ~/.kube/config, or the pod's service account."""
        self._kubeconfig = kubeconfig
        self.renew()

    def renew(self) -> None:
        """Read it all anew. Raises LoginFailed, and then all is as it was."""
        try:
            found = configuration(self._kubeconfig)
            self.tls = _tls(found)
        except _UNREADABLE as error:
            raise LoginFailed(f"the configuration of the API server: {_said(error)}") from error
        self._configuration = found
        self._token: str | None = None
        self._token_until_s = 0.0

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._configuration.host)

    def url(self, path: str) -> URL:
        """The URL of a path that is encoded already."""
        # yarl would resolve "..", also where it is written %2E%2E.
        return URL(f"{self._configuration.host}{path}", encoded=True)

    def authorization(self) -> str | None:
        """The header of that name, if there is one. Raises LoginFailed."""
        now_s = time.monotonic()
        if now_s >= self._token_until_s:  # asking for it costs 130 us
            self._token, self._token_until_s = self._asked(), now_s + _TOKEN_LIFE_S
        return self._token

    def _asked(self) -> str | None:
        keys = ("authorization", "BearerToken")  # in a cluster, from a kubeconfig
        asked = (self._configuration.get_api_key_with_prefix(key) for key in keys)
        try:
            return next((token for token in asked if token), None)
        except _UNREADABLE as error:
            raise LoginFailed(f"the token for the API server: {_said(error)}") from error


def in_pod(kubeconfig: str | None) -> bool:
    """Whether the pod's service account is all there is to log in with.

    The package's own `load_config` finds that out, too, but prints for each time that it might not
    work.
    """
    default = Path(str(kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION))
    return not kubeconfig and not default.expanduser().exists()


def configuration(kubeconfig: str | None) -> Any:  # noqa: ANN401 # it ships no types
    """Return a `kubernetes.client.Configuration`; raises what the `kubernetes` package raises."""
    found: Any = kubernetes.client.Configuration()
    if in_pod(kubeconfig):
        kubernetes.config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
    else:
        where = {"config_file": kubeconfig} if kubeconfig else {}
        kubernetes.config.load_config(client_configuration=found, **where)  # type: ignore[no-untyped-call]
    return found


def _tls(configuration: Any) -> ssl.SSLContext | bool:  # noqa: ANN401 # it ships no types
    if configuration.host.startswith("http://"):
        return True
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
