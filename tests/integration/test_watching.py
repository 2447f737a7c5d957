"""Connections that are watched: when they are tested again, what a host is spared meanwhile, and what is written.

One operator for the whole file, and the tests stand in their order: what takes time, since an interval is ten seconds
at least, begins before the first of them and is looked at by the later ones.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import ONLY_EVENTS, WIDE_BUDGET
from integration_hub.devcluster import ControlPlane
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.instance import InstanceStatus
from support.instances import Api, Object, account, condition, definition, instance, secret, verdict
from support.operator_process import OperatorProcess
from support.status_rules import assert_keeps_the_rules
from support.target_server import Answer, Seen, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

NAMESPACE = "watching"
CANARY = "canary5d1c7e9b2f"
OFTEN = {"interval": "10s"}
"""The shortest interval there is."""
GREEN = ("True", "Connected")
DEAD = "dead-credentials"


def opens(seen: Seen) -> Answer:
    """Answer to the canary alone, and repeat it as careless systems do."""
    said = seen.headers.get("authorization", "")
    if said != f"Bearer {CANARY}":
        return Answer(401, {"error": f"unknown key: {said}"})
    return Answer(body={"user": {"login": "ada"}, "you_sent": said}, headers={"X-Echo": said})


@dataclass(frozen=True)
class Watching:
    """What the tests share: the operator, the API server, the external system."""

    operator: OperatorProcess
    api: Api
    target: TargetServer
    since: str
    """The resourceVersion before the first instance."""

    def make(self, name: str, **spec: Any) -> Object:
        """Return an instance whose account opens to the canary."""
        of_account = spec.get("config", {}).get("account") or account(NAMESPACE, name)
        self.target.script(of_account, opens)
        return instance(NAMESPACE, name, NAMESPACE, **spec)

    def at(self, host: int, name: str, **spec: Any) -> Object:
        """Return an instance at one of the hosts, whose pauses and outages are its own."""
        server = self.target.hosts[host]
        return self.make(name, config={"account": account(NAMESPACE, name), "server": server}, **spec)

    def answer(self, obj: Object, answer: Answer) -> None:
        self.target.script(obj["spec"]["config"]["account"], answer)

    def works_again(self, obj: Object) -> None:
        self.target.script(obj["spec"]["config"]["account"], opens)

    def asked(self, obj: Object) -> int:
        """Return how often the external system was asked for an instance's account."""
        return self.target.count(obj["spec"]["config"]["account"])

    def apply(self, *objs: Object, verdict: tuple[str, str] = GREEN) -> dict[str, Object]:
        """Apply instances and wait for the verdict of all."""
        self.api.apply(*objs)
        return self.api.wait_for_all(NAMESPACE, {name_of(obj): verdict for obj in objs})

    def request(self, *objs: Object) -> list[Object]:
        """Ask for tests as a person does, and wait until they were made."""
        value = str(time.monotonic_ns())
        for obj in objs:
            self.api.merge(obj, {"metadata": {"annotations": {REQUEST_ANNOTATION: value}}})
        return [
            wait_until(
                lambda obj=obj: self.api.get(obj),  # type: ignore[misc]
                lambda found: found.get("status", {}).get("lastHandledRequest") == value,
                f"the request to {name_of(obj)} was acted upon",
            )
            for obj in objs
        ]


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def default_test(obj: Object) -> dict[str, Any]:
    found: dict[str, Any] = obj["status"]["tests"][0]
    return found


def history(obj: Object) -> list[tuple[str, str]]:
    return [(change["result"], change["reason"]) for change in obj["status"]["history"]]


def in_hours(obj: Object) -> float:
    """Return in how many hours the default test is made next."""
    moment = datetime.fromisoformat(default_test(obj)["nextTime"])
    return (moment - datetime.now(UTC)) / timedelta(hours=1)


@pytest.fixture(scope="module")
def bare(
    spare_cluster: ControlPlane, target: TargetServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watching]:
    """The operator, a definition and a Secret."""
    api = Api(spare_cluster.up().kubeconfig)
    log = tmp_path_factory.mktemp("watching") / "operator.log"
    flags = (*ONLY_EVENTS, *WIDE_BUDGET, "--log-level", "debug")
    operator = OperatorProcess(spare_cluster.home.kubeconfig, log, *flags)
    acme = definition(NAMESPACE, target)
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        acme,
        secret(NAMESPACE, apiKey=CANARY),
        secret(NAMESPACE, DEAD, apiKey=f"not-{CANARY}"),
    )
    operator.start()
    yield Watching(operator, api, target, api.now(NAMESPACE))
    operator.stop()
    api.delete(*api.instances(NAMESPACE).values(), acme)


