"""Descriptions for the configuration reference that no manifest, schema or program contains.

Law: each name in the manifest has a description, and each description belongs to a name that exists
(`Unused` and `Undescribed` in `deploy.reference.generate`), so neither side can become outdated
alone.
"""

from crds import names

CONFIG_MAP = {
    "RANGE_START": "First address of the range, in any spelling. A change applies within a second.",
    "RANGE_END": "Last address of the range. It can be equal to the first one.",
}
# Keys that the ConfigMap can have and the manifest does not, with their defaults.
OPTIONAL_KEYS = {
    "COLLISION_POLICY": (
        "`Reject`",
        "A request for an address of another object is refused (`Reject`) or warned (`Warn`).",
    ),
}

ENVIRONMENT = {
    "CA_ROTATE_INTERVAL": "After this time the CA is replaced.",
    "CA_OVERLAP_INTERVAL": (
        "For this time the old CA stays valid and trusted beside the new one; at least a minute."
        " Default: `CA_ROTATE_INTERVAL`."
    ),
    "CERT_ROTATE_INTERVAL": "After this time the serving certificate of the webhook is replaced.",
    "CERT_OVERLAP_INTERVAL": (
        "For this time the old serving certificate stays valid beside the new one;"
        " at least a minute."
    ),
    "POD_NAME": "The name of the controller in the Lease: the name of its pod.",
}
# Variables that the programs read and the manifest does not set.
OPTIONAL_ENVIRONMENT = {
    "KUBECONFIG": "The cluster, if a program runs outside a cluster.",
}

# Flags whose --help has no description, or no default.
FLAGS = {
    "--namespace": "The namespace of the ConfigMap, the Secrets and the Lease.",
}
DEFAULTS = {
    "--namespace": names.NAMESPACE,
    "--tls-cipher-suites": "Python's choice",
}

DEPLOYMENTS = {
    "kubemacpool-mac-controller-manager": "The webhook. All replicas are active.",
    names.CONTROLLER: "The controller. One replica is active, the others are on standby.",
}

PORTS = {
    "webhook": "Admission, /healthz and /readyz, over HTTPS.",
    "health": "/healthz and /readyz, over HTTP.",
    "metrics": "/metrics, over HTTPS, for clients that may `get` this path.",
}

LABELS = {
    names.WEBHOOK_FOR_PODS: "Of a namespace: its pods get addresses.",
    names.WEBHOOK_FOR_VMS: "Of a namespace: its VMs get addresses.",
    "runlevel": "Of a namespace: components of the cluster itself are never served.",
    "openshift.io/run-level": "The same, on OpenShift.",
    "control-plane": "Of a pod of kubemacpool: the program that it runs.",
    "app": "Of each object in the manifest.",
}

# Objects that the programs write besides MacAllocations, by resource and name, as in RBAC.
WRITTEN = {
    ("secrets", names.AUTHORITY_SECRET): (
        "The CA. If you delete it, the controller creates it again."
    ),
    ("secrets", names.SERVING_SECRET): (
        "The certificate and key of the webhook. If you delete it, the controller creates it again."
    ),
    ("leases", names.LEASE): "The active controller.",
    ("mutatingwebhookconfigurations", names.MUTATOR): "Only its `caBundle`.",
    ("macpools", names.POOL): "`spec.ranges` and `spec.collisionPolicy`, from the ConfigMap.",
    ("macpools/status", names.POOL): (
        "The size and use of the pool, and whether range and policy are valid."
    ),
}

METRICS = {
    "kmp_pool_<name>": "`size`, `allocated` and `free`: the values in the status of the MacPool.",
}

# By kind: the fields that users write.
WRITERS = {
    "MacAllocation": (
        "You write `spec.mac` and `spec.reservedFor`; kubemacpool writes all other fields."
        " Short names: `mac`, `macs`. [States](concepts.md#states-of-an-allocation)."
    ),
    "MacPool": (
        "You write `spec.reserved`; the controller writes all other fields, from the ConfigMap."
        " [Conditions](concepts.md#conditions-of-the-pool)."
    ),
}
