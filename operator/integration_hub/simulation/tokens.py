"""The authorization server of a simulated vendor (RFC 6749): consent, codes, tokens, renewing, giving back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import unquote_plus, urlencode, urlsplit

from integration_hub.catalog.vendor import Answer, Case, GrantRules, TokenServer
from integration_hub.simulation.asked import Answered, Asked, answered, fits
from integration_hub.simulation.signing import token_fault

Form = dict[str, str]

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_FOUND = 302
_LINK = frozenset(
    {"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"}
)
_REQUEST = frozenset(
    {
        "grant_type",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    }
)
_OF_GRANT: Mapping[str, frozenset[str]] = {
    AUTHORIZATION_CODE: frozenset({"code", "redirect_uri", "code_verifier"}),
    REFRESH_TOKEN: frozenset({"refresh_token"}),
    DEVICE_CODE: frozenset({"device_code"}),
}
"""What a grant's requests have by RFC 6749, beside what the vendor wants of its own."""


class Vendor(Protocol):
    """What a desk needs of the scene that it belongs to."""

    good: dict[str, str]

    def note(self, sentence: str) -> None:
        """Take note of what the vendor does not know."""
        ...

    def fill(self, text: str) -> str:
        """Fill in the placeholders of a text."""
        ...

    def told(self, answer: Answer, more: Callable[[str], str | None] = ...) -> Answered:
        """Fill in an answer."""
        ...


