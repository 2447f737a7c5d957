"""The vault against a real API server: what is stored is stored, what was received once is not lost, and no more."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from conftest import Kubectl
from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.adapters.spool import Spool
from integration_hub.credentials.keyring import Keyring
from integration_hub.credentials.record import CredentialRecord, Ending, Intent
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.tokens import Tokens
from integration_hub.reconcile.inputs import RecordAnswer, WriteRecord
from integration_hub.shell import vault as module
from integration_hub.shell.keyring_source import SecretKeyring, read_keyring, replace_keyring
from integration_hub.shell.record_names import record_name
from integration_hub.shell.rewrap import Place, RewrapReport, _rewrap_one
from integration_hub.shell.vault import RECORD_OF_LABEL, RECORD_TYPE, Owner, Vault
from support.gate import Gate
from support.hub_command import forms, user_kubeconfig
from support.instances import Api, Object, instance, secret
from support.waiting import wait_until

pytest_plugins = ["support.record_fixtures"]
pytestmark = pytest.mark.cluster

KEYS = "keys"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCESS, REFRESH = "canary-of-an-access-token", "canary-of-a-refresh-token"

AddKey = Callable[[], Keyring]


def record(number: int = 1, *, intent: str = "") -> CredentialRecord:
    tokens = Tokens(f"{ACCESS}-{number}", NOW, "grant", refresh_token=f"{REFRESH}-{number}")
    return CredentialRecord(tokens=tokens, intent=Intent(intent, NOW, "hash") if intent else None)


class Rig:
    """Vaults of one keyring, and instances that they keep records of."""

    def __init__(self, kube: KubeClient, api: Api, namespace: str) -> None:
        self.kube = kube
        self.api = api
        self.namespace = namespace
        self.now = NOW

    async def vault(self, kube: KubeClient | None = None, spool: Path | None = None) -> Vault:
        """An operator's vault, just started."""
        return Vault(
            kube or self.kube,
            await self.keyring(),
            secrets.token_bytes,
            spool=Spool(spool),
            clock=lambda: self.now,
        )

    async def keyring(self) -> SecretKeyring:
        source = SecretKeyring(self.kube, self.namespace, KEYS, secrets.token_bytes)
        await source.refresh()
        return source

    async def rotate(self, *, drop: bool = False) -> Keyring:
        """Let a person add a key, or put another one in the place of all."""
        stored = await read_keyring(self.kube, self.namespace, KEYS)
        keys = {} if drop else dict(stored.keyring.keys)
        keys[stored.keyring.active + 1] = secrets.token_bytes(32)
        return (await replace_keyring(self.kube, stored, Keyring(keys))).keyring

    async def rewrap(self, owner: Owner, keyring: Keyring) -> None:
        report = RewrapReport()
        place = Place(owner.namespace, record_name(owner.uid), owner.uid)
        await _rewrap_one(self.kube, place, keyring, secrets.token_bytes, report)
        assert report.done == 1

    def owner(self, name: str = "prod", namespace: str = "") -> Owner:
        """A real instance."""
        (made,) = self.api.apply(instance(namespace or self.namespace, name, "acme"))
        about = IntegrationInstance.model_validate(made).metadata
        return Owner(about.namespace, about.name, about.uid)

    def stored(self, owner: Owner) -> Object:
        return self.api.get(secret(owner.namespace, record_name(owner.uid)))

    def is_stored(self, owner: Owner) -> bool:
        return self.api.exists(secret(owner.namespace, record_name(owner.uid)))


@pytest.fixture
def rig(kube: KubeClient, api: Api, namespace: str) -> Rig:
    return Rig(kube, api, namespace)


@pytest.fixture
async def gate(control_plane: ControlPlaneInfo, tmp_path: Path) -> AsyncIterator[Gate]:
    async with Gate(control_plane, tmp_path) as gate:
        yield gate


