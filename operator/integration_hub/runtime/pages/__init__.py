"""What a person's browser is shown: one table of pages, one template. Words only; nothing of a request is ever in them.

Whatever others have chosen (names, messages) is escaped by the template, and cleaned of what cannot be seen here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from integration_hub.config.plain_text import one_line
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.shell.consent import ConsentOutcome, ConsentResult

PRODUCT = "Integration Hub"

Tone = Literal["good", "wait", "bad", "plain"]
Fault = Literal[
    "incomplete", "not-found", "wrong-method", "too-large", "wrong-type", "mistake"
]  # each is a row of _FAULTS


@dataclass(frozen=True, slots=True)
class Page:
    """What one page says, the result first."""

    status: int
    """Of HTTP."""
    tone: Tone
    heading: str
    happened: tuple[str, ...]
    next: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Pairs of a label and a value."""
    commands: tuple[tuple[str, str], ...] = ()
    """Pairs of what a command is for and the command."""
    subject: str = ""
    """What the page is about, for the window's title."""

    @property
    def role(self) -> str:
        """How urgently a screen reader reads the result."""
        return "alert" if self.tone == "bad" else "status"


def consent_page(outcome: ConsentOutcome) -> Page:
    """Return the page that tells what came of a consent."""
    return _TALES[outcome.result](_seen(outcome))


def fault_page(fault: Fault) -> Page:
    """Return the page for a request that is none of ours."""
    return _FAULTS[fault]


HOME = Page(
    200,
    "plain",
    PRODUCT,
    (
        (
            "People come to this address when they have signed in to an external system and allowed a connection to"
            " use it. There is nothing else to see here."
        ),
    ),
    ("To sign in, open the link that belongs to your connection.",),
    (),
    (("To see which connections wait for somebody to sign in:", "kubectl get integrationinstances -A"),),
)


def render(page: Page) -> str:
    """Return the page as HTML."""
    parts = (page.heading, page.subject, PRODUCT) if page.subject else (page.heading, PRODUCT)
    title = " - ".join(dict.fromkeys(parts))
    return _template().render(page=page, title=title, style=Markup(style()))  # noqa: S704 - a file of ours


@cache
def style() -> str:
    """Return the style sheet, which stands in every page: one request shows it all."""
    return (files(__name__) / "style.css").read_text(encoding="utf-8")


