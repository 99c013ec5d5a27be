"""The fixed names that users know. The manifests in deploy/base contain the same names."""

from __future__ import annotations

from kube.events import Reporter

NAMESPACE = "kubemacpool-system"  # of both programs and their Secrets, not of any owner
CONFIG_MAP = "kubemacpool-mac-range-config"
POOL = "default"  # of the only MacPool
SERVICE = "kubemacpool-service"
SERVING_SECRET = "kubemacpool-service"  # noqa: S105 # a name
AUTHORITY_SECRET = "kubemacpool-mutator-ca"  # noqa: S105 # a name
LEASE = "kubemacpool-controller"

# The MutatingWebhookConfiguration, and the webhooks in it.
MUTATOR = "kubemacpool-mutator"
WEBHOOK_FOR_PODS = "mutatepods.kubemacpool.io"
WEBHOOK_FOR_VMS = "mutatevirtualmachines.kubemacpool.io"

# The two programs, as their ServiceAccounts, User-Agents and events name them.
CONTROLLER = "kubemacpool-controller"
WEBHOOK = "kubemacpool-webhook"
REPORTER = Reporter("kubemacpool.io/controller", CONTROLLER)  # of the controller's events
FIELD_MANAGER = "kubemacpool"
