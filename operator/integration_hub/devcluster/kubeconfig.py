"""The cluster's kubeconfig: a file of its own, in which a person's additions survive a restart."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from integration_hub.devcluster.files import write_private
from integration_hub.devcluster.paths import Home

NAME = "integration-hub-dev"
"""The name of the cluster, of its user and of its context."""


def write_kubeconfig(home: Home, server: str) -> None:
    """Write where the cluster is and how its administrator logs in.

    Only our own cluster and user are replaced: a namespace set with `kubectl config set-context`, or a
    context for a service account under test, stays.
    """
    config = _read(home.kubeconfig)
    config |= {"apiVersion": "v1", "kind": "Config"}
    cluster = {"server": server, "certificate-authority-data": _encoded(home.ca_file)}
    user = {
        "client-certificate-data": _encoded(home.pki / "admin.crt"),
        "client-key-data": _encoded(home.pki / "admin.key"),
    }
    _put(config, "clusters", "cluster", cluster)
    _put(config, "users", "user", user)
    if not any(context.get("name") == NAME for context in config.get("contexts") or ()):
        _put(config, "contexts", "context", {"cluster": NAME, "user": NAME})
    config["current-context"] = config.get("current-context") or NAME
    write_private(home.kubeconfig, yaml.safe_dump(config, sort_keys=False).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_bytes())
    except (FileNotFoundError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _put(config: dict[str, Any], group: str, kind: str, value: dict[str, str]) -> None:
    others = [entry for entry in config.get(group) or () if entry.get("name") != NAME]
    config[group] = [{"name": NAME, kind: value}, *others]


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
