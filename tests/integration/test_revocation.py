"""Tokens that are given back before an instance goes: real API server, real TLS, and the finalizer that never stays."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from conftest import Kubectl
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.kube import INSTANCES, KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.credentials import read_credentials
from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.methods import METHODS
from integration_hub.auth.tokens import token_method
from integration_hub.credentials.record import CredentialRecord
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.tokens import Tokens
from integration_hub.reconcile.definition import CheckedDefinition, check_definition
from integration_hub.reconcile.inputs import RecordAnswer, WriteRecord
from integration_hub.reconcile.times import parse_timestamp
from integration_hub.shell.done import Done
from integration_hub.shell.keyring_source import SecretKeyring
from integration_hub.shell.keys import Key
from integration_hub.shell.record_names import record_name
from integration_hub.shell.revocation import DEADLINE, Revoker
from integration_hub.shell.store import Store
from integration_hub.shell.vault import Owner, Vault
from support.certificates import Authority
from support.fault_server import Connection, FaultServer, response
from support.instances import Api, Object, definition, instance, secret
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

OURS = "integrationhub.dev/revoke"
OTHERS = ["example.com/first", "example.com/second"]
TOKEN = "canary-of-a-refresh-token"


class Provider(FaultServer):
    """Where tokens are given back: answers as told, over TLS, and keeps what it was sent."""

    def __init__(self) -> None:
        self.authority = Authority("Authority of the provider")
        super().__init__(self._answer, self.authority.issue("127.0.0.1").server_context())
        self.status = "200 OK"

    async def _answer(self, connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(response(b"", status=self.status))

    @property
    def given_back(self) -> list[str]:
        bodies = (request.partition(b"\r\n\r\n")[2].decode() for request in self.requests)
        return [parse_qs(body)["token"][0] for body in bodies]


class Hub:
    """The revoker with its real parts, and the instance 'prod' that it attends to."""

    def __init__(
        self, kube: KubeClient, api: Api, namespace: str, provider: Provider, target: TargetServer
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.provider = provider
        self.store = Store()
        self.http = HttpClient(EgressPolicy(allowed_cidrs=(ip_network("127.0.0.0/8"),)))
        self.traffic = Traffic(self.http)
        self.keyring = SecretKeyring(kube, namespace, "keys", secrets.token_bytes)
        self.vault = Vault(kube, self.keyring, secrets.token_bytes)
        self.revoker = Revoker(kube, self.traffic, self.vault, self.store)
        self.key = Key(INSTANCES.plural, namespace, "prod")
        self.credentials: dict[str, str] = {"clientId": "c", "clientSecret": "canary-of-a-client"}
        self.settings: dict[str, Any] = {
            "grant": "authorizationCode",
            "authorizationURL": provider.url("/authorize"),
            "tokenURL": provider.url("/token"),
            "revocationURL": provider.url("/revoke"),
        }
        self._target = target

    def definition(self) -> CheckedDefinition:
        method = {"name": "oauth", "type": "oauth2", "settings": self.settings}
        hosts = [f"https://127.0.0.1:{self.provider.port}", "{{ config.server }}"]
        raw = definition(
            "acme",
            self._target,
            authMethods=[method],
            allowedHosts=hosts,
            trust={"caBundle": self.provider.authority.pem},
        )
        checked = check_definition(raw)
        assert checked.violations == ()
        return checked

    def manifest(self, *, policy: str = "Revoke", finalizers: list[str] | None = None) -> Object:
        made = instance(self.namespace, "prod", "acme", deletionPolicy=policy)
        if finalizers is not None:
            made["metadata"]["finalizers"] = finalizers
        return made

    def create(self, *, policy: str = "Revoke", finalizers: list[str] | None = None) -> Object:
        self.api.apply(secret(self.namespace, **self.credentials))
        return self.api.apply(self.manifest(policy=policy, finalizers=finalizers))[0]

    @property
    def now(self) -> Object:
        """The instance as it is."""
        return self.api.get(self.manifest())

    @property
    def finalizers(self) -> list[str]:
        found: list[str] = self.now["metadata"].get("finalizers", [])
        return found

    def is_there(self) -> bool:
        return self.api.exists(self.manifest())

    def look(self) -> Object:
        """Take in the instance as a watch would tell of it."""
        raw = self.now
        self.store.put_instance(raw)
        return raw

    async def attend(
        self, now: datetime | None = None, *, readable: bool = True, defined: bool = True
    ) -> Done | None:
        """Attend to the instance as the store knows it."""
        record = self.store.instances[self.key]
        raw = record.raw()
        return await self.revoker.attend(
            self.key,
            record,
            raw,
            IntegrationInstance.model_validate(raw) if readable else None,
            self.definition() if defined else None,
            now or datetime.now(UTC),
        )

    async def obtain(self, *, refresh_token: str | None = TOKEN) -> None:
        """Store tokens as if they had been granted just now."""
        method = METHODS["oauth2"]
        keeps = token_method(method, self.settings)
        assert keeps is not None
        data = {key: value.encode() for key, value in self.credentials.items()}
        read = read_credentials(method.secret_keys(self.settings), data, secret_name="key")
        assert isinstance(read, Credentials)
        now = datetime.now(UTC)
        grant = keeps.token_rules(self.settings, read, AuthContext(now, api=self._target.url)).grant
        tokens = Tokens("canary-of-an-access-token", now, grant, refresh_token=refresh_token)
        uid = self.now["metadata"]["uid"]
        owner = Owner(self.namespace, "prod", uid)
        answer = await self.vault.write(owner, WriteRecord(CredentialRecord(tokens=tokens), RecordAnswer()))
        assert answer.problem is None

    async def create_marked(self, *, others: list[str] | None = None) -> Object:
        """Create the instance, with tokens, and let the revoker put its finalizer there."""
        self.create(finalizers=others)
        await self.obtain()
        self.look()
        assert await self.attend() is not None
        return self.look()

    def delete(self) -> datetime:
        """Ask for the deletion; return when that was."""
        self.api.delete(self.manifest())
        at = parse_timestamp(self.look()["metadata"]["deletionTimestamp"])
        assert at is not None
        return at


@pytest.fixture
async def kube(control_plane: ControlPlaneInfo) -> AsyncIterator[KubeClient]:
    """A client with all rights."""
    client = KubeClient(load(control_plane.kubeconfig))
    yield client
    await client.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as server:
        yield server


@asynccontextmanager
async def a_hub(
    kube: KubeClient, api: Api, namespace: str, provider: Provider, target: TargetServer
) -> AsyncIterator[Hub]:
    """A hub with keys, and no finalizer of ours when it ends: nobody else would take it away."""
    hub = Hub(kube, api, namespace, provider, target)
    await hub.keyring.refresh()
    try:
        yield hub
    finally:
        if hub.is_there():
            api.merge(hub.manifest(), {"metadata": {"finalizers": None}})
        await hub.traffic.close()
        await hub.http.close()


@pytest.fixture
async def hub(
    kube: KubeClient, api: Api, namespace: str, provider: Provider, target: TargetServer
) -> AsyncIterator[Hub]:
    async with a_hub(kube, api, namespace, provider, target) as hub:
        yield hub


def event(done: Done | None) -> tuple[str, bool]:
    """Reason of the Event that is to be told, and whether it is a warning."""
    assert done is not None
    assert done.announcement is not None
    return done.announcement.reason, done.announcement.warning


# The finalizer


async def test_the_finalizer_is_put_beside_those_of_others_and_nothing_else_is_touched(hub: Hub) -> None:
    before = hub.create(finalizers=OTHERS)
    hub.look()
    done = await hub.attend()
    assert done is not None, "what the reconcile began with is not what is there any more"
    assert done.due is not None
    after = hub.now
    assert after["metadata"]["finalizers"] == [*OTHERS, OURS]
    for changing in ("finalizers", "resourceVersion", "managedFields"):
        before["metadata"].pop(changing), after["metadata"].pop(changing)
    assert after == before

    version = hub.now["metadata"]["resourceVersion"]
    assert hub.store.instances[hub.key].version == int(version), "the write is no news to the store"
    assert await hub.attend() is None
    assert hub.now["metadata"]["resourceVersion"] == version


async def test_whoever_applies_the_manifest_again_neither_sees_nor_removes_it(hub: Hub) -> None:
    await hub.create_marked(others=OTHERS)
    hub.api.apply(hub.manifest(finalizers=OTHERS))
    assert hub.finalizers == [*OTHERS, OURS]
    hub.api.apply(hub.manifest(finalizers=[]))
    assert hub.finalizers == [OURS], "what is the user's is the user's to remove"


async def test_it_goes_again_when_nobody_asks_for_it_any_more(hub: Hub) -> None:
    await hub.create_marked(others=OTHERS)
    hub.api.apply(hub.manifest(policy="Delete", finalizers=OTHERS))
    hub.look()
    assert await hub.attend() is not None
    assert hub.finalizers == OTHERS
    assert await hub.attend() is None
    assert hub.provider.requests == [], "the connection lives on"


async def test_no_finalizer_is_put_where_nobody_asks_for_it(hub: Hub) -> None:
    before = hub.create(policy="Delete")
    hub.look()
    assert await hub.attend() is None
    assert hub.now == before


async def test_finalizers_that_others_write_at_the_same_moment_are_neither_lost_nor_brought_back(
    hub: Hub,
) -> None:
    hub.create(finalizers=["example.com/first"])
    hub.look()
    hub.api.merge(hub.manifest(), {"metadata": {"finalizers": OTHERS}})
    await hub.attend()
    assert hub.finalizers == [*OTHERS, OURS]

    hub.api.merge(hub.manifest(), {"spec": {"deletionPolicy": "Delete"}})
    hub.look()
    hub.api.merge(
        hub.manifest(), {"metadata": {"finalizers": ["example.com/second", OURS, "example.com/third"]}}
    )
    await hub.attend()
    assert hub.finalizers == ["example.com/second", "example.com/third"]


async def test_another_instance_of_the_same_name_is_left_alone(hub: Hub) -> None:
    hub.create()
    hub.look()
    hub.api.delete(hub.manifest())
    hub.create(policy="Delete")
    await hub.attend()
    assert hub.finalizers == []


async def test_without_the_right_to_write_it_the_connection_works_all_the_same(
    hub: Hub, control_plane: ControlPlaneInfo, kubectl: Kubectl, tmp_path: Path
) -> None:
    hub.create()
    hub.look()
    kubectl("create", "serviceaccount", "nobody", "-n", hub.namespace)
    token = kubectl("create", "token", "nobody", "-n", hub.namespace).stdout.strip()
    cluster = {"certificate-authority": str(control_plane.ca_file), "server": control_plane.server}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "nobody", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "nobody"}}],
        "current-context": "test",
    }
    file = tmp_path / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    client = KubeClient(load(file))
    hub.revoker = Revoker(client, hub.traffic, hub.vault, hub.store)
    try:
        with capture_logs() as logs:
            assert await hub.attend() is None
    finally:
        await client.close()
    assert [line["event"] for line in logs] == ["may not hold back deletions"]
    assert hub.finalizers == []


# The end


async def test_tokens_are_given_back_and_then_the_instance_goes(hub: Hub) -> None:
    await hub.create_marked()
    uid = hub.now["metadata"]["uid"]
    hub.delete()
    assert hub.is_there(), "it waits"
    with capture_logs() as logs:
        done = await hub.attend()
    assert hub.provider.given_back == [TOKEN]
    request = hub.provider.requests[0]
    assert request.startswith(b"POST /revoke HTTP/1.1\r\n")
    assert base64.b64encode(b"c:canary-of-a-client") in request, "the client says who it is"
    assert not hub.is_there()
    assert event(done) == ("CredentialRevoked", False)
    assert [line for line in logs if line["event"] == "credential revoked"] == [
        {
            "event": "credential revoked",
            "log_level": "info",
            "instance": f"{hub.namespace}/prod",
            "uid": uid,
            "definition": "acme",
        }
    ]
    assert "canary" not in str(logs) + str(done)
    record = secret(hub.namespace, record_name(uid))
    wait_until(lambda: hub.api.exists(record), lambda there: not there, "the record goes, too")


async def test_the_finalizers_of_others_still_hold_it_back_and_it_is_not_looked_at_again(hub: Hub) -> None:
    await hub.create_marked(others=OTHERS)
    hub.delete()
    await hub.attend()
    assert hub.finalizers == OTHERS
    hub.look()
    assert await hub.attend() == Done()
    assert len(hub.provider.requests) == 1


async def test_an_instance_that_goes_and_has_no_finalizer_of_ours_is_left_to_go(hub: Hub) -> None:
    hub.create(finalizers=OTHERS)
    await hub.obtain()
    hub.delete()
    assert await hub.attend() == Done()
    assert hub.finalizers == OTHERS
    assert hub.provider.requests == []


async def test_where_nothing_was_obtained_nothing_is_told(hub: Hub) -> None:
    hub.create()
    hub.look()
    await hub.attend()
    hub.delete()
    done = await hub.attend()
    assert not hub.is_there()
    assert done is not None
    assert done.announcement is None
    assert hub.provider.requests == []


async def test_while_the_provider_is_ill_it_is_tried_again_with_growing_pauses(hub: Hub) -> None:
    await hub.create_marked()
    deleted_at = hub.delete()
    hub.provider.status = "503 Service Unavailable"
    pauses = []
    for waited in (1, 10, 40, 290):
        now = deleted_at + timedelta(seconds=waited)
        done = await hub.attend(now)
        assert done is not None
        assert done.due is not None
        assert done.announcement is None
        assert done.due <= deleted_at + DEADLINE
        pauses.append((done.due - now).total_seconds())
    assert pauses == [2, 10, 40, 10], "the last try is at the deadline"
    assert hub.is_there()

    hub.provider.status = "200 OK"
    assert event(await hub.attend()) == ("CredentialRevoked", False)
    assert not hub.is_there()


async def test_after_the_deadline_it_is_tried_once_more_and_then_given_up(hub: Hub) -> None:
    await hub.create_marked()
    deleted_at = hub.delete()
    hub.provider.status = "503 Service Unavailable"
    with capture_logs() as logs:
        done = await hub.attend(deleted_at + DEADLINE)
    assert len(hub.provider.requests) == 1, "an operator that was away must not give up untried"
    assert event(done) == ("RevocationGivenUp", True)
    assert done is not None
    assert done.announcement is not None
    assert "HTTP status 503" in done.announcement.message
    assert "by hand" in done.announcement.message
    assert not hub.is_there()
    assert [line["log_level"] for line in logs if line["event"] == "revocation given up"] == [
        "warning",
        "info",
    ]
    assert "canary" not in str(logs) + str(done)


async def test_a_clock_of_the_api_server_that_is_ahead_does_not_hold_it_back_for_longer(hub: Hub) -> None:
    await hub.create_marked()
    deleted_at = hub.delete()
    hub.provider.status = "503 Service Unavailable"
    hours_behind = deleted_at - timedelta(hours=3)
    done = await hub.attend(hours_behind)
    assert done is not None
    assert done.due == hours_behind + timedelta(seconds=2)
    assert event(await hub.attend(hours_behind + DEADLINE)) == ("RevocationGivenUp", True)
    assert not hub.is_there()


async def test_somebody_who_thinks_better_of_it_need_not_wait(hub: Hub) -> None:
    await hub.create_marked()
    hub.delete()
    hub.api.merge(hub.manifest(), {"spec": {"deletionPolicy": "Delete"}})
    hub.look()
    await hub.attend()
    assert not hub.is_there()
    assert hub.provider.requests == []


async def _lose_the_definition(hub: Hub) -> Done | None:
    return await hub.attend(defined=False)


async def _be_unreadable(hub: Hub) -> Done | None:
    return await hub.attend(readable=False)


async def _lose_the_secret(hub: Hub) -> Done | None:
    hub.api.delete(secret(hub.namespace))
    return await hub.attend()


async def _spoil_the_record(hub: Hub) -> Done | None:
    record = secret(hub.namespace, record_name(hub.now["metadata"]["uid"]))
    hub.api.merge(record, {"data": {"tokens": base64.b64encode(b"spoilt" * 20).decode()}})
    return await hub.attend()


async def _lose_the_record(hub: Hub) -> Done | None:
    hub.api.merge(hub.manifest(), {"status": {"credential": {"id": "r-1"}}}, sub="/status")
    hub.api.delete(secret(hub.namespace, record_name(hub.look()["metadata"]["uid"])))
    return await hub.attend()


async def _change_the_client(hub: Hub) -> Done | None:
    hub.api.apply(secret(hub.namespace, clientId="another", clientSecret="another"))
    return await hub.attend()


@pytest.mark.parametrize(
    "happen",
    [
        _lose_the_definition,
        _be_unreadable,
        _lose_the_secret,
        _spoil_the_record,
        _lose_the_record,
        _change_the_client,
    ],
)
async def test_where_it_can_never_work_nobody_waits(hub: Hub, happen: Callable[[Hub], Any]) -> None:
    await hub.create_marked()
    hub.delete()
    done = await happen(hub)
    assert event(done) == ("RevocationGivenUp", True)
    assert not hub.is_there()
    assert hub.provider.requests == []
    assert "canary" not in str(done)


async def test_a_mistake_of_the_operator_does_not_hold_back_an_instance_for_ever(
    hub: Hub, kube: KubeClient
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    hub.credentials = {"clientId": "c", "privateKey": key.decode()}
    hub.settings |= {"clientAuthentication": "private_key_jwt", "jwt": {"algorithm": "ES256"}}
    await hub.create_marked()
    deleted_at = hub.delete()

    def fail(size: int) -> bytes:
        raise OSError("no randomness")

    hub.revoker = Revoker(kube, hub.traffic, hub.vault, hub.store, random=fail)
    with pytest.raises(OSError, match="no randomness"):
        await hub.attend(deleted_at)
    assert hub.is_there(), "it is tried again, as after every mistake"
    with capture_logs() as logs:
        assert event(await hub.attend(deleted_at + DEADLINE)) == ("RevocationGivenUp", True)
    assert "a mistake in the operator" in [line["event"] for line in logs]
    assert not hub.is_there()


async def test_a_namespace_goes_although_the_secrets_in_it_have_gone_before(
    kube: KubeClient, api: Api, provider: Provider, target: TargetServer
) -> None:
    # It is deleted kind by kind: by the time that the instance's turn comes, nothing is left to give back with.
    namespace: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"test-{uuid4().hex[:10]}"},
    }
    api.apply(namespace)
    async with a_hub(kube, api, namespace["metadata"]["name"], provider, target) as hub:
        await hub.create_marked()
        api.merge(hub.manifest(), {"status": {"credential": {"id": "r-1"}}}, sub="/status")
        api.delete(namespace)
        wait_until(lambda: hub.look()["metadata"], lambda found: "deletionTimestamp" in found, "the deletion")
        kept = secret(namespace["metadata"]["name"], record_name(hub.now["metadata"]["uid"]))
        wait_until(lambda: api.exists(kept), lambda there: not there, "the Secrets go")
        now, done = datetime.now(UTC), None
        for _ in range(20):
            done = await hub.attend(now)
            assert done is not None
            if done.due is None:
                break
            now = done.due
        assert event(done) == ("RevocationGivenUp", True)
        assert not hub.is_there()
    wait_until(lambda: api.exists(namespace), lambda there: not there, "the namespace goes")
