"""What a test is, wherever it stands: in a definition or, saved, in an instance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from integration_hub.model.base import Model
from integration_hub.model.schema import (
    DisplayName,
    Duration,
    EntryName,
    Expression,
    JsonValue,
    atomic_list,
    cel,
)

TextValue = Annotated[str, Field(max_length=4000)]
HttpMethod = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class TestRequest(Model):
    """The HTTPS request that a test makes. Values may use '{{ config.field }}'; a secret never stands here."""

    __test__ = False  # not a pytest class

    method: HttpMethod = "GET"
    """HTTP method. GET when absent."""
    path: Annotated[
        str,
        Field(
            max_length=2000,
            json_schema_extra=cel(
                (
                    "self == '' || self.startsWith('/')",
                    "must be below baseURL and start with '/', like '/v1/account'",
                ),
                (
                    "!self.contains('?') && !self.contains('#')",
                    (
                        "must not have a query (?...) or fragment (#...): instead of '/users?limit=1', write"
                        " '/users' and, under query, 'limit: \"1\"'"
                    ),
                ),
            ),
        ),
    ] = ""
    """Path below `baseURL`, starting with '/', like '/v1/account'."""
    query: Annotated[dict[str, TextValue], Field(max_length=50)] = {}
    """Query parameters."""
    headers: Annotated[dict[str, TextValue], Field(max_length=50)] = {}
    """Request headers. The auth method adds its own."""
    body: JsonValue | None = None
    """JSON value sent as the request's body."""


class Assertion(Model):
    """Something that must hold of the answer."""

    rule: Expression
    """CEL expression over response.status, response.headers, response.json and response.text that must be true,
    like 'response.json.ok == true'. Header names are lower-case. The configuration is 'config', as in
    'response.json.region == config.region'."""
    message: Annotated[str, Field(max_length=300)] | None = None
    """What to say when it does not hold, like 'The account is frozen'. The rule itself when absent."""


class Expectation(Model):
    """What the answer must look like for the test to pass."""

    status: Annotated[
        list[Annotated[int, Field(ge=100, le=599)]],
        Field(min_length=1, json_schema_extra=atomic_list(max_items=20)),
    ] = [200]
    """HTTP statuses that mean success. Just 200 when absent."""
    assertions: Annotated[list[Assertion], Field(json_schema_extra=atomic_list(max_items=20))] = []
    """Rules that the answer must satisfy, checked in order."""


class FailureRule(Model):
    """A failure of the external system that only its documentation explains, such as 200 with 'ok: false'."""

    when: Expression
    """CEL expression over `response` and `config` that recognises the failure, like
    "response.json.error == 'token_revoked'"."""
    reason: Annotated[
        str,
        Field(
            max_length=60,
            json_schema_extra=cel(
                (
                    "self.matches('^[A-Z][A-Za-z]+$')",
                    "must be one of the reasons in docs/troubleshooting.md, like 'CredentialsRejected'",
                )
            ),
        ),
    ]
    """What it means: one of the reasons that a test, or a request for a token, can end with, like
    'CredentialsRejected'."""
    message: Annotated[str, Field(max_length=300)] | None = None
    """What was found, in a sentence. The reason's own words when absent."""
    hint: Annotated[str, Field(max_length=500)] | None = None
    """What to do next. The reason's own remedy when absent."""


class TestMonitor(Model):
    """How a test is repeated, and how many results in a row change its verdict."""

    __test__ = False  # not a pytest class

    interval: Duration | None = None
    """How often the test is made again, like '5m'; from 10s to 168h. When absent: what spec.monitor of the instance
    says, else the definition's test, else the operator's flag --interval."""
    failure_threshold: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many results in a row that are no success make a working connection count as not working. When absent, 1
    for a failure and 3 for tests that could not tell. A failure that only a person can mend counts at once."""
    recovery_threshold: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many successes in a row make it count as working again. 1 when absent."""


class TestSettings(Model):
    """What a definition's test and a saved test have in common."""

    __test__ = False  # not a pytest class

    name: EntryName
    """Name of the test, unique in this list."""
    display_name: DisplayName | None = None
    """Words that a person reads for this test."""
    expect: Expectation = Expectation()
    """What the answer must look like. Status 200 when absent."""
    identity: Annotated[str, Field(max_length=300)] | None = None
    """Where in the answer stands who we are connected as, like 'response.json.user.email'; several places and texts can
    be joined by '+', like 'response.json.team + " / " + response.json.user', and fields of `config` with them. With a
    function it is any CEL expression. An answer without it is a failure."""
    credential_expires_at: Expression | None = None
    """CEL expression over `response` and `config` that tells when the credential in use ends, like
    'response.json.expires_at': a time, a date, seconds since 1970, or null where it has no end. Of tokens that the
    operator obtained it knows the end itself."""
    error_code: Annotated[str, Field(max_length=300)] | None = None
    """Where in an answer stands the external system's own error code, like 'response.json.error.code'. Common places
    are known without it."""
    failures: Annotated[list[FailureRule], Field(json_schema_extra=atomic_list(max_items=30))] = []
    """Failures that are recognised by their answer, whatever its status; the first that holds is told."""
    prove_credential: bool = False
    """Whether a success counts only where the same request, made once more without the credential, does not succeed:
    for systems that may answer it to anybody. Both requests are made at each test."""
    monitor: TestMonitor | None = None
    """How the test is repeated, and what changes its verdict."""


class ConnectionTest(TestSettings):
    """A request that tells whether a connection works."""

    default: bool = False
    """Whether this is the test that every instance makes and that decides first if it is Ready, unless its auth method
    names another. Exactly one test has it; instances choose others by name in `spec.tests`."""
    request: TestRequest = TestRequest()
    """The request to make."""


class SavedTest(TestSettings):
    """A test of an instance: one of the definition's by name, or one of its own with a request."""

    request: TestRequest | None = None
    """The request to make. When absent, the definition's test of this name is made."""
    optional: bool = False
    """True keeps this test's result out of Ready; it is shown and counted all the same."""
