"""Keys and sealed records against a real API server: Secrets written, keyrings made, records re-wrapped, `hub keys`."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from integration_hub.adapters.kube import SECRETS, ApiError, KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlaneInfo

pytestmark = pytest.mark.cluster


@pytest.fixture
async def kube(control_plane: ControlPlaneInfo) -> AsyncIterator[KubeClient]:
    """A client with all rights."""
    client = KubeClient(load(control_plane.kubeconfig))
    yield client
    await client.close()


def manifest(name: str, **data: bytes) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


# Three calls of the client


async def test_a_secret_is_created_once(kube: KubeClient, namespace: str) -> None:
    created = await kube.create_secret(namespace, manifest("one", a=b"first"))
    assert created["metadata"]["uid"]
    with pytest.raises(ApiError) as refused:
        await kube.create_secret(namespace, manifest("one", a=b"second"))
    assert refused.value.status == 409
    assert (await kube.read_secret(namespace, "one")).data == {"a": b"first"}
    assert kube.calls["POST secrets"] == 2


async def test_a_secret_is_replaced_only_where_it_is_the_one_that_was_read(
    kube: KubeClient, namespace: str
) -> None:
    first = await kube.create_secret(namespace, manifest("one", a=b"1", b=b"1"))
    encoded = {"a": base64.b64encode(b"2").decode()}
    second = await kube.replace_secret(namespace, first | {"data": encoded})
    assert (await kube.read_secret(namespace, "one")).data == {"a": b"2"}, "what is left out is removed"
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]

    with pytest.raises(ApiError) as stale:
        await kube.replace_secret(namespace, first)
    assert stale.value.status == 409

    await kube.delete_secret(namespace, "one", uid=second["metadata"]["uid"])
    with pytest.raises(ApiError) as gone:
        await kube.replace_secret(namespace, second)
    assert gone.value.gone or gone.value.status == 409
    await kube.create_secret(namespace, manifest("one", a=b"another"))
    with pytest.raises(ApiError) as another:
        await kube.replace_secret(namespace, second)
    assert another.value.status == 409
    assert (await kube.read_secret(namespace, "one")).data == {"a": b"another"}


async def test_a_secret_is_deleted_only_where_it_is_the_one_that_was_meant(
    kube: KubeClient, namespace: str
) -> None:
    first = await kube.create_secret(namespace, manifest("one", a=b"1"))
    uid, version = first["metadata"]["uid"], first["metadata"]["resourceVersion"]
    changed = await kube.replace_secret(namespace, first | {"data": {}})
    for precondition in ({"uid": "another"}, {"uid": uid, "version": version}):
        with pytest.raises(ApiError) as refused:
            await kube.delete_secret(namespace, "one", **precondition)
        assert refused.value.status == 409
    await kube.delete_secret(namespace, "one", uid=uid, version=changed["metadata"]["resourceVersion"])
    with pytest.raises(ApiError) as gone:
        await kube.read(SECRETS, namespace, "one")
    assert gone.value.gone
    with pytest.raises(ApiError) as again:
        await kube.delete_secret(namespace, "one", uid=uid)
    assert again.value.gone
