"""What `hub status` and `hub explain` make of objects and tables: the cause first, and nothing that is not known."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.cli.main import main
from integration_hub.cli.status import lines
from integration_hub.cli.status_report import NOT_SEEN, is_ready, report_of
from integration_hub.cli.terminal import Screen
from integration_hub.model.reasons import REASONS, Course, Reason

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def instance(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "billing", "namespace": "shop", "generation": 2} | metadata,
        "spec": {"definitionRef": {"name": "acme"}, "auth": {"secretRef": {"name": "key"}}},
        **({"status": status} if status is not None else {}),
    }


def ready(status: str, reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {
        "observedGeneration": 2,
        "conditions": [
            {"type": "ConfigValid", "status": "True", "reason": "Valid"},
            {"type": "Ready", "status": status, "reason": reason, "message": message},
        ],
    } | more


def test_an_instance_that_nobody_has_seen_leads_to_whether_an_operator_runs() -> None:
    report = report_of(instance(), NOW)
    assert (report["ready"], report["reason"], report["exitCode"]) == ("Unknown", NOT_SEEN, 1)
    assert report["message"] == "No operator has said anything of this instance yet."
    assert report["next"] == [["check"]]


def test_a_verdict_about_an_older_generation_is_no_success() -> None:
    report = report_of(instance(ready("True", "Connected") | {"observedGeneration": 1}), NOW)
    assert not report["upToDate"]
    assert report["exitCode"] == 1
    assert not is_ready(instance(ready("True", "Connected") | {"observedGeneration": 1}))


def test_the_remedy_is_told_once() -> None:
    remedy = REASONS[Reason.SECRET_NOT_FOUND].remedy
    assert (
        report_of(instance(ready("False", "SecretNotFound", f"There is none. {remedy}")), NOW)["remedy"]
        is None
    )
    assert report_of(instance(ready("False", "SecretNotFound", "There is none.")), NOW)["remedy"] == remedy


def test_where_the_test_knows_better_what_to_do_the_remedy_is_not_told_besides() -> None:
    own = {"name": "whoami", "result": "Failure", "reason": "CredentialUnproven", "hint": "Choose 'open'."}
    told = ready("False", "CredentialUnproven", "It answers anybody. Choose 'open'.", tests=[own])
    assert report_of(instance(told), NOW)["remedy"] is None
    untold = ready("False", "CredentialUnproven", "It answers anybody.", tests=[own])
    assert report_of(instance(untold), NOW)["remedy"] == REASONS[Reason.CREDENTIAL_UNPROVEN].remedy


def test_the_stages_are_those_of_the_test_that_explains_ready() -> None:
    stages = [{"name": "dns", "result": "Failed"}]
    tests = [
        {
            "name": "whoami",
            "result": "Success",
            "reason": "Connected",
            "stages": [{"name": "dns", "result": "Passed"}],
        },
        {"name": "optional", "result": "Failure", "reason": "ServerError"},
        {"name": "orders", "result": "Failure", "reason": "HostNotFound", "stages": stages},
    ]
    report = report_of(instance(ready("False", "HostNotFound", tests=tests)), NOW)
    assert report["test"]["name"] == "orders"
    assert report["test"]["stages"] == stages
    assert [test["name"] for test in report["tests"]] == ["whoami", "optional", "orders"]


def test_what_stops_before_any_test_shows_no_test_of_before_as_its_cause() -> None:
    tests = [{"name": "whoami", "result": "Failure", "reason": "ServerError"}]
    assert report_of(instance(ready("False", "ConfigInvalid", tests=tests)), NOW)["test"] is None


@pytest.mark.parametrize("reason", [r for r in Reason if REASONS[r].course is not Course.GOOD])
def test_every_reason_leads_to_a_command_that_there_is(reason: Reason) -> None:
    report = report_of(instance(ready("False", reason)), NOW)
    runner = CliRunner()
    assert ["explain", str(reason)] in report["next"]
    for command, *rest in report["next"]:
        assert command in main.list_commands(None)  # type: ignore[arg-type]
        assert "NAME" not in rest
    assert runner.invoke(main, ["explain", reason]).exit_code == 0


@given(st.data())
def test_whatever_parts_of_a_status_are_missing_the_rest_is_told(data: st.DataObject) -> None:
    whole = ready(
        "False",
        "HostNotFound",
        "It was not found.",
        tests=[{"name": "whoami", "result": "Failure", "reason": "HostNotFound", "time": "2026-01-01T00:00:00Z",
                "durationMilliseconds": 3, "stages": [{"name": "dns", "result": "Failed", "evidence": {"a": "b"}}]}],
        credential={"expiresAt": "2026-02-01T00:00:00Z", "scopes": ["read"]},
        authorization={"url": "https://login.example/", "userCode": "AB", "expiresAt": "2026-01-03T00:00:00Z"},
        history=[{"time": "2026-01-01T00:00:00Z", "test": "whoami", "result": "Failure", "reason": "HostNotFound"}],
        lastTested="2026-01-01T00:00:00Z", nextTestTime="soon", identity="me",
    )  # fmt: skip
    report = report_of(instance(_thinned(data, whole)), NOW)
    stream = io.StringIO()
    text = "\n".join(lines(report, Screen(stream, stream), NOW))
    assert text.startswith("shop/billing (acme)\n")
    assert "Next: hub " in text
    json.dumps(report)


def _thinned(data: st.DataObject, value: Any) -> Any:
    """Return the value without some of its parts, names of tests and stages aside: the CRD asks for those."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k in {"name", "type", "url"} or data.draw(st.booleans())}
        return {k: _thinned(data, v) for k, v in kept.items()}
    return [_thinned(data, entry) for entry in value] if isinstance(value, list) else value


