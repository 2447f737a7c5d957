"""Fixtures for tests of keys and records. A test module says `pytest_plugins = ["support.record_fixtures"]`."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from integration_hub.adapters.kube import SECRETS, KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.shell.rewrap import _place_of
from support.hub_command import user_kubeconfig
from support.records import Records

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
async def kube(control_plane: ControlPlaneInfo) -> AsyncIterator[KubeClient]:
    """A client with all rights."""
    client = KubeClient(load(control_plane.kubeconfig))
    yield client
    await client.close()


@pytest.fixture
async def no_records(kube: KubeClient) -> None:
    """No records of other tests: what is tried here walks over those of all namespaces."""
    token, found = "", []
    while True:
        objects, token, _ = await kube.list_page(SECRETS, token)
        found += [raw["metadata"] for raw in objects if _place_of(raw["metadata"])]
        if not token:
            break
    await asyncio.gather(
        *(kube.delete_secret(each["namespace"], each["name"], uid=each["uid"]) for each in found)
    )


@pytest.fixture
def records(kube: KubeClient, namespace: str, no_records: None) -> Records:
    return Records(kube, namespace)


@pytest.fixture
def powerless(kubectl: Kubectl, control_plane: ControlPlaneInfo, namespace: str, tmp_path: Path) -> Path:
    """A kubeconfig of somebody without any rights."""
    kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = kubectl("create", "token", "nobody", "-n", namespace).stdout.strip()
    file = tmp_path / "powerless"
    return user_kubeconfig(file, server=control_plane.server, ca_file=control_plane.ca_file, token=token)
