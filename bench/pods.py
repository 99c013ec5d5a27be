"""The pod that is created again and again: of a usual size (about 4 kB), for no node."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.cells import Lane
from crds.networks import ANNOTATION

_OTHER_KEY = "bench.example.com/networks"


def pod(lane: Lane, interfaces: int) -> bytes:
    """Return the JSON of a pod; the same size in every lane."""
    elements = [{"name": f"ovs-net-{number}"} for number in range(1, interfaces + 1)]
    key = _OTHER_KEY if lane is Lane.NO_ANNOTATION else ANNOTATION
    labels = {
        "app.kubernetes.io/name": "shop",
        "app.kubernetes.io/component": "front",
        "app.kubernetes.io/version": "4.17.2",
        "pod-template-hash": "6d4b75cb6d",
    }
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                # As a ReplicaSet creates them: the webhook never learns the name.
                "generateName": "shop-front-6d4b75cb6d-",
                "labels": labels,
                "annotations": {
                    key: msgspec.json.encode(elements).decode(),
                    "checksum/config": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
                    "prometheus.io/scrape": "true",
                    "prometheus.io/port": "9102",
                },
            },
            "spec": {
                "containers": [_container("front", 8080), _container("exporter", 9102)],
                "initContainers": [_container("migrate", 8081)],
                "volumes": [
                    {"name": "config", "configMap": {"name": "shop-front"}},
                    {"name": "tls", "secret": {"secretName": "shop-front-tls"}},
                    {"name": "scratch", "emptyDir": {}},
                ],
                "affinity": {"podAntiAffinity": _spread(labels)},
                "priority": 0,
                "terminationGracePeriodSeconds": 30,
            },
        }
    )


def _container(name: str, port: int) -> dict[str, Any]:
    one: dict[str, Any] = {
        "name": name,
        "image": f"registry.example.com/shop/{name}@sha256:{'c0ffee' * 10}beef",
        "args": ["--config=/etc/shop/config.yaml", "--log-format=json"],
        "env": [{"name": f"SHOP_SETTING_{n}", "value": f"value-{n}"} for n in range(8)],
        "ports": [{"name": f"p{port}", "containerPort": port}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/shop"},
            {"name": "tls", "mountPath": "/etc/tls", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - inside a pod that never runs
        ],
    }
    if name != "migrate":  # an init container has no probe
        one["readinessProbe"] = {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 5}
    return one


def _spread(labels: dict[str, str]) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    weighted = {"weight": 100, "podAffinityTerm": term}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}
