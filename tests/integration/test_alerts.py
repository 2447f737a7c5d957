"""deploy/alerts.yaml: evaluated by Prometheus' own tool, about metrics that exist, each with a page of advice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from integration_hub.credentials.lifetime import WARNINGS
from integration_hub.model.reasons import DEAD_CREDENTIALS, Reason
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.store import Store
from support.builders import instance
from support.programs import fetched

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOK = "https://integrationhub.dev/docs/alerts#"
GROUPS = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
CASES: list[dict[str, Any]] = [
    case
    for test in yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    for case in test["alert_rule_test"]
]

Command = list[str | Path]

every_alert = pytest.mark.parametrize("name", ALERTS)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Return what `make test` has fetched, or what is on PATH; CI must have one."""
    return fetched("bootstrap_prometheus.py", "promtool")


def run(promtool: Path, *arguments: str) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_can_load_the_rules(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")


def test_alerts_fire_when_they_should_and_keep_silent_when_they_should(promtool: Path) -> None:
    run(promtool, "test", "rules", "alerts_test.yaml")


def test_a_metric_page_is_what_prometheus_expects(promtool: Path) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=_page(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # What the library itself counts of Python is named in its own way.
    ours = [line for line in done.stderr.splitlines() if line.startswith("hub_") or "error" in line]
    assert ours == []


@every_alert
def test_each_alert_is_tested_to_fire_and_to_keep_silent(name: str) -> None:
    fires = [bool(case.get("exp_alerts")) for case in CASES if case["alertname"] == name]
    assert set(fires) == {True, False}


@every_alert
def test_each_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"[A-Z].{20,110}\.", alert["annotations"]["summary"])


@every_alert
def test_each_alert_has_a_runbook_that_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"(?ms)^## (\w+)\n(.*?)(?=^## |\Z)", page))
    assert ALERTS[name]["annotations"]["runbook_url"] == f"{RUNBOOK}{name.lower()}"
    assert re.findall(r"(?m)^\*\*(\w+)\.\*\*", sections[name]) == ["Means", "Look", "Do"]


def test_the_table_of_alerts_says_what_the_rules_say() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    told = re.findall(r"(?m)^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \| ([^|]+) \|", page)
    after = {"at once": None, "24 h": "24h"} | {
        f"{minutes} min": f"{minutes}m" for minutes in (5, 10, 15, 30)
    }
    assert [(name, anchor, severity, after[words]) for name, anchor, severity, words in told] == [
        (name, name.lower(), alert["labels"]["severity"], alert.get("for")) for name, alert in ALERTS.items()
    ]


def test_every_metric_in_a_rule_is_one_that_the_operator_gives() -> None:
    given = {
        sample.name for family in text_string_to_metric_families(_page()) for sample in family.samples
    } | {rule["record"] for rule in RULES if "record" in rule}
    asked = {
        metric for rule in RULES for metric in re.findall(r"\b(?:\w+:)?hub_\w+(?::\w+)?", rule["expr"])
    } | set(re.findall(r"\bhub_\w+", str([alert["annotations"] for alert in ALERTS.values()])))
    assert len(asked) > 6
    assert asked - given == set()


def test_every_reason_in_a_rule_is_one_that_a_connection_can_have() -> None:
    named = re.findall(r'\breason=~?"([\w|]+)"', "".join(rule["expr"] for rule in RULES))
    assert {word for words in named for word in words.split("|")} - set(Reason) == set()


def test_the_reasons_for_which_consent_is_pending_are_those_that_a_persons_consent_ends() -> None:
    named = re.findall(r'reason=~"([\w|]+)"', ALERTS["HubConsentPending"]["expr"])
    assert [set(words.split("|")) for words in named] == [
        {
            Reason.AUTHORIZATION_REQUIRED,
            Reason.AUTHORIZATION_DENIED,
            Reason.AUTHORIZATION_FAILED,
            Reason.REAUTHENTICATION_REQUIRED,
        }
    ]


def test_ends_are_alerted_of_as_far_ahead_as_the_operator_itself_warns() -> None:
    soon, very_soon = (
        ALERTS[name]["expr"] for name in ("HubCredentialExpiresSoon", "HubCredentialExpiresVerySoon")
    )
    assert re.findall(r"(\d+) \* 86400", soon) == [str(days) for days in WARNINGS]
    assert re.findall(r"(\d+) \* 86400", very_soon) == [str(WARNINGS[-1])]


