"""What the configuration reference says of a name where no manifest, schema or program says it.

Law: every name that the manifest has is described, and every description is of a name that is there
(`Unused` and `Undescribed` in `docs.generate`), so neither side can grow old alone.
"""

CONFIG_MAP = {
    "RANGE_START": "First address that may be given out; any spelling. In force within a second.",
    "RANGE_END": "Last one, which belongs to the range, too; may be the same as the first.",
}
# Keys that the ConfigMap may have and the manifest leaves out, with what holds then.
OPTIONAL_KEYS = {
    "COLLISION_POLICY": (
        "`Reject`",
        "Whether who asks for somebody else's address is refused (`Reject`) or warned (`Warn`).",
    ),
}

ENVIRONMENT = {
    "CA_ROTATE_INTERVAL": "After how long the CA of the webhook's certificate is replaced.",
    "CA_OVERLAP_INTERVAL": "How long the old CA is valid beside its successor.",
    "CERT_ROTATE_INTERVAL": "After how long the webhook's serving certificate is replaced.",
    "CERT_OVERLAP_INTERVAL": "How long the old serving certificate is valid beside its successor.",
    "POD_NAME": "Its name in the Lease: that of the pod.",
}
# Variables that the programs read and the manifest leaves out.
OPTIONAL_ENVIRONMENT = {
    "KUBECONFIG": "Which cluster, where a program runs outside of one.",
}

# Flags whose --help says nothing, or no default.
FLAGS = {
    "--namespace": "Where its ConfigMap, Secrets and Lease are.",
}
DEFAULTS = {
    "--namespace": "kubemacpool-system",
    "--tls-cipher-suites": "Python's choice",
}

DEPLOYMENTS = {
    "kubemacpool-mac-controller-manager": "The webhook. Every replica answers.",
    "kubemacpool-controller": "Binds, releases, adopts. One is active, the others stand by.",
}

PORTS = {
    "webhook": "Admission, /healthz and /readyz; HTTPS.",
    "health": "/healthz and /readyz; HTTP.",
    "metrics": "/metrics; HTTPS, for who may `get` that path.",
}

LABELS = {
    "mutatepods.kubemacpool.io": "On a namespace: whether its pods get addresses.",
    "mutatevirtualmachines.kubemacpool.io": "On a namespace: whether its VMs get addresses.",
    "runlevel": "On a namespace: what the cluster itself is made of is never served.",
    "openshift.io/run-level": "Likewise.",
    "control-plane": "On a pod of kubemacpool: which program it runs.",
    "app": "On everything in the manifest.",
}

# What the programs write besides MacAllocations, by resource and name, as RBAC names it.
WRITTEN = {
    ("secrets", "kubemacpool-mutator-ca"): "The CA. Deleted, it is made anew.",
    (
        "secrets",
        "kubemacpool-service",
    ): "The webhook's certificate and key. Deleted, it is made anew.",
    ("leases", "kubemacpool-controller"): "Which controller is active.",
    ("mutatingwebhookconfigurations", "kubemacpool-mutator"): "Its `caBundle`, and nothing else.",
    ("macpools", "default"): "`spec.ranges` and `spec.collisionPolicy`, from the ConfigMap.",
    (
        "macpools/status",
        "default",
    ): "How full the pool is, and whether range and policy are in force.",
}

METRICS = {
    "kmp_pool_<name>": "`size`, `allocated` and `free`, as in the status of the MacPool.",
}
