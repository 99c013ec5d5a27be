"""Compares a manifest with the cluster, as GitOps tools do.

There are three ways. Each is written here as the library of the tool does it:

- `by_last_applied`: Argo CD as installed (gitops-engine, ThreeWayDiff). It computes by itself, from
  the annotation of the last apply, the result of an apply, without the fields that were not applied
  last. It asks no webhook.
- `by_dry_run`: Flux (fluxcd/pkg/ssa, Diff), and Argo CD with ServerSideDiff. A server-side apply,
  as a dry run, through all webhooks; status and most metadata are not compared.
- `kubectl diff`, client-side or server-side: `shown`.
"""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from testbed.kubectl import Kubectl

FLUX, ARGO = "kustomize-controller", "argocd-controller"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_NO_DRIFT, _DRIFT = 0, 1


def applies(
    kubectl: Kubectl, manager: str, manifest: str, *, dry_run: bool = False
) -> dict[str, Any]:
    """Apply one document as the tool called `manager` does: server-side, and by force."""
    body, client = yaml.safe_load(manifest), kubectl.client
    resource = client.resource(f"{body['apiVersion']}/{body['kind']}")
    path = resource.named(body["metadata"]["name"], body["metadata"].get("namespace", ""))
    query = {"fieldManager": manager, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
    content = "application/apply-patch+yaml"
    return client.connection.send("PATCH", path, body, query=query, content=content).object


def by_dry_run(kubectl: Kubectl, manager: str, manifest: str) -> list[str]:
    """Return the paths that an apply would change, empty where there is no drift."""
    live = _live(kubectl, manifest)
    answer = applies(kubectl, manager, manifest, dry_run=True)
    return sorted(differences(_compared(live), _compared(answer)))


def by_last_applied(kubectl: Kubectl, manifest: str) -> list[str]:
    """Return in the same form what Argo CD expects of a client-side apply, of an object of a CRD.

    Argo CD also merges the lists of built-in kinds. This does not, so use only their metadata.
    """
    live = _live(kubectl, manifest)
    last = json.loads(live["metadata"]["annotations"][LAST_APPLIED])
    wanted = _expected(_said(last), _said(json.loads(manifest)), live)
    return sorted(differences(live, wanted))


def shown(kubectl: Kubectl, manifest: str, *flags: str) -> str:
    """Return the output of `kubectl diff`, which is empty without drift."""
    done = kubectl.run("diff", "-f", "-", *flags, stdin=manifest)
    assert done.returncode in {_NO_DRIFT, _DRIFT}, done.stderr
    return done.stdout


def differences(left: object, right: object, path: str = "") -> Iterator[str]:
    """Yield every path (RFC 6901) at which they differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in left.keys() | right.keys():
            inner = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from differences(left.get(key), right.get(key), inner)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for at, pair in enumerate(zip(left, right, strict=True)):
            yield from differences(*pair, f"{path}/{at}")
    elif left != right:
        yield path


def _live(kubectl: Kubectl, manifest: str) -> dict[str, Any]:
    body = yaml.safe_load(manifest)
    metadata, kind = body["metadata"], f"{body['apiVersion']}/{body['kind']}"
    return kubectl.client.read(kind, metadata["name"], metadata.get("namespace", ""))


def _compared(found: dict[str, Any]) -> dict[str, Any]:
    metadata = {part: found["metadata"].get(part) for part in ("labels", "annotations")}
    return {**found, "metadata": metadata, "status": None}


def _said(manifest: dict[str, Any]) -> dict[str, Any]:
    """Leave out the fields that kubectl adds: the namespace, and empty annotations."""
    kept = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    if not kept.get("annotations"):
        kept.pop("annotations", None)
    return {**manifest, "metadata": kept}


def _expected(last: Any, wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Merge three ways (RFC 7386): Git's fields replace the live ones; fields removed in Git go."""
    last = last if isinstance(last, dict) else {}
    dropped = last.keys() - wanted.keys()
    result = {key: value for key, value in live.items() if key not in dropped}
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            result[key] = _expected(last.get(key), value, live[key])
        elif _applied(last.get(key), live.get(key)) != value:
            result[key] = value
    return result


def _applied(last: object, live: object) -> object:
    """Leave out of `live` the fields that were not applied last: defaults and those of others."""
    if isinstance(last, dict) and isinstance(live, dict):
        return {key: _applied(value, live[key]) for key, value in last.items() if key in live}
    if isinstance(last, list) and isinstance(live, list):
        known = [_applied(*pair) for pair in zip(last, live, strict=False)]
        return known + live[len(known) :]
    return live
