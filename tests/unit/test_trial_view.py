"""What a person reads below the tests that were made by hand."""

from __future__ import annotations

import io

from integration_hub.cli.trial.view import View, trial_data
from integration_hub.model.instance import TestStatus
from integration_hub.shell.tryout import Trial, Tried, Verdict


def trial(*ends: str | None) -> Trial:
    tests = [
        TestStatus(
            name=f"t{number}",
            result="Success",
            reason="Connected",
            message="It works.",
            time="2026-03-01T12:00:00Z",
            credential_expires_at=end,
        )
        for number, end in enumerate(ends)
    ]
    verdict = Verdict("Success", "Connected", "It works.")
    return Trial(
        verdict, tests=tuple(Tried(status, counts=True, identity=None, exchanges=()) for status in tests)
    )


def shown(found: Trial) -> str:
    out = io.StringIO()
    View(out, io.StringIO()).show_trial(found)
    return out.getvalue()


def test_the_earliest_end_of_the_credential_is_said() -> None:
    found = trial("2027-09-30T00:00:00Z", None, "2027-08-01T12:00:00Z")
    assert "The credential ends on 2027-08-01 (UTC).\n" in shown(found)
    assert [test["credentialExpiresAt"] for test in trial_data(found)["tests"]] == [
        "2027-09-30T00:00:00Z",
        None,
        "2027-08-01T12:00:00Z",
    ]


def test_where_no_test_tells_it_nothing_is_said() -> None:
    assert "credential ends" not in shown(trial(None))


def test_what_helps_with_the_command_that_runs_stands_before_the_advice_for_the_operator() -> None:
    out = io.StringIO()
    found = Trial(Verdict("Failure", "AddressNotAllowed", "It is private.", "Start the operator with it."))
    View(out, io.StringIO()).show_trial(found, "add --allow-cidr.")
    shown_ = out.getvalue()
    assert "hub test" not in shown_
    assert shown_.index("  Here: add --allow-cidr.\n") < shown_.index("  What to do: Start the operator")
