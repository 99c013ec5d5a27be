"""Reads the manifest and the overlays, and returns rows of the reference."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
Row = tuple[str, ...]

_WRITING = {"create", "update", "patch", "delete"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The objects of `deploy/kubemacpool.yaml`, in its order."""

    objects: tuple[Object, ...]

    @classmethod
    def read(cls, text: str) -> "Manifest":
        """Parse the manifest's YAML."""
        return cls(
            tuple(document for document in yaml.load_all(text, yaml.CSafeLoader) if document)
        )

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [document for document in self.objects if document["kind"] == kind]

    def config(self) -> dict[str, str]:
        """Return the keys of the one ConfigMap, with their values."""
        [found] = self.of("ConfigMap")
        data: dict[str, str] = found["data"]
        return data

    def environment(self) -> Iterator[tuple[str, str, str]]:
        """Return Deployment, variable and value."""
        for deployment, container in self._containers():
            for variable in container.get("env", []):
                source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
                yield deployment, variable["name"], variable.get("value", source)

    def flags(self) -> dict[str, str]:
        """Return the flags that the manifest sets, by program and flag (`webhook --stock`)."""
        found: dict[str, str] = {}
        for _, container in self._containers():
            command = [*container["command"], *container.get("args", [])]
            program, given = command[2], command[3:]
            found |= {
                f"{program} {flag.partition('=')[0]}": flag.partition("=")[2] for flag in given
            }
        return found

    def deployments(self) -> Iterator[tuple[str, list[Row]]]:
        """Return each Deployment with its rows."""
        budgets = {
            budget["metadata"]["name"]: budget["spec"] for budget in self.of("PodDisruptionBudget")
        }
        for deployment in self.of("Deployment"):
            name, spec = deployment["metadata"]["name"], deployment["spec"]
            pod = spec["template"]["spec"]
            [container] = pod["containers"]
            yield (
                name,
                [
                    ("image", container["image"]),
                    ("replicas", str(spec["replicas"])),
                    ("during an update", _said(spec["strategy"].get("rollingUpdate", {}))),
                    ("during a drain", _said(budgets.get(name, {}), "maxUnavailable")),
                    ("requests", _said(container["resources"]["requests"])),
                    ("limits", _said(container["resources"]["limits"])),
                    ("priority class", pod["priorityClassName"]),
                    ("service account", pod["serviceAccountName"]),
                    ("termination grace period, s", str(pod["terminationGracePeriodSeconds"])),
                    (
                        "runs as",
                        f"{pod['securityContext']['runAsUser']}, read-only, no capabilities",
                    ),
                    (
                        "tolerates",
                        ", ".join(toleration["key"] for toleration in pod["tolerations"]),
                    ),
                ],
            )

    def ports(self) -> Iterator[Row]:
        """Return the object of each port, its name and its number."""
        for deployment, container in self._containers():
            for port in container["ports"]:
                yield f"Deployment {deployment}", port["name"], str(port["containerPort"])
        for service in self.of("Service"):
            for port in service["spec"]["ports"]:
                yield f"Service {service['metadata']['name']}", port["name"], str(port["port"])

    def selectors(self) -> Iterator[Row]:
        """Return webhook, label, and the condition for its value."""
        for configuration in self.of("MutatingWebhookConfiguration"):
            for webhook in configuration["webhooks"]:
                selector = webhook["namespaceSelector"]
                for label, value in (selector.get("matchLabels") or {}).items():
                    yield webhook["name"], label, f"`{value}`"
                for need in selector.get("matchExpressions", []):
                    values = ", ".join(f"`{value}`" for value in need.get("values", []))
                    words = re.sub(r"(?<!^)(?=[A-Z])", " ", need["operator"]).lower()
                    yield webhook["name"], need["key"], f"{words} {values}".strip()

    def labels(self) -> Iterator[Row]:
        """Return label and value of the pods, once each."""
        seen = {}
        for deployment in self.of("Deployment"):
            for label, value in deployment["spec"]["template"]["metadata"]["labels"].items():
                seen[label, value] = True
        yield from seen

    def written(self) -> Iterator[tuple[str, str]]:
        """Return resource and name of the objects that our roles may write by name."""
        seen = {}
        for role in (*self.of("ClusterRole"), *self.of("Role")):
            for rule in role["rules"]:
                if _WRITING.intersection(rule["verbs"]):
                    for resource in rule.get("resources", []):
                        for name in rule.get("resourceNames", []):
                            seen[resource, name] = True
        yield from seen

    def inventory(self) -> list[Row]:
        """Return the names of all objects, by kind."""
        found: dict[str, list[str]] = {}
        for document in self.objects:
            found.setdefault(document["kind"], []).append(f"`{document['metadata']['name']}`")
        return [(kind, ", ".join(names)) for kind, names in found.items()]

    def _containers(self) -> Iterator[tuple[str, Object]]:
        for deployment in self.of("Deployment"):
            for container in deployment["spec"]["template"]["spec"]["containers"]:
                yield deployment["metadata"]["name"], container


def overlays(folder: Path) -> Iterator[Row]:
    """Return each overlay with the first sentence of its own comment."""
    for file in sorted(folder.glob("*/kustomization.yaml")):
        lines = file.read_text().splitlines()
        comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
        text = " ".join(line.strip("# ") for line in comment)
        yield file.parent.name, re.split(r"(?<=[.:]) ", text)[0].rstrip(":.") + "."


def _said(values: Object, *only: str) -> str:
    picked = {key: values[key] for key in values if not only or key in only}
    return ", ".join(f"{key} {value}" for key, value in picked.items()) or "-"
