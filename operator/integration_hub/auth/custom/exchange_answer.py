"""What a token URL that follows no standard has answered: a token at the place that the definition names, or a refusal.

Whatever comes: nothing here raises, and of a refusal only a code of limited form leaves, never a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.oauth2.answer import SENDABLE, UNSENDABLE, is_unavailable, refused
from integration_hub.auth.oauth2.lifetimes import LONGEST, end
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import TokenRefused
from integration_hub.config.durations import parse_duration
from integration_hub.config.moments import moment_of
from integration_hub.model.http import HttpResponse
from integration_hub.model.tokens import Tokens

ACCESS_TOKEN: Final = "access_token"  # noqa: S105 - the usual place
EXPIRES_IN: Final = "expires_in"

_CODE_PLACES: Final = ("error", "error.code", "errorCode", "code")
_NOTHING: Final = "The token URL's answer has no access token {place}."


def exchanged(
    response: HttpResponse,
    settings: Mapping[str, Any],
    credentials: Credentials,
    context: AuthContext,
    grant: str,
) -> Tokens | TokenRefused:
    """Return the token in an answer, or why there is none."""
    if is_unavailable(response):
        return TokenRefused()
    document = _document(response)
    answer = settings.get("answer", {})
    told, place = _token(response, document, answer)
    is_success = 200 <= response.status < 300  # noqa: PLR2004 - RFC 9110 section 15.3
    if told is None or not is_success:
        found = refused(Setup({}, credentials, context), _code(document))
        return found if found.code or not is_success else TokenRefused(message=_NOTHING.format(place=place))
    if not SENDABLE.fullmatch(told):
        return TokenRefused(message=UNSENDABLE)
    expires_at = _expires_at(document, answer, context.now)
    if expires_at is None and "lifetime" in settings:
        expires_at = context.now + parse_duration(settings["lifetime"])
    return Tokens(access_token=told, obtained_at=context.now, grant=grant, expires_at=expires_at)


def _token(response: HttpResponse, document: Any, answer: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the token, None where there is none, and the words for where it should be."""
    if "header" in answer:
        return response.headers.get(answer["header"].lower()) or None, f"in the header '{answer['header']}'"
    if answer.get("text"):
        # A text that is JSON is one in quotes; all else is the token itself.
        told = document if isinstance(document, str) else response.body.decode("utf-8", "replace").strip()
        return told or None, "in it"
    place = answer.get("accessToken", ACCESS_TOKEN)
    told = at(document, place)
    return told if isinstance(told, str) and told else None, f"at '{place}'"


def _expires_at(document: Any, answer: Mapping[str, Any], now: datetime) -> datetime | None:
    if "expiresAt" in answer:
        moment = moment_of(at(document, answer["expiresAt"]))
        return min(moment, now + LONGEST) if moment is not None and moment > now else None
    return end(now, at(document, answer.get("expiresIn", EXPIRES_IN)))


def _code(document: Any) -> str:
    """Return the other side's error code as it is, '' where there is none."""
    found = next((told for place in _CODE_PLACES if isinstance(told := at(document, place), str | int)), "")
    return "" if isinstance(found, bool) else str(found)


def _document(response: HttpResponse) -> Any:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None


def at(value: Any, place: str) -> Any:
    """Return what is at 'a.b.0.c', None where nothing is."""
    for step in place.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) <= len(str(len(value))):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value
