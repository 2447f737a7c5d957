"""`hub get` as a user runs it, against a real API server: as kubectl where kubectl says how it should be."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import yaml

from conftest import Kubectl
from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.gateway import Asked, Gateway
from support.hub_command import Hub, lines_until, press_ctrl_c, user_kubeconfig
from support.instances import Api, Object, instance, ready_status

pytestmark = pytest.mark.cluster

IDENTITY = "billing@acme.example"


@pytest.fixture
def three(api: Api, namespace: str) -> list[Object]:
    """Three instances, as the operator leaves them: one that works, one that does not, one that nobody has seen."""
    objects = [instance(namespace, name, "acme") for name in ("billing", "crm", "new")]
    objects[1]["metadata"]["labels"] = {"team": "crm"}
    applied = api.apply(*objects)
    works = ready_status("True", "Connected", "Connected.")
    works["status"] |= {"identity": IDENTITY, "lastTested": "2026-01-01T00:00:00Z"}
    api.merge(applied[0], works, "/status")
    api.merge(applied[1], ready_status("False", "CredentialsRejected", "They are old. " * 20), "/status")
    return applied


def without_ages(text: str) -> str:
    return re.sub(r"\b\d+[smhd](\d+[smh])?\b", "AGE", text)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-o", "wide"),
        ("--no-headers",),
        ("-l", "team=crm"),
        ("billing",),
        ("billing", "new"),
        ("-o", "name"),
        ("-o", "json"),
        ("billing", "-o", "json"),
        ("billing", "crm", "-o", "json"),
        ("-o", "jsonpath={.items[*].metadata.name}"),
        ("-o", r"jsonpath={.items[*].metadata.annotations.a\.b/c}"),
        ("-o", 'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.status}{"\\n"}{end}'),
        ("-o", 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].reason}'),
        ("billing", "-o", "jsonpath={.spec}"),
    ],
    ids=" ".join,
)
def test_it_prints_what_kubectl_prints(
    hub: Hub, kubectl: Kubectl, namespace: str, three: list[Object], words: tuple[str, ...]
) -> None:
    theirs = kubectl("get", "iinst", *words, "-n", namespace).stdout
    ours = hub.run("get", *words)
    assert (ours.code, ours.err) == (0, "")
    assert without_ages(ours.out) == without_ages(re.sub(r"(?m) +$", "", theirs))


def without_tables(asked: Asked) -> None:
    """What some gateways do: they ask for objects, whatever was asked for."""
    asked.headers["Accept"] = "application/json"


@pytest.mark.parametrize(
    "words",
    [(), ("-o", "wide"), ("-A",), ("-l", "team=crm"), ("-l", "team=x"), ("billing", "new"), ("idef",)],
    ids=" ".join,
)
def test_a_server_without_tables_makes_no_difference(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo,
    hub: Hub,
    namespace: str,
    three: list[Object],
    words: tuple[str, ...],
    tmp_path: Path,
) -> None:
    with Gateway(control_plane, tmp_path, namespace, without_tables) as gateway:
        ran, tabled = hub.run("get", *words, "--kubeconfig", str(gateway.kubeconfig)), hub.run("get", *words)
    assert (ran.code, ran.err) == (0, tabled.err)
    ours, theirs = (
        # Of all namespaces, others come and go.
        [
            line
            for line in without_ages(out).splitlines()
            if "-A" not in words or line.startswith(("NAMESPACE", namespace))
        ]
        for out in (ran.out, tabled.out)
    )
    assert [line.split() for line in ours] == [line.split() for line in theirs]
    assert ours == theirs or "-A" in words


def test_a_server_without_tables_is_watched_too(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo, hub: Hub, api: Api, namespace: str, three: list[Object], tmp_path: Path
) -> None:
    with Gateway(control_plane, tmp_path, namespace, without_tables) as gateway:
        process = hub.start("get", "-w", "--kubeconfig", str(gateway.kubeconfig))
        before = lines_until(process, "new")
        assert [line.split()[0] for line in before] == ["NAME", "billing", "crm", "new"]
        api.merge(three[2], ready_status("False", "SecretNotFound"), "/status")
        (changed,) = lines_until(process, "new")
        assert changed.index("False") == before[0].index("READY")
        api.delete(three[0])
        api.merge(three[1], ready_status("True", "Connected"), "/status")
        (changed,) = lines_until(process, "crm")
        assert changed.split()[:3] == ["crm", "True", "Connected"]
        press_ctrl_c(process)
        ran = hub.ended(process)
    assert "billing was deleted." in ran.err


@pytest.mark.parametrize("words", [(), ("billing",), ("billing", "new")], ids=" ".join)
def test_its_yaml_says_what_kubectls_says_in_the_same_order(
    hub: Hub, kubectl: Kubectl, namespace: str, three: list[Object], words: tuple[str, ...]
) -> None:
    theirs = kubectl("get", "iinst", *words, "-n", namespace, "-o", "yaml").stdout
    ours = hub.run("get", *words, "-o", "yaml").out
    assert json.dumps(yaml.safe_load(ours)) == json.dumps(yaml.safe_load(theirs))


def test_all_namespaces_have_a_column_for_them(hub: Hub, namespace: str, three: list[Object]) -> None:
    ran = hub.run("get", "-A")
    assert re.search(r"^NAMESPACE +NAME +READY +REASON", ran.out)
    assert re.search(rf"(?m)^{namespace} +billing +True +Connected +acme +{IDENTITY}", ran.out)


def test_definitions_are_listed_by_any_name_of_theirs(hub: Hub, kubectl: Kubectl, api: Api) -> None:
    runs = hub.run_all(("get", "definitions"), ("get", "idef"), ("get", "IntegrationDefinition"))
    assert {without_ages(ran.out) for ran in runs} == {without_ages(runs[0].out)}
    assert {ran.code for ran in runs} == {0}


def test_a_mistyped_name_is_answered_with_those_there_are(
    hub: Hub, namespace: str, three: list[Object]
) -> None:
    ran = hub.run("get", "biling")
    assert (ran.code, ran.out) == (2, "")
    assert (
        f"There is no IntegrationInstance 'biling' in namespace '{namespace}' (did you mean 'billing'?)."
        in ran.err
    )
    assert "There are billing, crm, new." in ran.err


def test_where_there_is_nothing_it_says_so_aside_and_that_is_no_failure(hub: Hub, namespace: str) -> None:
    ran = hub.run("get")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        f"There are no instances in namespace '{namespace}'. 'hub get -A' lists those of all namespaces.\n"
    )
    assert yaml.safe_load(hub.run("get", "-o", "yaml").out)["items"] == []


def test_names_and_all_namespaces_contradict_each_other(hub: Hub) -> None:
    ran = hub.run("get", "billing", "-A")
    assert ran.code == 2
    assert "leave one of them out" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("billing/status",), "write NAME, instance/NAME or definition/NAME"),
        (("instances", ".."), "'..' cannot be the name of an IntegrationInstance"),
        (("-n", "a/b"), "'a/b' cannot be the name of a namespace"),
        (("",), "'' cannot be the name of"),
        (
            ("-l", "a==b==c"),
            "Error: -l 'a==b==c' is no selector, like team=shop or 'team in (a,b)'.\nWhy: The API server says: found",
        ),
        (("-w", "-l", "a in b"), "Error: -l 'a in b' is no selector, like team=shop"),
    ],
)
def test_what_is_no_name_and_no_label_is_a_mistake_in_the_command(
    hub: Hub, words: tuple[str, ...], said: str
) -> None:
    ran = hub.run("get", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_who_may_not_list_is_told_what_to_ask_for(
    hub: Hub, kubectl: Kubectl, namespace: str, control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = kubectl("create", "token", "nobody", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "nobody", server=control_plane.server, ca_file=control_plane.ca_file, token=token
    )
    runs = Hub(tmp_path, file, token).run_all(
        ["get", "-n", namespace],
        ["get", "x", "-n", namespace],
        ["events", "-n", namespace],
        ["get", "definitions", "-w"],
        ["audit", "verify", "-n", namespace],
    )
    assert [ran.code for ran in runs] == [3] * 5
    ran, wrong, events, watched, keyring = runs
    place = f" in namespace '{namespace}', or choose"
    rights = {
        ran.err: "'list' integrationinstances.integrationhub.dev" + place,
        wrong.err: "'get' integrationinstances.integrationhub.dev" + place,
        events.err: "'list' events.events.k8s.io" + place,
        watched.err: "'list' and 'watch' integrationdefinitions.integrationhub.dev, or choose",
        keyring.err: "'get' secrets" + place,
    }
    for said, right in rights.items():
        assert f"What to do: Ask for the right to {right}" in said
    assert "You may not read the list of integrationinstances.\nWhat to do: Ask for the right" in ran.err
    assert "You may not read IntegrationInstance 'x'" in wrong.err


def test_a_cluster_that_is_not_there_and_one_that_is_not_trusted_are_told_apart(
    hub: Hub, control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    gone = user_kubeconfig(
        tmp_path / "gone", server="https://127.0.0.1:1", ca_file=control_plane.ca_file, token="x"
    )
    other = tmp_path / "other"
    text = re.sub(r'"certificate-authority": "[^"]+", ', "", (tmp_path / "kubeconfig").read_text())
    other.write_text(text)
    no_answer, untrusted = hub.run_all(
        ("get", "--kubeconfig", str(gone)), ("get", "--kubeconfig", str(other))
    )
    assert (no_answer.code, untrusted.code) == (3, 3)
    assert "The API server at https://127.0.0.1:1 cannot be reached (connection refused).\n" in no_answer.err
    assert "its certificate is not trusted" in untrusted.err


# On a terminal


def test_a_terminal_gets_symbols_and_colours_beside_words_cut_to_its_width(
    hub: Hub, three: list[Object]
) -> None:
    code, shown = hub.on_a_terminal("get", "-o", "wide", columns=100)
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in shown.splitlines()]
    assert code == 0
    assert "\x1b[38;5;29m✓\x1b[0m True" in shown
    assert "\x1b[38;5;196m✗\x1b[0m False" in shown
    assert max(len(line) for line in lines) <= 100
    assert re.search(r"✗ False +CredentialsRejected ", lines[2])
    assert re.search(r"They are old\..*…$", lines[2])


def test_without_colours_the_symbols_and_words_stay(hub: Hub, three: list[Object]) -> None:
    _, shown = hub.on_a_terminal("get", NO_COLOR="1")
    assert "\x1b" not in shown
    assert "✗ False" in shown


def test_plain_output_on_a_terminal_is_words_one_fact_a_line(hub: Hub, three: list[Object]) -> None:
    _, shown = hub.on_a_terminal("get", "billing", "--plain", columns=20)
    facts = [line.partition(": ")[::2] for line in shown.splitlines()]
    assert facts[:5] == [
        ("Name", "billing"), ("Ready", "True"), ("Reason", "Connected"), ("Definition", "acme"), ("Identity", IDENTITY)
    ]  # fmt: skip
    assert "\x1b" not in shown
    assert shown.isascii()


# Watching


def test_watching_prints_every_change_below_what_there_was_until_ctrl_c(
    hub: Hub, api: Api, three: list[Object]
) -> None:
    process = hub.start("get", "-w")
    assert process.stdout is not None
    before = [process.stdout.readline() for _ in range(4)]
    assert [line.split()[0] for line in before] == ["NAME", "billing", "crm", "new"]
    api.merge(three[2], ready_status("False", "SecretNotFound"), "/status")
    changed = process.stdout.readline()
    assert changed.split()[:3] == ["new", "False", "SecretNotFound"]
    assert changed.index("False") == before[0].index("READY")
    api.delete(three[0])
    api.merge(three[1], ready_status("True", "Connected"), "/status")
    assert process.stdout.readline().split()[:3] == ["crm", "True", "Connected"]
    press_ctrl_c(process)
    ran = hub.ended(process)
    assert ran.code == 130
    assert "billing was deleted." in ran.err
    assert "Traceback" not in ran.err


def test_watching_one_as_json_prints_whole_objects_and_no_others(
    hub: Hub, api: Api, three: list[Object]
) -> None:
    process = hub.start("get", "new", "-w", "-o", "jsonpath={.metadata.name} {.status.phase}")
    assert process.stdout is not None
    assert process.stdout.readline() == "new \n"
    api.merge(three[1], {"status": {"phase": "Error"}}, "/status")
    api.merge(three[2], {"status": {"phase": "Pending"}}, "/status")
    assert process.stdout.readline() == "new Pending\n"
    press_ctrl_c(process)
    assert hub.ended(process).code == 130


def test_watching_goes_on_when_the_api_server_is_away_for_a_while(
    hub: Hub, spare_cluster: ControlPlane, spare_api: Api
) -> None:
    (applied,) = spare_api.apply(instance("default", "steady", "acme", suspend=True))
    process = hub.start(
        "get", "steady", "-w", "-n", "default", "--kubeconfig", str(spare_cluster.home.kubeconfig)
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("NAME")
    assert process.stdout.readline().startswith("steady")
    spare_cluster.down()
    assert process.stderr.readline() == "The API server does not answer at the moment; the wait goes on.\n"
    spare_cluster.up()
    spare_api.merge(applied, ready_status("False", "SecretNotFound"), "/status")
    assert process.stdout.readline().split()[:3] == ["steady", "False", "SecretNotFound"]
    press_ctrl_c(process)
    assert hub.ended(process).code == 130
    spare_api.delete(applied)


@pytest.mark.parametrize("status", [500, 503, 504])
def test_watching_loses_no_page_of_what_there_is(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo,
    hub: Hub,
    namespace: str,
    three: list[Object],
    tmp_path: Path,
    status: int,
) -> None:
    """The page before has a resourceVersion, too: from there, what the others hold would never be seen."""
    pages: list[str] = []

    def spoil(asked: Asked) -> int | None:
        if asked.path.endswith("/integrationinstances") and "watch" not in asked.query:
            asked.query["limit"] = "1"
            pages.append(asked.query.get("continue", ""))
        return status if len(pages) == 2 and "watch" not in asked.query else None

    with Gateway(control_plane, tmp_path, namespace, spoil) as gateway:
        process = hub.start("get", "-w", "-o", "name", "--kubeconfig", str(gateway.kubeconfig))
        assert lines_until(process, "/new") == [
            f"integrationinstance.integrationhub.dev/{name}" for name in ("billing", "crm", "new")
        ]
        press_ctrl_c(process)
        ran = hub.ended(process)
    assert ran.code == 130
    assert "The API server does not answer at the moment; the wait goes on.\n" in ran.err


def test_a_reader_that_has_seen_enough_is_no_failure(hub: Hub, api: Api, three: list[Object]) -> None:
    process = hub.start("get", "-w")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        api.merge(three[1], {"status": {"identity": f"{time.monotonic()}"}}, "/status")
        time.sleep(0.1)
    assert process.returncode == 141
    assert process.stdin is not None
    assert process.stderr is not None
    assert not process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_json_is_an_object_that_can_be_applied_again(hub: Hub, three: list[Object]) -> None:
    data = json.loads(hub.run("get", "billing", "-o", "json").out)
    assert (data["kind"], data["metadata"]["name"]) == ("IntegrationInstance", "billing")
    assert "managedFields" not in data["metadata"]


def test_names_as_it_prints_them_are_taken_by_every_command_about_instances(
    hub: Hub, three: list[Object]
) -> None:
    names = hub.run("get", "-o", "name").out.split()
    assert len(names) > 1
    got, exported, asked = hub.run_all(
        ["get", *names, "-o", "name"], ["export", *names], ["reconcile", "--no-wait", *names]
    )
    assert (got.code, got.out.split()) == (0, names)
    assert (exported.code, exported.out.count("kind: IntegrationInstance")) == (0, len(names))
    assert (asked.code, asked.out.count("was asked to test")) == (0, len(names))
