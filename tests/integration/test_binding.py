"""The Secret for workloads against a real API server: what is written, what is left alone, what is taken away."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Kubectl
from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.credentials.binding import binding_data, binding_type
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.model.base import API_VERSION
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import BindingAnswer, KeepBinding
from integration_hub.shell.binding import BindingKeeper
from integration_hub.shell.vault import Owner
from support.instances import Api, Object, instance, secret
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

CANARY = "canary-5d20b6e1"


@pytest.fixture
async def kube(control_plane: ControlPlaneInfo) -> AsyncIterator[KubeClient]:
    """A client with all rights."""
    client = KubeClient(load(control_plane.kubeconfig))
    yield client
    await client.close()


@pytest.fixture
def keeper(kube: KubeClient, namespace: str) -> BindingKeeper:
    """Of an operator whose keys are in the test's own namespace."""
    return BindingKeeper(kube, keyring=(namespace, "keys"))


@pytest.fixture
def owner(api: Api, namespace: str) -> Owner:
    """An instance; nobody looks at its definition here."""
    made = api.apply(instance(namespace, "prod", "acme"))[0]
    return Owner(namespace, "prod", made["metadata"]["uid"])


def holding(
    *, uri: str = "https://acme.example", name: str = "app", of: str = "acme", **delivered: str
) -> KeepBinding:
    data = binding_data(type_=of, provider="Acme", uri=uri, delivered=delivered or {"accessToken": "t-1"})
    return KeepBinding(name, binding_type(of), data)