@pytest.fixture(scope="module")
def long_watched(bare: Watching) -> dict[str, Object]:
    """Instances that are tested every ten seconds, as they are after their first verdict."""
    steady = bare.make("steady", monitor=OFTEN)
    refused = bare.make("refused", monitor=OFTEN, secret=DEAD)
    bare.api.apply(refused)
    found = bare.apply(steady)
    bare.api.wait_for_verdict(refused, "False", "CredentialsRejected")
    return found | bare.api.instances(NAMESPACE)


@pytest.fixture
def watching(bare: Watching, long_watched: Mapping[str, Object]) -> Watching:
    return bare


def test_a_request_makes_every_test_now_and_is_echoed_once_they_were_made(watching: Watching) -> None:
    saved = {"name": "invoices", "request": {"path": "/v1/watching-asked/invoices"}, "optional": True}
    asked = watching.make("asked", tests=[saved])
    watching.apply(asked)
    assert watching.asked(asked) == 2
    (found,) = watching.request(asked)
    assert watching.asked(asked) == 4
    assert [test["name"] for test in found["status"]["tests"]] == ["whoami", "invoices"]
    assert [test["streak"] for test in found["status"]["tests"]] == [2, 2]
    # Without the request, nothing is due for a week.
    assert in_hours(found) > 24


def test_history_tells_of_each_change_the_newest_first_and_of_nothing_else(watching: Watching) -> None:
    flaky = watching.make("flaky")
    watching.apply(flaky)
    watching.request(flaky)
    watching.answer(flaky, Answer(500))
    (red,) = watching.request(flaky)
    assert verdict(red) == ("False", "ServerError")
    watching.works_again(flaky)
    (green,) = watching.request(flaky)
    assert verdict(green) == GREEN
    watching.answer(flaky, Answer(404))
    (red,) = watching.request(flaky)
    assert history(red) == [
        ("Failure", "ObjectNotFound"),
        ("Success", "Connected"),
        ("Failure", "ServerError"),
        ("Success", "Connected"),
    ]
    assert default_test(red)["since"] == red["status"]["history"][0]["time"]


def test_a_saved_test_that_fails_is_named_and_an_optional_one_is_only_shown(watching: Watching) -> None:
    rule = {"rule": "response.json.user.login == 'grace'", "message": "Another user is signed in"}

    def saved(name: str, **more: Any) -> dict[str, Any]:
        request = {"path": f"/v1/watching-{name}/me"}
        return {"name": "is-grace", "request": request, "expect": {"assertions": [rule]}} | more

    strict = watching.make("strict", tests=[saved("strict")])
    lenient = watching.make("lenient", tests=[saved("lenient", optional=True)])
    watching.apply(strict, verdict=("False", "AssertionFailed"))
    shown = watching.apply(lenient)
    said = condition(shown["strict"])["message"]
    assert said.startswith("Test 'is-grace': ")
    assert "Another user is signed in" in said
    for obj in (shown["strict"], shown["lenient"]):
        assert [test["result"] for test in obj["status"]["tests"]] == ["Success", "Failure"]


def test_identical_instances_cost_one_request(watching: Watching) -> None:
    config = {"account": "watching-same"}
    same = [watching.make(f"same-{number}", config=config, secret="later") for number in range(6)]
    watching.apply(*same, verdict=("False", "SecretNotFound"))
    assert watching.asked(same[0]) == 0
    watching.api.apply(secret(NAMESPACE, "later", apiKey=CANARY))
    watching.api.wait_for_all(NAMESPACE, {name_of(obj): GREEN for obj in same})
    assert watching.asked(same[0]) == 1


