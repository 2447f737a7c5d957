"""Keys and sealed records against a real API server: Secrets written, keyrings made, records wrapped anew."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, run_kubectl, service_account_kubeconfig
from integration_hub.adapters.kube import SECRETS, ApiError, KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.credentials.keyring import new_keyring, with_new_key, without
from integration_hub.credentials.sealed import UnreadableError
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from integration_hub.runtime.keys import KeyWatch
from integration_hub.shell.keyring_source import (
    KeyringUnavailableError,
    SecretKeyring,
    encoded,
    read_keyring,
    replace_keyring,
)
from integration_hub.shell.rewrap import ATTEMPTS, RewrapReport, rewrap_all, usage_of_keys
from support.records import (
    FIELDS,
    NAME,
    Records,
    manifest,
    nobody_there,
    source,
)

pytest_plugins = ["support.record_fixtures"]

pytestmark = pytest.mark.cluster


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
    second = await kube.replace_secret(namespace, first | {"data": encoded({"a": b"2"})})
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


# The keyring in a Secret


async def test_a_keyring_is_made_at_the_first_start_and_read_at_the_next(
    kube: KubeClient, namespace: str
) -> None:
    first, second = source(kube, namespace), source(kube, namespace)
    with pytest.raises(KeyringUnavailableError, match="not been read yet"):
        first.current()
    assert await first.refresh() is True
    assert await second.refresh() is True
    assert first.current() == second.current()
    assert first.current().numbers == (1,)
    assert await first.refresh() is False, "nothing has changed"

    raw = await kube.read(SECRETS, namespace, NAME)
    assert raw["type"] == "integrationhub.dev/keyring"
    assert raw["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "integration-hub"}
    assert "immutable" not in raw


async def test_two_operators_that_start_at_once_have_one_keyring(kube: KubeClient, namespace: str) -> None:
    sources = [source(kube, namespace) for _ in range(8)]
    await asyncio.gather(*(each.refresh() for each in sources))
    assert len({each.current().check(1) for each in sources}) == 1
    assert kube.calls["POST secrets"] > 1, "several tried to make it"


async def test_one_operator_that_looks_twice_at_once_makes_one_keyring(
    kube: KubeClient, namespace: str
) -> None:
    one = source(kube, namespace)
    assert sorted(await asyncio.gather(one.refresh(), one.refresh())) == [False, True]
    assert kube.calls["POST secrets"] == 1


async def test_a_new_key_is_taken_at_the_next_look(kube: KubeClient, namespace: str) -> None:
    one = source(kube, namespace)
    await one.refresh()
    newer = with_new_key(one.current(), secrets.token_bytes)
    raw = await kube.read(SECRETS, namespace, NAME)
    await kube.replace_secret(namespace, raw | {"data": encoded(newer.data())})
    assert await one.refresh() is True
    assert one.current() == newer


async def test_a_keyring_that_somebody_spoils_stays_in_use_and_is_not_written_over(
    kube: KubeClient, namespace: str
) -> None:
    one = source(kube, namespace)
    await one.refresh()
    good = one.current()
    raw = await kube.read(SECRETS, namespace, NAME)
    spoilt = {**encoded(good.data()), "key-2": base64.b64encode(secrets.token_bytes(16)).decode()}
    await kube.replace_secret(namespace, raw | {"data": spoilt})
    with pytest.raises(KeyringUnavailableError, match="'key-2' has 16 bytes") as unavailable:
        await one.refresh()
    assert f"the Secret '{NAME}' in namespace '{namespace}' does not hold a keyring" in str(unavailable.value)
    assert one.current() == good
    with pytest.raises(KeyringUnavailableError, match="'key-2' has 16 bytes"):
        await source(kube, namespace).refresh()
    assert (await kube.read(SECRETS, namespace, NAME))["data"] == spoilt


async def test_a_keyring_that_somebody_deletes_is_put_back(kube: KubeClient, namespace: str) -> None:
    one = source(kube, namespace)
    await one.refresh()
    raw = await kube.read(SECRETS, namespace, NAME)
    await kube.delete_secret(namespace, NAME, uid=raw["metadata"]["uid"])
    assert await one.refresh() is False
    another = source(kube, namespace)
    await another.refresh()
    assert another.current() == one.current(), "what is sealed with it goes on opening"


async def test_a_namespace_that_is_missing_is_made(kube: KubeClient) -> None:
    name = f"hub-{secrets.token_hex(4)}"
    one = SecretKeyring(kube, name, NAME, secrets.token_bytes)
    assert await one.refresh() is True
    raw = await kube.read(SECRETS, name, NAME)
    assert raw["metadata"]["namespace"] == name


async def test_where_there_is_no_namespace_and_none_may_be_made_the_message_says_what_to_do(
    cluster: ControlPlane, control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    run_kubectl(cluster, "apply", "-f", ROOT / "deploy" / "rbac.yaml")
    file = service_account_kubeconfig(cluster, control_plane, tmp_path / "kubeconfig")
    client = KubeClient(load(file))
    nowhere = SecretKeyring(client, "no-such-namespace", NAME, secrets.token_bytes)
    for look in (nowhere.refresh, nowhere.refresh):
        with pytest.raises(KeyringUnavailableError) as unavailable:
            await look()
        assert "there is no namespace 'no-such-namespace'" in str(unavailable.value)
        assert "--keyring NAMESPACE/NAME" in str(unavailable.value)
    with pytest.raises(KeyringUnavailableError, match="no-such-namespace"):
        nowhere.current()
    await client.close()


async def test_a_name_that_none_can_have_is_said_to_be_wrong(kube: KubeClient, namespace: str) -> None:
    with pytest.raises(KeyringUnavailableError, match=r"correct --keyring NAMESPACE/NAME"):
        await SecretKeyring(kube, namespace, "No_Name", secrets.token_bytes).refresh()


async def test_who_may_not_read_the_keyring_is_told_which_rights_it_takes(
    powerless: Path, namespace: str
) -> None:
    client = KubeClient(load(powerless))
    with pytest.raises(KeyringUnavailableError, match="may not 'get', 'create' and 'update'") as unavailable:
        await source(client, namespace).refresh()
    await client.close()
    assert f"the Secret '{NAME}' in namespace '{namespace}'" in str(unavailable.value)
    assert "--keyring NAMESPACE/NAME" in str(unavailable.value)


async def test_where_nobody_answers_the_message_says_what_was_asked_for(
    control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    client = KubeClient(load(nobody_there(control_plane, tmp_path)))
    with pytest.raises(KeyringUnavailableError, match=r"which holds the keyring, cannot be read: no answer"):
        await source(client, "any").refresh()
    await client.close()


# Records

OLD = new_keyring(secrets.token_bytes)
NEW = with_new_key(OLD, secrets.token_bytes)


async def test_every_record_is_wrapped_anew_and_nothing_else_of_it_is_touched(
    kube: KubeClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_hub.adapters.kube.PAGE", 4)  # so that there are several
    old, new = await records.add(OLD, 9), await records.add(NEW, 2)
    before = await records.raw(old[0])
    untouched = (await records.raw(new[0]))["metadata"]["resourceVersion"]
    seen: list[int] = []

    report = await rewrap_all(
        kube, NEW, secrets.token_bytes, on_progress=lambda so_far: seen.append(so_far.seen)
    )
    assert (report.done, report.already, report.left, report.unreadable) == (9, 2, {}, {})
    assert seen == list(range(1, 12))
    assert kube.calls["PUT secrets"] == 9, "what is under the active key is not written"
    for place in records.places:
        assert await records.opened(place, without(NEW, 1)) == FIELDS

    after = await records.raw(old[0])
    assert {**after["data"], "envelope": ""} == {**before["data"], "envelope": ""}
    kept = ("labels", "name", "uid")
    assert [after["metadata"][part] for part in kept] == [before["metadata"][part] for part in kept]
    assert after["type"] == before["type"]
    assert (await records.raw(new[0]))["metadata"]["resourceVersion"] == untouched

    again = await rewrap_all(kube, NEW, secrets.token_bytes)
    assert (again.done, again.already) == (0, 11)


async def test_a_record_whose_label_was_taken_off_is_found_by_its_name(
    kube: KubeClient, records: Records
) -> None:
    [place] = await records.add(OLD)
    raw = await records.raw(place)
    await kube.replace_secret(place.namespace, raw | {"metadata": raw["metadata"] | {"labels": {}}})
    await rewrap_all(kube, NEW, secrets.token_bytes)
    assert await records.under() == {place: 2}


async def test_who_is_stopped_in_the_middle_goes_on_from_there(kube: KubeClient, records: Records) -> None:
    await records.add(OLD, 30)
    walk: asyncio.Task[RewrapReport]

    def stop(report: RewrapReport) -> None:
        if report.done == 10:
            walk.cancel()

    walk = asyncio.create_task(rewrap_all(kube, NEW, secrets.token_bytes, on_progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await walk
    done = sum(number == 2 for number in (await records.under()).values())
    assert 10 <= done < 30
    report = await rewrap_all(kube, NEW, secrets.token_bytes)
    assert (report.done, report.already) == (30 - done, done)
    for place in records.places:
        assert await records.opened(place, NEW) == FIELDS


async def test_two_that_walk_at_once_do_each_record_once(kube: KubeClient, records: Records) -> None:
    await records.add(OLD, 20)
    reports = await asyncio.gather(*(rewrap_all(kube, NEW, secrets.token_bytes) for _ in range(3)))
    assert sum(report.done for report in reports) == 20
    assert [report.seen for report in reports] == [20, 20, 20]
    assert [report.left for report in reports] == [{}, {}, {}]


class Meddler(KubeClient):
    """A client beside which somebody else writes the same record, so many times."""

    times = 0

    async def replace_secret(self, namespace: str, manifest: Any) -> dict[str, Any]:
        if self.times:
            self.times -= 1
            meddled = {"metadata": {"annotations": {"meddled": str(self.times)}}}
            await self.merge(SECRETS, namespace, manifest["metadata"]["name"], meddled, manager="somebody")
        return await super().replace_secret(namespace, manifest)


async def test_a_record_that_was_written_meanwhile_is_read_again_and_not_for_ever(
    control_plane: ControlPlaneInfo, records: Records
) -> None:
    meddler = Meddler(load(control_plane.kubeconfig))
    [place] = await records.add(OLD)
    meddler.times = ATTEMPTS
    report = await rewrap_all(meddler, NEW, secrets.token_bytes)
    assert (report.done, list(report.left)) == (0, [place])
    assert await records.under() == {place: 1}

    meddler.times = ATTEMPTS - 1
    report = await rewrap_all(meddler, NEW, secrets.token_bytes)
    assert (report.done, report.left) == (1, {})
    assert (await records.raw(place))["metadata"]["annotations"] == {"meddled": "0"}, "what they wrote stays"
    await meddler.close()


async def test_a_record_that_does_not_open_is_named_and_the_others_are_done(
    kube: KubeClient, records: Records
) -> None:
    [good] = await records.add(OLD)
    [lost] = await records.add(new_keyring(secrets.token_bytes))
    [copied] = await records.add(OLD)
    raw = await records.raw(good)
    await kube.replace_secret(copied.namespace, await records.raw(copied) | {"data": raw["data"]})
    [empty] = await records.add(OLD)
    await kube.replace_secret(empty.namespace, await records.raw(empty) | {"data": {}})

    report = await rewrap_all(kube, NEW, secrets.token_bytes)
    assert (report.done, set(report.unreadable)) == (1, {lost, copied, empty})
    assert "another key-1" in report.unreadable[lost]
    assert "copied from another object" in report.unreadable[copied]
    assert "missing or cannot be read" in report.unreadable[empty]
    assert await records.opened(good, NEW) == FIELDS


async def test_records_are_counted_by_their_key(kube: KubeClient, records: Records) -> None:
    anew = new_keyring(secrets.token_bytes)
    await records.add(OLD, 3)
    await records.add(NEW, 2)
    await records.add(anew)
    [empty] = await records.add(OLD)
    await kube.replace_secret(empty.namespace, await records.raw(empty) | {"data": {}})
    usage = await usage_of_keys(kube)
    assert (usage.of(NEW, 1), usage.of(NEW, 2), usage.of(anew, 1)) == (3, 2, 1)
    assert usage.lost(NEW) == {(1, anew.check(1)): 1}
    assert usage.unreadable == [empty]


async def test_who_may_not_list_secrets_is_told_so_at_once(powerless: Path) -> None:
    client = KubeClient(load(powerless))
    with pytest.raises(ApiError) as refused:
        await rewrap_all(client, NEW, secrets.token_bytes)
    await client.close()
    assert refused.value.status == 403


async def test_a_secret_that_only_looks_like_a_record_is_passed_over(
    kube: KubeClient, namespace: str, no_records: None
) -> None:
    for name in ("hub-credential-of-mine", "my-hub-credential"):
        await kube.create_secret(namespace, manifest(name, envelope=b"{}"))
    assert (await rewrap_all(kube, NEW, secrets.token_bytes)).seen == 0


# What docs/keys.md tells people to type


def typed(cluster: ControlPlane, folder: Path, namespace: str, words: str) -> None:
    """Do what a block of the page says that begins with these words; its namespace is the test's."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "keys.md").read_text(), re.DOTALL)
    [block] = [block for block in blocks if block.startswith(words)]
    kubectl = f'kubectl() {{ {shlex.join(cluster.kubectl_command())} "$@"; }}'
    script = f"set -eu\n{kubectl}\n{block.replace('-n integration-hub', f'-n {namespace}')}"
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