def decoded(found: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def reason(answer: BindingAnswer) -> Reason | None:
    return answer.problem.reason if answer.problem else None


async def test_a_workload_finds_the_secret_and_it_goes_with_the_instance(
    keeper: BindingKeeper, owner: Owner, api: Api, namespace: str
) -> None:
    answer = await keeper.keep(owner, holding())
    found = api.get(secret(namespace, "app"))
    assert answer == BindingAnswer(version=found["metadata"]["resourceVersion"])
    assert found["type"] == "servicebinding.io/acme"
    assert decoded(found) == {
        "type": "acme",
        "provider": "Acme",
        "uri": "https://acme.example",
        "host": "acme.example",
        "port": "443",
        "accessToken": "t-1",
    }
    assert found["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "integration-hub",
        "integrationhub.dev/binding-of": owner.uid,
    }
    assert [ref["uid"] for ref in found["metadata"]["ownerReferences"]] == [owner.uid]

    api.delete(instance(namespace, "prod", "acme"))
    wait_until(lambda: api.exists(secret(namespace, "app")), lambda there: not there, "the Secret goes, too")


async def test_it_is_written_only_when_it_differs(
    keeper: BindingKeeper, owner: Owner, kube: KubeClient, api: Api, namespace: str
) -> None:
    await keeper.keep(owner, holding())
    for _ in range(3):
        await keeper.keep(owner, holding())
    assert (kube.calls["POST secrets"], kube.calls.get("PUT secrets", 0)) == (1, 0)

    await keeper.keep(owner, holding(accessToken="t-2"))
    assert decoded(api.get(secret(namespace, "app")))["accessToken"] == "t-2"
    await keeper.keep(owner, holding(accessToken="t-2"))
    assert (kube.calls["POST secrets"], kube.calls["PUT secrets"]) == (1, 1)


async def test_what_somebody_changed_in_it_is_put_right_and_what_they_added_around_it_stays(
    keeper: BindingKeeper, owner: Owner, api: Api, namespace: str
) -> None:
    await keeper.keep(owner, holding())
    changes = {
        "metadata": {"annotations": {"reloader": "yes"}, "labels": {"team": "a"}},
        "data": {"accessToken": "Zm9yZ2Vk", "more": "eA=="},
    }
    api.merge(secret(namespace, "app"), changes)
    await keeper.keep(owner, holding())
    found = api.get(secret(namespace, "app"))
    assert decoded(found)["accessToken"] == "t-1"
    assert "more" not in found["data"]
    assert found["metadata"]["annotations"] == {"reloader": "yes"}
    assert found["metadata"]["labels"]["team"] == "a"
    assert found["metadata"]["labels"]["integrationhub.dev/binding-of"] == owner.uid


async def test_without_usable_credentials_the_secret_stays_and_has_none(
    keeper: BindingKeeper, owner: Owner, api: Api, namespace: str
) -> None:
    await keeper.keep(owner, holding())
    uid = api.get(secret(namespace, "app"))["metadata"]["uid"]
    nothing = binding_data(type_="acme", provider="Acme", uri="https://acme.example", delivered={})
    await keeper.keep(owner, KeepBinding("app", binding_type("acme"), nothing))
    found = api.get(secret(namespace, "app"))
    assert found["metadata"]["uid"] == uid, "a volume that is mounted does not vanish"
    assert set(found["data"]) == {"type", "provider", "uri", "host", "port"}


@pytest.mark.parametrize("spoil", ["type", "immutable"])
async def test_what_the_api_server_lets_nobody_change_is_made_anew(
    keeper: BindingKeeper, owner: Owner, api: Api, namespace: str, spoil: str
) -> None:
    await keeper.keep(owner, holding(of="former" if spoil == "type" else "acme"))
    if spoil == "immutable":
        api.merge(secret(namespace, "app"), {"immutable": True})
    before = api.get(secret(namespace, "app"))["metadata"]["uid"]
    answer = await keeper.keep(owner, holding(accessToken="t-2"))
    found = api.get(secret(namespace, "app"))
    assert answer.version == found["metadata"]["resourceVersion"]
    assert (found["type"], decoded(found)["accessToken"]) == ("servicebinding.io/acme", "t-2")
    assert found["metadata"]["uid"] != before


async def test_it_is_taken_away_when_nobody_wants_it_any_more(
    keeper: BindingKeeper, owner: Owner, api: Api, namespace: str
) -> None:
    await keeper.keep(owner, holding())
    assert await keeper.keep(owner, KeepBinding("app", "", None)) == BindingAnswer()
    assert not api.exists(secret(namespace, "app"))
    assert await keeper.keep(owner, KeepBinding("app", "", None)) == BindingAnswer(), "it is gone already"


def _of(kind: str, name: str, uid: str, *, api: str = "v1", controller: bool = True) -> dict[str, Any]:
    # Owners that exist: a Secret of others is garbage at once.
    reference = {"apiVersion": api, "kind": kind, "name": name, "uid": uid}
    return {"ownerReferences": [reference | ({"controller": True} if controller else {})]}


def _of_instance(name: str, uid: str, *, controller: bool = True) -> dict[str, Any]:
    return _of("IntegrationInstance", name, uid, api=API_VERSION, controller=controller)


Metadata = Callable[[Api, Owner], dict[str, Any]]


def _of_a_config_map(api: Api, owner: Owner) -> dict[str, Any]:
    named = {"name": "holder", "namespace": owner.namespace}
    holder = api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": named})[0]
    return _of("ConfigMap", "holder", holder["metadata"]["uid"])


def _of_another_instance(api: Api, owner: Owner) -> dict[str, Any]:
    other = api.apply(instance(owner.namespace, "other", "acme"))[0]
    return _of_instance("other", other["metadata"]["uid"])


def _labelled_as_ours(api: Api, owner: Owner) -> dict[str, Any]:
    ours = {"app.kubernetes.io/managed-by": "integration-hub", "integrationhub.dev/binding-of": owner.uid}
    return {"labels": ours}


THEIRS: dict[str, tuple[Metadata, str]] = {
    "somebody's own": (lambda *_: {}, "exists already and does not belong to this connection"),
    "a tool's": (lambda *_: {"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "is managed by 'Helm'"),
    "another object's": (_of_a_config_map, "belongs to ConfigMap 'holder'"),
    "another instance's": (_of_another_instance, "belongs to IntegrationInstance 'other' with the UID "),
    "somebody's own that is to be deleted with the instance": (
        lambda _, owner: _of_instance(owner.name, owner.uid, controller=False),
        "was made by somebody else, who lets it be deleted with this connection",
    ),
    "one with our labels alone": (_labelled_as_ours, "is managed by 'integration-hub'"),
}


@pytest.mark.parametrize("whose", THEIRS)
async def test_a_secret_of_somebody_else_is_left_as_it_is_and_it_is_told_whose_it_is(
    keeper: BindingKeeper, owner: Owner, kube: KubeClient, api: Api, whose: str
) -> None:
    metadata, words = THEIRS[whose]
    theirs = secret(owner.namespace, "app", password=CANARY)
    theirs["metadata"] |= metadata(api, owner)
    before = await kube.create_secret(owner.namespace, theirs)
    for effect in (holding(), KeepBinding("app", "", None)):
        answer = await keeper.keep(owner, effect)
        assert (await kube.read_secret(owner.namespace, "app")).version == before["metadata"][
            "resourceVersion"
        ]
        if effect.data is None:
            assert answer == BindingAnswer(), "nothing of ours is left there"
        else:
            assert reason(answer) is Reason.BINDING_NAME_TAKEN
            assert answer.problem is not None
            assert words in answer.problem.message
            assert CANARY not in answer.problem.message


@pytest.mark.parametrize("name", ["key", "keys", "hub-credential-0c1b", "hub-credential-{uid}"])
async def test_names_that_are_for_something_else_are_refused_even_where_the_secret_is_ours(
    keeper: BindingKeeper, owner: Owner, kube: KubeClient, namespace: str, name: str
) -> None:
    name = name.format(uid=owner.uid)
    ours = secret(namespace, name, apiKey=CANARY)
    ours["metadata"] |= _of_instance(owner.name, owner.uid)
    before = await kube.create_secret(namespace, ours)
    answer = await keeper.keep(owner, holding(name=name), source="key")
    assert reason(answer) is Reason.BINDING_NAME_TAKEN
    assert await keeper.keep(owner, KeepBinding(name, "", None), source="key") == BindingAnswer()
    assert (await kube.read_secret(namespace, name)).version == before["metadata"]["resourceVersion"]


async def test_whoever_writes_at_the_same_moment_does_not_win_for_long(
    keeper: BindingKeeper, owner: Owner, kube: KubeClient, api: Api, namespace: str
) -> None:
    class Hasty(KubeClient):
        """Lets somebody else be faster, once for each kind of call."""

        def __init__(self) -> None:
            super().__init__(kube._connection)
            self.hindrances = ["create", "replace"]

        async def create_secret(self, namespace: str, manifest: Any) -> Any:
            if "create" in self.hindrances:
                self.hindrances.remove("create")
                await kube.create_secret(namespace, {**manifest, "data": {}})
            return await super().create_secret(namespace, manifest)

        async def replace_secret(self, namespace: str, manifest: Any) -> Any:
            if "replace" in self.hindrances:
                self.hindrances.remove("replace")
                api.merge(secret(namespace, "app"), {"metadata": {"labels": {"team": "b"}}})
            return await super().replace_secret(namespace, manifest)

    hasty = Hasty()
    try:
        await BindingKeeper(hasty).keep(owner, holding())
        assert hasty.hindrances == []
        found = api.get(secret(namespace, "app"))
        assert decoded(found)["accessToken"] == "t-1"
        assert found["metadata"]["labels"]["team"] == "b"
    finally:
        await hasty.close()


async def test_a_missing_right_is_told_and_a_value_is_not(
    owner: Owner, control_plane: ControlPlaneInfo, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "role", "reader", "--verb=get", "--resource=secrets", "-n", namespace)
    kubectl(
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        f"--serviceaccount={namespace}:reader",
        "-n",
        namespace,
    )
    token = kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    entry = {"certificate-authority": str(control_plane.ca_file), "server": control_plane.server}
    file = tmp_path / "kubeconfig"
    file.touch(mode=0o600)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": entry}],
        "users": [{"name": "reader", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "reader"}}],
        "current-context": "test",
    }
    file.write_text(json.dumps(config))
    client = KubeClient(load(file))
    try:
        answer = await BindingKeeper(client).keep(owner, holding(accessToken=CANARY))
    finally:
        await client.close()
    assert reason(answer) is Reason.BINDING_FORBIDDEN
    assert answer.problem is not None
    assert f"may not keep Secret 'app' in namespace '{namespace}'" in answer.problem.message
    assert CANARY not in answer.problem.message