def test_a_host_that_asks_for_patience_is_left_alone_by_all(watching: Watching) -> None:
    first, second = watching.at(3, "patience-1"), watching.at(3, "patience-2")
    watching.apply(first, second)
    watching.answer(first, Answer(429, headers={"Retry-After": "3600"}))
    (asked,) = watching.request(first)
    # It worked when it last could tell, and one result that cannot does not change that.
    assert verdict(asked) == GREEN
    assert "RateLimited" in condition(asked)["message"]
    assert in_hours(asked) > 0.9
    counts = watching.asked(first), watching.asked(second)
    for again in watching.request(first, second):
        assert verdict(again) == GREEN
        assert (default_test(again)["lastResult"], default_test(again)["lastReason"]) == (
            "Unknown",
            "WaitingForQuota",
        )
        assert in_hours(again) > 0.9
    late = watching.at(3, "patience-3")
    found = watching.apply(late, verdict=("Unknown", "WaitingForQuota"))[name_of(late)]
    assert found["status"]["lastTestResult"] == "Unknown"
    assert found["status"]["phase"] != "Connected"
    assert (watching.asked(first), watching.asked(second)) == counts
    assert watching.asked(late) == 0


def test_a_host_that_dies_is_asked_by_one_and_works_for_all_once_it_is_back(watching: Watching) -> None:
    steady = [watching.at(5, f"doubted-{n}", monitor=OFTEN | {"failureThreshold": 10}) for n in range(3)]
    doomed = [watching.at(5, f"doomed-{n}") for n in range(5)]
    newcomers = [watching.at(5, f"newcomer-{n}") for n in range(6)]
    watching.apply(*steady, *doomed)
    everybody = [*steady, *doomed, *newcomers]
    for obj in everybody:
        watching.answer(obj, Answer(502))
    told = watching.request(*doomed)
    # Whoever came too late for that has not asked, and goes on as it was.
    assert {verdict(obj) for obj in told} <= {("False", "GatewayError"), GREEN}
    assert verdict(told[0]) == ("False", "GatewayError")
    operator = watching.operator
    wait_until(lambda: operator.metrics()["hub_hosts_open",], lambda count: count == 1, "the host is down")

    before = sum(map(watching.asked, everybody))
    watching.api.apply(*newcomers)
    told = wait_until(
        lambda: [watching.api.get(obj) for obj in newcomers],
        lambda found: all(verdict(obj)[0] for obj in found),
        "the newcomers have verdicts",
    )
    unsure = [obj for obj in told if verdict(obj) == ("Unknown", "HostUnavailable")]
    assert len(unsure) >= len(newcomers) / 2, "one may have found out whether the host is back"
    for obj in unsure:
        assert watching.asked(obj) == 0
        assert obj["status"]["lastTestResult"] == "Unknown"
        assert "it answered 502 Bad Gateway" in condition(obj)["message"]

    # Those that worked are tested in vain, and stay Ready with a word of doubt.
    doubted = wait_until(
        lambda: [watching.api.get(obj) for obj in steady],
        lambda found: all("some more in a row" in condition(obj)["message"] for obj in found),
        "the results of those that worked are in doubt",
    )
    assert [verdict(obj) for obj in doubted] == [GREEN] * len(steady)
    assert "HostUnavailable" in {default_test(obj)["lastReason"] for obj in doubted}
    # Many results, and hardly anybody knocked: pauses are 10 and 20 seconds, and a newcomer may come early.
    knocked = sum(map(watching.asked, everybody)) - before
    assert knocked <= len(newcomers)
    assert operator.metrics()["hub_requests_refused_total", "host-unavailable"] > knocked

    for obj in everybody:
        watching.works_again(obj)
    wait_until(  # a request may find out before the pause is over; so soon after another it is told to wait
        lambda: verdict(watching.request(doomed[0])[0]), lambda told: told == GREEN, "the host is back"
    )
    for obj in watching.request(*everybody):
        assert verdict(obj) == GREEN


def test_what_says_nothing_new_is_not_written(watching: Watching, long_watched: Mapping[str, Object]) -> None:
    steady = long_watched["steady"]
    wait_until(lambda: watching.asked(steady), lambda count: count >= 3, "it was tested three times")
    watching.operator.wait_until_idle()
    found = watching.api.get(steady)
    assert found["metadata"]["resourceVersion"] == steady["metadata"]["resourceVersion"]
    metric = "hub_connection_last_tested_timestamp_seconds"
    exact = watching.operator.metrics()[metric, "steady", NAMESPACE, "whoami"]
    assert exact > datetime.fromisoformat(found["status"]["lastTested"]).timestamp() + 5


