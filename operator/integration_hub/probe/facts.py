"""What is known after a test: everything that the diagnosis table asks, computed when it is asked.

Nothing here is shown as it is but what `showing` has passed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from integration_hub.auth.flow import Credentials
from integration_hub.model.http import Failure, FailureKind, HttpRequest, HttpResponse, Outcome
from integration_hub.model.testing import FailureRule
from integration_hub.probe import answer_codes as codes
from integration_hub.probe.clock_skew import MAX_SKEW, clock_skew
from integration_hub.probe.credential_end import CredentialEnd, credential_end
from integration_hub.probe.credential_forms import Form, Suspicion, suspicion
from integration_hub.probe.expressions import (
    Document,
    EvaluationError,
    ExpressionError,
    TooManyStepsError,
    compile_expression,
    holds,
)
from integration_hub.probe.identity import (
    Identity,
    evaluated_identity,
    is_expression,
    parse_identity,
    parse_path,
    read_identity,
)
from integration_hub.probe.plan import ProbePlan
from integration_hub.probe.rate_limits import asked_pause
from integration_hub.probe.redirects import are_siblings, is_login, redirect
from integration_hub.probe.showing import Showing

Content = Literal["empty", "json", "html", "text", "other"]

SCHEMES: Final = {name.lower(): name for name in ("Basic", "Bearer", "Digest", "Negotiate", "NTLM", "DPoP")}
"""Authentication schemes (RFC 9110 section 11) that we can name; with others we do not know what is meant."""

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,40}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_CHALLENGE: Final = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s+[^\s=,]|\s*(?:,|$))")
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]{1,100}")
_HTML: Final = re.compile(rb"\s*(?:<!--.{0,200}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_PASSWORD_FIELD: Final = re.compile(rb"<input\b[^<>]{0,300}\btype\s*=\s*[\"']?password", re.IGNORECASE)
_READS_JSON: Final = re.compile(r"\bresponse\s*(?:\.\s*json\b|\[\s*[\"']json[\"']\s*\])")


_METADATA: Final = "/.well-known/"
"""Where an issuer has its metadata (RFC 8615)."""


class BrokenRule(NamedTuple):
    """The first assertion that does not hold, or that the answer leaves undecided."""

    number: int
    text: str
    """The words of whoever wrote the test."""
    undecidable: str
    """Why it could not be decided, empty where it just does not hold."""


class Facts:
    """What is known after a test. Pure: the clock and the credentials are passed in."""

    def __init__(  # noqa: PLR0913 - what was planned, what came of it, and when
        self,
        plan: ProbePlan,
        outcomes: Sequence[Outcome],
        *,
        now: datetime,
        credentials: Credentials,
        sent: HttpRequest | None = None,
        control: Outcome | None = None,
    ) -> None:
        if not outcomes or (outcomes[-1].response is None) == (outcomes[-1].failure is None):
            raise ValueError("an outcome has either a response or a failure")
        self.plan = plan
        self.outcomes = tuple(outcomes)
        self.now = now
        self.credentials = credentials
        self.sent = sent
        self.last = outcomes[-1]
        self.failure: Failure | None = self.last.failure
        self.response: HttpResponse | None = self.last.response
        self.is_token = self.last.purpose == "token"
        self.status = self.response.status if self.response else 0
        self.headers = self.response.headers if self.response else {}
        self.body = self.response.body if self.response else b""
        self.control = (
            Facts(plan, (control,), now=now, credentials=credentials) if control is not None else None
        )
        """The same of the request that was made once more without the credential, None where it was not."""
        self.showing = Showing(credentials, sent, is_token=self.is_token)
        self._undecided = ""

    # -- The request -----------------------------------------------------------------------------------

    @property
    def kind(self) -> FailureKind | None:
        """How the exchange failed, None where an answer came."""
        return self.failure.kind if self.failure else None

    @cached_property
    def asked(self) -> SplitResult:
        """The URL that was asked last; of a token URL only where it is known."""
        url = self.sent.url if self.sent else "" if self.is_token else self.plan.request.url
        try:
            return urlsplit(url)
        except ValueError:
            return urlsplit("")

    @cached_property
    def host(self) -> str:
        """Host and port as the definition has them, empty where they are not known."""
        if self.failure:
            return self.failure.host
        return self.asked.netloc.rpartition("@")[2]

    @cached_property
    def wants_html(self) -> bool:
        """Whether the test asks for web pages, or for anything at all."""
        headers = self.plan.request.headers.items()
        accepted = ",".join(value.lower() for name, value in headers if name.lower() == "accept")
        return "html" in accepted or "*/*" in accepted

    @cached_property
    def reads_json(self) -> bool:
        """Whether the test has to read JSON to be decided."""
        test = self.plan.test
        rules = (*(assertion.rule for assertion in test.expect.assertions), test.identity or "")
        return any(_READS_JSON.search(rule) for rule in rules)

    # -- The answer ------------------------------------------------------------------------------------

    @property
    def is_expected(self) -> bool:
        """Whether the status is one that means success."""
        return self.status in self.plan.test.expect.status

    @property
    def is_success(self) -> bool:
        """Whether the status is any of HTTP's own successes."""
        return 200 <= self.status <= 299  # noqa: PLR2004 - HTTP's classes

    @cached_property
    def document(self) -> Document:
        """The answer and the configuration as expressions read them."""
        if self.response is None:
            raise ValueError("there is no answer")
        return Document(self.response, self.plan.config)

    @cached_property
    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        return self.document.json if self.response else None

    @cached_property
    def media_type(self) -> str:
        """What the answer says it is, like 'text/html'; empty where that has not the form of one."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return self.showing.word(media_type, _MEDIA_TYPE) or ""

    @cached_property
    def content(self) -> Content:
        """What the answer really is."""
        if not self.body.strip():
            return "empty"
        if self.response and self.document.is_json:
            return "json"
        if self.is_page or "html" in self.media_type:
            return "html"
        return "text" if self.media_type.startswith("text/") else "other"

    @cached_property
    def is_page(self) -> bool:
        """Whether the answer really is a web page, whatever it says that it is."""
        return _HTML.match(self.body[:1000]) is not None

    @cached_property
    def has_password_field(self) -> bool:
        """Whether the answer is a page where somebody is to type a password."""
        return self.content == "html" and _PASSWORD_FIELD.search(self.body) is not None

    @cached_property
    def is_cut_json(self) -> bool:
        """Whether the answer begins as JSON and ends before that is complete."""
        text = self.body.decode("utf-8", "replace").strip()
        if text[:1] not in {"{", "["} or self.document.is_json:
            return False
        return _ends_early(text)

    @cached_property
    def is_graphql_failure(self) -> bool:
        """Whether the answer is GraphQL's way to say that nothing came of it."""
        document = self.json if self.is_success else None
        if not isinstance(document, dict) or not document.keys() <= {"errors", "data", "extensions"}:
            return False
        errors = document.get("errors")
        data = document.get("data")
        # A field that could not be had is null where the schema lets it be, and all of `data` only where it does not.
        is_nothing = data is None or (
            isinstance(data, dict) and all(value is None for value in data.values())
        )
        return isinstance(errors, list) and bool(errors) and is_nothing

    @cached_property
    def is_not_ok(self) -> bool:
        """Whether the answer says itself that the request failed."""
        document = self.json if self.is_success else None
        return isinstance(document, dict) and (
            document.get("ok") is False or document.get("success") is False
        )

    @cached_property
    def is_error(self) -> bool:
        """Whether the answer tells of an error that the test does not expect, by its status or in itself."""
        is_refusal = 400 <= self.status <= 499 and not self.is_expected  # noqa: PLR2004 - HTTP's classes
        return is_refusal or self.is_graphql_failure or self.is_not_ok

    # -- The external system's own words ------------------------------------------------------------------

    @cached_property
    def _error(self) -> Any:
        """The answer as a document in which errors are looked for, None where it is none."""
        return self.json if self.json is not None else codes.xml_error(self.body)

    @cached_property
    def codes(self) -> frozenset[str]:
        """All error codes in the answer, to be compared with those that we know."""
        found = [codes.normalised(code) for code in codes.codes_in(self._error)]
        named = self._named_code
        return frozenset((*found, codes.normalised(named)) if named else found)

    @cached_property
    def words(self) -> str:
        """What the answer says to people. Compared with what we know, never shown."""
        described = " ".join(re.findall(r'error_description="([^"]{0,300})"', self._challenges)).lower()
        return f"{codes.words_in(self._error)} {described}".strip()

    def says(self, known: frozenset[str]) -> bool:
        """Tell whether an error answer has one of these codes."""
        return self.is_error and not self.codes.isdisjoint(known)

    @cached_property
    def error_code(self) -> str | None:
        """The external system's error code if it may be shown; a number that only repeats the status tells nothing."""
        found = [self._named_code or "", *codes.codes_in(self._error)]
        shown = (self.showing.word(code) for code in found if code != str(self.status))
        return next((code for code in shown if code), None)

    @cached_property
    def _named_code(self) -> str | None:
        """The code at the place that the test names."""
        if self.is_token:
            return None
        return self._read(self.plan.test.error_code, lambda place: (parse_path(place),))

    # -- Credentials -----------------------------------------------------------------------------------

    @property
    def _challenges(self) -> str:
        return self.headers.get("www-authenticate", "")[:2000]

    @cached_property
    def challenge_error(self) -> str:
        """The error of a Bearer challenge (RFC 6750 section 3)."""
        found = re.search(r'\berror="?([a-z_]{1,40})\b', self._challenges)
        return found[1] if found else ""

    @cached_property
    def wanted_schemes(self) -> tuple[str, ...]:
        """The schemes that the answer asks for; none if one of them is not known to us."""
        found = {name.lower() for name in _CHALLENGE.findall(_QUOTED.sub('""', self._challenges))}
        return tuple(SCHEMES[name] for name in sorted(found)) if found <= SCHEMES.keys() else ()

    @property
    def is_to_be_proven(self) -> bool:
        """Whether a success counts only if the same does not succeed without the credential."""
        return self.plan.test.prove_credential and self.sent is not None and not self.sends_nothing

    @property
    def sends_nothing(self) -> bool:
        """Whether the auth method has added nothing to the test's request, so that no credential was sent."""
        return self.sent is not None and self.sent == self.plan.request

    @cached_property
    def sent_scheme(self) -> str:
        """The scheme of the credentials that were sent, empty where it is not known."""
        headers = self.sent.headers.items() if self.sent else ()
        value = next((value for name, value in headers if name.lower() == "authorization"), "")
        return SCHEMES.get(value.partition(" ")[0].lower(), "")

    @cached_property
    def is_rejected(self) -> bool:
        """Whether the answer says that the credentials are not accepted."""
        return (self.status == 401 and not self.is_expected) or self.says(codes.REJECTED)  # noqa: PLR2004

    @cached_property
    def is_refused(self) -> bool:
        """Whether the credentials may be what is wrong."""
        if self.is_token:
            refusals = ("invalid_client", "incorrect_client_credentials", "invalid_grant")
            return self.says_oauth(*refusals) or self.status == 401  # noqa: PLR2004
        return self.is_rejected or (self.status == 403 and not self.is_expected)  # noqa: PLR2004

    @cached_property
    def suspicion(self) -> Suspicion | None:
        """The key of the Secret whose value looks wrong."""
        return suspicion(self.credentials, self.sent)

    def looks(self, form: Form) -> bool:
        """Tell whether credentials were refused and one of them has this form."""
        return self.is_refused and self.suspicion is not None and self.suspicion.form is form

    def says_oauth(self, *known: str) -> bool:
        """Tell whether the `error` of an answer (RFC 6749 section 5.2) is one of these."""
        return codes.at(self.json, ("error",)) in known

    # -- Times and places ------------------------------------------------------------------------------

    @cached_property
    def again_in(self) -> float | None:
        """Seconds for which the other side, or its budget, asks to be left alone."""
        if self.failure:
            return self.failure.again_in
        return asked_pause(self.response, self.now) if self.response else None

    @cached_property
    def is_quota_used_up(self) -> bool:
        """Whether the answer's headers ask for fewer requests."""
        return self.again_in is not None

    @cached_property
    def skew(self) -> float | None:
        """Seconds by which the other side's clock is ahead of ours; None where it does not tell its time."""
        return clock_skew(self.headers, self.now)

    @property
    def is_skewed(self) -> bool:
        """Whether the clocks differ by more than signatures and tokens allow for."""
        return self.skew is not None and abs(self.skew) > MAX_SKEW

    @cached_property
    def location(self) -> SplitResult | None:
        """Where a redirect points to."""
        return redirect(self.status, self.headers, self.asked)

    @cached_property
    def location_host(self) -> str | None:
        """The host of `location`, if it may be shown."""
        host = self.location.hostname if self.location else None
        return self.showing.word(host, _HOST) if host else None

    @cached_property
    def is_sent_to_login(self) -> bool:
        """Whether a redirect points to a page where people sign in."""
        return self.location is not None and is_login(self.location)

    @cached_property
    def is_sent_to_sibling(self) -> bool:
        """Whether a redirect points to another host of the same domain, other than by a 'www.'."""
        return self.location is not None and are_siblings(self.location.hostname, self.asked.hostname)

    # -- What the test demands -------------------------------------------------------------------------

    @cached_property
    def rule(self) -> FailureRule | None:
        """The first failure rule that recognises the answer: of the test, or of the auth method for a token URL's.

        None of an issuer's metadata, which flows ask for, too: that answer says nothing of client or grant.
        """
        if self.response is None or (self.is_token and _METADATA in self.asked.path):
            return None
        rules = self.plan.token_failures if self.is_token else self.plan.test.failures
        return next((rule for rule in rules if self._recognises(rule)), None)

    def _recognises(self, rule: FailureRule) -> bool:
        try:
            return holds(compile_expression(rule.when), self.document)
        except TooManyStepsError as error:
            # Any other error says that the answer is not the one that the rule is about.
            self._undecided = self._undecided or f"a rule of its failures {error}"
            return False
        except (ExpressionError, EvaluationError):
            return False

    @cached_property
    def undecided_failure(self) -> str:
        """Why nobody knows whether the answer is one of the test's failures; empty where it is known to be none."""
        return self._undecided if self.rule is None else ""

    @cached_property
    def broken_rule(self) -> BrokenRule | None:
        """The first assertion that keeps the test from passing."""
        for number, assertion in enumerate(self.plan.test.expect.assertions, start=1):
            text = assertion.message or assertion.rule
            try:
                if not holds(compile_expression(assertion.rule), self.document):
                    return BrokenRule(number, text, "")
            except (ExpressionError, EvaluationError) as error:
                return BrokenRule(number, text, str(error))
        return None

    @cached_property
    def identity(self) -> str | None:
        """Who we are connected as."""
        place = self.plan.test.identity
        if place and self.response is not None and is_expression(place):
            return evaluated_identity(place, self._shown_document, self.showing.forms)
        return self._read(self.plan.test.identity, parse_identity, self.showing.forms)

    @cached_property
    def credential_end(self) -> CredentialEnd | None:
        """When the credential ends; None where nobody asks, or the operator obtained the token and knows better."""
        expression = self.plan.test.credential_expires_at
        if not expression or self.response is None or self.is_token or self.credentials.tokens is not None:
            return None
        return credential_end(expression, self._shown_document)

    @cached_property
    def _shown_document(self) -> Document:
        """The answer without the secrets that it repeats: what an expression makes of these would be shown."""
        answer = self.document
        if self.response is None:
            return answer
        body = self.body.decode("utf-8", "replace")
        headers = {name: self.showing.masked(value) for name, value in self.headers.items()}
        masked = self.showing.masked(body)
        if masked == body and headers == dict(self.headers):
            return answer
        return Document(HttpResponse(self.status, headers, masked.encode()), self.plan.config)

    def _read(
        self, place: str | None, parse: Callable[[str], Identity], secrets: Collection[str] = ()
    ) -> str | None:
        """Return what stands at a place of the answer. One that cannot be read is named where it is checked."""
        if not place or self.response is None:
            return None
        try:
            parts = parse(place)
        except ValueError:
            return None
        return read_identity(parts, self.response, secrets, self.plan.config)


def _ends_early(text: str) -> bool:
    """Tell whether a text that is no JSON would be the beginning of one: brackets are open, or a string is."""
    expected: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            expected.append("}" if character == "{" else "]")
        elif character in "}]" and (not expected or expected.pop() != character):
            return False
    return in_string or bool(expected)
