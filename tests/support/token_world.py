"""A world for stories about tokens: a provider that rotates them, a store that compares versions, and sudden deaths.

The provider is an authorization server as small as its rules: each is a sentence of an RFC. What is proven against it
is the order in which the operator does things; that real servers are understood is proven against a real one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from integration_hub.auth.flow import CredentialProblem
from integration_hub.credentials.record import CredentialRecord, awaits, from_fields, to_fields
from integration_hub.model.http import Failure, FailureKind, HttpRequest, HttpResponse, Outcome
from integration_hub.model.instance import InstanceStatus
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    BindingAnswer,
    Decision,
    Effect,
    Inputs,
    KeepBinding,
    Postponed,
    ReadRecord,
    ReadSecret,
    RecordAnswer,
    SecretAnswer,
    Send,
    WriteRecord,
)
from integration_hub.reconcile.pipeline import reconcile
from support.builders import NOW, Raw, definition, found, inputs, instance
from support.status_rules import assert_keeps_the_rules

REDIRECT = "https://hub.example.com/oauth/callback"
UID = "0b8f4e53-7c1d-4c39-9d55-1d6c0f1e2a3b"
CLIENT = {"clientId": "hub", "clientSecret": "client-secret-5d1f"}


class DiedError(Exception):
    """The operator has died at this point."""


def oauth(grant: str = "authorizationCode", **settings: Any) -> Raw:
    """A definition with one OAuth2 method."""
    whole = {
        "grant": grant,
        "authorizationURL": "https://eu.acme.example/authorize",
        "tokenURL": "https://eu.acme.example/token",
        "deviceAuthorizationURL": "https://eu.acme.example/device",
        "scopes": ["read"],
    } | settings
    if "issuer" in settings and "tokenURL" not in settings:
        whole.pop("tokenURL")
    if grant != "authorizationCode":
        whole.pop("authorizationURL")
    if grant != "deviceCode":
        whole.pop("deviceAuthorizationURL")
    return definition(authMethods=[{"name": "oauth", "type": "oauth2", "settings": whole}])


_DEVICE = {
    "device_code": "device-code-1",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://eu.acme.example/activate",
    "expires_in": 600,
    "interval": 5,
}


_METADATA = {"issuer": "https://eu.acme.example", "token_endpoint": "https://eu.acme.example/token"}


@dataclass
class Provider:
    """An authorization server, and the API behind it."""

    rotates: bool = True
    grace: bool = False
    """Whether the refresh token before is accepted until the one that took its place is used."""
    life: int | None = 3600
    scope: str | None = None
    """What an answer says was granted, where it says so."""
    refresh: bool = True
    """Whether refresh tokens are given out."""
    down: FailureKind | None = None
    """How the token URL fails."""
    refuses: str | None = None
    """The error code that the token URL answers with."""
    lose_answers: int = 0
    """How many answers of the token URL get lost on the way back."""
    gateway: int | None = None
    """The status with which a gateway answers in place of those that get lost; None where there is none."""
    status: int = 400
    """With which the token URL refuses."""
    postpones: int = 0
    """How many requests for tokens have to wait for their turn."""
    api_status: int | None = None
    """What the API answers whatever is shown."""
    closed: str = ""
    """A path of the API at which no token is accepted."""
    device: str = "authorization_pending"
    """What polls are answered with; 'granted' for tokens."""
    codes: set[str] = field(default_factory=set)
    access: set[str] = field(default_factory=set)
    """Valid access tokens."""
    current: str | None = None
    """The valid refresh token."""
    previous: str | None = None
    dead: bool = False
    """Whether reuse has ended the grant."""
    shown: list[str] = field(default_factory=list)
    """Refresh tokens that were sent, in order."""
    token_requests: int = 0
    revoked: list[str] = field(default_factory=list)

    def answer(self, request: HttpRequest) -> Outcome | Postponed:
        """Answer a request as a server would, or not."""
        if request.purpose == "test":
            return self._api(request)
        if self.postpones:
            self.postpones -= 1
            return Postponed(7.0)
        self.token_requests += 1
        if self.down is not None:
            return Outcome(None, Failure(self.down, "eu.acme.example:443"), 0.01, "token")
        status, body = self._token(request)
        if self.lose_answers:
            self.lose_answers -= 1
            if self.gateway is not None:
                page = HttpResponse(self.gateway, {"content-type": "text/html"}, b"<html>Sorry</html>")
                return Outcome(page, None, 0.01, "token")
            lost = Failure(FailureKind.CONNECTION_LOST, "eu.acme.example:443")
            return Outcome(None, lost, 0.01, "token")
        return Outcome(
            HttpResponse(status, {"content-type": "application/json"}, json.dumps(body).encode()),
            None,
            0.01,
            "token",
        )

    def _api(self, request: HttpRequest) -> Outcome:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        is_closed = bool(self.closed) and urlsplit(request.url).path == self.closed
        status = self.api_status or (200 if token in self.access and not is_closed else 401)
        body = {"email": "ops@acme.example"} if status == 200 else {}
        return Outcome(HttpResponse(status, {}, json.dumps(body).encode()), None, 0.01)

    def _token(self, request: HttpRequest) -> tuple[int, dict[str, Any]]:
        if request.method == "GET":
            return 200, _METADATA
        form = dict(parse_qsl((request.body or b"").decode()))
        if self.refuses is not None:
            return self.status, {"error": self.refuses}
        if urlsplit(request.url).path == "/device":
            return 200, _DEVICE
        grants: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, Any]]]] = {
            "authorization_code": self._exchange,
            "client_credentials": lambda _: (200, self._granted(new=False)),
            "urn:ietf:params:oauth:grant-type:device_code": lambda _: self._poll(),
            "refresh_token": lambda form: self._refresh(form["refresh_token"]),
        }
        return grants[form["grant_type"]](form)

    def _exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form["code"] not in self.codes:
            return 400, {"error": "invalid_grant"}
        self.codes.remove(form["code"])
        self.dead, self.previous = False, None
        return 200, self._granted(new=True)

    def _poll(self) -> tuple[int, dict[str, Any]]:
        return (200, self._granted(new=True)) if self.device == "granted" else (400, {"error": self.device})

    def _refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        self.shown.append(token)
        if self.dead or token not in {self.current, self.previous if self.grace else None}:
            # RFC 9700 section 4.14.2: a token that was used before ends the grant.
            self.dead, self.access = True, set()
            return 400, {"error": "invalid_grant"}
        if not self.rotates:
            return 200, self._granted(new=False)
        if token == self.current:
            self.previous = token
        return 200, self._granted(new=True)

    def _granted(self, *, new: bool) -> dict[str, Any]:
        token = f"access-{secrets.token_hex(8)}"
        self.access.add(token)
        body: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if self.life is not None:
            body["expires_in"] = self.life
        if self.scope is not None:
            body["scope"] = self.scope
        if new and self.refresh:
            self.current = f"refresh-{secrets.token_hex(8)}"
            body["refresh_token"] = self.current
        return body


@dataclass
class Grants(Provider):
    """A provider at which each consent is a grant of its own, with tokens that tell whose they are: by the code."""

    down_api: FailureKind | None = None
    """How the API fails."""
    patience: int | None = None
    """The seconds of patience that the API asks for, with 429."""
    unwelcome: str = ""
    """Whose tokens the API answers with 403."""
    chains: dict[str, str] = field(default_factory=dict)
    """The valid refresh token of each grant."""
    formers: dict[str, str] = field(default_factory=dict)
    """With `grace`: the one before it, until that is used."""

    def _api(self, request: HttpRequest) -> Outcome:
        if self.down_api is not None:
            return Outcome(None, Failure(self.down_api, "eu.acme.example:443"), 0.01)
        if self.patience is not None:
            return Outcome(HttpResponse(429, {"retry-after": str(self.patience)}, b""), None, 0.01)
        if self.unwelcome and f"access-{self.unwelcome}-" in request.headers["Authorization"]:
            return Outcome(HttpResponse(403, {}, b"{}"), None, 0.01)
        return super()._api(request)

    def _exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form["code"] not in self.codes:
            return 400, {"error": "invalid_grant"}
        self.codes.remove(form["code"])
        return 200, self._of(form["code"])

    def _refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        self.shown.append(token)
        for whose, current in self.chains.items():
            if token == current or (self.grace and token == self.formers.get(whose)):
                self.formers[whose] = token
                return 200, self._of(whose)
        return 400, {"error": "invalid_grant"}

    def _of(self, whose: str) -> dict[str, Any]:
        access = f"access-{whose}-{secrets.token_hex(8)}"
        self.access.add(access)
        self.chains[whose] = f"refresh-{whose}-{secrets.token_hex(8)}"
        body = {"access_token": access, "token_type": "Bearer", "refresh_token": self.chains[whose]}
        return body if self.life is None else body | {"expires_in": self.life}


@dataclass
class World:
    """One connection, its provider, what is stored, and the clock."""

    of: Raw = field(default_factory=oauth)
    raw: Raw = field(default_factory=lambda: instance(uid=UID, auth={"secretRef": {"name": "acme-key"}}))
    provider: Provider = field(default_factory=Provider)
    now: datetime = NOW
    secret: SecretAnswer = field(default_factory=lambda: found(**CLIENT))
    fields: dict[str, bytes] = field(default_factory=dict)
    """The record, as its parts."""
    version: int = 0
    """Of the record, 0 where there is none."""
    bindings: dict[str, dict[str, str]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    decision: Decision | None = None
    redirect_uri: str = REDIRECT
    unopened: CredentialProblem | None = None
    """Why the record cannot be opened."""
    interferes: Callable[[CredentialRecord], CredentialRecord] | None = None
    """What somebody else stores just before tokens are stored, once."""
    refuses_writes: bool = False
    """Whether the operator may not store records."""
    started: bool = False
    """Whether the operator of now has looked at the instance before."""

    @property
    def record(self) -> CredentialRecord:
        return from_fields(self.fields)

    @property
    def status(self) -> InstanceStatus:
        assert self.decision is not None
        return self.decision.status

    @property
    def ready(self) -> tuple[str, str]:
        condition = self.status.condition("Ready")
        assert condition is not None
        return condition.status, condition.reason

    def given(self, consent: ConsentAnswer | None = None) -> Inputs:
        """What the operator knows when it starts."""
        return replace(
            inputs(self.raw, self.of, secret_version=self.secret.version, now=self.now),
            random=secrets.token_bytes,
            redirect_uri=self.redirect_uri,
            record_version=str(self.version) if self.version else None,
            binding_version="1" if self.bindings else None,
            consent=consent,
            first_look=not self.started,
            fingerprint_key=b"f" * 32,
            tested_fingerprint=self.decision.fingerprint if self.decision is not None else None,
            awaited_at=self.decision.awaited_at if self.started and self.decision is not None else None,
        )

    def run(
        self,
        consent: ConsentAnswer | None = None,
        *,
        die_before: int | None = None,
        die_after: int | None = None,
    ) -> Decision:
        """Reconcile once. DiedError before or after the effect of that number was done, counted from 0."""
        story = reconcile(self.given(consent))
        self.effects = []
        try:
            effect = next(story)
            while True:
                number = len(self.effects)
                self.effects.append(effect)
                self._perhaps_die(number == die_before)
                answer = self.perform(effect)
                self._perhaps_die(number == die_after)
                effect = story.send(answer)
        except StopIteration as end:
            self.decision = end.value
        finally:
            story.close()
        assert self.decision is not None
        self.started = True
        if self.decision.write:
            assert_keeps_the_rules(self.decision.status, generation=self.raw["metadata"]["generation"])
            self.raw["status"] = self.decision.status.to_wire()
        return self.decision

    def _perhaps_die(self, now: bool) -> None:
        if now:
            self.started = False
            raise DiedError

    def perform(self, effect: Effect) -> Answer:
        """Do what the story asks for."""
        match effect:
            case AskTurn():
                return None
            case ReadSecret():
                return self.secret
            case ReadRecord():
                return self._stored()
            case WriteRecord():
                return self._write(effect)
            case KeepBinding(name, _, data):
                if data is None:
                    self.bindings.pop(name, None)
                else:
                    self.bindings[name] = dict(data)
                return BindingAnswer(version="1")
            case Send():
                return self.provider.answer(effect.request)

    def _interfere(self, record: CredentialRecord) -> None:
        if self.interferes is not None and record.candidate is not None:
            changed, self.interferes = self.interferes(self.record), None
            self.fields, self.version = to_fields(changed), self.version + 1

    def _write(self, effect: WriteRecord) -> RecordAnswer:
        if self.refuses_writes:
            return RecordAnswer(problem=CredentialProblem(Reason.CREDENTIAL_NOT_STORED, "It may not be."))
        record = effect.record
        self._interfere(record)
        is_another = effect.base.version != (str(self.version) if self.version else "")
        if is_another and not self._awaits(effect):
            return replace(self._stored(), conflict=True)
        before = effect.base.record.intent if effect.base.record is not None else None
        if record.intent is not None and record.intent != before and not effect.attempt:
            record = replace(record, intent=replace(record.intent, started_at=self.now))
        self.fields, self.version, self.unopened = to_fields(record), self.version + 1, None
        return self._stored()

    def _awaits(self, effect: WriteRecord) -> bool:
        """Tell whether a record that somebody else has stored gives way, as the vault's does."""
        beside = effect.base.record.candidate if effect.base.record is not None else None
        return awaits(self.record, effect.attempt) and self.record.candidate == beside

    def _stored(self) -> RecordAnswer:
        if self.version and self.unopened is not None:
            return RecordAnswer(uid="r-1", version=str(self.version), problem=self.unopened)
        if not self.version:
            return RecordAnswer()
        return RecordAnswer(self.record, uid="r-1", version=str(self.version))

    # What people and time do

    def pass_time(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)

    def sleep_until_due(self) -> None:
        """Let time pass until the operator looks again by itself."""
        assert self.decision is not None
        assert self.decision.due is not None
        self.now = max(self.now, self.decision.due)

    def link(self) -> str:
        """Return the link that is shown."""
        assert self.status.authorization is not None
        return self.status.authorization.url

    def state(self) -> str:
        """Return the state in the link that is shown."""
        return parse_qs(urlsplit(self.link()).query)["state"][0]

    def bring(
        self, *, code: str | None = None, error: str | None = None, state: str | None = None
    ) -> Decision:
        """Let a browser come back."""
        if code is not None:
            self.provider.codes.add(code)
        return self.run(ConsentAnswer(state or self.state(), code=code, error=error))

    def connect(self) -> None:
        """Ask for consent, give it, and be connected."""
        self.run()
        self.bring(code="good-code")
        assert self.ready == ("True", "Connected"), self.status.model_dump_json(indent=1)

    def owner(self) -> str:
        """Return whose tokens are in use, at a provider that tells."""
        tokens = self.record.tokens
        assert tokens is not None
        return tokens.access_token.split("-")[1]

    def annotate(self, name: str, value: str) -> None:
        """Let a person's tool leave a wish."""
        self.raw["metadata"].setdefault("annotations", {})[name] = value

    def change(self, **spec: Any) -> None:
        """Let a person change the spec."""
        self.raw["spec"] |= spec
        self.raw["metadata"]["generation"] += 1

    def publish(self, of: Raw) -> None:
        """Let the platform team change the definition."""
        generation = self.of["metadata"]["generation"] + 1
        self.of = of | {"metadata": of["metadata"] | {"generation": generation}}
