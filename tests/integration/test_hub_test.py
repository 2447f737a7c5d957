"""`hub test` as a user runs it: against real TLS, with a real API server and the operator, also on a terminal."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from conftest import Kubectl
from integration_hub.cli.main import main
from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import HubTest, Ran, admin_kubeconfig, user_kubeconfig
from support.instances import Api, Object, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.target_server import Answer, Seen, TargetServer

pytestmark = pytest.mark.cluster

CANARY = "cAnaryQ7-53e1f0/+9b=2c4d"
"""A key that no output may show; every encoding writes it in another way."""


@pytest.fixture
def hub(control_plane: ControlPlaneInfo, crds_installed: None, namespace: str, tmp_path: Path) -> HubTest:
    """The command with an administrator's kubeconfig, whose namespace is the test's."""
    file = admin_kubeconfig(tmp_path, control_plane, namespace)
    return HubTest(tmp_path, file, CANARY)


@pytest.fixture
def alone(tmp_path: Path) -> HubTest:
    """The command on a machine that knows no cluster."""
    return HubTest(tmp_path, None, CANARY)


def knows_the_canary(seen: Seen) -> Answer:
    return (
        Answer() if seen.headers.get("authorization") == f"Bearer {CANARY}" else Answer(401, {"error": "no"})
    )


def echoes(seen: Seen) -> Answer:
    """Answer with the credential in every place and form that an external system could think of."""
    value = seen.headers["authorization"]
    encoded = base64.b64encode(f"user:{CANARY}".encode()).decode()
    body = {
        "user": {"login": "me"}, "said": value, "encoded": encoded, "url": f"https://a/?x={CANARY}", "list": [CANARY]
    }  # fmt: skip
    return Answer(200, body, {"X-Said": value, "X-Encoded": encoded, "Set-Cookie": f"session={CANARY}"})


def draft(target: TargetServer, name: str, *, key: str = CANARY, **spec: Any) -> list[Object]:
    """All that a test needs, for a file."""
    return [definition(name, target), secret("ns", apiKey=key), instance("ns", name, name, **spec)]


def written(file: Path, *objects: Object) -> str:
    file.write_text(yaml.safe_dump_all(objects))
    return str(file)


# Drafts: nothing is applied, and no cluster is needed


def test_a_draft_is_tested_without_any_cluster(alone: HubTest, target: TargetServer, tmp_path: Path) -> None:
    target.script("ns-whole", knows_the_canary)
    target.script("ns-wrong", knows_the_canary)
    good = written(tmp_path / "good.yaml", *draft(target, "whole"))
    bad = written(
        tmp_path / "bad.yaml", *draft(target, "whole"), instance("ns", "wrong", "whole", secret=None)
    )
    ran, failed, as_yaml = alone.run_all(
        ("--draft", "-f", good),
        ("--draft", "-f", bad, "-o", "json"),
        ("--draft", "-f", bad, "-o", "yaml"),
    )
    assert ran.code == 0, ran.err
    shown = re.findall(r"(?m)^  (\w+) +(passed|skipped|failed)", ran.out)
    assert [name for name, _ in shown] == ["config", "dns", "connect", "tls", "request", "identity"]
    assert {result for name, result in shown if name != "dns"} == {"passed"}
    assert "> GET https://127.0.0.1:" in ran.out
    assert "> Authorization: ***" in ran.out
    assert "Result: Success, Connected" in ran.out
    assert ran.err == ""
    assert failed.code == 1
    assert [found["reason"] for found in failed.data["items"]] == ["Connected", "SecretRefMissing"]
    assert failed.data["exitCode"] == 1
    assert as_yaml.code == 1
    assert [found["reason"] for found in yaml.safe_load(as_yaml.out)["items"]] == [
        "Connected",
        "SecretRefMissing",
    ]


def test_a_draft_from_standard_input_by_name(alone: HubTest, target: TargetServer) -> None:
    target.script("ns-one", knows_the_canary)
    objects = [*draft(target, "one"), instance("ns", "two", "one", config={})]
    text = yaml.safe_dump_all(objects)
    ran = alone.run("--draft", "-f", "-", "--name", "one", "-o", "json", stdin=text)
    assert (ran.code, ran.data["name"], ran.data["tests"][0]["identity"]) == (0, "one", "ns-one@acme.example")
    wrong = alone.run("--draft", "-f", "-", "--name", "on", stdin=text)
    assert wrong.code == 2
    assert "did you mean 'one'?" in wrong.err


def test_mistakes_of_a_draft_are_told_by_path_and_cost_nothing(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    objects = draft(target, "mistaken", tests=[{"name": "a", "reqest": {}}])
    ran, invalid, unreadable = alone.run_all(
        ("--draft", "-f", written(tmp_path / "d.yaml", *objects)),
        ("--draft", "-f", written(tmp_path / "e.yaml", *draft(target, "mistaken", config={"acount": "x"}))),
        ("--draft", "-f", str(tmp_path / "missing.yaml")),
    )
    assert ran.code == 1
    assert (
        "document 3 (IntegrationInstance 'mistaken'): spec.tests[0].reqest: is not a known field" in ran.err
    )
    assert invalid.code == 1
    assert "Result: Failure, ConfigInvalid" in invalid.out
    assert "https://integrationhub.dev/docs/troubleshooting#configinvalid" in invalid.out
    assert unreadable.code == 2
    assert "missing.yaml" in unreadable.err
    assert target.count("ns-mistaken") == 0


def test_a_file_that_holds_no_draft_is_a_mistake_in_the_command(alone: HubTest, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    namespace = written(tmp_path / "namespace.yaml", {"apiVersion": "v1", "kind": "Namespace"})
    broken, other = alone.run_all(
        ("--draft", "-f", str(tmp_path / "broken.yaml"), "-o", "json"), ("--draft", "-f", namespace)
    )
    assert (broken.code, broken.data["exitCode"]) == (2, 2)
    assert "broken.yaml, line 1: is not valid YAML" in broken.data["error"]
    assert other.code == 2
    assert "there is no IntegrationInstance in it" in other.err


def test_files_as_windows_writes_them_are_read_and_others_refused(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    target.script("ns-odd", knows_the_canary)
    text = yaml.safe_dump_all(draft(target, "odd"))
    for name, data in (
        ("windows", ("\ufeff" + text.replace("\n", "\r\n")).encode()),
        ("wide", text.encode("utf-16")),
        ("large", text.encode() + b"#" * (16 << 20)),
    ):
        (tmp_path / name).write_bytes(data)
    windows, wide, large = alone.run_all(
        *(("--draft", "-f", str(tmp_path / name)) for name in ("windows", "wide", "large"))
    )
    assert windows.code == 0, windows.err
    assert (wide.code, large.code) == (2, 2)
    assert "it is no text in UTF-8. Save it as UTF-8." in wide.err
    assert "it has more than 16 MiB" in large.err


def test_streams_that_are_closed_or_full_end_it_without_a_stack(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    target.script("ns-streams", knows_the_canary)
    command = [
        sys.executable,
        "-m",
        "integration_hub",
        "test",
        "--allow-cidr",
        "127.0.0.0/8",
        "--draft",
        "-f",
    ]
    file = written(tmp_path / "d.yaml", *draft(target, "streams"))
    whole = shlex.join([*command, file])
    ways = {f"{whole} >&-": 0, f"{whole} >/dev/full": 1, f"{shlex.join([*command, '-'])} <&-": 2}
    for line, code in ways.items():
        ran = subprocess.run(
            ["/bin/sh", "-c", line], env=alone.environment(), capture_output=True, text=True, check=False
        )
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
    ours, theirs = os.pipe()
    os.close(ours)  # as 'head' does when it has seen enough
    ran = subprocess.run(
        [*command, file],
        env=alone.environment(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert (ran.returncode, ran.stderr) == (141, "")


def test_what_a_draft_lacks_is_named_where_there_is_no_cluster(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    objects = draft(target, "lacking")
    no_secret, wrong_file = alone.run_all(
        ("--draft", "-f", written(tmp_path / "d.yaml", objects[0], objects[2])),
        ("x", "--kubeconfig", str(tmp_path / "missing")),
    )
    assert no_secret.code == 3
    assert "The file has no Secret 'key' in namespace 'ns', which IntegrationInstance" in no_secret.err
    assert wrong_file.code == 2
    assert "There is no kubeconfig at" in wrong_file.err


def test_what_helps_on_this_machine_is_said(alone: HubTest, target: TargetServer, tmp_path: Path) -> None:
    file = written(tmp_path / "d.yaml", *draft(target, "internal"))
    ran = alone.without_loopback().run("--draft", "-f", file)
    assert ran.code == 1
    assert "Here: add --allow-cidr with its network" in ran.out


# Secrets


def test_no_credential_is_saved_with_a_test(alone: HubTest, target: TargetServer, tmp_path: Path) -> None:
    target.script("ns-kept", Answer())
    key = "a-key-that-somebody-pasted"
    file = written(tmp_path / "d.yaml", *draft(target, "kept", key=key))
    own = ("--draft", "-f", file, "--path", f"/v1/ns-kept/{key}", "--save", "kept", "--force")
    ran = alone.run(*own)
    assert (ran.code, ran.out) == (1, "")
    assert "A credential stands in clear in spec.tests[0].request.path" in ran.err
    assert "Not saved" in ran.err
    assert key not in ran.err


def test_no_flag_makes_a_secret_show(alone: HubTest, target: TargetServer, tmp_path: Path) -> None:
    target.script("ns-canary", echoes)
    file = written(tmp_path / "d.yaml", *draft(target, "canary"))
    custom = ("--path", "/v1/ns-canary/x", "--identity", "response.json.said")
    runs = [
        ("--show-body",),
        ("--show-body", "-o", "json"),
        (*custom, "--show-body"),
        (*custom, "--save", "echo"),
        (*custom, "--assert", "response.json.said == 'x'", "--save", "echo", "--force"),
        ("-n", CANARY[:6].lower(), "--show-body", "--test", "whoami"),
    ]
    ran = alone.run_all(*(("--draft", "-f", file, *words) for words in runs))  # which looks for the canary
    assert [each.code for each in ran] == [0, 0, 0, 0, 1, 0], [each.err for each in ran]
    assert re.search(r'"encoded": "\S*[*]{3}', ran[0].out)
    assert "< x-said: ***" in ran[0].out
    body = ran[1].data["tests"][0]["exchanges"][0]["response"]["body"]
    assert json.loads(body["text"])["user"] == {"login": "me"}


def test_a_key_in_the_query_and_a_failure_show_no_secret(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    target.script("ns-query", lambda seen: Answer(403, {"denied": dict(seen.query)}))
    settings = {"in": "query", "name": "appid", "allowInQuery": True}
    objects = draft(target, "query")
    objects[0]["spec"]["authMethods"] = [{"name": "key", "type": "apiKey", "settings": settings}]
    ran = alone.run("--draft", "-f", written(tmp_path / "d.yaml", *objects), "--show-body")
    assert ran.code == 1
    assert "?appid=***" in ran.out
    assert "Result: Failure, PermissionDenied" in ran.out
    assert "https://integrationhub.dev/docs/troubleshooting#permissiondenied" in ran.out


# A request of one's own


def test_a_request_of_ones_own_is_tried_and_saved_to_commit(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    target.script("ns-own", lambda seen: Answer(201, {"items": [1, 2], "page": seen.query.get("page")}))
    objects = draft(target, "own")
    file = written(tmp_path / "d.yaml", *objects)
    own = ("--draft", "-f", file, "--path", "/v1/ns-own/items?page=2", "--expect", "200,201")
    rule = ("--assert", "response.json.items.size() == 2", "--assert", "response.json.page == '2'")
    wrong_rule = ("--assert", "response.json.items.size() == 3")
    saved, failed, forced, broken, secret_header = alone.run_all(
        (*own, *rule, "--save", "items"),
        (*own, *wrong_rule, "--save", "items"),
        (*own, *wrong_rule, "--save", "items", "--force"),
        (*own, "--assert", "response.json.", "--save", "items", "--force"),
        (*own, "--header", "X-Api-Key=abc"),
    )
    assert saved.code == 0, saved.err
    assert yaml.safe_load(saved.out) == {
        **objects[2],
        "spec": {
            **objects[2]["spec"],
            "tests": [
                {
                    "name": "items",
                    "request": {"path": "/v1/ns-own/items", "query": {"page": "2"}},
                    "expect": {"status": [200, 201], "assertions": [{"rule": text} for text in rule[1::2]]},
                }
            ],
        },
    }
    assert "Test 'items'" in saved.err
    assert (failed.code, failed.out) == (1, "")
    assert "Not saved" in failed.err
    assert "--force" in failed.err
    assert (forced.code, yaml.safe_load(forced.out)["spec"]["tests"][0]["name"]) == (1, "items")
    assert (broken.code, broken.out) == (2, "")
    assert "The request cannot be tried: --assert: the expression ends too early" in broken.err
    assert secret_header.code == 2
    assert "X-Api-Key: credentials do not stand in a test" in secret_header.err
    assert target.count("ns-own") == 3


def test_a_mistaken_command_writes_nothing_to_standard_output_and_sends_nothing(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    own = [{"name": "items", "request": {"path": "/v1/ns-mistaken/items"}}]
    objects = [*draft(target, "mistaken", tests=own), instance("ns", "plain", "mistaken")]
    file = written(tmp_path / "d.yaml", *objects)
    unknown, of_one, broken, as_data = alone.run_all(
        ("--draft", "-f", file, "mistaken", "--test", "itms"),
        ("--draft", "-f", file, "--test", "items"),
        ("--draft", "-f", file, "--path", "/v1/ns-mistaken/x", "--assert", "response.status =="),
        ("--draft", "-f", file, "--test", "items", "-o", "json"),
    )
    assert (unknown.code, unknown.out) == (2, "")
    assert "'mistaken' has no test 'itms' (did you mean 'items'?); it has whoami, items." in unknown.err
    # Although the first of the two has one of that name.
    assert (of_one.code, of_one.out) == (2, "")
    assert "'plain' has no test 'items'; it has whoami." in of_one.err
    assert (broken.code, broken.out) == (2, "")
    assert "The request cannot be tried: --assert: the expression ends too early" in broken.err
    assert (as_data.code, as_data.data["exitCode"]) == (2, 2)
    assert "'plain' has no test 'items'" in as_data.data["error"]
    for ran in (unknown, of_one, broken):
        assert "ns/" not in ran.err  # the heading of a connection that is not tested
    assert target.count("ns-mistaken") == 0


def test_manifests_of_several_instances_are_printed_as_documents_of_their_own(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    objects = [*draft(target, "several"), instance("ns", "more", "several")]
    file = written(tmp_path / "d.yaml", *objects)
    ran = alone.run("--draft", "-f", file, "--path", "/v1/ns-several/x", "--save", "x", "--force")
    names = [found["metadata"]["name"] for found in yaml.safe_load_all(ran.out)]
    assert names == ["several", "more"]


def test_a_saved_test_is_applied_beside_those_that_others_own(
    hub: HubTest, api: Api, namespace: str, target: TargetServer
) -> None:
    own = [{"name": "own", "request": {"path": f"/v1/{account(namespace, 'x')}/own"}}]
    api.apply(
        definition(namespace, target), secret(namespace), instance(namespace, "x", namespace, tests=own)
    )
    for name in ("first", "second"):
        ran = hub.run("x", "--path", f"/v1/{account(namespace, 'x')}/{name}", "--save", name, "--apply")
        assert ran.code == 0, ran.err
        assert f"Saved as '{name}'" in ran.out
    found = api.get(instance(namespace, "x", namespace))
    assert [test["name"] for test in found["spec"]["tests"]] == ["own", "first", "second"]
    managers = {entry["manager"] for entry in found["metadata"]["managedFields"]}
    assert managers == {"a-user", "kubectl-hub"}
    conflict = hub.run("x", "--path", f"/v1/{account(namespace, 'x')}/other", "--save", "own", "--apply")
    assert conflict.code == 1
    assert "somebody else manages a test of this name" in conflict.err


# What is in the way


def test_what_is_in_the_way_is_said_with_what_to_do(  # noqa: PLR0917 - fixtures
    hub: HubTest,
    alone: HubTest,
    api: Api,
    namespace: str,
    target: TargetServer,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    api.apply(definition(namespace, target), secret(namespace), instance(namespace, "billing", namespace))
    api.apply(instance(namespace, "lost", f"{namespace}x"))
    known, ca_file = control_plane.kubeconfig, control_plane.ca_file
    ways: dict[str, dict[str, Any]] = {
        "gone": {"server": f"https://127.0.0.1:{free_port()}", "like": known},
        "other": {"server": f"{control_plane.server}/nothing/here", "like": known},
        "stranger": {"server": control_plane.server, "token": "nobody"},
    }
    files = {name: user_kubeconfig(tmp_path / name, ca_file=ca_file, **way) for name, way in ways.items()}
    unknown, lost, no_test, gone, other, stranger, silent = hub.run_all(
        ("biling",),
        ("lost", "--no-operator"),
        ("billing", "--no-operator", "--test", "whoam"),
        ("billing", "--kubeconfig", str(files["gone"])),
        ("billing", "--kubeconfig", str(files["other"])),
        ("billing", "--kubeconfig", str(files["stranger"])),
        ("billing", "--timeout", "0.2", "-o", "json"),
    )
    without = alone.run("billing")
    assert unknown.code == 2
    assert "did you mean 'billing'?" in unknown.err
    assert lost.code == 1
    assert re.search(f"Did you mean .*'{namespace}'", lost.out)
    assert no_test.code == 2
    assert "did you mean 'whoami'?" in no_test.err
    assert gone.code == 3
    assert "cannot be reached (connection refused).\nWhat to do: Check that it runs" in gone.err
    assert other.code == 3
    assert "kubectl apply --server-side -f crds/" in other.err
    assert stranger.code == 3
    assert "does not accept your credentials" in stranger.err
    assert silent.code == 4
    assert silent.data["result"] == "Success"
    assert silent.data["operator"] == {"asked": True, "answered": False}
    assert "has not answered within 0.2 s. See with 'hub check' whether it runs;" in silent.err
    assert without.code == 3
    assert "There is no kubeconfig" in without.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name the instance to test"),
        (("x", "-f", "d.yaml"), "add --draft"),
        (("--draft",), "add -f FILE"),
        (("x", "--expect", "200"), "--expect says something about a request of your own: add --path"),
        (("x", "--path", "/a", "--test", "b"), "leave --test out"),
        (("x", "--apply"), "belong to --save"),
        (("x", "--path", "/a", "--save", "b", "-o", "json"), "leave '-o json' out"),
        (("x", "--name", "y"), "NAME and --name say the same"),
        (("x", "--path", "/a", "--save", ""), "--save needs a name for the test"),
        (("x", "--path", "/a?b=1", "--query", "b=2"), "--query b is given twice"),
        (("x", "--path", "/a", "--header", "X-A=1", "--header", "x-a=2"), "--header x-a is given twice"),
        (("x", "--path", "/a", "--query", "nothing"), "must be written like limit=1"),
        (("x", "--path", "/a", "--expect", "ok"), "is no list of HTTP statuses"),
        (("x", "--path", "/a", "--body", "{a: 1}"), "is not JSON from character 2 on"),
        (("x", "--allow-cidr", "10.0.0"), "is not a network"),
    ],
)
def test_flags_that_make_no_sense_are_refused_with_what_to_do(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, ["test", *words])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


# While it runs


def test_stages_appear_one_by_one_on_a_terminal(alone: HubTest, tmp_path: Path) -> None:
    shown_before_the_answer: list[str] = []
    seen_tls = threading.Event()

    def wait_for_the_terminal(seen: Seen) -> Answer:
        assert seen_tls.wait(30)
        return knows_the_canary(seen)

    def look(text: str) -> None:
        if "tls         " in text and not seen_tls.is_set():
            shown_before_the_answer.append(text)
            seen_tls.set()

    with TargetServer() as own:
        own.script("ns-slow", wait_for_the_terminal)
        file = written(tmp_path / "d.yaml", *draft(own, "slow"))
        code, text = alone.on_a_terminal("--draft", "-f", file, written=look)
    assert code == 0, text
    (early,) = shown_before_the_answer
    assert "Result" not in early
    assert "\x1b[38;5;29m✓\x1b[0m passed" in early
    assert "request ..." in text
    assert text.rstrip().endswith("as ns-slow@acme.example.")


def test_colours_are_left_out_where_nobody_wants_them(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    file = written(tmp_path / "d.yaml", *draft(target, "plain"))
    code, text = alone.on_a_terminal("--draft", "-f", file, NO_COLOR="1")
    assert code == 1  # the target knows another key
    assert "\x1b[3" not in text
    assert "Result: ✗ Failure, CredentialsRejected" in text


def test_plain_output_is_words_one_fact_a_line_and_nothing_that_moves(
    alone: HubTest, target: TargetServer, tmp_path: Path
) -> None:
    file = written(tmp_path / "d.yaml", *draft(target, "aloud"))
    code, text = alone.on_a_terminal("--draft", "-f", file, "--plain")
    assert code == 1
    assert "\x1b" not in text
    assert "  config: passed" in text.splitlines()
    assert "    address: 127.0.0.1" in text.splitlines()
    assert "Result: Failure, CredentialsRejected" in text.splitlines()


def test_ctrl_c_ends_it_cleanly(alone: HubTest, target: TargetServer, tmp_path: Path) -> None:
    target.script("ns-held", Answer(hold=True))
    file = written(tmp_path / "d.yaml", *draft(target, "held"))
    ran = alone.interrupted("--draft", "-f", file, when="tls")
    assert ran.code == 130
    assert ran.err.strip() == "Stopped."


# With the operator


@pytest.fixture
def applied(
    operator: OperatorProcess, api: Api, namespace: str, target: TargetServer
) -> Callable[..., Object]:
    """`applied(status, reason, **spec)` applies instance 'x' and waits for the operator's verdict."""

    def apply(status: str, reason: str, **spec: Any) -> Object:
        api.apply(definition(namespace, target), secret(namespace, apiKey=CANARY))
        (obj,) = api.apply(instance(namespace, "x", namespace, **spec))
        return api.wait_for_verdict(obj, status, reason)

    return apply