def test_credentials_are_rejected_by_all_reasons_after_which_nothing_is_tried_and_by_no_other() -> None:
    named = re.findall(r'reason=~"([\w|]+)"', ALERTS["HubCredentialsRejected"]["expr"])
    assert [words.split("|") for words in named] == [sorted(DEAD_CREDENTIALS)]


def test_the_manifest_for_the_prometheus_operator_holds_the_same_rules() -> None:
    manifest = yaml.safe_load((DEPLOY / "prometheusrule.yaml").read_text(encoding="utf-8"))
    assert manifest["kind"] == "PrometheusRule"
    assert manifest["spec"]["groups"] == GROUPS


def test_the_manifest_is_made_by_the_generator_which_tells_of_drift(tmp_path: Path) -> None:
    tool: Command = [sys.executable, ROOT / "tools" / "generate_alerts.py", "--folder", tmp_path]
    text = (DEPLOY / "alerts.yaml").read_text(encoding="utf-8")
    (tmp_path / "alerts.yaml").write_text(text, encoding="utf-8")
    assert subprocess.run([*tool, "--check"], capture_output=True, check=False).returncode == 1
    assert subprocess.run(tool, capture_output=True, check=False).returncode == 0
    made = (tmp_path / "prometheusrule.yaml").read_text(encoding="utf-8")
    assert made == (DEPLOY / "prometheusrule.yaml").read_text(encoding="utf-8")
    (tmp_path / "alerts.yaml").write_text(text.replace("15m", "16m"), encoding="utf-8")
    drifted = subprocess.run([*tool, "--check"], capture_output=True, text=True, check=False)
    assert (drifted.returncode, "make generate" in drifted.stderr) == (1, True)


def _page() -> str:
    """Return the metrics of an operator that knows one connection, which does not work, and whose credential ends."""
    metrics, store = Metrics(), Store()
    metrics.watch(store, WorkQueue(), {})
    ready = {"type": "Ready", "status": "False", "reason": "HostNotFound"}
    status = {"conditions": [ready], "credential": {"expiresAt": "2027-03-01T12:00:00Z"}}
    store.put_instance(instance(status=status))
    metrics.count_renewal("acme", "refused")
    metrics.count_consent("acme", "expired")
    return generate_latest(metrics.registry).decode()


class TestBootstrap:
    """tools/bootstrap_prometheus.py where nothing can be had: an empty cache, and an empty PATH."""

    TOOL = ROOT / "tools" / "bootstrap_prometheus.py"

    def run(self, folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        alone = {"PATH": str(folder), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
        command: Command = [sys.executable, self.TOOL, *arguments]
        return subprocess.run(
            command, env=alone | environ, capture_output=True, text=True, check=False, timeout=60
        )

    @staticmethod
    def write_program(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)

    def test_a_person_goes_on_without_and_is_told(self, tmp_path: Path) -> None:
        done = self.run(tmp_path)
        assert done.returncode == 0
        assert "apt-get is not on PATH" in done.stderr
        assert "skipped" in done.stderr

    def test_ci_does_not(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, CI="true")
        assert (done.returncode, "CI needs it" in done.stderr) == (1, True)

    def test_what_does_not_start_is_not_found(self, tmp_path: Path) -> None:
        half = tmp_path / "promtool"
        half.write_bytes(b"\x7fELF")
        half.chmod(0o755)
        assert self.run(tmp_path, "--find").returncode == 1

    def test_only_what_is_missing_is_fetched(self, tmp_path: Path) -> None:
        self.write_program(tmp_path / "promtool")
        assert self.run(tmp_path).stderr.startswith("prometheus cannot be had: ")

    def test_what_is_there_is_not_fetched_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "integration-hub" / "prometheus"
        for name in ("promtool", "prometheus"):
            self.write_program(folder / name)
        assert self.run(tmp_path, CI="true").stdout == ""
        assert self.run(tmp_path, "--find").stdout.strip() == str(folder / "promtool")
        assert self.run(tmp_path, "--find", "prometheus").stdout.strip() == str(folder / "prometheus")

    def test_the_cached_one_is_taken_before_one_on_path(self, tmp_path: Path) -> None:
        cached, on_path = tmp_path / "integration-hub" / "prometheus" / "promtool", tmp_path / "promtool"
        self.write_program(on_path)
        assert self.run(tmp_path, "--find").stdout.strip() == str(on_path)
        self.write_program(cached)
        assert self.run(tmp_path, "--find").stdout.strip() == str(cached)
        cached.write_bytes(b"\x7fELF")
        assert self.run(tmp_path, "--find").stdout.strip() == str(on_path)
