"""A vendor file: how an external system answers, written from its documentation and not from our definition.

The models are strict, since people write such files by hand: a key that does not exist is refused by its path. What
they cannot say alone, like that every auth method has a case with a bad credential, is in `vendor_rules`. Keys and
their meaning are in docs/catalog-authoring.md.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from integration_hub.config.hosts import checked_host, checked_port, checked_wildcard, is_ipv4
from integration_hub.model.reasons import Reason
from integration_hub.model.testing import HttpMethod

ANY = "*"
"""As a wanted value: whatever is there, if it is there."""


def _written(pattern: str, words: str) -> AfterValidator:
    """Return what refuses a text that is not written so, in words."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)


Name = Annotated[
    str, _written("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a name of lower-case letters, digits and '-'")
]


def _named(text: str) -> str:
    """Refuse a host that no vendor can be played at."""
    name, _, port = text.removeprefix("*.").partition(":")
    host = checked_wildcard(name) if text.startswith("*.") else checked_host(name)
    if is_ipv4(host):
        raise ValueError("is an address: a vendor is played at names, like 'api.example.com'")
    if port:
        checked_port(port)
    return text


Host = Annotated[
    str,
    _written(
        r"(\*\.)?[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?",
        "a host in lower case, like 'api.example.com', '*.example.com' or 'api.example.com:8443'",
    ),
    AfterValidator(_named),
]
HostText = Annotated[
    str,
    _written(
        r"(\*\.)?([a-z0-9.-]|\{\{ *config\.\w+ *\}\})+(:[0-9]{1,5})?",
        "a host like 'api.example.com' or '{{ config.account }}.example.com'",
    ),
]
"""The same, in which a placeholder may stand."""
Url = Annotated[
    str, _written(r"https://[^/?#]+/[^?#]*", "an https:// address with a path and without a query")
]
Source = Annotated[str, _written(r"https://[^\s]+", "the https:// address of a page")]
Path = Annotated[str, _written(r"/[^?#]*", "a path that begins with '/'; parameters stand under query")]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
ClientProof = Literal["basic", "body", "private_key_jwt", "none"]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


class Answer(_Part):
    """What is answered. One of `json`, `text`, `html` and `form` at most; none is an empty body."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    headers: dict[str, str] = {}
    json_: Annotated[Any, Field(alias="json")] = None
    """A JSON value."""
    text: str | None = None
    """A plain text."""
    html: str | None = None
    """A page."""
    form: dict[str, str] | None = None
    """What is sent as a form, as some token URLs do."""

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        given = [name for name in ("text", "html", "form") if getattr(self, name) is not None]
        if "json_" in self.model_fields_set:
            given.append("json")
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(sorted(given))}: an answer has one body")
        return self


class Generated(_Part):
    """A value of a Secret that is made for the run, since no file holds a private key."""

    generate: Literal["rsa-key", "ec-key", "client-certificate", "client-key"]
    """A private key as PEM, of which the simulated vendor knows the public half in the good Secret; or a certificate
    that its authority has signed, and the key that belongs to it."""


class Basic(_Part):
    """HTTP Basic authentication."""

    username: str
    password: str


class SignedToken(_Part):
    """A JSON Web Token (RFC 7519) that the client signs with the private key of the good Secret."""

    header: str | None = None
    """The request header in which it comes; None where it comes as the parameter `assertion`."""
    prefix: str = ""
    """What stands before it there, like 'Bearer '."""
    algorithm: str = "RS256"
    key: str = "privateKey"
    """The key in the good Secret that it is signed with."""
    claims: dict[str, str] = {}
    """Claims that it must have, with their values; '*' for any."""
    headers: dict[str, str] = {}
    """The same of its own header, like `kid`."""
    longest: Annotated[int, Field(ge=1)] = 3600
    """Seconds that it may live at most, from `iat` to `exp`."""


class SignedRequest(_Part):
    """A signature by AWS (SigV4) with the key pair of the good Secret."""

    service: str
    region: str
    access_key_id: str
    secret_access_key: str


class Arrival(_Part):
    """How a credential must arrive; all that is given here must be in the request."""

    headers: dict[str, str] = {}
    """Headers and their exact values. `{{ token }}` stands for any live access token that was given out."""
    query: dict[str, str] = {}
    """Parameters of the query and their exact values."""
    cookies: dict[str, str] = {}
    basic: Basic | None = None
    jwt: SignedToken | None = None
    aws: SignedRequest | None = None
    client_certificate: str | None = None
    """The key in the good Secret with the certificate that must be shown in the TLS handshake."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(
                "says nothing: name headers, query, cookies, basic, jwt, aws or clientCertificate"
            )
        return self