def test_the_operators_verdict_is_compared_and_an_old_one_renewed(
    hub: HubTest, api: Api, namespace: str, target: TargetServer, applied: Callable[..., Object]
) -> None:
    name = account(namespace, "x")
    target.script(name, Answer(401, {"error": "no"}))
    obj = applied("False", "CredentialsRejected")
    target.script(name, knows_the_canary)
    renewed = hub.run("x", "-o", "json")
    assert renewed.code == 0, renewed.err
    assert renewed.data["operator"] | {"tests": [], "message": ""} == {
        "asked": True, "answered": True, "differs": False, "why": None, "tests": [], "message": "",
        "result": "Success", "reason": "Connected", "hint": None, "link": None,
    }  # fmt: skip
    count = target.count(name)
    same = hub.run("x")
    assert same.code == 0
    assert "The operator says the same (tested 20" in same.out
    assert target.count(name) == count + 1, "the operator was asked although it said the same"
    found = api.get(obj)
    assert (
        found["status"]["lastHandledRequest"]
        == found["metadata"]["annotations"]["integrationhub.dev/request"]
    )


def test_where_this_machine_and_the_operator_differ_both_are_shown(
    hub: HubTest, namespace: str, target: TargetServer, applied: Callable[..., Object]
) -> None:
    target.script(account(namespace, "x"), knows_the_canary)
    applied("True", "Connected")
    ran = hub.without_loopback().run("x")
    assert ran.code == 1
    assert "Result: Failure, AddressNotAllowed" in ran.out
    assert "The operator says otherwise: Success, Connected" in ran.out
    assert "network policies, proxies" in ran.out
    assert hub.without_loopback().run("x", "--no-operator").out.count("The operator") == 0


