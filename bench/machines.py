"""The VM that is created again and again, of a usual size (2 kB), and what is changed in it."""

from __future__ import annotations

from typing import Any

import msgspec


def machine(interfaces: int) -> bytes:
    """Return the JSON of a VM that runs; nothing starts it."""
    template = _networking(interfaces)
    template["domain"]["devices"]["disks"] = [
        {"name": "root", "bootOrder": 1, "disk": {"bus": "virtio"}},
        {"name": "data", "disk": {"bus": "virtio"}, "serial": "CVLY623300HK240D"},
        {"name": "init", "cdrom": {"bus": "sata"}},
    ]
    template["domain"] |= {
        "cpu": {"cores": 4, "sockets": 1, "threads": 1},
        "memory": {"guest": "8Gi"},
        "machine": {"type": "q35"},
        "firmware": {"bootloader": {"efi": {"secureBoot": False}}},
        "resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "9Gi"}},
    }
    template |= {
        "evictionStrategy": "LiveMigrate",
        "terminationGracePeriodSeconds": 180,
        "volumes": [
            {"name": "root", "dataVolume": {"name": "shop-db-root"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "shop-db-data"}},
            {"name": "init", "cloudInitNoCloud": {"userData": "#cloud-config\n" + "# \n" * 100}},
        ],
    }
    labels = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/component": "db"}
    return msgspec.json.encode(
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"generateName": "shop-db-", "labels": labels},
            "spec": {
                "runStrategy": "Always",
                "template": {"metadata": {"labels": labels}, "spec": template},
            },
        }
    )


def stop() -> bytes:
    """Return the merge patch that stops a VM."""
    return msgspec.json.encode({"spec": {"runStrategy": "Halted"}})


def interfaces(number: int) -> bytes:
    """Return the merge patch after which a VM has that many interfaces, without addresses."""
    return msgspec.json.encode({"spec": {"template": {"spec": _networking(number)}}})


def _networking(interfaces: int) -> dict[str, Any]:
    names = [f"net-{number}" for number in range(1, interfaces)]
    devices = [{"name": "default", "masquerade": {}}, *({"name": n, "bridge": {}} for n in names)]
    networks = [
        {"name": "default", "pod": {}},
        *({"name": name, "multus": {"networkName": f"ovs-{name}"}} for name in names),
    ]
    return {"domain": {"devices": {"interfaces": devices}}, "networks": networks}