def test_credentials_that_were_refused_are_left_alone_until_they_change(
    watching: Watching, long_watched: Mapping[str, Object]
) -> None:
    refused = long_watched["refused"]
    steady = long_watched["steady"]
    wait_until(
        lambda: watching.asked(steady), lambda count: count >= 3, "one of the same interval was tested again"
    )
    assert watching.asked(refused) == 1
    assert in_hours(refused) > 23
    watching.api.apply(secret(NAMESPACE, DEAD, apiKey=CANARY))
    found = watching.api.wait_for_verdict(refused, *GREEN)
    assert watching.asked(refused) == 2
    assert history(found) == [("Success", "Connected"), ("Failure", "CredentialsRejected")]


def test_a_secret_that_changes_beside_its_credentials_is_no_reason_to_try_them_again(
    watching: Watching,
) -> None:
    wrong = secret(NAMESPACE, "relabelled", apiKey=f"not-{CANARY}")
    relabelled = watching.make("relabelled", secret="relabelled")
    watching.api.apply(wrong)
    before = watching.apply(relabelled, verdict=("False", "CredentialsRejected"))["relabelled"]
    assert watching.asked(relabelled) == 1
    beside: list[Object] = [
        {"metadata": {"labels": {"team": "a"}}},
        {"metadata": {"annotations": {"rotated-by": "nobody"}}},
        {"data": secret(NAMESPACE, note="another key")["data"]},
    ]
    for change in beside:
        version = watching.api.merge(wrong, change)["metadata"]["resourceVersion"]
        found = wait_until(
            lambda: watching.api.get(relabelled),
            lambda seen, version=version: seen["status"]["tested"]["secretResourceVersion"] == version,  # type: ignore[misc]
            f"the verdict is about the Secret with {change}",
        )
        assert found["status"]["credential"]["secretResourceVersion"] == version
        assert default_test(found) == default_test(before)
    assert watching.asked(relabelled) == 1
    watching.api.merge(wrong, {"data": secret(NAMESPACE, apiKey=CANARY)["data"]})
    watching.api.wait_for_verdict(relabelled, *GREEN)
    assert watching.asked(relabelled) == 2


def test_a_restart_does_not_make_up_for_tests_that_were_missed(watching: Watching) -> None:
    watching.operator.terminate()
    missed = [obj for name, obj in watching.api.instances(NAMESPACE).items() if name.startswith("same-")]
    for obj in missed:
        past = "2026-01-01T00:00:00Z"
        test = default_test(obj) | {"nextTime": past}
        watching.api.merge(obj, {"status": {"nextTestTime": past, "tests": [test]}}, "/status")
    before = watching.asked(missed[0])
    watching.operator.start()
    count = len(watching.api.instances(NAMESPACE))
    wait_until(watching.operator.reconciles, lambda done: done > count, "everything was looked at")
    watching.operator.wait_until_idle()
    assert watching.asked(missed[0]) == before
    watching.request(missed[0])
    assert watching.asked(missed[0]) == before + 1


def test_nothing_was_ever_ready_before_a_test_had_succeeded(watching: Watching) -> None:
    writes = watching.api.writes(NAMESPACE, watching.since)
    assert len(writes) > 20
    for name, versions in writes.items():
        succeeded = False
        for version in versions:
            succeeded = succeeded or version.obj.get("status", {}).get("lastTestResult") == "Success"
            assert succeeded or verdict(version.obj)[0] != "True", name


def test_every_status_keeps_the_rules(watching: Watching) -> None:
    for obj in watching.api.instances(NAMESPACE).values():
        generation = obj["metadata"]["generation"]
        status = InstanceStatus.model_validate(obj["status"])
        names = ["whoami", *(test["name"] for test in obj["spec"].get("tests", []))]
        assert_keeps_the_rules(status, generation=generation, suite=names if status.tests else None)


def test_no_credential_is_in_anything_that_was_said(watching: Watching) -> None:
    places = {
        "log": watching.operator.log.read_text(),
        "events": watching.api.call("GET", "/apis/events.k8s.io/v1/events"),
        "instances": json.dumps(list(watching.api.instances(NAMESPACE).values())),
        "metrics": watching.operator.get("/metrics")[1],
        "environment": Path(f"/proc/{watching.operator.pid}/environ").read_text(),
    }
    assert "connection tested" in places["log"]
    encoded = base64.b64encode(CANARY.encode()).decode()
    for form in (CANARY, CANARY.encode().hex(), encoded.rstrip("=")[:-1]):
        assert [place for place, text in places.items() if form in text] == []
