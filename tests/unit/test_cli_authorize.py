"""What `hub authorize` makes of each look at an instance, and when it opens a browser. Nothing is asked or opened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from integration_hub.cli.authorize.browser import may_open
from integration_hub.cli.authorize.judge import End, Judge, Show, Step, Wait, link_problem
from integration_hub.cli.main import main
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.reconcile.times import timestamp

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
REQUIRED = ("Unknown", Reason.AUTHORIZATION_REQUIRED)
CONNECTED = ("True", Reason.CONNECTED)
DENIED = ("Unknown", Reason.AUTHORIZATION_DENIED)


def link(
    number: int = 1, *, ends_in: timedelta = timedelta(minutes=20), code: str | None = None
) -> dict[str, Any]:
    shown = {"url": f"https://login.example.com/authorize?n={number}", "expiresAt": timestamp(NOW + ends_in)}
    return shown | ({"userCode": code} if code else {})


def seen(
    ready: tuple[str, str] | None = None,
    authorization: dict[str, Any] | None = None,
    *,
    observed: int | None = 1,
    wish: str = "",
    suspend: bool = False,
    **status: Any,
) -> IntegrationInstance:
    """An instance as one look shows it."""
    whole: dict[str, Any] = {"authType": "oauth2", "observedGeneration": observed} | status
    if ready is not None:
        condition = {"type": "Ready", "status": ready[0], "reason": ready[1], "message": f"About {ready[1]}."}
        whole["conditions"] = [condition | {"lastTransitionTime": timestamp(NOW)}]
    if authorization is not None:
        whole["authorization"] = authorization
    return IntegrationInstance.model_validate(
        {
            "metadata": {
                "name": "billing",
                "namespace": "shop",
                "generation": 1,
                "annotations": {AUTHORIZE_ANNOTATION: wish} if wish else {},
            },
            "spec": {"definitionRef": {"name": "acme"}, "suspend": suspend},
            "status": whole,
        }
    )


def looks(
    *instances: IntegrationInstance, again: bool = False, apart: timedelta = timedelta(seconds=1)
) -> list[Step]:
    judge = Judge(again=again)
    return [judge.look(instance, NOW + number * apart) for number, instance in enumerate(instances)]


def test_a_link_is_shown_until_the_connection_works() -> None:
    first, second, last = looks(seen(REQUIRED, link()), seen(REQUIRED, link()), seen(CONNECTED))
    assert isinstance(first, Show)
    assert isinstance(second, Show)
    assert first.authorization.url == link()["url"]
    assert last == End(connected=True, reason="Connected", message="About Connected.")


def test_a_connection_that_works_needs_nobody() -> None:
    (step,) = looks(seen(CONNECTED))
    assert isinstance(step, End)
    assert step.connected


@pytest.mark.parametrize(
    "instance",
    [seen(observed=None), seen(REQUIRED, link(), observed=0), seen(CONNECTED, observed=0)],
    ids=["never seen", "a link for what it was", "works as it was"],
)
def test_what_is_about_an_older_generation_counts_for_nothing(instance: IntegrationInstance) -> None:
    assert looks(instance) == [Wait(operator=True)]


def test_a_refusal_after_the_link_was_shown_is_the_end() -> None:
    _, step = looks(seen(REQUIRED, link()), seen(DENIED, link(2)))
    assert isinstance(step, End)
    assert not step.connected
    assert (step.reason, step.hint) == ("AuthorizationDenied", REASONS[Reason.AUTHORIZATION_DENIED].remedy)


def test_a_refusal_of_before_is_not_the_answer_to_the_link_that_is_shown_now() -> None:
    steps = looks(seen(DENIED, link()), seen(DENIED, link()), seen(CONNECTED))
    assert [type(step) for step in steps] == [Show, Show, End]


def test_a_second_refusal_shows_by_another_link_before_its_time() -> None:
    _, step = looks(seen(DENIED, link()), seen(DENIED, link(2)))
    assert isinstance(step, End)


def test_a_link_that_ended_is_followed_by_the_next() -> None:
    _, step = looks(
        seen(DENIED, link()),
        seen(DENIED, link(2, ends_in=timedelta(minutes=40))),
        apart=timedelta(minutes=20),
    )
    assert isinstance(step, Show)
    assert step.authorization.url == link(2)["url"]
    _, step = looks(seen(REQUIRED, link()), seen(REQUIRED, link(2)))
    assert isinstance(step, Show)


def test_a_second_refusal_of_a_device_code_shows_by_another_code() -> None:
    _, step = looks(seen(DENIED, link(code="AAAA")), seen(DENIED, link(code="BBBB")))
    assert isinstance(step, End)


@pytest.mark.parametrize(
    "reason", [Reason.PERMISSION_DENIED, Reason.CONFIG_INVALID, Reason.AUTHORIZATION_UNAVAILABLE]
)
def test_what_somebody_must_change_is_the_end(reason: Reason) -> None:
    _, step = looks(seen(REQUIRED, link()), seen(("False", reason)))
    assert isinstance(step, End)
    assert (step.connected, step.reason, step.hint) == (False, reason, REASONS[reason].remedy)


def test_what_passes_by_itself_is_waited_for() -> None:
    _, step, last = looks(seen(REQUIRED, link()), seen(("False", Reason.SERVER_ERROR)), seen(CONNECTED))
    assert step == Wait(why="ServerError: About ServerError.")
    assert isinstance(last, End)
    assert last.connected


def test_a_reason_that_this_version_does_not_know_is_waited_for() -> None:
    assert looks(seen(("False", "FromTheFuture"))) == [Wait(why="FromTheFuture: About FromTheFuture.")]


@pytest.mark.parametrize("type_", ["apiKey", "basicAuth", "custom"])
def test_a_method_that_asks_nobody_is_a_mistake_in_the_command(type_: str) -> None:
    (step,) = looks(seen(("False", Reason.SECRET_NOT_FOUND), authType=type_))
    assert isinstance(step, End)
    assert step.is_mistake
    assert f"'{type_}'" in step.message
    assert "hub test billing" in step.hint


def test_a_suspended_connection_asks_nobody() -> None:
    (step,) = looks(seen(("Unknown", Reason.SUSPENDED), suspend=True))
    assert isinstance(step, End)
    assert "spec.suspend" in step.message


# Once more


DONE: dict[str, Any] = {"lastHandledAuthorize": "w", "lastAuthorizeResult": "Completed"}
REFUSED: dict[str, Any] = {"lastHandledAuthorize": "w", "lastAuthorizeResult": "Refused"}


def test_once_more_waits_for_a_new_link_and_until_the_wish_is_fulfilled() -> None:
    steps = looks(
        seen(CONNECTED, wish="w"),
        seen(CONNECTED, link(), wish="w"),
        seen(CONNECTED, wish="w", **DONE),
        again=True,
    )
    assert [type(step) for step in steps] == [Wait, Show, End]
    assert steps[-1] == End(connected=True, reason="Connected", message="About Connected.")


def test_a_new_consent_that_was_refused_is_told_although_the_connection_works() -> None:
    *_, step = looks(
        seen(CONNECTED, link(), wish="w"),
        seen(CONNECTED, wish="w", **REFUSED),
        again=True,
    )
    assert isinstance(step, End)
    assert not step.connected
    assert "The one before stays in use" in step.message


def test_a_test_that_is_still_to_be_made_after_the_new_consent_is_waited_for() -> None:
    steps = looks(
        seen(CONNECTED, link(), wish="w"),
        seen(("Unknown", Reason.TEST_PENDING), wish="w", **DONE),
        seen(CONNECTED, wish="w", **DONE),
        seen(CONNECTED, wish="w", **DONE),
        again=True,
    )
    assert isinstance(steps[1], Wait)
    assert isinstance(steps[2], End)
    assert steps[2].connected
    assert isinstance(steps[3], End)
    assert steps[3].connected, "what is compared is what was before the wish was fulfilled"


def test_a_consent_that_waits_to_be_tested_is_told_in_the_operators_words_and_not_as_its_silence() -> None:
    steps = looks(
        seen(CONNECTED, wish="w"),
        seen(CONNECTED, link(), wish="w"),
        seen(CONNECTED, wish="w"),
        seen(CONNECTED, wish="w", **DONE),
        again=True,
    )
    assert steps[0] == Wait(operator=True)
    assert steps[2] == Wait(why="Connected: About Connected.")
    assert isinstance(steps[3], End)


def test_a_wish_of_somebody_else_is_waited_for_too() -> None:
    steps = looks(
        seen(CONNECTED, link(), wish="theirs"),
        seen(CONNECTED, wish="theirs", lastHandledAuthorize="theirs", lastAuthorizeResult="Completed"),
    )
    assert [type(step) for step in steps] == [Show, End]


def test_a_wish_that_was_fulfilled_long_ago_is_none() -> None:
    (step,) = looks(seen(CONNECTED, wish="old", lastHandledAuthorize="old"))
    assert isinstance(step, End)


def test_once_more_with_a_connection_that_does_not_work_waits_for_the_link_and_not_for_the_old_trouble() -> (
    None
):
    trouble = ("False", Reason.PERMISSION_DENIED)
    steps = looks(
        seen(trouble, wish="w"),
        seen(trouble, link(), wish="w"),
        seen(trouble, wish="w", lastHandledAuthorize="w"),
        again=True,
    )
    assert [type(step) for step in steps] == [Wait, Show, End]


@pytest.mark.parametrize("first", [CONNECTED, ("False", Reason.AUTHORIZATION_UNAVAILABLE)])
def test_an_operator_that_can_make_no_link_is_the_end_of_it(first: tuple[str, str]) -> None:
    *_, step = looks(
        seen(first, wish="w"), seen(("False", Reason.AUTHORIZATION_UNAVAILABLE), wish="w"), again=True
    )
    assert isinstance(step, End)
    assert "--callback-url" in step.hint


# Links and browsers


@pytest.mark.parametrize(
    "url", ["https://login.example.com/a?b=c&d=%20", "http://localhost:8080/x", "https://[::1]:1/x"]
)
def test_links_that_may_be_opened(url: str) -> None:
    assert link_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ssh://host/",
        "//host/path",
        "https://",
        "https:///path",
        "--version",
        "https://host/\x1b[2J",
        "https://host/\n--incognito",
        "https://host/a b",
        "https://host/\u202e",
        "https://[::1/",
        "https://host/" + "a" * 10_000,
    ],
)
def test_links_that_are_neither_opened_nor_shown(url: str) -> None:
    assert link_problem(url) is not None


@pytest.mark.parametrize(
    ("environment", "platform", "is_terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ""}, "linux", True, False),
        ({}, "darwin", True, True),
        ({}, "win32", True, True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a b c d"}, "linux", True, False),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", True, False),
        ({"SSH_CONNECTION": "a b c d", "BROWSER": "my-browser"}, "linux", True, True),
        ({"BROWSER": "my-browser"}, "linux", True, True),
        ({"DISPLAY": ":0", "BROWSER": "my-browser"}, "linux", False, False),
        ({}, "darwin", False, False),
    ],
)
def test_when_a_browser_is_opened(
    environment: dict[str, str], platform: str, is_terminal: bool, opens: bool
) -> None:
    assert may_open(environment, platform, is_terminal=is_terminal) is opens


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing argument 'NAME'"),
        (["billing", "--timeout", "soon"], "'soon' is no duration like '5m' or '1h30m'"),
        (["billing", "--timeout", "0s"], "too short"),
        (["billing", "orders"], "unexpected extra argument"),
    ],
)
def test_a_mistake_in_a_flag_is_told_before_anything_is_asked(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["authorize", *words])
    assert result.exit_code == 2
    assert said in result.output
