"""Where the API server is, and who we are: from a kubeconfig, or what every pod is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config


def configuration(kubeconfig: str | None) -> Any:  # noqa: ANN401 # it ships no types
    """Return a `kubernetes.client.Configuration`.

    `kubeconfig` None: the file in KUBECONFIG, ~/.kube/config, or the pod's service account. Raises
    what the `kubernetes` package raises.
    """
    found: Any = kubernetes.client.Configuration()
    if in_pod(kubeconfig):
        kubernetes.config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
    else:
        where = {"config_file": kubeconfig} if kubeconfig else {}
        kubernetes.config.load_config(client_configuration=found, **where)  # type: ignore[no-untyped-call]
    return found


def in_pod(kubeconfig: str | None) -> bool:
    """Whether the pod's service account is all there is to log in with.

    The package's own `load_config` finds that out, too, but prints for each time that it might not
    work.
    """
    default = Path(str(kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION))
    return not kubeconfig and not default.expanduser().exists()