def test_who_may_not_read_the_secret_sees_what_the_operator_finds(  # noqa: PLR0917 - fixtures
    namespace: str,
    target: TargetServer,
    applied: Callable[..., Object],
    kubectl: Kubectl,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    target.script(account(namespace, "x"), knows_the_canary)
    applied("True", "Connected")
    hub = limited_user(kubectl, control_plane, namespace, tmp_path)
    ran: list[Ran] = hub.run_all(("x",), ("x", "--no-operator"), ("x", "-o", "json"))
    assert [each.code for each in ran] == [0, 3, 0], [each.err for each in ran]
    assert "You may not read Secret 'key'" in ran[0].out
    assert "  tls " in ran[0].out
    assert "The operator says: Success, Connected" in ran[0].out
    assert "leave --no-operator out" in ran[1].err
    assert ran[2].data["tests"][0]["stages"][0]["name"] == "config"
    assert target.count(account(namespace, "x")) >= 2


def test_who_may_not_ask_the_operator_is_told_so_and_sees_what_it_has_said(  # noqa: PLR0917 - fixtures
    namespace: str,
    target: TargetServer,
    applied: Callable[..., Object],
    kubectl: Kubectl,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    target.script(account(namespace, "x"), knows_the_canary)
    applied("True", "Connected")
    reader = limited_user(kubectl, control_plane, namespace, tmp_path, verbs="get", resources=("secrets",))
    ran = reader.without_loopback().run("x")
    assert ran.code == 1
    assert "you may not 'patch' this instance" in ran.out
    assert "The operator says otherwise: Success, Connected" in ran.out


def test_who_may_do_neither_sees_what_the_operator_has_said_before(  # noqa: PLR0917 - fixtures
    namespace: str,
    target: TargetServer,
    applied: Callable[..., Object],
    kubectl: Kubectl,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
) -> None:
    target.script(account(namespace, "x"), knows_the_canary)
    applied("True", "Connected")
    ran = limited_user(kubectl, control_plane, namespace, tmp_path, verbs="get,list").run("x")
    assert ran.code == 3  # the Secret may have changed since
    assert re.search(r"What the operator has said before \(tested \S+Z\): Success, Connected", ran.out)


def limited_user(  # noqa: PLR0917 - who, where, and what
    kubectl: Kubectl,
    info: ControlPlaneInfo,
    namespace: str,
    folder: Path,
    verbs: str = "get,list,patch",
    resources: tuple[str, ...] = (),
) -> HubTest:
    """Somebody who may do this with our kinds, and with other resources that are named; with nothing else."""
    ours = ("integrationinstances.integrationhub.dev", "integrationdefinitions.integrationhub.dev")
    kubectl("create", "serviceaccount", "user", "-n", namespace)
    kubectl(
        "create", "clusterrole", namespace, f"--verb={verbs}", f"--resource={','.join((*ours, *resources))}"
    )
    kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}",
            f"--serviceaccount={namespace}:user")  # fmt: skip
    token = kubectl("create", "token", "user", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        folder / "user", server=info.server, ca_file=info.ca_file, namespace=namespace, token=token
    )
    return HubTest(folder, file, CANARY, token)
