"""Which tests an instance makes, how each is watched, and what is wrong in those that it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.config.profile import secret_fields
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.model.instance import InstanceSpec
from integration_hub.reconcile.definition import field_names
from integration_hub.reconcile.inputs import Timing
from integration_hub.reconcile.suite import SuiteTest, Thresholds, suite_of, suite_violations
from support.builders import Raw, definition, instance

TIMING = Timing(interval=timedelta(minutes=7))
OURS: list[Raw] = [
    {"name": "limits", "request": {"path": "/limits"}, "expect": {"status": [204]}},
    {"name": "account", "default": True, "request": {"path": "/account"}, "identity": "response.json.email"},
    {"name": "orders", "request": {"path": "/orders"}, "monitor": {"interval": "1h"}},
]
OWN = {"name": "own", "request": {"path": "/own"}}
SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string"},
        "apiKey": {"type": "string", "x-hub-secret": True},
    },
}


def spec_of(**spec: Any) -> InstanceSpec:
    return InstanceSpec.model_validate(instance(**spec)["spec"])


def definition_of(tests: list[Raw] = OURS) -> DefinitionSpec:
    return DefinitionSpec.model_validate(definition(tests=tests, configSchema=SCHEMA)["spec"])


APP = AuthMethod.model_validate({"name": "app", "type": "apiKey", "test": "limits"})
KEY = AuthMethod.model_validate({"name": "key", "type": "apiKey"})


def suite(tests: list[Raw] | None = None, ours: list[Raw] = OURS, **spec: Any) -> tuple[SuiteTest, ...]:
    return suite_of(spec_of(tests=tests, **spec), definition_of(ours), TIMING)


def violations(*tests: Raw) -> list[str]:
    """What is wrong in an instance's tests, one line each."""
    of = definition_of()
    known, secret = field_names(of), secret_fields(of.config_schema)
    return [
        str(each) for each in suite_violations(spec_of(tests=list(tests)), of, known=known, secret=secret)
    ]


class TestWhichTests:
    def test_the_default_one_is_made_by_everybody_and_no_other_of_the_definition(self) -> None:
        (only,) = suite()
        assert (only.name, only.default, only.required) == ("account", True, True)
        assert only.request.path == "/account"

    def test_those_of_the_definition_are_chosen_by_name_and_bring_their_own_settings(self) -> None:
        account, limits = suite([{"name": "limits"}])
        assert (account.name, limits.name, limits.default, limits.required) == (
            "account",
            "limits",
            False,
            True,
        )
        assert (limits.request.path, limits.settings.expect.status) == ("/limits", [204])

    def test_saved_ones_have_a_request_of_their_own(self) -> None:
        _, own = suite([{**OWN, "expect": {"status": [201]}, "identity": "response.json.id"}])
        assert (own.name, own.request.path, own.default, own.required) == ("own", "/own", False, True)
        assert (own.settings.expect.status, own.settings.identity) == ([201], "response.json.id")

    def test_the_default_one_comes_first_wherever_it_is_named_and_the_rest_as_they_stand(self) -> None:
        made = suite([OWN, {"name": "orders"}, {"name": "account"}, {"name": "limits"}])
        assert [test.name for test in made] == ["account", "own", "orders", "limits"]
        assert [test.default for test in made] == [True, False, False, False]

    def test_optional_ones_are_made_and_not_required(self) -> None:
        made = suite([OWN | {"optional": True}, {"name": "limits", "optional": True}, {"name": "orders"}])
        assert {test.name: test.required for test in made} == {
            "account": True,
            "own": False,
            "limits": False,
            "orders": True,
        }


class TestTheTestOfAMethod:
    def made(self, method: AuthMethod | None, *tests: Raw) -> list[tuple[str, bool, bool]]:
        suite_ = suite_of(spec_of(tests=list(tests)), definition_of(), TIMING, method)
        return [(test.name, test.default, test.required) for test in suite_]

    def test_takes_the_default_ones_part(self) -> None:
        assert self.made(APP) == [("limits", True, True)]

    def test_is_nobody_elses_default_one(self) -> None:
        assert self.made(KEY) == self.made(None) == [("account", True, True)]
        assert self.made(KEY, {"name": "limits"}) == [("account", True, True), ("limits", False, True)]

    def test_leaves_the_definitions_default_one_to_be_named_and_to_be_optional(self) -> None:
        assert self.made(APP, OWN, {"name": "account", "optional": True}) == [
            ("limits", True, True),
            ("own", False, True),
            ("account", False, False),
        ]
        assert self.mistakes(APP, {"name": "account", "optional": True}) == []

    def test_cannot_be_optional_itself(self) -> None:
        (line,) = self.mistakes(APP, {"name": "limits", "optional": True})
        assert line == "spec.tests[0].optional: 'limits' is the default test, which cannot be optional"
        assert self.mistakes(KEY, {"name": "limits", "optional": True}) == []

    def test_is_watched_as_the_instance_says(self) -> None:
        entry = {"name": "limits", "monitor": {"interval": "45s"}}
        (only,) = suite_of(spec_of(tests=[entry]), definition_of(), TIMING, APP)
        assert only.interval == timedelta(seconds=45)

    def mistakes(self, method: AuthMethod, *tests: Raw) -> list[str]:
        of = definition_of()
        found = suite_violations(spec_of(tests=list(tests)), of, method, known=field_names(of), secret=())
        return [str(each) for each in found]


