"""`hub connect` and `hub edit` that are stopped or refused in the middle of writing: what is there, what is said."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from conftest import Kubectl
from integration_hub.devcluster import ControlPlaneInfo
from support.admission import Admission
from support.hub_command import Hub, Ran, user_kubeconfig
from support.instances import Api, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, Seen, TargetServer
from support.wizard import CTRL_C, Terminal

pytestmark = pytest.mark.cluster

CANARY = "cAnaryM-93b1/+4c=7d2e"
LOOPBACK = ("--allow-cidr", "127.0.0.0/8")
SECRETS, INSTANCES = "v1/secrets", "integrationhub.dev/v1alpha1/integrationinstances"


@pytest.fixture
def acme(api: Api, target: TargetServer, namespace: str) -> str:
    """A definition that asks for an account and a key."""
    name = f"{namespace}-acme"
    api.apply(definition(name, target))
    return name


@pytest.fixture
def admission(kubectl: Kubectl, namespace: str) -> Iterator[Callable[..., Admission]]:
    """`admission(resource, denies=False)`: whoever is asked before such an object is written in the namespace."""
    with ExitStack() as ends:

        def install(resource: str, *, denies: bool = False) -> Admission:
            made = ends.enter_context(Admission(namespace, resource, denies=denies))
            kubectl("apply", "-f", "-", input=json.dumps(made.manifest))
            name = made.manifest["metadata"]["name"]
            ends.callback(kubectl, "delete", "validatingwebhookconfiguration", name)
            return made

        yield install


def words(acme: str, name: str) -> tuple[str, ...]:
    return (
        "connect", acme, "--no-input", "--no-test", "--no-wait", "--apply", "--set", f"account={name}", "--name", name,
        "--secret-from-file", "apiKey=-",
    )  # fmt: skip


def there(api: Api, namespace: str, name: str) -> tuple[bool, bool]:
    """Tell whether the connection's Secret is there, and the connection."""
    found = [
        api.exists({"kind": kind, "metadata": {"name": one, "namespace": namespace}})
        for kind, one in (("Secret", f"{name}-credentials"), ("IntegrationInstance", name))
    ]
    return found[0], found[1]


def stopped(hub: Hub, held: Admission, *run: str, presses: int = 1) -> Ran:
    """Press Ctrl-C while a write is held, and let that go on once the command has said that it waits for it."""
    process = hub.start(*run)
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(CANARY)
    process.stdin.close()
    process.stdin = None
    assert held.asked.wait(30)
    process.send_signal(signal.SIGINT)
    seen = ""
    while "Stopping once the API server has answered" not in seen:
        seen += process.stderr.read(1)
    if presses == 1:
        held.released.set()
    else:
        process.send_signal(signal.SIGINT)
    ended = hub.ended(process)
    return Ran(ended.code, ended.out, seen + ended.err)


def test_a_secret_that_is_being_written_is_taken_away_again(
    hub: Hub, acme: str, api: Api, namespace: str, admission: Callable[..., Admission]
) -> None:
    ran = stopped(hub, admission(SECRETS), *words(acme, "billing"))
    assert ran.code == 130
    assert "The Secret 'billing-credentials' was taken away again." in ran.err
    assert ran.err.endswith("Stopped. Nothing was written.\n")
    assert there(api, namespace, "billing") == (False, False)


def test_a_connection_that_is_being_written_stays_and_is_told(
    hub: Hub, acme: str, api: Api, namespace: str, admission: Callable[..., Admission]
) -> None:
    ran = stopped(hub, admission(INSTANCES), *words(acme, "billing"))
    assert ran.code == 130
    said = "Stopped. The connection is applied, and the operator goes on by itself: 'hub status billing"
    assert said in ran.err.splitlines()[-1]
    assert there(api, namespace, "billing") == (True, True)


def test_pressed_again_it_stops_at_once_and_says_what_is_not_known(
    hub: Hub, acme: str, namespace: str, admission: Callable[..., Admission]
) -> None:
    ran = stopped(hub, admission(SECRETS), *words(acme, "billing"), presses=2)
    assert ran.code == 130
    assert ran.err.endswith("Stopped. Whether the Secret 'billing-credentials' was created is not known.\n")


def test_a_secret_goes_again_where_the_connection_is_refused(
    hub: Hub, acme: str, api: Api, namespace: str, admission: Callable[..., Admission]
) -> None:
    admission(INSTANCES, denies=True)
    ran = hub.run(*words(acme, "billing"), stdin=CANARY)
    assert ran.code == 1
    assert "The API server refuses IntegrationInstance 'billing'" in ran.err
    assert "not in this house" in ran.err
    assert "right" not in ran.err.replace("whatever rights you have", "")
    assert "The Secret 'billing-credentials' was taken away again." in ran.err
    assert there(api, namespace, "billing") == (False, False)


