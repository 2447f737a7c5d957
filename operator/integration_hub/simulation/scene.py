"""One case being played with one auth method: what the vendor knows, what was asked for, and what is answered to it.

A state machine without I/O: `server.py` brings it requests, and `now` is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from integration_hub.catalog.placeholders import filled
from integration_hub.catalog.vendor import (
    Answer,
    Arrival,
    Case,
    Kind,
    Method,
    Route,
    Vendor,
)
from integration_hub.simulation.asked import Answered, Asked, answered, fits
from integration_hub.simulation.signing import Signer, aws_fault, fingerprint, secret_of, token_fault
from integration_hub.simulation.tokens import Desk, Issued

_NOT_ALLOWED = 405
_TOKEN = re.compile(r"\{\{\s*token\s*\}\}")
_SAFE_IN_PATH = "/%!$&'()*+,;=:@-._~"


@dataclass
class Scene:
    """What one connection meets. `good` is the good Secret, with its private keys."""

    vendor: Vendor
    method_name: str
    case: Case
    clock: Callable[[], datetime]
    authority: str = ""
    """The certificate of the authority that signed the vendor's own, as PEM."""
    redirect_uri: str = ""
    sign: Signer = field(default=lambda: ("", ""), repr=False)
    """Makes certificates for clients, of the vendor's authority."""
    good: dict[str, str] = field(init=False, repr=False)
    notes: list[str] = field(default_factory=list)
    """What was asked for that the vendor does not know, each in a sentence without a value."""
    seen: list[str] = field(default_factory=list)
    """The names of routes that were answered, in order, to a good credential or to anybody."""
    issued: Issued = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the keys of the good Secret."""
        self.good = secret_of(self.method.secret, self.sign)
        self.issued = Issued(self.clock)
        server = self.vendor.oauth.get(self.method.oauth) if self.method.oauth else None
        self._desk = Desk(server, self.case, self.issued, self) if server is not None else None

    @property
    def method(self) -> Method:
        """The auth method that is played."""
        return self.vendor.methods[self.method_name]

    def secret(self) -> dict[str, str]:
        """Return the Secret that the connection has: the good one, with what the case has instead."""
        own = {
            name: self.fill(value) if isinstance(value, str) else value
            for name, value in self.case.secret.items()
            if value is not None
        }
        left_out = [name for name, value in self.case.secret.items() if value is None]
        kept = {name: value for name, value in self.good.items() if name not in left_out}
        return {**kept, **secret_of(own, self.sign, of_another=True)}

    def config(self) -> dict[str, Any]:
        """Return the configuration that the connection has."""
        merged = {**self.method.config, **self.case.config}
        found: dict[str, Any] = filled(
            {name: value for name, value in merged.items() if value is not None}, self.look_up
        )
        return found

    def note(self, sentence: str) -> None:
        """Take note of what the vendor does not know."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    # Placeholders

    def look_up(self, name: str) -> str:
        """Return what a placeholder stands for; the empty text for what this method has not."""
        part, _, below = name.partition(".")
        if part == "secret":
            return self.good.get(below, "")
        if part == "config":
            # Of another good connection it is the configuration that is good; of a bad one, the one beside it.
            own = self.case.config if self.case.kind is Kind.GOOD else {}
            return str(own.get(below, self.method.config.get(below, "")))
        if part == "fingerprint":
            return fingerprint(self.good.get(below, ""))
        now = self.clock()
        known = {
            "authority": self.authority,
            "redirectURI": self.redirect_uri,
            "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "resetsAt": str(int(now.timestamp()) + 60),
            "expiresAt": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        return known.get(name, "")

    def fill(self, text: str) -> str:
        """Return a text of the vendor file with its placeholders filled in."""
        found: str = filled(text, self.look_up)
        return found

    def told(self, answer: Answer, more: Callable[[str], str | None] = lambda _: None) -> Answered:
        """Return an answer with its placeholders filled in; `more` knows some that nothing else does."""

        def look_up(name: str) -> str:
            found = more(name)
            return self.look_up(name) if found is None else found

        update: dict[str, Any] = {
            name: filled(getattr(answer, name), look_up)
            for name in ("headers", "json_", "text", "html", "form")
            if name in answer.model_fields_set
        }
        return answered(answer.model_copy(update=update))

    def decide_on_device(self) -> None:
        """Let the person decide who was shown a code to type."""
        if self._desk is not None:
            self._desk.device_consent = self.case.consent == "given"

    # Answering

    def answer(self, asked: Asked) -> Answered:
        """Answer a request."""
        if self._desk is not None:
            found = self._desk.answer(asked)
            if found is not None:
                return found
        for requirement in self.vendor.requires:
            if requirement.hosts and not any(
                at_host(self.fill(host), asked.host) for host in requirement.hosts
            ):
                continue
            for name, wanted in requirement.headers.items():
                if not fits(self.fill(wanted), asked.headers.get(name.lower())):
                    self.note(f"{asked}: lacks the header {name} as the vendor wants it")
                    return self.told(requirement.otherwise)
        route = self._route(asked)
        if isinstance(route, Answered):
            return route
        name, found_route = route
        return self._answer_route(asked, name, found_route)

    def _route(self, asked: Asked) -> tuple[str, Route] | Answered:
        at_path = [
            (name, route)
            for name, route in self.vendor.routes.items()
            if (route.host is None or at_host(self.fill(route.host), asked.host))
            and quote(self.fill(route.path), safe=_SAFE_IN_PATH) == asked.path
        ]
        if not at_path:
            self.note(f"{asked}: there is no such path")
            return self.told(self.vendor.not_found)
        by_method = [(name, route) for name, route in at_path if route.method == asked.method]
        if not by_method:
            self.note(f"{asked}: the vendor does not answer {asked.method} there")
            return Answered(_NOT_ALLOWED, {}, b"")
        faults = [self._fault(asked, route) for _, route in by_method]
        for (name, route), fault in zip(by_method, faults, strict=True):
            if fault is None:
                return name, route
        self.note(f"{asked}: {faults[0]}")
        return self.told(self.vendor.bad_request)

    def _fault(self, asked: Asked, route: Route) -> str | None:
        """Return what a request has or lacks that the route does not expect, besides its credential."""
        arrives = route.arrives or self.method.arrives
        in_query = arrives.query if arrives else {}
        return (
            self._mismatch("parameter", route.query, dict(asked.parameters), also=in_query)
            or self._lack("header", route.headers, asked.headers)
            or self._body_fault(asked, route)
        )

    def _body_fault(self, asked: Asked, route: Route) -> str | None:
        if route.form is not None:
            if asked.media_type != "application/x-www-form-urlencoded":
                return "is not written as a form"
            return self._mismatch("field", route.form, asked.form())
        if "body" not in route.model_fields_set:
            return "has a body that nobody expects" if asked.body else None
        if asked.media_type != "application/json":
            return "has a JSON body and does not say so by its Content-Type"
        is_wanted = asked.json() == filled(route.body, self.look_up)
        return None if is_wanted else "has another body than the vendor wants"

    def _mismatch(
        self, what: str, wanted: Mapping[str, str], found: Mapping[str, str], *, also: Collection[str] = ()
    ) -> str | None:
        """Return what is lacking, or there and not expected."""
        unexpected = next((name for name in found if name not in wanted and name not in also), None)
        if unexpected is not None:
            return f"has a {what} '{unexpected}' that nobody expects"
        return self._lack(what, wanted, found)

    def _lack(self, what: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> str | None:
        for name, value in wanted.items():
            if not fits(self.fill(value), found.get(name.lower() if what == "header" else name)):
                return f"lacks the {what} '{name}' as the vendor wants it"
        return None

    def _answer_route(self, asked: Asked, name: str, route: Route) -> Answered:
        if not route.is_open and name not in self.case.open_to_all:
            arrives = route.arrives or self.method.arrives
            if arrives is not None:
                refused = self._refusal(asked, route, arrives)
                if refused is not None:
                    return self.told(self.case.refusals.get(name, refused))
        self.seen.append(name)
        answer = self.case.answers.get(name) or route.by_method.get(self.method_name) or route.answer
        return self.told(answer, self._issue)

    def _issue(self, name: str) -> str | None:
        """Give out a token where an answer has a place for one."""
        return self.issued.access(is_live=not self.case.token_is_taken_back) if name == "token" else None

    def _refusal(self, asked: Asked, route: Route, arrives: Arrival) -> Answer | None:
        """Return how a request is refused, None where its credential is good."""
        if not self._has_any(asked, arrives):
            self.note(f"{asked}: no credential came, or not where the vendor looks for it")
            return route.anonymous or route.refuses or self.vendor.refuses
        at_home = not self.method.known_at or any(
            at_host(self.fill(host), asked.host) for host in self.method.known_at
        )
        if at_home and self.is_good(asked, arrives):
            return None
        return route.refuses or self.vendor.refuses

    def is_good(self, asked: Asked, arrives: Arrival) -> bool:
        """Tell whether a credential is there, in every part, and is one that the vendor knows."""
        parameters, now = dict(asked.parameters), self.clock()
        return (
            all(
                self._matches(asked.headers.get(name.lower()), text) for name, text in arrives.headers.items()
            )
            and all(self._matches(parameters.get(name), text) for name, text in arrives.query.items())
            and all(self._matches(_cookies(asked).get(name), text) for name, text in arrives.cookies.items())
            and (
                arrives.basic is None
                or asked.basic() == (self.fill(arrives.basic.username), self.fill(arrives.basic.password))
            )
            and (arrives.jwt is None or self._is_signed(asked, arrives))
            and (arrives.aws is None or aws_fault(asked, arrives.aws, self.fill, now) is None)
            and (arrives.client_certificate is None or self._is_shown(asked, arrives.client_certificate))
        )

    def _is_shown(self, asked: Asked, key: str) -> bool:
        """Tell whether the certificate in the good Secret was shown."""
        if asked.certificate is None:
            return False
        known = x509.load_pem_x509_certificate(self.good[key].encode())
        return asked.certificate == known.public_bytes(Encoding.DER)

    def _is_signed(self, asked: Asked, arrives: Arrival) -> bool:
        rules = arrives.jwt
        if rules is None or rules.header is None:
            return False
        value = asked.headers.get(rules.header.lower(), "")
        if not value.startswith(rules.prefix):
            return False
        return token_fault(value[len(rules.prefix) :], rules, self.good, self.fill, self.clock()) is None

    def _has_any(self, asked: Asked, arrives: Arrival) -> bool:
        """Tell whether there is something where the credential should be, in the form that it should have."""
        parameters = dict(asked.parameters)
        places = [
            *(
                self._has_form(asked.headers.get(name.lower()), text)
                for name, text in arrives.headers.items()
            ),
            *(name in parameters for name in arrives.query),
            *(name in _cookies(asked) for name in arrives.cookies),
        ]
        if arrives.basic is not None:
            places.append(asked.basic() is not None)
        if arrives.jwt is not None and arrives.jwt.header is not None:
            places.append(asked.headers.get(arrives.jwt.header.lower(), "").startswith(arrives.jwt.prefix))
        if arrives.client_certificate is not None:
            places.append(asked.certificate is not None)
        if arrives.aws is not None:
            places.append(asked.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "))
        return all(places)

    def _has_form(self, value: str | None, wanted: str) -> bool:
        """Tell whether a value begins and ends like the one that is wanted, up to its first and last placeholder."""
        if value is None:
            return False
        return value.startswith(wanted.partition("{{")[0]) and value.endswith(wanted.rpartition("}}")[2])

    def _matches(self, value: str | None, wanted: str) -> bool:
        """Tell whether a value is what is wanted, where `{{ token }}` is any live access token."""
        if value is None:
            return False
        before, *after = _TOKEN.split(wanted)
        if not after:
            return value == self.fill(wanted)
        start, end = self.fill(before), self.fill(after[0])
        if not value.startswith(start) or not value.endswith(end):
            return False
        return self.issued.is_live(value[len(start) : len(value) - len(end)])


def at_host(pattern: str, host: str) -> bool:
    """Tell whether a host is the one that is meant; '*.example.com' means all below."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _cookies(asked: Asked) -> Mapping[str, str]:
    pairs = (part.strip().partition("=") for part in asked.headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs if name}