def test_objects_of_other_versions_are_reported_as_far_as_they_are_understood() -> None:
    odd = {
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "Perhaps", "reason": "Newer"}],
        "tests": [{"name": "x"}],
    }
    report = report_of(instance(odd), NOW)
    assert (report["ready"], report["reason"], report["remedy"]) == ("Perhaps", "Newer", None)
    assert report["next"] == [["test", "billing", "-n", "shop"]]


# explain


def test_a_reason_is_explained_with_how_it_is_known() -> None:
    result = CliRunner().invoke(main, ["explain", "HostNotFound"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"HostNotFound\n  {REASONS[Reason.HOST_NOT_FOUND].meaning}\n")
    assert "At the stage 'dns'" in result.stdout
    assert REASONS[Reason.HOST_NOT_FOUND].remedy in result.stdout
    assert "https://integrationhub.dev/docs/troubleshooting#hostnotfound" in result.stdout


@pytest.mark.parametrize("typed", ["hostnotfound", "HOST_NOT_FOUND", "host-not-found"])
def test_how_the_letters_of_a_reason_are_written_does_not_matter(typed: str) -> None:
    assert CliRunner().invoke(main, ["explain", typed, "-o", "name"]).stdout == "HostNotFound\n"


def test_a_mistyped_reason_is_answered_with_the_one_that_was_meant() -> None:
    result = CliRunner().invoke(main, ["explain", "HostNotFond"])
    assert result.exit_code == 2
    assert "There is no reason 'HostNotFond' (did you mean 'HostNotFound'?)." in result.stderr


def test_without_a_reason_all_are_listed() -> None:
    result = CliRunner().invoke(main, ["explain"])
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [str(reason) for reason in Reason]
    bare = CliRunner().invoke(main, ["explain", "--no-headers"])
    assert [line.split()[0] for line in bare.stdout.splitlines()] == [str(reason) for reason in Reason]


def test_an_explanation_as_data_has_every_part() -> None:
    data = json.loads(CliRunner().invoke(main, ["explain", "CredentialsRejected", "-o", "json"]).stdout)
    assert data["conditions"] == ["Authenticated"]
    assert len(data["known"]) > 1
    assert data["verdict"] == "Failure"