class Requirement(_Part):
    """What every request must have beside its credential, like a User-Agent or the version of the API."""

    headers: dict[str, str]
    """Headers and their values; '*' for any value."""
    hosts: list[HostText] = []
    """At which hosts; at all where this is empty."""
    otherwise: Answer
    """What is answered where one is missing."""


class Route(_Part):
    """One thing that can be asked for."""

    host: HostText | None = None
    """At which host. At each of `hosts` where this is absent."""
    method: HttpMethod = "GET"
    path: Path
    query: dict[str, str] = {}
    """The parameters that must be there, with their values; '*' for any value. Others are not expected."""
    headers: dict[str, str] = {}
    """Headers that must be there, with their values; '*' for any value."""
    body: Any = None
    """The JSON value that must be sent."""
    form: dict[str, str] | None = None
    """The form that must be sent, with its values; '*' for any value."""
    arrives: Arrival | None = None
    """How the credential must arrive here, where that is another way than the auth method's."""
    is_open: Annotated[bool, Field(alias="open")] = False
    """Whether anybody may ask, as for metadata of an authorization server."""
    answer: Answer
    """What is answered to a good credential. `{{ token }}` gives out an access token."""
    by_method: dict[Name, Answer] = {}
    """The same, where the answer is another one for some auth methods."""
    refuses: Answer | None = None
    """What is answered to a bad credential, where that is another answer than the vendor's `refuses`."""
    anonymous: Answer | None = None
    """What is answered where there is no credential at all, where that is another one than to a bad credential."""


class GrantRules(_Part):
    """What one `grant_type` needs and gives."""

    parameters: dict[str, str] = {}
    """Parameters that must be in the request beside those of RFC 6749, with their values; '*' for any value."""
    assertion: SignedToken | None = None
    """The signed token that must come as `assertion`."""
    answer: Answer
    """What is answered: with `{{ token }}`, `{{ refreshToken }}`, `{{ scope }}`."""


class TokenServer(_Part):
    """An authorization server (RFC 6749)."""

    authorize: Url | None = None
    """The page on which people consent."""
    device: Url | None = None
    """Where a device code is given out (RFC 8628)."""
    token: Url
    revoke: Url | None = None
    client: Annotated[list[ClientProof], Field(min_length=1)]
    """The ways in which a client may prove who it is."""
    client_id: str = "{{ secret.clientId }}"
    client_secret: str = "{{ secret.clientSecret }}"  # noqa: S105 - a placeholder
    encodings: Annotated[list[Literal["form", "json"]], Field(min_length=1)] = ["form"]
    """How a token request may be written."""
    pkce: Literal["required", "supported", "ignored", "refused"]
    """What is made of PKCE (RFC 7636): 'refused' where sending it does harm, as at Slack."""
    scope_parameter: str = "scope"
    scope_separator: str = " "
    scopes: list[str] = []
    """The scopes that there are, '*' for any text; another one is refused as `invalid_scope`."""
    authorize_parameters: dict[str, str] = {}
    """Parameters that the link must have beside those of RFC 6749, with their values; '*' for any value."""
    callback: dict[str, str] = {}
    """Parameters that the browser brings back beside `code` and `state`."""
    lifetime: Annotated[int, Field(ge=1)] | None = 3600
    """Seconds that an access token lives, whether or not the answer tells; null: until it is taken back."""
    rotates: bool
    """Whether renewing gives out another refresh token, and the one before ends."""
    grants: Annotated[dict[str, GrantRules], Field(min_length=1)]
    """By `grant_type`."""
    signature: SignedToken | None = None
    """How the client's assertion must be signed, where `client` has private_key_jwt."""
    refuses_client: Answer = Answer(status=401, json={"error": "invalid_client"})
    refuses_grant: Answer = Answer(status=400, json={"error": "invalid_grant"})
    refuses_request: Answer = Answer(status=400, json={"error": "invalid_request"})


