"""A scripted OAuth 2.0 provider with an API behind it, for what no well-behaved one can be asked to do.

It loses answers after it has acted on the request, forgets expires_in, punishes or pardons a refresh token that comes
twice, and keeps a record of everything that it was shown. Keycloak (support/keycloak.py) is the party for how it goes
well; this one is for how it goes wrong. Each tenant is a provider of its own, below `/<tenant>/`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from support.certificates import Authority

CLIENT_ID, CLIENT_SECRET = "the-client", f"party-secret-{secrets.token_urlsafe(12)}"
"""Who the operator is to every tenant."""

Form = dict[str, str]


@dataclass(frozen=True)
class Fault:
    """What becomes of a token request instead of its proper answer."""

    status: int = 0
    """Answer so, with `error` as code. 0: no answer at all, the connection is closed."""
    error: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    acts: bool = False
    """Whether the request is acted on first: the refresh token is used up, and the answer is lost."""
    hold: bool = False
    """Leave the client waiting until `release()`, or until it goes."""
    late: bool = False
    """With `hold`: what comes then is the proper answer."""
    says: Callable[[Form], tuple[int, Mapping[str, str], str]] | None = None
    """Answer with this status, these headers and this text, made of what was asked, which was acted on if `acts`."""


LOST_ANSWER = Fault(acts=True)
LOST_REQUEST = Fault()
INVALID_GRANT = Fault(400, "invalid_grant")
UNAVAILABLE = Fault(503, "temporarily_unavailable")
LATE = Fault(hold=True, late=True)


@dataclass
class Tenant:
    """A provider, and what it was asked. Change its fields while it runs."""

    name: str
    url: str
    lifetime: int | None = 3600
    """`expires_in` of access tokens in seconds; None is not told, and such a token lives until `end_access()`."""
    rotates: bool = True
    pardons: bool = False
    """Accept the refresh token before the present one; without it such a reuse ends the grant."""
    gives_refresh_token: bool = True
    scope: str | None = None
    """`scope` in answers; None leaves it out."""
    gives_id_token: bool = False
    signs: bool = False
    """Whether the client proves who it is by a signed assertion, which is not looked at, instead of its secret."""
    echoes: int = 0
    """The status with which the API repeats the token that it was shown, wherever it can; 0: it is discreet."""
    interval: int = 1
    """Seconds between polls of the device flow."""
    identity: str = "alice@acme.example"
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next token requests, the first of it first; then all is well."""
    on_token_request: Callable[[Form], None] | None = None
    """Called in the server's thread before anything else is done."""

    requests: list[Form] = field(default_factory=list)
    """The forms of all token requests, with `client_secret` taken out of the header too."""
    tests: list[str] = field(default_factory=list)
    """The access tokens that the API was shown."""
    revoked: list[str] = field(default_factory=list)
    """The tokens that were given back."""
    reuses: int = 0
    """How often a refresh token came that had been used up."""
    ended: bool = False
    """Whether a reuse, a revocation or `end()` has ended the grant."""

    _access: dict[str, float] = field(default_factory=dict)
    _refresh: list[str] = field(default_factory=list)
    _codes: dict[str, Form] = field(default_factory=dict)
    _device_codes: list[str] = field(default_factory=list)
    _id_tokens: list[str] = field(default_factory=list)
    _held: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """End the grant, as a user does who takes the consent back: nothing that was given out is any good."""
        self.ended = True
        self._access.clear()

    def begin(self) -> None:
        """Let consent be given anew after an end."""
        self.ended = False
        self._refresh.clear()

    def end_access(self) -> None:
        """End all access tokens; the refresh token lives."""
        self._access.clear()

    def refreshes(self) -> list[str]:
        """Return the refresh tokens that came, in their order."""
        return [form["refresh_token"] for form in self.requests if form.get("grant_type") == "refresh_token"]

    @property
    def refresh_token(self) -> str:
        """The refresh token that is good now."""
        return self._refresh[-1]

    def live(self) -> set[str]:
        """Return the access tokens that the API accepts now."""
        return {token for token, until in self._access.items() if until > time.monotonic()}

    def secrets(self) -> set[str]:
        """Return every value that it has given out or was shown in confidence: none may be seen anywhere."""
        shown = {
            form[name]
            for form in self.requests
            for name in ("code_verifier", "client_assertion")
            if name in form
        }
        given = {*self._access, *self._refresh, *self._codes, *self._device_codes, *self._id_tokens}
        return {*given, *self.tests, *shown, CLIENT_SECRET}

    # What it answers

    def answer(self, form: Form) -> tuple[int, dict[str, Any]]:
        """Act on a token request."""
        is_known = form.get("client_secret") == CLIENT_SECRET and form.get("client_id") == CLIENT_ID
        if not is_known and not (self.signs and "client_assertion" in form):
            return 401, {"error": "invalid_client"}
        refused = self._GRANTS.get(form.get("grant_type", ""), _unsupported)(self, form)
        return (400, {"error": refused}) if refused else (200, self._tokens())

    def consent(self, query: Form) -> str:
        """Return where a browser is sent that has consented."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.url}
        return f"{query['redirect_uri']}?{urllib.parse.urlencode(back)}"

    def _tokens(self) -> dict[str, Any]:
        access = f"access-{secrets.token_urlsafe(24)}"
        self._access[access] = time.monotonic() + (3600 if self.lifetime is None else self.lifetime)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        if self.scope is not None:
            answer["scope"] = self.scope
        if self.gives_refresh_token and (self.rotates or not self._refresh):
            self._refresh.append(f"refresh-{secrets.token_urlsafe(24)}")
            answer["refresh_token"] = self._refresh[-1]
        if self.gives_id_token:
            self._id_tokens.append(f"id-{secrets.token_urlsafe(24)}")
            answer["id_token"] = self._id_tokens[-1]
        return answer

    def device(self) -> dict[str, Any]:
        """Give out a device code, whose person consents at once."""
        self._device_codes.append(f"device-{secrets.token_urlsafe(24)}")
        return {
            "device_code": self._device_codes[-1],
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/activate",
            "expires_in": 600,
            "interval": self.interval,
        }

    def _code(self, form: Form) -> str:
        query = self._codes.get(form.get("code", ""))
        if query is None or query.get("redirect_uri") != form.get("redirect_uri"):
            return "invalid_grant"
        self._codes[form["code"]] = {}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == query.get("code_challenge")
        return "" if proven else "invalid_grant"

    def _renewal(self, form: Form) -> str:
        token = form.get("refresh_token", "")
        if self.ended or token not in self._refresh:
            return "invalid_grant"
        if token == self._refresh[-1]:
            return ""
        self.reuses += 1
        if self.pardons and token == self._refresh[-2]:
            return ""
        self.end()
        return "invalid_grant"

    def _device(self, form: Form) -> str:
        return "" if form.get("device_code") in self._device_codes else "invalid_grant"

    def _by_itself(self, _form: Form) -> str:
        return "access_denied" if self.ended else ""

    _GRANTS = {  # noqa: RUF012 - a table, not a field
        "authorization_code": _code,
        "refresh_token": _renewal,
        "client_credentials": _by_itself,
        "urn:ietf:params:oauth:grant-type:device_code": _device,
    }


def _unsupported(_tenant: Tenant, _form: Form) -> str:
    return "unsupported_grant_type"


class OAuthParty:
    """The server, in a thread of its own."""

    def __init__(self) -> None:
        self.authority = Authority("Authority of a provider that fails")
        self._identity = self.authority.issue("127.0.0.1")
        self._tenants: dict[str, Tenant] = {}
        self._thread = threading.Thread(target=self._run, name="oauth-party", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30), "the provider did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    @property
    def ca(self) -> str:
        """PEM certificate of the server's authority."""
        return self.authority.pem

    def tenant(self, name: str, **fields: Any) -> Tenant:
        """Make a provider of its own; `fields` are those of `Tenant`.

        Its addresses are `<url>/authorize`, `/token`, `/device`, `/revoke`, and `/whoami` for the API.
        """
        tenant = self._tenants[name] = Tenant(name, f"{self.url}/{name}", **fields)
        return tenant

    def release(self, tenant: Tenant) -> None:
        """Let go of the requests that are held; they and those to come are answered without delay."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(tenant._held.set)

    def browse(self, link: str) -> str:
        """Follow a link as a browser does whose user consents at once; return where it is sent, and do not go there."""
        context = ssl.create_default_context(cadata=self.ca)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _Stay()
        )
        try:
            opener.open(link, timeout=30).close()
        except urllib.error.HTTPError as error:
            with error:
                return error.headers["Location"]
        raise AssertionError("the provider did not send the browser on")

    # The server

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/{tenant}/authorize", self._authorize)
        app.router.add_post("/{tenant}/token", self._token)
        app.router.add_post("/{tenant}/device", self._device)
        app.router.add_post("/{tenant}/revoke", self._revoke)
        app.router.add_get("/{tenant}/whoami", self._whoami)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._identity.server_context()).start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        self._started.set()
        await self._end.wait()
        for tenant in self._tenants.values():
            tenant._held.set()
        await runner.cleanup()
        await asyncio.sleep(0.2)  # TLS connections say goodbye before they close

    def _of(self, request: web.Request) -> Tenant:
        return self._tenants[request.match_info["tenant"]]

    async def _authorize(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(self._of(request).consent(dict(request.query)))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        tenant = self._of(request)
        form = await _form(request)
        tenant.requests.append(form)
        if tenant.on_token_request is not None:
            tenant.on_token_request(form)
        fault = tenant.faults.pop(0) if tenant.faults else None
        if fault is not None and fault.hold:
            if fault.acts:
                tenant.answer(form)
            await tenant._held.wait()
        if fault is None or fault.late:
            status, answer = tenant.answer(form)
            return web.json_response(answer, status=status)
        if fault.acts and not fault.hold:
            tenant.answer(form)
        if fault.says is not None:
            status, headers, text = fault.says(form)
            return web.Response(status=status, headers=headers, text=text, content_type="application/json")
        if fault.status:
            return web.json_response({"error": fault.error}, status=fault.status, headers=fault.headers)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _device(self, request: web.Request) -> web.Response:
        return web.json_response(self._of(request).device())

    async def _revoke(self, request: web.Request) -> web.Response:
        tenant = self._of(request)
        form = await _form(request)
        tenant.revoked.append(form.get("token", ""))
        tenant.end()
        return web.Response()

    async def _whoami(self, request: web.Request) -> web.Response:
        tenant = self._of(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        tenant.tests.append(token)
        if tenant.echoes:
            headers = {
                "X-Echo": token,
                "WWW-Authenticate": f'Bearer realm="{token}"',
                "Location": f"/?t={token}",
            }
            body = {"login": token, "error": f"of {token}", "message": token}
            return web.json_response(body, status=tenant.echoes, headers=headers)
        if token in tenant.live():
            return web.json_response({"login": tenant.identity})
        return web.json_response({"error": "invalid_token"}, status=401)


class _Stay(urllib.request.HTTPRedirectHandler):
    """A browser's user who wants to see where they are sent."""

    def redirect_request(self, *_: Any) -> None:
        return None


async def _form(request: web.Request) -> Form:
    """Return a request's form or JSON object, with what the client says of itself in the header."""
    text = await request.text()
    if request.content_type == "application/json":
        form = {name: str(value) for name, value in json.loads(text).items()}
    else:
        form = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
    kind, _, basic = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        name, _, secret = base64.b64decode(basic).decode().partition(":")
        form |= {"client_id": urllib.parse.unquote(name), "client_secret": urllib.parse.unquote(secret)}
    return form