def test_a_secret_that_may_not_be_deleted_is_told_with_what_deletes_it(  # noqa: PLR0917 - fixtures
    acme: str,
    api: Api,
    namespace: str,
    admission: Callable[..., Admission],
    control_plane: ControlPlaneInfo,
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    within, subject = ("-n", namespace), f"--serviceaccount={namespace}:maker"
    kubectl("create", "serviceaccount", "maker", *within)
    kubectl("create", "clusterrole", acme, "--verb=get,list", "--resource=idef")
    kubectl("create", "clusterrolebinding", acme, f"--clusterrole={acme}", subject)
    for role, verbs, resource in (
        ("one", "get,list,create,patch", "iinst"),
        ("two", "get,list,create", "secret"),
    ):
        kubectl("create", "role", role, *within, f"--verb={verbs}", f"--resource={resource}")
        kubectl("create", "rolebinding", role, *within, f"--role={role}", subject)
    token = kubectl("create", "token", "maker", *within).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "maker",
        server=control_plane.server,
        ca_file=control_plane.ca_file,
        namespace=namespace,
        token=token,
    )
    maker = Hub(tmp_path, file, CANARY)
    admission(INSTANCES, denies=True)
    ran = maker.run(*words(acme, "billing"), stdin=CANARY)
    kubectl("delete", "clusterrole,clusterrolebinding", acme)
    assert ran.code == 1
    assert "The Secret 'billing-credentials' was created, and could not be taken away again (403 " in ran.err
    assert (
        f"'kubectl delete secret billing-credentials -n {namespace}' does it, for those who may." in ran.err
    )
    assert there(api, namespace, "billing") == (True, False)


def test_no_answer_is_lost_where_it_cannot_be_written(
    hub: Hub, acme: str, api: Api, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for folder, file in (("odd", "kustomization.yaml"), ("theirs", "instance.yaml")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("resources: {}\n")
    given = (
        "--set",
        "account=billing",
        "--name",
        "billing",
        "--display-name",
        "Ours",
        "--secret-from-env",
        "apiKey=KEY",
    )
    run = Terminal(hub, "connect", acme, "--plain", "--no-test", *given, secrets=(CANARY,), KEY=CANARY)
    for question in ("ca (", "server (", "Whom does the connection belong to?", "Which roles may use it?"):
        run.answers(question, "")
    for folder, said in (("file", "is no folder"), ("odd", "cannot be added to"), ("theirs", "")):
        run.answers("What now?", "folder")
        run.answers("Folder to write", str(tmp_path / folder))
        run.answers("How does the Secret come to the cluster?", "")
        if folder == "theirs":
            run.answers("Overwrite instance.yaml in", "no")
        assert said in run.sees("Nothing was written.")
    run.sees("What now?")
    api.apply(instance(namespace, "billing", acme))
    run.types("apply")
    assert "exists already, and is not overwritten" in run.sees("Nothing was written.")
    api.delete(instance(namespace, "billing", acme))
    run.answers("What now?", "apply")
    run.sees("secret/billing-credentials created")
    run.presses(CTRL_C)
    code, text = run.ends()
    assert code == 130
    assert "Stopped. The connection is applied, and the operator goes on by itself" in text
    assert there(api, namespace, "billing") == (True, True)
    assert (tmp_path / "theirs" / "instance.yaml").read_text() == "resources: {}\n"


def test_a_list_that_cannot_be_added_to_is_told_before_the_first_question(
    hub: Hub, acme: str, tmp_path: Path
) -> None:
    for name in ("kustomization.yaml", "kustomization.yml"):
        (tmp_path / name).write_text("resources: []\n")
    run = Terminal(hub, "connect", acme, "--plain", "-o", str(tmp_path))
    code, text = run.ends()
    assert code == 2
    assert "of which kustomize takes one alone" in text
    assert "account" not in text


@pytest.fixture
def billing(api: Api, acme: str, namespace: str, target: TargetServer) -> dict[str, Any]:
    """A connection whose key the external system knows."""
    target.script(account(namespace, "billing"), knows_the_canary)
    api.apply(secret(namespace, apiKey=CANARY))
    (made,) = api.apply(instance(namespace, "billing", acme, displayName="Billing"))
    return made


def knows_the_canary(seen: Seen) -> Answer:
    is_known = seen.headers.get("authorization") == f"Bearer {CANARY}"
    return Answer() if is_known else Answer(401, {"error": "no"})


def test_what_the_operator_writes_meanwhile_is_in_nobodys_way(
    hub: Hub, billing: dict[str, Any], api: Api
) -> None:
    run = Terminal(
        hub, "edit", "billing", "--plain", "--no-test", "--no-wait", "--role", "admin", secrets=(CANARY,)
    )
    run.sees("What now?")
    before = api.get(billing)
    api.merge(billing, {"status": {"phase": "Connected"}}, "/status")
    assert api.get(billing)["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    run.types("apply")
    code, text = run.ends()
    assert code == 0, text
    assert api.get(billing)["spec"]["permissions"] == {"roles": ["admin"]}


@pytest.mark.parametrize("suspended", [False, True])
def test_a_changed_secret_is_waited_for_by_what_the_operator_answers(
    hub: Hub,
    billing: dict[str, Any],
    api: Api,
    operator: OperatorProcess,
    suspended: bool,
) -> None:
    """Whether the new value is wrong, or nothing is tested of it: no verdict of before is taken for its."""
    if suspended:
        api.merge(billing, {"spec": {"suspend": True}})
    api.wait_for_verdict(billing, *(("Unknown", "Suspended") if suspended else ("True", "Connected")))
    words = ("edit", "billing", "--no-input", "--no-test", "--apply", "--timeout", "30s")
    ran = hub.run(*words, "--secret-from-file", "apiKey=-", stdin=f"{CANARY}-wrong")
    assert ran.code == 1, ran.err
    assert ("Suspended" if suspended else "CredentialsRejected") in ran.err