class Method(_Part):
    """An auth method of the definition, as the vendor knows it."""

    secret: dict[str, str | Generated]
    """A good Secret."""
    config: dict[str, Any] = {}
    """A good configuration."""
    template: Name | None = None
    """The definition's template that it is based on."""
    scopes: list[str] = []
    """What a connection asks for in spec.auth.scopes."""
    oauth: Name | None = None
    """The authorization server that gives out its tokens."""
    arrives: Arrival | None = None
    """How the credential must arrive; may be absent only where each route says it."""
    known_at: list[HostText] = []
    """The hosts that know the credential; all where this is empty. To others it is a bad one, as in another region."""


class Kind(StrEnum):
    """What a case is about."""

    GOOD = "good"
    BAD_CREDENTIAL = "bad-credential"
    MISSING_SCOPE = "missing-scope"
    LIE = "lie"
    RATE_LIMIT = "rate-limit"
    OTHER = "other"


class Expected(_Part):
    """What the definition must come to."""

    reason: Reason
    """Reason of the condition Ready."""
    identity: str | None = None
    """Who we are connected as; null where nobody is."""
    message: list[str] = []
    """Words that the message must have."""
    hint: list[str] = []
    """Words that the hint must have."""
    credential_expires_at: str | None = None
    """When the credential ends, as status has it; null where it has no end. Not looked at where this is absent."""

    @field_validator("reason", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        try:
            return Reason(value)
        except ValueError:
            raise ValueError(f"{value!r} is no reason of docs/conditions.md") from None


class Case(_Part):
    """A connection that is tried: what is other than good, and what must come of it."""

    name: Sentence
    kind: Annotated[Kind, Field(strict=False)]
    lie: Name | None = None
    """With the kind 'lie': which one."""
    methods: list[Name] = []
    """Auth methods to try it with; all where this is empty."""
    tests: list[Name] | None = None
    """Tests of the definition to make beside the default one. A good case makes all of them, unless it names some."""
    template: Name | None = None
    """Instead of the method's template."""
    config: dict[str, Any] = {}
    """Values of the configuration that are other than good; null leaves one out."""
    secret: dict[str, str | Generated | None] = {}
    """Values of the Secret that are other than good; null leaves one out."""
    scopes: list[str] | None = None
    """Instead of the method's scopes."""
    consent: Literal["given", "denied"] = "given"
    granted: list[str] | None = None
    """The scopes that are granted, whatever is asked for."""
    token_is_taken_back: bool = False
    """Whether the access token that was given out is refused when it is used, as after somebody took it back."""
    token_ends: bool = False
    """Whether the access token ends once the connection works, so that `expect` is about its renewal: with
    tokenAnswers.refresh_token, how the token URL refuses a refresh token that was good."""
    answers: dict[Name, Answer] = {}
    """Answers of routes to the credential that was good until then, instead of their own."""
    open_to_all: list[Name] = []
    """Routes that let anybody in, as a server does that nobody has protected."""
    refusals: dict[Name, Answer] = {}
    """How routes refuse a bad credential, or none at all, instead of their own way."""
    token_answers: dict[str, Answer] = {}
    """Answers of the token URL by `grant_type`, instead of its own."""
    strays: bool = False
    """Whether the connection may ask for what there is not, since that is what the case is about."""
    expect: Expected


class Vendor(_Part):
    """How one external system answers."""

    definition: Name
    """Name of the definition that it is made for."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """Pages of the vendor's documentation that this was written from."""
    hosts: Annotated[list[Host], Field(min_length=1)]
    """The hosts that the vendor has."""
    methods: Annotated[dict[Name, Method], Field(min_length=1)]
    """By the name of the definition's auth method."""
    oauth: dict[Name, TokenServer] = {}
    """Authorization servers, by a name of this file."""
    requires: list[Requirement] = []
    """What every request must have."""
    routes: Annotated[dict[Name, Route], Field(min_length=1)]
    """What can be asked for, by a name of this file."""
    refuses: Answer
    """What is answered to a bad credential."""
    not_found: Answer = Answer(status=404, json={"error": "not found"})
    """What is answered to a path that there is not."""
    bad_request: Answer = Answer(status=400, json={"error": "bad request"})
    """What is answered to parameters or a body that nobody expects."""
    lies: dict[Name, Sentence]
    """Answers that mislead whoever goes by the status alone, in a sentence each."""
    leaves_out: dict[Literal["missing-scope", "rate-limit"], Sentence] = {}
    """Kinds of cases that the vendor has none of, and why."""
    cases: Annotated[list[Case], Field(min_length=1)]