@dataclass
class Issued:
    """The tokens that were given out."""

    clock: Callable[[], datetime]
    lifetime: timedelta | None = None
    _ends: dict[str, datetime | None] = field(default_factory=dict, repr=False)
    refresh: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Live refresh tokens, and the scopes that they are for."""
    renewals: int = 0
    """How often an access token was given out for a refresh token."""

    def access(self, *, is_live: bool = True) -> str:
        """Give out an access token, which is refused already where it is not live."""
        token = f"access-{secrets.token_urlsafe(24)}"
        if is_live:
            self._ends[token] = None if self.lifetime is None else self.clock() + self.lifetime
        return token

    def refresh_token(self, scopes: tuple[str, ...]) -> str:
        """Give out a refresh token."""
        token = f"refresh-{secrets.token_urlsafe(24)}"
        self.refresh[token] = scopes
        return token

    def is_live(self, token: str) -> bool:
        """Tell whether an access token is good now."""
        if token not in self._ends:
            return False
        end = self._ends[token]
        return end is None or self.clock() < end

    def end_access(self) -> None:
        """Let every access token end."""
        self._ends.clear()


@dataclass
class _Consent:
    """What a person has consented to."""

    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None


class Desk:
    """Answers what concerns tokens, as one authorization server of the vendor file says."""

    def __init__(self, server: TokenServer, case: Case, issued: Issued, vendor: Vendor) -> None:
        """Know of no consent yet."""
        self._server = server
        self._case = case
        self._issued = issued
        self._vendor = vendor
        self._codes: dict[str, _Consent] = {}
        self._devices: dict[str, tuple[str, ...]] = {}
        """Device codes, and the scopes that they are for."""
        self.device_consent: bool | None = None
        """Whether the person has consented who was to type a code; None while that is awaited."""
        issued.lifetime = None if server.lifetime is None else timedelta(seconds=server.lifetime)

    def answer(self, asked: Asked) -> Answered | None:
        """Answer a request at one of the server's addresses; None where it is at another."""
        server = self._server
        for url, method, handler in (
            (server.authorize, "GET", self._authorize),
            (server.device, "POST", self._device),
            (server.token, "POST", self._token),
            (server.revoke, "POST", self._revoke),
        ):
            if url is None:
                continue
            place = urlsplit(self._vendor.fill(url))
            if (asked.host, asked.path, asked.method) == (place.netloc, place.path, method):
                return handler(asked)
        return None

    # Consent (RFC 6749 section 4.1.1)

    def _authorize(self, asked: Asked) -> Answered:
        server, form = self._server, dict(asked.parameters)
        scopes, unknown = self._scopes(form)
        problems = [
            *(f"the link has no '{name}'" for name in ("redirect_uri", "state") if not form.get(name)),
            *(["response_type is not 'code'"] if form.get("response_type") != "code" else []),
            *(["the link is of another client"] if form.get("client_id") != self._client_id() else []),
            *(
                f"the link lacks '{name}' as the vendor wants it"
                for name, wanted in server.authorize_parameters.items()
                if not fits(self._vendor.fill(wanted), form.get(name))
            ),
            *(["the link asks for a scope that there is not"] if unknown else []),
            *self._pkce_problems(form),
        ]
        known = {*_LINK, server.scope_parameter, *server.authorize_parameters}
        for name in form:
            if name not in known:
                self._vendor.note(f"{asked}: the link has a parameter '{name}' that nobody expects")
        for problem in problems:
            self._vendor.note(f"{asked}: {problem}")
        if problems:
            return self._vendor.told(server.refuses_request)
        back = {name: self._vendor.fill(value) for name, value in server.callback.items()}
        if self._case.consent == "denied":
            back |= {"error": "access_denied"}
        else:
            code = f"code-{secrets.token_urlsafe(24)}"
            self._codes[code] = _Consent(form["redirect_uri"], scopes, self._challenge(form))
            back |= {"code": code}
        location = f"{form['redirect_uri']}?{urlencode({**back, 'state': form['state']})}"
        return Answered(_FOUND, {"Location": location}, b"")

    def _pkce_problems(self, form: Form) -> list[str]:
        is_sent = "code_challenge" in form
        if self._server.pkce == "refused" and is_sent:
            return ["the link sends PKCE, which does harm here"]
        if self._server.pkce == "required" and form.get("code_challenge_method") != "S256":
            return ["the link sends no PKCE with S256, which is required"]
        if self._server.pkce == "supported" and is_sent and form.get("code_challenge_method") != "S256":
            return ["the link sends PKCE by another method than S256"]
        return []

    def _challenge(self, form: Form) -> str | None:
        return form.get("code_challenge") if self._server.pkce in {"required", "supported"} else None

    def _scopes(self, form: Form) -> tuple[tuple[str, ...], bool]:
        """Return the scopes that are granted, and whether one is asked for that there is not."""
        server = self._server
        text = form.get(server.scope_parameter, "")
        asked = tuple(scope for scope in text.split(server.scope_separator) if scope)
        unknown = "*" not in server.scopes and any(
            scope not in [self._vendor.fill(known) for known in server.scopes] for scope in asked
        )
        return (asked if self._case.granted is None else tuple(self._case.granted)), unknown

    # A code that a person types (RFC 8628)

    def _device(self, asked: Asked) -> Answered:
        form = self._form(asked) or {}
        scopes, unknown = self._scopes(form)
        for name in form:
            if name not in {"client_id", "client_secret", self._server.scope_parameter}:
                self._vendor.note(f"{asked}: the request has a parameter '{name}' that nobody expects")
        if form.get("client_id", (asked.basic() or ("",))[0]) != self._client_id() or unknown:
            self._vendor.note(f"{asked}: it is another client's, or asks for a scope that there is not")
            return self._vendor.told(self._server.refuses_request)
        code = f"device-{secrets.token_urlsafe(24)}"
        self._devices[code] = scopes
        answer = {
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"https://{asked.host}/device",
            "expires_in": 900,
            "interval": 5,
        }
        return answered(Answer(json=answer))

    def _pending(self, form: Form) -> Answered | None:
        """Return what a poll is answered with before there are tokens; None once somebody has consented."""
        error = {None: "authorization_pending", False: "access_denied"}.get(self.device_consent)
        if form.get("grant_type") != DEVICE_CODE or error is None:
            return None
        return answered(Answer(status=400, json={"error": error}))

    # Tokens (RFC 6749 sections 4 to 6)

    def _token(self, asked: Asked) -> Answered:
        form = self._form(asked) or {}
        grant = form.get("grant_type", "")
        rules = self._server.grants.get(grant)
        if form and rules is None:
            self._vendor.note(f"{asked}: the vendor knows no grant_type '{grant[:60]}'")
        if rules is None:
            return self._vendor.told(self._server.refuses_request)
        if not self._client_is_known(asked, form, rules):
            return self._vendor.told(self._server.refuses_client)
        if self._lacks_parameters(asked, form, grant, rules):
            return self._vendor.told(self._server.refuses_request)
        pending = self._pending(form)
        if pending is not None:
            return pending
        scopes = self._granted(asked, form, grant, rules)
        if scopes is None:
            return self._vendor.told(self._server.refuses_grant)
        return self._give(grant, rules, scopes)

    def _give(self, grant: str, rules: GrantRules, scopes: tuple[str, ...]) -> Answered:
        answer = self._case.token_answers.get(grant)
        if answer is None and grant == REFRESH_TOKEN:
            self._issued.renewals += 1
        return self._vendor.told(answer or rules.answer, lambda name: self._issue(name, scopes))

    def _issue(self, name: str, scopes: tuple[str, ...]) -> str | None:
        match name:
            case "token":
                return self._issued.access(is_live=not self._case.token_is_taken_back)
            case "refreshToken":
                return self._issued.refresh_token(scopes)
            case "scope":
                return self._server.scope_separator.join(scopes)
        return None

    def _form(self, asked: Asked) -> Form | None:
        encoding = {"application/x-www-form-urlencoded": "form", "application/json": "json"}.get(
            asked.media_type
        )
        if encoding not in self._server.encodings:
            self._vendor.note(f"{asked}: the request is not written as {' or '.join(self._server.encodings)}")
            return None
        if encoding == "form":
            return asked.form()
        found = asked.json()
        if not isinstance(found, dict):
            return None
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}

    def _lacks_parameters(self, asked: Asked, form: Form, grant: str, rules: GrantRules) -> bool:
        known = {*_REQUEST, *_OF_GRANT.get(grant, ()), *rules.parameters}
        known |= {self._server.scope_parameter} if grant not in _OF_GRANT else set()
        known |= {"assertion"} if rules.assertion is not None else set()
        for name in form:
            if name not in known:
                self._vendor.note(f"{asked}: the request has a parameter '{name}' that nobody expects")
        missing = [
            name
            for name, wanted in rules.parameters.items()
            if not fits(self._vendor.fill(wanted), form.get(name))
        ]
        for name in missing:
            self._vendor.note(f"{asked}: the request lacks '{name}' as the vendor wants it")
        return bool(missing)

    def _client_id(self) -> str:
        return self._vendor.fill(self._server.client_id)

    def _client_is_known(self, asked: Asked, form: Form, rules: GrantRules) -> bool:
        basic = asked.basic()
        way = (
            "basic"
            if basic is not None
            else "private_key_jwt"
            if "client_assertion" in form
            else "body"
            if "client_secret" in form
            else "none"
        )
        if way not in self._server.client and not (way == "none" and rules.assertion is not None):
            wanted = " or ".join(self._server.client)
            self._vendor.note(f"{asked}: the client proves itself by {way}, and the vendor wants {wanted}")
            return False
        secret = self._vendor.fill(self._server.client_secret)
        match way:
            case "basic" if basic is not None:
                # RFC 6749 section 2.3.1 has each part form-encoded, which not all clients and servers do.
                name, password = (unquote_plus(part) for part in basic)
                return name == self._client_id() and hmac.compare_digest(password.encode(), secret.encode())
            case "body":
                shown = form["client_secret"]
                is_known = form.get("client_id") == self._client_id()
                return is_known and hmac.compare_digest(shown.encode(), secret.encode())
            case "private_key_jwt" if self._server.signature is not None:
                fault = token_fault(
                    form["client_assertion"],
                    self._server.signature,
                    self._vendor.good,
                    self._vendor.fill,
                    self._issued.clock(),
                )
                return fault is None
        return rules.assertion is not None or form.get("client_id") == self._client_id()

    def _granted(self, asked: Asked, form: Form, grant: str, rules: GrantRules) -> tuple[str, ...] | None:
        """Return the scopes that a request is granted, None where it is refused."""
        if grant == AUTHORIZATION_CODE:
            return self._by_code(asked, form)
        if grant == REFRESH_TOKEN:
            return self._by_refresh_token(form)
        if grant == DEVICE_CODE:
            return self._devices.pop(form.get("device_code", ""), None)
        if rules.assertion is not None:
            fault = token_fault(
                form.get("assertion", ""),
                rules.assertion,
                self._vendor.good,
                self._vendor.fill,
                self._issued.clock(),
            )
            if fault is not None:
                if "signed" not in fault:
                    self._vendor.note(f"{asked}: the assertion {fault}")
                return None
        scopes, unknown = self._scopes(form)
        if unknown:
            self._vendor.note(f"{asked}: the request asks for a scope that there is not")
            return None
        return scopes

    def _by_code(self, asked: Asked, form: Form) -> tuple[str, ...] | None:
        consent = self._codes.pop(form.get("code", ""), None)
        if consent is None:
            return None
        if consent.redirect_uri != form.get("redirect_uri"):
            self._vendor.note(f"{asked}: redirect_uri is not that of the link")
            return None
        if consent.challenge is not None:
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != consent.challenge:
                self._vendor.note(f"{asked}: code_verifier does not belong to the link's code_challenge")
                return None
        return consent.scopes

    def _by_refresh_token(self, form: Form) -> tuple[str, ...] | None:
        token = form.get("refresh_token", "")
        scopes = self._issued.refresh.get(token)
        if scopes is not None and self._server.rotates:
            del self._issued.refresh[token]
        return scopes

    # Giving back (RFC 7009)

    def _revoke(self, asked: Asked) -> Answered:
        form = self._form(asked) or {}
        self._issued.refresh.pop(form.get("token", ""), None)
        self._issued.end_access()
        return Answered(200, {}, b"")