async def test_a_keyring_that_was_backed_up_is_restored_over_the_one_that_was_made_since(
    kube: KubeClient, cluster: ControlPlane, namespace: str, records: Records, tmp_path: Path
) -> None:
    name = "integration-hub-keyring"
    one = SecretKeyring(kube, namespace, name, secrets.token_bytes)
    await one.refresh()
    [place] = await records.add(one.current())
    typed(cluster, tmp_path, namespace, "kubectl get secret")
    raw = await kube.read(SECRETS, namespace, name)
    await kube.delete_secret(namespace, name, uid=raw["metadata"]["uid"])

    restarted = SecretKeyring(kube, namespace, name, secrets.token_bytes)
    await restarted.refresh()
    with pytest.raises(UnreadableError, match="another key-1"):
        await records.opened(place, restarted.current())
    typed(cluster, tmp_path, namespace, "kubectl apply")
    assert await restarted.refresh() is True
    assert restarted.current() == one.current()
    assert await records.opened(place, restarted.current()) == FIELDS
    annotations = (await kube.read(SECRETS, namespace, name))["metadata"]["annotations"]
    assert list(annotations) == ["integrationhub.dev/key-1-since"], "no key stands in an annotation"


async def test_a_key_that_a_reader_of_records_finds_first_is_news_to_the_watch_all_the_same(
    kube: KubeClient, namespace: str, records: Records
) -> None:
    keyring, woken = source(kube, namespace), list[str]()
    watch = KeyWatch(keyring, kube, lambda: woken.append("all"))
    await watch.look()
    await watch.look()
    assert woken == ["all"], "nothing has changed since"

    [place] = await records.add(keyring.current())
    stored = await read_keyring(kube, namespace, NAME)
    newer = with_new_key(stored.keyring, secrets.token_bytes)
    await replace_keyring(kube, stored, newer)
    assert await keyring.refresh() is True, "the vault reads it for the sake of one record"

    await watch.look()
    assert woken == ["all", "all"], "who could not be opened before is tried again"
    assert await records.opened(place, without(newer, 1)) == FIELDS, "and records are wrapped anew"


async def test_a_keyring_that_a_person_makes_is_taken(
    kube: KubeClient, cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    typed(cluster, tmp_path, namespace, "openssl rand")
    one = SecretKeyring(kube, namespace, "integration-hub-keyring", secrets.token_bytes)
    await one.refresh()
    assert one.current().numbers == (1,)
    assert "POST secrets" not in kube.calls
