"""What `hub authorize` makes of what the operator shows: wait, show a link, or end. Pure: no clock, no cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from integration_hub.cli.words import typed
from integration_hub.model import conditions as c
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import Authorization, IntegrationInstance
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.times import parse_timestamp

CONSENTING = "oauth2"
"""The type of auth method for which a person can be asked."""
RENEWAL_MARGIN = timedelta(seconds=60)
"""A link that is replaced earlier than this before its end was not replaced because of its end."""
MAX_LINK = 8 * 1024
"""Characters; what is longer is no link that a browser takes."""

_REFUSED = frozenset({Reason.AUTHORIZATION_DENIED, Reason.AUTHORIZATION_FAILED})


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again."""

    operator: bool = False
    """Whether it is the operator that has done nothing yet."""
    why: str = ""
    """What is waited for, where the operator says so."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show the person what to open, and look again."""

    authorization: Authorization


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more will come by waiting."""

    connected: bool
    reason: str
    message: str
    hint: str = ""
    is_mistake: bool = False
    """Whether it was a mistake to ask for this at all."""


Step = Wait | Show | End


class Judge:
    """Judges one look after another; what was shown before decides whether news are an answer to it."""

    def __init__(self, *, again: bool) -> None:
        """`again`: the person's wish for a new consent was written, and that is what is waited for."""
        self._again = again
        self._shown: Authorization | None = None
        self._shown_reason = ""
        self._first: IntegrationInstance | None = None

    def look(self, instance: IntegrationInstance, now: datetime) -> Step:
        """Return what to do after a look."""
        status, ready = instance.status, instance.status.condition(c.READY)
        if self._first is None:
            self._first = instance
            # Somebody may have asked for a new consent before us; then that is what is waited for.
            self._again = self._again or (is_wished(instance) and status.authorization is not None)
        if instance.spec.suspend:
            return End(connected=False, reason=Reason.SUSPENDED, message=_meaning(Reason.SUSPENDED))
        if ready is None or status.observed_generation != instance.metadata.generation:
            return Wait(operator=True)
        if self._again and is_wished(instance):
            return self._await_wish(status.authorization, ready)
        if self._again:
            return _handled(instance, ready)
        return self._judge(instance, ready, now)

    def _judge(self, instance: IntegrationInstance, ready: Condition, now: datetime) -> Step:
        """Judge what the operator says of its own accord."""
        status = instance.status
        if ready.status == "True":
            return _end(ready)
        if status.authorization is not None:
            return self._await_person(status.authorization, ready, now)
        if status.auth_type not in {None, CONSENTING}:
            return not_asked(instance)
        return _end(ready) if _needs_a_person(ready) else Wait(why=f"{ready.reason}: {ready.message}")

    def _await_wish(self, shown: Authorization | None, ready: Condition) -> Step:
        """Judge while a wish for a new consent is not fulfilled."""
        if shown is not None:
            return self._show(shown, ready)
        first = self._first.status.condition(c.READY) if self._first is not None else None
        is_news = first is not None and (ready.reason, ready.message) != (first.reason, first.message)
        if ready.reason == Reason.AUTHORIZATION_UNAVAILABLE or (is_news and _needs_a_person(ready)):
            return _end(ready)
        if self._shown is not None:
            return Wait(
                why=f"{ready.reason}: {ready.message}"
            )  # the link was used, and a test is still to tell
        return Wait(operator=True)

    def _await_person(self, shown: Authorization, ready: Condition, now: datetime) -> Step:
        """Judge while a person is asked."""
        last = self._shown
        if last is None or not _may_end(ready):
            return self._show(shown, ready)
        is_other = (shown.url, shown.user_code) != (last.url, last.user_code)
        expires = parse_timestamp(last.expires_at)
        was_replaced = is_other and expires is not None and expires - now > RENEWAL_MARGIN
        if ready.reason != self._shown_reason or was_replaced:
            return _end(ready)
        return self._show(shown, ready)

    def _show(self, shown: Authorization, ready: Condition) -> Show:
        self._shown, self._shown_reason = shown, ready.reason
        return Show(shown)


def is_wished(instance: IntegrationInstance) -> bool:
    """Tell whether somebody's wish for a new consent is not fulfilled yet."""
    wish = instance.metadata.annotations.get(AUTHORIZE_ANNOTATION)
    return bool(wish) and wish != instance.status.last_handled_authorize


def not_asked(instance: IntegrationInstance) -> End:
    """Return why nobody is asked for consent to this connection."""
    return End(
        connected=False,
        reason=instance.status.auth_type or "",
        message=f"Nobody is asked for consent to this connection: it authenticates with"
        f" '{instance.status.auth_type}', whose credentials are in a Secret.",
        hint=f"To test it, run '{typed('test', instance.metadata.name, '-n', instance.metadata.namespace)}'."
        " To change its credentials, change the Secret.",
        is_mistake=True,
    )


def link_problem(url: str) -> str | None:
    """Return why an address is neither opened nor shown, None where it may be."""
    if len(url) > MAX_LINK or not url.isascii() or not url.isprintable() or " " in url:
        return "it is too long, or has characters that no address has"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "it is no address"
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        return "it does not begin with https:// or http:// and a host"
    return None


def _handled(instance: IntegrationInstance, ready: Condition) -> Step:
    """Judge how a wish for a new consent was fulfilled."""
    if ready.status != "True":
        return _end(ready) if _may_end(ready) else Wait(why=f"{ready.reason}: {ready.message}")
    name, namespace = instance.metadata.name, instance.metadata.namespace
    if instance.status.last_authorize_result == "Refused":
        return End(
            connected=False,
            reason=Reason.AUTHORIZATION_FAILED,
            message="The new consent was refused, or does not work. The one before stays in use, and works.",
            hint=f"'kubectl events --for integrationinstance/{name} -n {namespace}' says more. Then run"
            f" '{typed('authorize', name, '-n', namespace, '--again')}' to try once more.",
        )
    return End(connected=True, reason=ready.reason, message=ready.message)


def _end(ready: Condition) -> End:
    return End(
        connected=ready.status == "True",
        reason=ready.reason,
        message=ready.message,
        hint=REASONS[Reason(ready.reason)].remedy if ready.reason in set(Reason) else "",
    )


def _may_end(ready: Condition) -> bool:
    return ready.reason in _REFUSED or _needs_a_person(ready)


def _needs_a_person(ready: Condition) -> bool:
    courses = {Course.STALLED, Course.PAUSED}
    return ready.reason in set(Reason) and REASONS[Reason(ready.reason)].course in courses


def _meaning(reason: Reason) -> str:
    return f"{REASONS[reason].meaning} {REASONS[reason].remedy}".strip()
