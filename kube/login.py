"""The address of the API server, the CA to trust and the credentials: of a kubeconfig or a pod."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config
import yaml
from yarl import URL

from kube.errors import text_of

# The age limit of a token that was read from its file, as in the `kubernetes` package.
_TOKEN_LIFE_S = 60.0
# The errors of the `kubernetes` package for files that are missing or incomplete. If a plugin
# fails, the package logs it and there is no token.
_UNREADABLE = (kubernetes.config.ConfigException, OSError, ValueError, yaml.YAMLError)


class LoginFailed(Exception):
    """The configuration cannot be read now; the message has the part and the reason."""


class Login:
    """The last state that was read of a kubeconfig, or of the service account of a pod."""

    def __init__(self, kubeconfig: str | None) -> None:
        """None: the file in KUBECONFIG, ~/.kube/config, or the pod's service account."""
        self._kubeconfig = kubeconfig
        self.renew()

    def renew(self) -> None:
        """Read all of it again. Raises LoginFailed, and then changes nothing."""
        try:
            found = configuration(self._kubeconfig)
            self.tls = _tls(found)
        except _UNREADABLE as error:
            raise LoginFailed(f"the configuration of the API server: {text_of(error)}") from error
        self._configuration = found
        self._token: str | None = None
        self._token_until_s = 0.0

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._configuration.host)

    def url(self, path: str) -> URL:
        """Return the URL of a path that is already encoded."""
        # Without `encoded`, yarl would resolve "..", even if it is written as %2E%2E.
        return URL(f"{self._configuration.host}{path}", encoded=True)

    def authorization(self) -> str | None:
        """Return the value of the Authorization header, or None. Raises LoginFailed."""
        now_s = time.monotonic()
        if now_s >= self._token_until_s:  # reading it costs 130 us
            self._token, self._token_until_s = self._read_token(), now_s + _TOKEN_LIFE_S
        return self._token

    def _read_token(self) -> str | None:
        keys = ("authorization", "BearerToken")  # in a cluster, from a kubeconfig
        tokens = (self._configuration.get_api_key_with_prefix(key) for key in keys)
        try:
            return next((token for token in tokens if token), None)
        except _UNREADABLE as error:
            raise LoginFailed(f"the token for the API server: {text_of(error)}") from error


def in_pod(kubeconfig: str | None) -> bool:
    """Return True if there is no kubeconfig, so that only the service account of a pod is left.

    `load_config` of the package finds this out, too, but prints a warning each time.
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