@cache
def style_hash() -> str:
    """Return what a Content-Security-Policy calls the style sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()


@cache
def _template() -> Template:
    source = (files(__name__) / "page.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)


# The words


@dataclass(frozen=True, slots=True)
class _Seen:
    """An outcome in words that can be shown."""

    namespace: str
    name: str
    connection: str
    """What people call the connection."""
    system: str
    identity: str
    reason: str
    message: str
    remedy: str
    course: Course | None
    """Of the reason, where it is a known one."""

    @property
    def called(self) -> str:
        """What stands in a sentence for the connection."""
        return f"the connection '{self.connection}'" if self.connection else "the connection"

    def facts(self, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        """Return what there is to tell, less what is not known."""
        where = f"{self.name} in namespace {self.namespace}" if self.name else ""
        pairs = (("Connection", self.connection), ("Kubernetes object", where), *more)
        return tuple((label, value) for label, value in pairs if value)

    def look(self) -> tuple[tuple[str, str], ...]:
        """Return the command that shows how the connection is now."""
        if not self.name:
            return _LOOK_AT_ALL
        return (("To see how the connection is now:", f"kubectl get iinst {self.name} -n {self.namespace}"),)

    def again(self) -> tuple[tuple[str, str], ...]:
        """Return the commands that lead to the link of now."""
        if not self.name:
            return self.look()
        link = (
            f"kubectl get iinst {self.name} -n {self.namespace} -o jsonpath='{{.status.authorization.url}}'"
        )
        return (
            ("To sign in with a new link:", f"hub authorize {self.name} -n {self.namespace}"),
            ("To see the new link, where 'hub' is not installed:", link),
            *self.look(),
        )


_LOOK_AT_ALL = (("To see all connections:", "kubectl get integrationinstances -A"),)


def _named(remedy: str, outcome: ConsentOutcome) -> str:
    """Return a remedy whose commands are about this connection."""
    if not outcome.name:
        return remedy
    return re.sub(r"(?<='hub )(\w+) NAME", rf"\1 {outcome.name} -n {outcome.namespace}", remedy)


def _seen(outcome: ConsentOutcome) -> _Seen:
    known = outcome.reason in set(Reason)
    return _Seen(
        namespace=one_line(outcome.namespace),
        name=one_line(outcome.name),
        connection=one_line(outcome.display_name or outcome.name),
        system=one_line(outcome.system) or "the external system",
        identity=one_line(outcome.identity),
        reason=one_line(outcome.reason),
        message=one_line(outcome.message),
        remedy=_named(REASONS[Reason(outcome.reason)].remedy, outcome) if known else "",
        course=REASONS[Reason(outcome.reason)].course if known else None,
    )


def _said(*sentences: str) -> tuple[str, ...]:
    """Return the sentences that there are."""
    return tuple(filter(None, sentences))


def _sentence(words: str) -> str:
    """Return the words as a sentence begins with them."""
    return words[:1].upper() + words[1:]


def _connected(seen: _Seen) -> Page:
    return Page(
        200,
        "good",
        "Connected",
        (f"{_sentence(seen.called)} has been tested with {seen.system} and works.",),
        (
            (
                "You can close this window. There is nothing more to do: the connection stays signed in by itself, and"
                " you are asked again only if the consent ends."
            ),
        ),
        seen.facts(("Signed in as", seen.identity)),
        seen.look(),
        seen.connection,
    )


def _not_connected(seen: _Seen) -> Page:
    waits = seen.course is Course.WAITING
    yet = "" if seen.course is Course.STALLED else " yet"
    return Page(
        200,
        "wait" if waits else "bad",
        f"You have signed in, but the connection does not work{yet}",
        _said(
            "Your consent has arrived and is kept.",
            "" if waits else f"The test of {seen.called} that followed did not succeed.",
            seen.message,
        ),
        _said(
            seen.remedy,
            "You can close this window: the operator tests the connection again when something has changed.",
        ),
        seen.facts(("Reason", seen.reason)),
        seen.look(),
        seen.connection,
    )


def _stored(seen: _Seen) -> Page:
    works = "It works as before until then." if seen.course is Course.GOOD else ""
    return Page(
        200,
        "wait",
        "You have signed in, and the connection is still to be tested",
        _said(
            "Your consent has arrived and is kept.",
            (
                f"{_sentence(seen.called)} could not be tested with it yet: {seen.system} does not answer as it"
                " should, or asks for patience."
            ),
            works,
        ),
        (
            (
                "You can close this window, and need not sign in again: the operator goes on testing, and uses your"
                " consent as soon as a test has succeeded."
            ),
        ),
        seen.facts(),
        seen.look(),
        seen.connection,
    )


def _not_taken(seen: _Seen) -> Page:
    return Page(
        409,
        "bad",
        "Your sign-in could not be used",
        _said(
            f"Something about {seen.called} must be put right first.",
            seen.message,
        ),
        _said(
            seen.remedy,
            "Then load this page again, or sign in once more: your consent was not used.",
        ),
        seen.facts(("Reason", seen.reason)),
        seen.again(),
        seen.connection,
    )


def _refused(seen: _Seen) -> Page:
    works = seen.course is Course.GOOD
    return Page(
        200,
        "bad",
        "Not authorised",
        _said(*_what_was_refused(seen)),
        _said(
            "" if works else seen.remedy,
            "If this was a mistake, or another account may allow it, sign in again with a new link.",
        ),
        seen.facts(("Reason", "" if works else seen.reason)),
        seen.again(),
        seen.connection,
    )


def _what_was_refused(seen: _Seen) -> tuple[str, ...]:
    if seen.course is Course.GOOD:
        return (
            f"{_sentence(seen.system)} gave no new access: it was declined, or what was given does not work.",
            "Nothing has changed: the connection works as before.",
        )
    if seen.reason in {"", Reason.AUTHORIZATION_DENIED}:
        return (
            f"You, or an administrator of {seen.system}, did not allow the connection to use it.",
            "Nothing has changed, and no new access was given.",
            seen.message,
        )
    return (f"{_sentence(seen.system)} did not complete the sign-in.", seen.message)


def _unknown_link(_seen: _Seen) -> Page:
    return Page(
        404,
        "bad",
        "This link cannot be used",
        (
            f"It was used before, is too old, gave way to a newer one, or was never given out by this {PRODUCT}.",
        ),
        (
            "If you have signed in before with the same link, all may be well: look at the connection.",
            "Otherwise look there for the newer link, or ask whoever gave you the link for a new one.",
        ),
        (),
        _LOOK_AT_ALL,
    )


def _outdated(seen: _Seen) -> Page:
    return Page(
        410,
        "bad",
        "This link is out of date",
        (
            (
                f"{_sentence(seen.called)} was changed after the link was made, or the link's time is over."
                " Your consent was not used."
            ),
        ),
        ("Sign in once more with the new link, which the commands below show.",),
        seen.facts(),
        seen.again(),
        seen.connection,
    )


def _pending(seen: _Seen) -> Page:
    return Page(
        202,
        "wait",
        "Still working",
        (f"Your consent has arrived. Finishing with {seen.system} takes longer than usual.",),
        (
            "You can close this window: that breaks nothing, and the work goes on without it.",
            "To see how it ended, load this page again in a minute, or look at the connection.",
        ),
        seen.facts(),
        seen.look(),
        seen.connection,
    )


def _busy(seen: _Seen) -> Page:
    return Page(
        503,
        "wait",
        "Please try again in a moment",
        (
            ("The operator could not take in your sign-in at this moment.", seen.message)
            if seen.message
            else (
                "The operator could not take in your sign-in at this moment: it is starting, or has too much to do.",
            )
        ),
        ("Load this page again in a few seconds. Your sign-in is still good.",),
        seen.facts(),
        seen.look(),
        seen.connection,
    )


_TALES: Mapping[ConsentResult, Callable[[_Seen], Page]] = {
    "connected": _connected,
    "not-connected": _not_connected,
    "stored": _stored,
    "refused": _refused,
    "unknown-link": _unknown_link,
    "outdated": _outdated,
    "not-taken": _not_taken,
    "pending": _pending,
    "busy": _busy,
}

_ASK = "Open the link that belongs to your connection once more, and sign in again."

_FAULTS: Mapping[Fault, Page] = {
    "incomplete": Page(
        400,
        "bad",
        "This is not the end of a sign-in",
        (
            "What has arrived here is incomplete, or is not what an external system sends after somebody signed in.",
        ),
        (_ASK,),
    ),
    "not-found": Page(
        404,
        "bad",
        "There is no such page",
        ("The address is not one of this server's.",),
        (
            (
                "If an external system has sent you here, the redirect URL that is registered there is not the"
                " operator's --callback-url: tell whoever looks after the connection."
            ),
        ),
    ),
    "wrong-method": Page(
        405,
        "bad",
        "That cannot be done here",
        ("This address is for web browsers that come back from a sign-in.",),
    ),
    "too-large": Page(
        413,
        "bad",
        "Too much was sent",
        ("What has arrived here is larger than the end of a sign-in ever is.",),
        (_ASK,),
    ),
    "wrong-type": Page(
        415,
        "bad",
        "This is not the end of a sign-in",
        ("What has arrived here is not in the form of one.",),
        (_ASK,),
    ),
    "mistake": Page(
        500,
        "bad",
        "Something went wrong here",
        ("The operator met a mistake of its own.",),
        (
            "Load this page again. If that does not help, tell whoever looks after the operator: its log says more.",
        ),
    ),
}