@pytest.fixture
async def through(gate: Gate) -> AsyncIterator[KubeClient]:
    """A client that reaches the API server while the gate is open."""
    client = gate.client()
    yield client
    await client.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is worth waiting seconds for."""
    monkeypatch.setattr(module, "PATIENCE", (0.01, 0.02))


async def written(vault: Vault, owner: Owner, record: CredentialRecord, base: RecordAnswer) -> RecordAnswer:
    answer = await vault.write(owner, WriteRecord(record, base))
    assert answer.problem is None
    assert not answer.conflict
    assert answer.record == record
    return answer


# How it goes well


async def test_a_record_is_created_sealed_and_owned_and_then_replaced(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    empty = await vault.read(owner)
    assert empty == RecordAnswer()
    first = await written(vault, owner, record(), empty)
    raw = rig.stored(owner)
    assert raw["type"] == RECORD_TYPE
    assert raw["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "integration-hub", RECORD_OF_LABEL: owner.uid
    }  # fmt: skip
    (reference,) = raw["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"], reference["uid"]) == (
        "IntegrationInstance",
        "prod",
        owner.uid,
    )
    assert (first.uid, first.version) == (raw["metadata"]["uid"], raw["metadata"]["resourceVersion"])

    second = await written(vault, owner, record(2), first)
    assert second.uid == first.uid
    assert second.version != first.version
    assert await (await rig.vault()).read(owner) == second
    assert not vault.holds(owner.uid)


async def test_nothing_of_a_record_can_be_read_in_its_secret(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    await written(vault, owner, record(), RecordAnswer())
    raw = rig.stored(owner)
    shown = json.dumps(raw) + str([base64.b64decode(value) for value in raw["data"].values()])
    for canary in (f"{ACCESS}-1", f"{REFRESH}-1"):
        assert not [form for form in (*forms(canary), canary.encode().hex()) if form in shown]


async def test_a_record_goes_with_its_instance(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    await written(vault, owner, record(), RecordAnswer())
    rig.api.delete(instance(rig.namespace, owner.name, "acme"))
    wait_until(lambda: rig.is_stored(owner), lambda there: not there, "the record goes, too")
    assert await vault.read(owner) == RecordAnswer()


# Somebody else writes


async def test_where_somebody_else_was_faster_theirs_counts(rig: Rig) -> None:
    mine, theirs, owner = await rig.vault(), await rig.vault(), rig.owner()
    base = await written(mine, owner, record(), RecordAnswer())
    await written(theirs, owner, record(2), await theirs.read(owner))
    answer = await mine.write(owner, WriteRecord(record(3), base))
    assert answer.conflict
    assert answer.record == record(2)
    assert not mine.holds(owner.uid)
    await written(mine, owner, record(3), replace(answer, conflict=False))


async def test_of_two_that_create_at_once_one_is_told_of_the_other(rig: Rig) -> None:
    vaults, owner = [await rig.vault() for _ in range(4)], rig.owner()
    answers = await asyncio.gather(
        *(
            vault.write(owner, WriteRecord(record(number), RecordAnswer()))
            for number, vault in enumerate(vaults)
        )
    )
    (won,) = [answer for answer in answers if not answer.conflict]
    assert all(answer.record == won.record for answer in answers)
    assert (await vaults[0].read(owner)).record == won.record


async def test_of_many_that_replace_at_once_no_write_is_lost_unnoticed(rig: Rig) -> None:
    vaults, owner = [await rig.vault() for _ in range(3)], rig.owner()
    base = await written(vaults[0], owner, record(0), RecordAnswer())
    for turn in range(1, 6):
        answers = await asyncio.gather(
            *(
                vault.write(owner, WriteRecord(record(turn * 10 + number), base))
                for number, vault in enumerate(vaults)
            )
        )
        (base,) = [answer for answer in answers if not answer.conflict]
        assert {answer.record for answer in answers} == {base.record}
    assert (await vaults[0].read(owner)).record == base.record


async def test_a_label_that_a_person_adds_meanwhile_is_in_nobodys_way(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    rig.api.merge(secret(owner.namespace, record_name(owner.uid)), {"metadata": {"labels": {"a": "b"}}})
    await written(vault, owner, record(2), base)


async def test_a_record_that_is_wrapped_anew_meanwhile_loses_no_write(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    # The key is newer than what this vault knows, and nobody has told it.
    await rig.rewrap(owner, await rig.rotate())
    await written(vault, owner, record(2), base)
    assert (await (await rig.vault()).read(owner)).record == record(2)


async def test_what_was_received_waits_where_the_new_key_cannot_be_had_yet(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, owner = await rig.vault(), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    await rig.rewrap(owner, await rig.rotate())
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 1e9)  # as if it had looked a moment ago
    vault._looked = asyncio.get_running_loop().time()
    answer = await vault.write(owner, WriteRecord(record(2), base))
    assert answer.problem is not None
    assert vault.holds(owner.uid)
    assert (await vault.read(owner)).problem is not None
    assert vault.holds(owner.uid)
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 0.0)
    assert (await vault.read(owner)).record == record(2)
    assert not vault.holds(owner.uid)
    assert (await (await rig.vault()).read(owner)).record == record(2)


async def test_a_secret_that_was_deleted_meanwhile_is_made_anew(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    rig.api.delete(secret(owner.namespace, record_name(owner.uid)))
    answer = await written(vault, owner, record(2), base)
    assert answer.uid != base.uid
    assert rig.stored(owner)["metadata"]["uid"] == answer.uid


# No right, no place


class Account:
    """A service account that may do in its namespace what it is permitted to, and nothing else."""

    def __init__(
        self, kubectl: Kubectl, namespace: str, control_plane: ControlPlaneInfo, folder: Path
    ) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        kubectl("create", "serviceaccount", "hub", "-n", namespace)
        token = kubectl("create", "token", "hub", "-n", namespace).stdout.strip()
        file = user_kubeconfig(
            folder, server=control_plane.server, ca_file=control_plane.ca_file, token=token
        )
        self.client = KubeClient(load(file))

    async def permit(self, name: str, *verbs: str) -> None:
        """Permit it to do this with Secrets, and wait until the API server knows."""
        where = ("-n", self._namespace)
        account = f"{self._namespace}:hub"
        verb = f"--verb={','.join(verbs)}"
        self._kubectl("create", "role", name, *where, verb, "--resource=secrets")
        self._kubectl("create", "rolebinding", name, *where, f"--role={name}", f"--serviceaccount={account}")
        asked = ("auth", "can-i", verbs[-1], "secrets", *where, f"--as=system:serviceaccount:{account}")
        await asyncio.to_thread(
            wait_until,
            lambda: self._kubectl(*asked, check=False).stdout,
            lambda text: text.startswith("yes"),
            f"the right to {name}",
        )


@pytest.fixture
async def account(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlaneInfo, tmp_path: Path
) -> AsyncIterator[Account]:
    account = Account(kubectl, namespace, control_plane, tmp_path / "hub")
    yield account
    await account.client.close()


async def test_what_may_not_be_written_is_held_until_it_may(rig: Rig, account: Account) -> None:
    owner = rig.owner()
    vault = await rig.vault(account.client)
    told = (await vault.read(owner)).problem
    assert told is not None
    assert told.reason == "CredentialNotStored"
    assert record_name(owner.uid) in told.message

    await account.permit("read", "get")
    answer = await vault.write(owner, WriteRecord(record(), RecordAnswer()))
    assert answer.problem is not None
    assert answer.problem.reason == "CredentialNotStored"
    assert "canary" not in answer.problem.message
    assert vault.holds(owner.uid)
    assert (await vault.read(owner)).problem is not None

    await account.permit("write", "create", "update")
    assert (await vault.read(owner)).record == record()
    assert not vault.holds(owner.uid)
    assert (await (await rig.vault()).read(owner)).record == record()


@pytest.mark.parametrize("has_spool", [False, True], ids=["memory", "spool"])
async def test_a_record_without_it_does_not_take_the_place_of_what_is_held(
    rig: Rig, account: Account, tmp_path: Path, *, has_spool: bool
) -> None:
    owner, spool = rig.owner(), tmp_path / "spool" if has_spool else None
    base = await written(await rig.vault(), owner, record(intent="a-1"), RecordAnswer())
    await account.permit("read", "get")
    vault = await rig.vault(account.client, spool)
    refused = await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    assert refused.problem is not None
    other = replace(record(), handled="again-1")
    assert (await vault.write(owner, WriteRecord(other, base))).problem is not None
    assert vault.holds(owner.uid)

    await account.permit("write", "update")
    answer = await vault.write(owner, WriteRecord(other, base))
    assert answer.conflict
    assert answer.record == record(2)
    assert not vault.holds(owner.uid)
    assert spool is None or list(spool.iterdir()) == []
    await written(vault, owner, replace(record(2), handled="again-1"), answer)


async def test_a_namespace_that_goes_is_told_of_and_nothing_hangs(rig: Rig, kubectl: Kubectl) -> None:
    going = f"test-{uuid4().hex[:10]}"
    kubectl("create", "namespace", going)
    owner, vault = rig.owner(namespace=going), await rig.vault()
    stays = instance(going, "prod", "acme")
    rig.api.merge(stays, {"metadata": {"finalizers": ["example.com/stays"]}})
    kubectl("delete", "namespace", going, "--wait=false")
    try:
        wait_until(
            lambda: rig.api.get(stays)["metadata"], lambda about: "deletionTimestamp" in about, "it goes"
        )
        answer = await vault.write(owner, WriteRecord(record(), RecordAnswer()))
        assert answer.problem is not None
        assert answer.problem.reason == "CredentialNotStored"
        assert "being terminated" in answer.problem.message, "it is not for want of a right"
        await vault.forget(owner.uid)
        assert not vault.holds(owner.uid)
    finally:
        rig.api.merge(stays, {"metadata": {"finalizers": None}})


# The API server is away


@pytest.mark.parametrize("has_spool", [False, True], ids=["memory", "spool"])
async def test_what_was_received_while_the_api_server_is_away_is_stored_when_it_is_back(
    rig: Rig, gate: Gate, through: KubeClient, tmp_path: Path, *, has_spool: bool
) -> None:
    vault, owner = await rig.vault(through, tmp_path / "spool" if has_spool else None), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    assert vault.holds(owner.uid)
    with pytest.raises(ApiError):
        await vault.read(owner)
    gate.open()
    assert (await vault.read(owner)).record == record(2)
    assert not vault.holds(owner.uid)
    assert (await (await rig.vault()).read(owner)).record == record(2)
    assert not has_spool or list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("is_wrapped_anew", [False, True], ids=["untouched", "wrapped-anew"])
async def test_the_next_operator_stores_what_the_spool_has(
    rig: Rig, gate: Gate, through: KubeClient, tmp_path: Path, *, is_wrapped_anew: bool
) -> None:
    spool = tmp_path / "spool"
    vault, owner = await rig.vault(through, spool), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    if is_wrapped_anew:
        await rig.rewrap(owner, await rig.rotate())
    (file,) = spool.iterdir()
    raw = json.loads(file.read_bytes())
    shown = file.read_text() + str([base64.b64decode(value) for value in raw.values()])
    assert not [form for form in forms(f"{REFRESH}-2") if form in shown]

    following = await rig.vault(spool=spool)
    assert (await following.read(owner)).record == record(2)
    assert list(spool.iterdir()) == []
    assert (await (await rig.vault()).read(owner)).record == record(2)


async def test_what_somebody_else_has_stored_since_is_not_overwritten_from_the_spool(
    rig: Rig, gate: Gate, through: KubeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    vault, owner = await rig.vault(through, spool), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    await written(await rig.vault(), owner, record(3), base)
    following = await rig.vault(spool=spool)
    assert (await following.read(owner)).record == record(3)
    assert list(spool.iterdir()) == []


async def test_what_a_person_has_consented_to_waits_too_and_a_new_wrapping_does_not_drop_it(
    rig: Rig, gate: Gate, through: KubeClient
) -> None:
    vault, owner = await rig.vault(through), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    candidate = replace(record(), candidate=record(2).tokens)
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(candidate, base))
    await rig.rewrap(owner, await rig.rotate())
    gate.open()
    assert (await vault.read(owner)).record == candidate


async def test_what_was_not_received_is_not_held(rig: Rig, gate: Gate, through: KubeClient) -> None:
    vault, owner = await rig.vault(through), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(record(intent="a-1"), base))
    assert not vault.holds(owner.uid)
    gate.open()
    assert (await vault.read(owner)).record == record()


async def test_a_write_whose_answer_was_lost_is_no_conflict_with_itself(
    rig: Rig, gate: Gate, through: KubeClient
) -> None:
    vault, owner = await rig.vault(through), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    gate.lose_answers()
    answer = await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    assert gate.lost == 1
    assert not answer.conflict
    assert answer.record == record(2)
    assert (answer.uid, answer.version) == (base.uid, rig.stored(owner)["metadata"]["resourceVersion"])
    assert not vault.holds(owner.uid)


async def test_a_creation_whose_answer_was_lost_is_no_conflict_with_itself(
    rig: Rig, gate: Gate, through: KubeClient
) -> None:
    vault, owner = await rig.vault(through), rig.owner()
    await vault.read(owner)
    gate.lose_answers()
    answer = await vault.write(owner, WriteRecord(record(), RecordAnswer()))
    assert gate.lost == 1
    assert not answer.conflict
    assert answer.record == record()


async def test_an_intent_whose_answer_was_lost_says_nothing_since_nothing_was_sent(
    rig: Rig, gate: Gate, through: KubeClient
) -> None:
    # Else a refresh token that was never sent would count as sent, and where it may be sent once, as lost.
    vault, owner = await rig.vault(through), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    gate.lose_answers(2)  # that of the write, and that of the HTTP library's second try
    with pytest.raises(ApiError):
        await vault.write(owner, WriteRecord(record(intent="a-1"), base))
    assert (await (await rig.vault()).read(owner)).record == record(intent="a-1"), "it was stored"
    answer = await vault.read(owner)
    assert answer.record == record()
    await written(vault, owner, record(intent="a-2"), answer)
    assert (await vault.read(owner)).record == record(intent="a-2")


async def test_an_intent_is_as_old_as_its_write_and_one_that_is_put_back_no_younger(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    rig.now = NOW + timedelta(seconds=40)
    one = await vault.write(owner, WriteRecord(record(intent="a-1"), RecordAnswer()))
    assert one.record is not None
    assert one.record.intent is not None
    assert one.record.intent.started_at == rig.now
    rig.now += timedelta(minutes=1)
    two = await vault.write(owner, WriteRecord(record(intent="a-2"), one))
    rig.now += timedelta(minutes=1)
    assert (await vault.write(owner, WriteRecord(one.record, two, "a-2"))).record == one.record


async def test_an_intent_that_takes_too_long_to_be_stored_is_not_acted_upon(
    rig: Rig, gate: Gate, through: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else whoever finds it would give up an answer that is still under way.
    monkeypatch.setattr(module, "ANNOUNCED_WITHIN", 0.2)
    vault, owner = await rig.vault(through), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    gate.hold_back()
    with pytest.raises(ApiError, match="within"):
        await vault.write(owner, WriteRecord(record(intent="a-1"), base))
    gate.open()
    other = await rig.vault()
    assert (await other.read(owner)).record == record(intent="a-1"), "it was stored"
    assert (await vault.read(owner)).record == record()


@pytest.mark.parametrize("has_spool", [False, True], ids=["same-operator", "next-operator"])
async def test_what_comes_after_it_was_given_up_takes_the_place_of_that(
    rig: Rig, gate: Gate, through: KubeClient, tmp_path: Path, *, has_spool: bool
) -> None:
    spool = tmp_path / "spool" if has_spool else None
    vault, owner = await rig.vault(through, spool), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    if has_spool:
        gate.shut()
        with pytest.raises(ApiError):
            await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    given_up = replace(
        record(), ending=Ending("ReauthenticationRequired", "Nobody knows.", NOW, "grant", "a-1")
    )
    await written(await rig.vault(), owner, given_up, base)
    if has_spool:
        answer = await (await rig.vault(spool=spool)).read(owner)
    else:
        answer = await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    assert not answer.conflict
    assert answer.record == record(2)
    assert (await (await rig.vault()).read(owner)).record == record(2)


async def test_what_comes_does_not_take_the_place_of_what_a_person_has_consented_to_meanwhile(
    rig: Rig,
) -> None:
    vault, owner = await rig.vault(), rig.owner()
    base = await written(vault, owner, record(intent="a-1"), RecordAnswer())
    consented = replace(record(intent="a-1"), candidate=record(3).tokens)
    await written(await rig.vault(), owner, consented, base)
    answer = await vault.write(owner, WriteRecord(record(2), base, "a-1"))
    assert answer.conflict
    assert answer.record == consented
    beside = replace(consented, tokens=record(2).tokens, intent=None)
    assert (await vault.write(owner, WriteRecord(beside, answer, "a-1"))).record == beside


@pytest.mark.parametrize("spoiled", ["a-file", "read-only"])
async def test_a_spool_that_cannot_be_written_costs_no_record(rig: Rig, tmp_path: Path, spoiled: str) -> None:
    spool = tmp_path / "spool"
    if spoiled == "a-file":
        spool.write_text("no folder")
    else:
        (tmp_path / "full").symlink_to("/proc/self/nothing")
        spool = tmp_path / "full" / "spool"
    vault, owner = await rig.vault(spool=spool), rig.owner()
    base = await written(vault, owner, record(), RecordAnswer())
    await written(vault, owner, record(2), base)
    assert not vault.holds(owner.uid)


async def test_what_lies_in_the_spool_of_another_place_never_takes_the_place_of_a_record(
    rig: Rig, gate: Gate, through: KubeClient, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    vault, owner, other = await rig.vault(through, spool), rig.owner(), rig.owner("other")
    base = await written(vault, other, record(9), RecordAnswer())
    gate.shut()
    with pytest.raises(ApiError):
        await vault.write(other, WriteRecord(record(10), base))
    gate.open()
    stored = await written(await rig.vault(), owner, record(), RecordAnswer())
    (file,) = spool.iterdir()
    raw = json.loads(file.read_bytes())
    raw["spool-base"] = base64.b64encode(stored.version.encode()).decode()
    (spool / f"{owner.uid}.record").write_text(json.dumps(raw))
    following = await rig.vault(spool=spool)
    assert (await following.read(owner)).record == record()
    assert (await (await rig.vault()).read(owner)).record == record()


# Keys and places


async def test_all_who_come_before_the_keyring_was_read_wait_for_it_and_nobody_is_told_that_there_is_none(
    rig: Rig,
) -> None:
    source = SecretKeyring(rig.kube, rig.namespace, KEYS, secrets.token_bytes)
    vault = Vault(rig.kube, source, secrets.token_bytes)
    owners = [rig.owner(f"prod-{number}") for number in range(5)]
    await asyncio.gather(*(written(vault, owner, record(), RecordAnswer()) for owner in owners))


async def test_a_key_that_nobody_has_told_of_is_looked_for(rig: Rig) -> None:
    old, owner = await rig.vault(), rig.owner()
    await rig.rotate()
    new = await rig.vault()
    await written(new, owner, record(), RecordAnswer())
    assert (await old.read(owner)).record == record()


async def test_a_lost_key_is_told_and_deleting_the_record_is_a_way_out(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    await written(vault, owner, record(), RecordAnswer())
    await rig.rotate(drop=True)
    following = await rig.vault()
    answer = await following.read(owner)
    assert answer.record is None
    assert answer.problem is not None
    assert answer.problem.reason == "CredentialUnreadable"
    assert record_name(owner.uid) in answer.problem.message
    assert "key-1" in answer.problem.message
    rig.api.delete(secret(owner.namespace, record_name(owner.uid)))
    await written(following, owner, record(2), await following.read(owner))


async def test_another_key_of_the_same_number_is_told_as_such(rig: Rig) -> None:
    vault, owner = await rig.vault(), rig.owner()
    await written(vault, owner, record(), RecordAnswer())
    rig.api.delete(secret(rig.namespace, KEYS))
    following = await rig.vault()
    problem = (await following.read(owner)).problem
    assert problem is not None
    assert problem.reason == "CredentialUnreadable"
    assert "another key-1" in problem.message


async def test_a_record_opens_nowhere_but_in_its_place(rig: Rig, kubectl: Kubectl) -> None:
    vault, owner = await rig.vault(), rig.owner()
    await written(vault, owner, record(), RecordAnswer())
    elsewhere = f"test-{uuid4().hex[:10]}"
    kubectl("create", "namespace", elsewhere)
    data = rig.stored(owner)["data"]
    try:
        same_uid = Owner(elsewhere, owner.name, owner.uid)
        for copied in (same_uid, rig.owner("other"), rig.owner("prod", elsewhere)):
            manifest = secret(copied.namespace, record_name(copied.uid)) | {"data": data}
            rig.api.apply(manifest)
            answer = await vault.read(copied)
            assert answer.record is None
            assert answer.problem is not None
            assert answer.problem.reason == "CredentialUnreadable"
    finally:
        kubectl("delete", "namespace", elsewhere, "--wait=false")
    assert (await vault.read(owner)).record == record()
