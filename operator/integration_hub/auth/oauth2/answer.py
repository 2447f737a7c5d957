"""What the answer of a token URL means: tokens, or a refusal (RFC 6749 sections 5.1 and 5.2).

Whatever comes: nothing here raises, and of a refusal only a code of limited form leaves, never a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from integration_hub.auth.oauth2.lifetimes import end
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import TokenRefused
from integration_hub.config.durations import parse_duration
from integration_hub.model.http import HttpResponse
from integration_hub.model.tokens import Tokens

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
SENDABLE: Final = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII)
"""RFC 6749 appendix A.12, without spaces at the ends, which no header keeps."""
_SCOPE: Final = re.compile(r"[!-~]{1,300}", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}", re.ASCII)
_MAX_SCOPES: Final = 200
_MAX_FIELDS: Final = 100
_MIN_SHARED: Final = 8
"""What is shorter stands in another text by chance."""

_PLACES: Final[Mapping[str, Sequence[str]]] = {
    "accessToken": ("access_token",),
    "refreshToken": ("refresh_token",),
    "expiresIn": ("expires_in",),
    "refreshExpiresIn": ("refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"),
    "scope": ("scope",),
    "tokenType": ("token_type",),
    "error": ("error",),
}
"""Where it usually is. The lifetime of a refresh token has a name in no standard; these are those in use."""

_ERROR_PARTS: Final = ("code", "type", "status")
"""Where an `error` that is a group has its code."""

_BOUND_TYPES: Final = frozenset({"dpop", "mac", "pop"})
"""Types of tokens that are of no use without a key of their own (RFC 9449 section 5)."""


def _same(*codes: str) -> frozenset[str]:
    return frozenset(_normalised(code) for code in codes)


def _normalised(code: str) -> str:
    return re.sub(r"[^a-z0-9]", "", code.lower())


ENDED: Final = _same(
    # RFC 6749 section 5.2, RFC 8628 section 3.5, OpenID Connect Core section 3.1.2.6
    "invalid_grant", "access_denied", "expired_token", "interaction_required", "login_required", "consent_required",
    "account_selection_required",
    # What systems say instead of invalid_grant
    "invalid_token", "token_expired", "token_revoked", "invalid_refresh_token", "bad_refresh_token",
    "refresh_token_expired", "expired_refresh_token", "refresh_token_not_found", "bad_verification_code",
    "bad_auth_code", "invalid_code", "code_expired", "code_already_used", "incorrect_device_code", "account_inactive",
)  # fmt: skip
"""Codes after which what was shown is of no use ever again.

Not among them: invalid_client, unauthorized_client, invalid_scope, unsupported_grant_type, invalid_target and
invalid_request. They blame the client or the settings, and once these are put right the same refresh token works.
"""

KNOWN: Final = ENDED | _same(
    "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "invalid_target",
    "invalid_request", "unsupported_token_type", "authorization_pending", "slow_down", "server_error",
    "temporarily_unavailable", "unsupported_response_type",
)  # fmt: skip
"""Words of the standards, which are nobody's secret even where a secret is such a word."""

NO_ACCESS_TOKEN: Final = "The token URL's answer has no access token where one is expected."  # noqa: S105
UNSENDABLE: Final = (
    "The token URL's answer has an access token with characters that no header can carry: a line break, another"
    " control character, a space at its end, or one outside of ASCII."
)
BOUND: Final = (
    "The external system gives out tokens that are bound to a key (DPoP or MAC), which the operator does not"
    " support; let the application use bearer tokens."
)


def document(response: HttpResponse) -> Mapping[str, Any] | None:
    """Return an answer's body as fields, be it JSON or a form; None where it is neither."""
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        content_type = response.headers.get("content-type", "").lower()
        # GitHub answers with a form, some older systems with one that is said to be text.
        if not content_type.startswith(("application/x-www-form-urlencoded", "text/plain")):
            return None
        return _form(response.body.decode("utf-8", "replace"))
    return found if isinstance(found, Mapping) else None