INTERVALS = [
    ({}, None, None, timedelta(minutes=7), "the operator's where nobody says"),
    ({"interval": "1h"}, None, None, timedelta(hours=1), "the definition's over the operator's"),
    ({"interval": "1h"}, {"interval": "20m"}, None, timedelta(minutes=20), "the connection's over that"),
    ({"interval": "1h"}, {"interval": "20m"}, {"interval": "30s"}, timedelta(seconds=30), "the test's own"),
    ({"interval": "1h"}, {"failureThreshold": 4}, {"recoveryThreshold": 2}, timedelta(hours=1), "by field"),
]
monitors = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "interval": st.sampled_from(["10s", "5m", "2h"]),
        "failureThreshold": st.integers(1, 10),
        "recoveryThreshold": st.integers(1, 10),
    },
)


class TestMonitor:
    @pytest.mark.parametrize(
        ("ours", "spec", "entry", "expected", "why"), INTERVALS, ids=[row[-1] for row in INTERVALS]
    )
    def test_the_nearest_interval_wins(
        self, ours: Raw, spec: Raw | None, entry: Raw | None, expected: timedelta, why: str
    ) -> None:
        test = {"name": "account", "default": True, "monitor": ours}
        (made,) = suite([{"name": "account", "monitor": entry}] if entry else None, [test], monitor=spec)
        assert made.interval == expected, why

    @given(monitors, monitors, monitors)
    def test_each_field_is_the_nearest_that_somebody_gave(
        self, ours: Raw | None, spec: Raw | None, entry: Raw | None
    ) -> None:
        named = {"name": "account", **({"monitor": entry} if entry is not None else {})}
        test = {"name": "account", "default": True, **({"monitor": ours} if ours is not None else {})}
        (made,) = suite([named], [test], monitor=spec)
        nearest: Raw = (ours or {}) | (spec or {}) | (entry or {})
        seconds = {"10s": 10, "5m": 300, "2h": 7200, None: 420}[nearest.get("interval")]
        assert made.interval == timedelta(seconds=seconds)
        assert made.thresholds == Thresholds(
            failure=nearest.get("failureThreshold", 1),
            unknown=nearest.get("failureThreshold", 3),
            recovery=nearest.get("recoveryThreshold", 1),
        )

    def test_the_connections_monitor_goes_for_saved_tests_too(self) -> None:
        _, own = suite([OWN], monitor={"interval": "45s", "failureThreshold": 2})
        assert (own.interval, own.thresholds) == (timedelta(seconds=45), Thresholds(2, 2, 1))

    def test_a_tests_own_monitor_is_nobody_elses(self) -> None:
        account, own = suite([OWN | {"monitor": {"interval": "45s"}}])
        assert (account.interval, own.interval) == (TIMING.interval, timedelta(seconds=45))


MISTAKES: list[tuple[Raw, list[str], str]] = [
    (
        {"name": "nope"},
        ["spec.tests[1].name", "no test 'nope'", "'limits', 'account', 'orders'", "add a 'request'"],
        "neither the definition's nor one's own",
    ),
    (
        {"name": "limits", "request": {"path": "/mine"}},
        ["spec.tests[1].name", "'limits' is a test of the definition", "choose another name"],
        "a request of one's own under the name of a test of the definition",
    ),
    (
        {"name": "account", "optional": True},
        ["spec.tests[1].optional", "'account' is the default test"],
        "the default test made optional",
    ),
    (
        OWN | {"identity": "json.id"},
        ["spec.tests[1].identity", "must start with 'response.json'"],
        "an identity that is no path",
    ),
    (
        OWN | {"expect": {"assertions": [{"rule": "true"}, {"rule": "response.json.ok =="}]}},
        ["spec.tests[1].expect.assertions[1].rule", "a value is missing", "(at character 20)"],
        "an assertion that ends too early",
    ),
    (
        OWN | {"failures": [{"when": "true", "reason": "CredentialsRejectd"}]},
        ["spec.tests[1].failures[0].reason", "did you mean 'CredentialsRejected'?"],
        "a reason that is misspelt",
    ),
    (
        OWN | {"request": {"path": "/{{ config.regoin }}"}},
        ["spec.tests[1].request.path", "'{{ config.regoin }}'", "region"],
        "a field that the definition has not",
    ),
    (
        OWN | {"request": {"headers": {"X-Key": "{{ config.apiKey }}"}}},
        ["spec.tests[1].request.headers.X-Key", "is a secret field"],
        "a secret in a request",
    ),
]


class TestMistakes:
    def test_there_are_none_in_tests_that_can_be_made(self) -> None:
        assert violations(OWN, {"name": "limits", "optional": True}, {"name": "account", "monitor": {}}) == []

    @pytest.mark.parametrize(("entry", "words", "why"), MISTAKES, ids=[row[-1] for row in MISTAKES])
    def test_each_is_named_by_its_path(self, entry: Raw, words: list[str], why: str) -> None:
        (line,) = violations({"name": "orders"}, entry)
        assert line.startswith(f"{words[0]}: "), why
        assert [word for word in words if word not in line] == []

    def test_all_are_found(self) -> None:
        every = [entry for entry, *_ in MISTAKES]
        # Names are unique in a list that the API server lets in.
        unique = [
            entry if entry["name"] != "own" else entry | {"name": f"own-{n}"} for n, entry in enumerate(every)
        ]
        assert len(violations(*unique)) == len(MISTAKES)