def _form(text: str) -> Mapping[str, Any] | None:
    try:
        return dict(parse_qsl(text, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return None


def is_unavailable(response: HttpResponse) -> bool:
    """Tell whether the other side could not answer, whatever it was asked."""
    return response.status == 429 or response.status >= 500  # noqa: PLR2004 - RFC 9110 section 15, RFC 6585


def refusal(setup: Setup, response: HttpResponse, shown: Iterable[str] = ()) -> TokenRefused | None:
    """Return why this is no success, None where it is one. `shown` are secrets of the request beside the Secret's.

    Who could not answer has ended nothing; but a code tells that it was the server itself that has said so, and not
    somebody on the way to it.
    """
    found = document(response)
    error = _first(found or {}, _places(setup, "error"))
    told = refused(setup, _code_in(error), shown) if error else None
    if is_unavailable(response):
        return TokenRefused(told.code if told is not None else "")
    if told is not None:
        return replace(told, ended=False) if _blames_client(setup, response, told) else told
    if not 200 <= response.status < 300:  # noqa: PLR2004 - RFC 9110 section 15
        return TokenRefused()
    return None


def _blames_client(setup: Setup, response: HttpResponse, told: TokenRefused) -> bool:
    """Tell whether it is the client that was denied, and no person has: 401 is for clients (RFC 6749 section 5.2).

    Auth0 says so of a wrong client secret; a person's denial it tells with 403, as others do with 400. What the
    definition says of the code goes before.
    """
    is_denied = response.status == 401 and _normalised(told.code) == "accessdenied"  # noqa: PLR2004
    return is_denied and _normalised(told.code) not in _own_ends(setup)


def _own_ends(setup: Setup) -> frozenset[str]:
    """Return the codes after which the definition says that a consent is over."""
    return _same(*setup.settings.get("tokenAnswer", {}).get("endedCodes", ()))


def refused(setup: Setup, code: str, shown: Iterable[str] = ()) -> TokenRefused:
    """Return the refusal with this code; '' in its place where it has another form or repeats a secret."""
    known = _normalised(code) in KNOWN
    if not _CODE.fullmatch(code) or (not known and repeats((*setup.secrets(), *shown), code)):
        code = ""
    return TokenRefused(code=code, ended=bool(code) and _normalised(code) in ENDED | _own_ends(setup))


def tokens(
    setup: Setup,
    response: HttpResponse,
    grant: str,
    *,
    shown: Iterable[str] = (),
    previous: Tokens | None = None,
) -> Tokens | TokenRefused:
    """Return the tokens in an answer. What one that renews `previous` leaves out stays as it was."""
    problem = refusal(setup, response, shown)
    if problem is not None:
        return problem
    found = document(response)
    if found is None:
        return TokenRefused(message=NO_ACCESS_TOKEN)

    def read(what: str) -> Any:
        return _first(found, _places(setup, what, renewing=previous is not None))

    access_token, token_type = read("accessToken"), read("tokenType")
    if not isinstance(access_token, str) or not access_token:
        return TokenRefused(message=NO_ACCESS_TOKEN)
    if not SENDABLE.fullmatch(access_token):
        return TokenRefused(message=UNSENDABLE)
    if isinstance(token_type, str) and token_type.lower() in _BOUND_TYPES:
        return TokenRefused(message=BOUND)
    refresh_token, refresh_end = _refresh_token(setup, read, previous)
    secrets = (*setup.secrets(), *shown, access_token, refresh_token or "")
    return Tokens(
        access_token=access_token,
        obtained_at=setup.context.now,
        grant=grant,
        token_type=_type_of(token_type, secrets),
        expires_at=_end(setup, read("expiresIn")),
        refresh_token=refresh_token,
        refresh_expires_at=refresh_end,
        scopes=_scopes(setup, read("scope"), secrets, previous),
    )


def _end(setup: Setup, told: Any) -> datetime | None:
    found = end(setup.context.now, told)
    if found is None and "lifetime" in setup.settings:
        return setup.context.now + parse_duration(setup.settings["lifetime"])
    return found


def _refresh_token(setup: Setup, read: Any, previous: Tokens | None) -> tuple[str | None, datetime | None]:
    """Return the refresh token and its end. One that is not renewed stays (RFC 6749 section 6)."""
    if not setup.row.renewable:
        return None, None
    told = read("refreshToken")
    ends = end(setup.context.now, read("refreshExpiresIn"))
    if isinstance(told, str) and told:
        return told, ends
    if previous is None:
        return None, None
    return previous.refresh_token, ends or previous.refresh_expires_at


def _type_of(told: Any, secrets: Iterable[str]) -> str:
    """Return the type: 'Bearer' however it is written (RFC 6749 section 5.1), and where there is none."""
    if not isinstance(told, str) or not _TYPE.fullmatch(told) or repeats(secrets, told):
        return "Bearer"
    return "Bearer" if told.lower() == "bearer" else told


def _scopes(
    setup: Setup, told: Any, secrets: Sequence[str], previous: Tokens | None
) -> tuple[str, ...] | None:
    """Return the granted scopes, whatever separates them: GitHub is asked with spaces and answers with commas."""
    if isinstance(told, str):
        told = re.split(f"[\\s,{re.escape(setup.settings.get('scopeSeparator', ' '))}]+", told)
    if not isinstance(told, list):
        return previous.scopes if previous else None
    words = [word for word in told if isinstance(word, str) and _SCOPE.fullmatch(word)]
    return tuple(dict.fromkeys(word for word in words if not repeats(secrets, word)))[:_MAX_SCOPES]


def _places(setup: Setup, what: str, *, renewing: bool = True) -> list[str]:
    """Return where to look. An error, and anything in an answer that renews, may be in the usual place nevertheless.

    In a first answer it may not: next to a person's token in 'authed_user' Slack has another one of the application.
    """
    own = setup.settings.get("tokenAnswer", {}).get(what)
    if own is None:
        return list(_PLACES[what])
    return [own, *_PLACES[what]] if renewing else [own]


def _first(found: Mapping[str, Any], places: Iterable[str]) -> Any:
    return next((value for place in places if (value := _at(found, place)) is not None), None)


def _at(value: Any, place: str) -> Any:
    """Return what is at 'a.b.c', None where nothing is."""
    for step in place.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _code_in(error: Any) -> str:
    if isinstance(error, Mapping):
        error = next((error[part] for part in _ERROR_PARTS if isinstance(error.get(part), str)), "")
    return error if isinstance(error, str) else ""


def repeats(secrets: Iterable[str], text: str) -> bool:
    """Tell whether a text from an answer is a secret, has one in it, or is a good part of one."""
    return any(
        secret == text
        or (len(secret) >= _MIN_SHARED and secret in text)
        or (len(text) >= _MIN_SHARED and text in secret)
        for secret in secrets
    )
