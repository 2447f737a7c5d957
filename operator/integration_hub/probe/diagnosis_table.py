"""The diagnosis: one table, from top to bottom; the first row that matches is told. docs/troubleshooting.md prints it.

A row says in `when` how we know, for people, and in `matches` the same, for us. Messages are templates over the words
that `finding` makes; what of the other side stands among these is its error code, masked and of limited form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from integration_hub.auth.custom.certificate_pair import pair_end
from integration_hub.model.http import ClientCertificate, FailureKind
from integration_hub.model.instance import StageName
from integration_hub.model.reasons import Reason
from integration_hub.probe import answer_codes as codes
from integration_hub.probe.advice import about_unproven
from integration_hub.probe.credential_forms import Form
from integration_hub.probe.facts import Facts


class Row(NamedTuple):
    """One thing that can be found. `stage` is where the test then ends, unless that was at a token URL."""

    stage: StageName
    reason: Reason
    when: str
    matches: Callable[[Facts], bool]
    message: str
    advice: Callable[[Facts], str] | None = None
    """What to do, where more is known of that than the reason's remedy says."""


def _fails(kind: FailureKind) -> Callable[[Facts], bool]:
    return lambda facts: facts.kind is kind


def _has_status(*statuses: int) -> Callable[[Facts], bool]:
    return lambda facts: facts.status in statuses and not facts.is_expected


def _looks(form: Form) -> Callable[[Facts], bool]:
    return lambda facts: facts.looks(form)


def _says_oauth(*known: str) -> Callable[[Facts], bool]:
    return lambda facts: facts.says_oauth(*known)


def _says_page(title: bytes) -> Callable[[Facts], bool]:
    return lambda facts: _has_status(400)(facts) and title in facts.body


def _is_ours_refused(facts: Facts) -> bool:
    return facts.kind is FailureKind.TLS_CLIENT_CERTIFICATE and _shown(facts) is not None


def _has_ours_ended(facts: Facts) -> bool:
    shown = _shown(facts)
    end = pair_end(shown.certificate) if shown else None
    return end is not None and end < facts.now


def _may_ours_be_refused(facts: Facts) -> bool:
    way = facts.last.transport
    return _shown(facts) is not None and way.tls_version == "TLSv1.3" and not way.reused


def _shown(facts: Facts) -> ClientCertificate | None:
    return facts.sent.client_certificate if facts.sent else None


def _tells_nothing(facts: Facts) -> bool:
    """Tell whether nobody knows what would be answered without the credential: no answer came, or one that passes."""
    control = facts.control
    if control is None or control.status in _PASSING:
        return True
    # Who is shown no certificate may hang up without a word.
    ours = facts.sent.client_certificate if facts.sent is not None else None
    speaking = _NO_CERTIFICATE if ours is not None else {FailureKind.TLS_CLIENT_CERTIFICATE}
    return control.kind is not None and control.kind not in speaking


_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses of who is asked too often, or of what stands before the system and does not get through to it."""
_NO_CERTIFICATE: Final = frozenset(
    {FailureKind.TLS_CLIENT_CERTIFICATE, FailureKind.TLS_FAILED, FailureKind.CONNECTION_LOST}
)


def _succeeds_as_well(facts: Facts) -> bool:
    """Tell whether the same without the credential is a success, too, and says the same of who is connected."""
    control = facts.control
    if control is None or control.response is None or control.rule is not None:
        return False
    found = next(row for row in AT_TEST if row.matches(control))
    return found.reason is Reason.CONNECTED and control.identity == facts.identity


ANSWERED: Final = "{host} answered {request} with {status}"
_REFUSED: Final = ANSWERED + ", and the value of the key '{key}' in the Secret "
TOKEN_ANSWERED: Final = "{token_url} answered with {status}"  # noqa: S105 - a sentence

BEFORE_AN_ANSWER: Final[Sequence[Row]] = (
    Row(
        "config",
        Reason.HOST_NOT_ALLOWED,
        "the address is not among the definition's `allowedHosts`, before anything is sent",
        _fails(FailureKind.HOST_NOT_ALLOWED),
        "{host} is not among the definition's allowedHosts, so nothing was sent.",
    ),
    Row(
        "config",
        Reason.PLAIN_HTTP_NOT_ALLOWED,
        "the address begins with `http://`, and definition or operator do not allow that for this host",
        _fails(FailureKind.SCHEME_NOT_ALLOWED),
        "{host} would be reached over plain HTTP, which is not allowed here, so nothing was sent.",
    ),
    Row(
        "dns",
        Reason.ADDRESS_NOT_ALLOWED,
        "an address of the host is private, local or otherwise special, and not in `--allow-cidr`",
        _fails(FailureKind.ADDRESS_NOT_ALLOWED),
        "{host} may not be reached: {detail}.",
    ),
    Row(
        "config",
        Reason.TRUST_INVALID,
        "the `trust.caBundle` that the configuration gives cannot be read",
        _fails(FailureKind.TRUST_INVALID),
        "The certificate authority configured for {host} cannot be used: {detail}.",
    ),
    Row(
        "connect",
        Reason.HOST_UNAVAILABLE,
        "several requests in a row got no answer from the host, or 502, 503 or 504, so this one was not sent",
        _fails(FailureKind.HOST_UNAVAILABLE),
        "{host} was not asked, because it is down: {detail}.",
    ),
    Row(
        "connect",
        Reason.WAITING_FOR_QUOTA,
        "an earlier answer of the host asked for a pause that is not over, so this request was not sent",
        _fails(FailureKind.HOST_PAUSED),
        "{host} was not asked, because it wants fewer requests: {detail}.",
    ),
    Row(
        "dns",
        Reason.HOST_NOT_FOUND,
        "DNS says that the name does not exist, or has no address",
        _fails(FailureKind.HOST_NOT_FOUND),
        "DNS does not know the host name in {host}.",
    ),
    Row(
        "dns",
        Reason.DNS_TIMEOUT,
        "no name server answered in time",
        _fails(FailureKind.DNS_TIMEOUT),
        "The name in {host} could not be looked up: no name server answered in time.",
    ),
    Row(
        "dns",
        Reason.DNS_FAILED,
        "the name servers answered with a fault of their own",
        _fails(FailureKind.DNS_FAILED),
        "The name in {host} could not be looked up in DNS.",
    ),
    Row(
        "connect",
        Reason.CONNECTION_REFUSED,
        "the host answered the attempt to connect with a refusal",
        _fails(FailureKind.CONNECTION_REFUSED),
        "{host} refused the connection.",
    ),
    Row(
        "connect",
        Reason.HOST_UNREACHABLE,
        "the network says that there is no route, or a local rule forbids the connection",
        _fails(FailureKind.UNREACHABLE),
        "There is no route to {host}.",
    ),
    Row(
        "connect",
        Reason.CONNECT_TIMEOUT,
        "the attempt to connect got no answer in time",
        _fails(FailureKind.CONNECT_TIMEOUT),
        "{host} did not answer the attempt to connect in time.",
    ),
    Row(
        "tls",
        Reason.TLS_UNTRUSTED,
        "the certificate's authority is not known, or may not sign such certificates",
        _fails(FailureKind.TLS_UNTRUSTED),
        "The certificate of {host} is not trusted: {detail}.",
    ),
    Row(
        "tls",
        Reason.TLS_INCOMPLETE_CHAIN,
        "the host sends its own certificate alone, and who signed it is not known",
        _fails(FailureKind.TLS_INCOMPLETE_CHAIN),
        "The certificate of {host} cannot be traced to a trusted authority: {detail}.",
    ),
    Row(
        "tls",
        Reason.TLS_SELF_SIGNED,
        "the certificate, or the last of its chain, is signed by itself and not among those trusted",
        _fails(FailureKind.TLS_SELF_SIGNED),
        "The certificate of {host} is not trusted: {detail}.",
    ),
    Row(
        "tls",
        Reason.TLS_HOST_MISMATCH,
        "the certificate does not name the host that was asked",
        _fails(FailureKind.TLS_HOST_MISMATCH),
        "The certificate of {host} is for another name.",
    ),
    Row(
        "tls",
        Reason.TLS_EXPIRED,
        "the certificate's last day has passed",
        _fails(FailureKind.TLS_EXPIRED),
        "The certificate of {host} has expired.",
    ),
    Row(
        "tls",
        Reason.TLS_NOT_YET_VALID,
        "the certificate's first day is yet to come",
        _fails(FailureKind.TLS_NOT_YET_VALID),
        "The certificate of {host} is not yet valid.",
    ),
    Row(
        "tls",
        Reason.TLS_TOO_OLD,
        "the handshake ends because the host offers no safe version, cipher or key",
        _fails(FailureKind.TLS_TOO_OLD),
        "{host} offers no secure connection that is still safe: {detail}.",
    ),
    Row(
        "tls",
        Reason.CREDENTIALS_EXPIRED,
        "the host refuses the certificate that we show it, and that one's last day has passed",
        lambda facts: _is_ours_refused(facts) and _has_ours_ended(facts),
        "{host} refuses the client certificate, which has expired.",
    ),
    Row(
        "tls",
        Reason.CREDENTIALS_REJECTED,
        "the host ends the connection with an alert about the certificate that we show it",
        _is_ours_refused,
        "The client certificate cannot be used with {host}: {detail}.",
    ),
    Row(
        "tls",
        Reason.CLIENT_CERTIFICATE_REQUIRED,
        "the host ends the connection with the alert that it wants a certificate of ours",
        _fails(FailureKind.TLS_CLIENT_CERTIFICATE),
        "{host} wants a client certificate.",
    ),
    Row(
        "tls",
        Reason.TLS_NOT_SPOKEN,
        "what the host says at the beginning of the handshake is no TLS",
        _fails(FailureKind.TLS_NOT_SPOKEN),
        "{host} does not speak TLS, so there is no HTTPS on that port.",
    ),
    Row(
        "tls",
        Reason.TLS_TIMEOUT,
        "the connection was made and the handshake did not end in time",
        _fails(FailureKind.TLS_TIMEOUT),
        "{host} took the connection and did not finish the TLS handshake in time.",
    ),
    Row(
        "tls",
        Reason.TLS_FAILED,
        "the handshake ends with another fault, or the host hangs up during it",
        _fails(FailureKind.TLS_FAILED),
        "No secure connection to {host} could be set up: {detail}.",
    ),
    Row(
        "request",
        Reason.RESPONSE_TIMEOUT,
        "the request was sent and no complete answer came in time",
        _fails(FailureKind.RESPONSE_TIMEOUT),
        "{host} accepted the connection and then did not answer {request} in time.",
    ),
    Row(
        "request",
        Reason.CONNECTION_LOST,
        "the connection ended before the first byte of an answer, was new, of TLS 1.3, and showed our certificate",
        lambda facts: facts.kind is FailureKind.CONNECTION_LOST and _may_ours_be_refused(facts),
        "The connection to {host} ended before the answer to {request} began, as some hosts end it that refuse a client"
        " certificate.",
    ),
    Row(
        "request",
        Reason.CONNECTION_LOST,
        "the connection ended after the request was sent and before the first byte of an answer",
        _fails(FailureKind.CONNECTION_LOST),
        "The connection to {host} ended before the answer to {request} began.",
    ),
    Row(
        "request",
        Reason.NOT_HTTP,
        "what came back cannot be read as HTTP",
        _fails(FailureKind.NOT_HTTP),
        "What {host} answered to {request} is not HTTP.",
    ),
    Row(
        "request",
        Reason.RESPONSE_TRUNCATED,
        "the answer began and the connection ended before it was complete",
        _fails(FailureKind.RESPONSE_TRUNCATED),
        "The connection to {host} ended in the middle of the answer to {request}.",
    ),
    Row(
        "request",
        Reason.RESPONSE_TOO_LARGE,
        "the answer has more bytes, or larger headers, than a test reads",
        _fails(FailureKind.RESPONSE_TOO_LARGE),
        "The answer of {host} to {request} is larger than a test may read.",
    ),
    Row(
        "request",
        Reason.DECOMPRESSION_BOMB,
        "the answer is compressed, and unpacks to more bytes than a test reads",
        _fails(FailureKind.DECOMPRESSION_BOMB),
        "The answer of {host} to {request} is small and unpacks to more than a test may read.",
    ),
    Row(
        "request",
        Reason.ENCODING_INVALID,
        "the answer cannot be unpacked as its Content-Encoding header says",
        _fails(FailureKind.ENCODING_INVALID),
        "The answer of {host} to {request} is compressed in a way that cannot be undone.",
    ),
)
"""No answer came. Why the adapter says so stands in the kind of failure."""

RECOGNISED: Final[Sequence[Row]] = (
    Row(
        "request",
        Reason.ACCOUNT_LOCKED,
        "the error code says that the account is locked, suspended or switched off; or HTTP 423",
        lambda facts: facts.says(codes.LOCKED) or _has_status(423)(facts),
        ANSWERED + ": the account is locked or switched off.",
    ),
    Row(
        "request",
        Reason.INSUFFICIENT_SCOPE,
        "the WWW-Authenticate header or the error code speaks of a missing scope",
        lambda facts: (
            facts.says(codes.SCOPE) or (facts.is_error and facts.challenge_error == "insufficient_scope")
        ),
        ANSWERED + ": the credentials lack a scope that this request needs.",
    ),
    Row(
        "request",
        Reason.CLIENT_ADDRESS_BLOCKED,
        "the error code, or the words with HTTP 403, speak of IP addresses that are not allowed",
        lambda facts: (
            facts.says(codes.ADDRESS) or (_has_status(403)(facts) and codes.says_address_blocked(facts.words))
        ),
        ANSWERED + ": requests from the cluster's address are not allowed.",
    ),
    Row(
        "request",
        Reason.QUOTA_EXCEEDED,
        "HTTP 403 with used-up rate limit headers or words of a quota; or an error code that speaks of one, other than"
        " with HTTP 429",
        lambda facts: (
            facts.status != HTTPStatus.TOO_MANY_REQUESTS
            and (
                facts.says(codes.QUOTA)
                or (_has_status(403)(facts) and (facts.is_quota_used_up or codes.says_quota(facts.words)))
            )
        ),
        ANSWERED + ": the account's quota is used up.",
    ),
)
"""The external system knows whose the credentials are, and has another cause to refuse."""

SECRET_FORMS: Final[Sequence[Row]] = tuple(
    Row(
        "request",
        reason,
        f"HTTP 401 or 403, or `invalid_client` or `invalid_grant` of a token URL, and a value in the Secret {when}",
        _looks(form),
        _REFUSED + says + ".",
    )
    for form, reason, when, says in (
        (
            Form.PLACEHOLDER,
            Reason.SECRET_PLACEHOLDER,
            "reads like `changeme`, `<token>` or `${TOKEN}`",
            "is a placeholder",
        ),
        (
            Form.QUOTED,
            Reason.SECRET_QUOTED,
            "begins and ends with a quotation mark",
            "has quotation marks around it",
        ),
        (
            Form.PREFIXED,
            Reason.SECRET_PREFIXED,
            "begins with a word like `Bearer`, before which the auth method puts its own",
            "begins with a word like 'Bearer', which the auth method adds itself",
        ),
        (
            Form.STRUCTURED,
            Reason.SECRET_STRUCTURED,
            "reads like JSON, YAML or a line of an env file",
            "looks like a piece of JSON, YAML or an env file",
        ),
        (
            Form.ENCODED_TWICE,
            Reason.SECRET_ENCODED_TWICE,
            "is base64 of readable text",
            "looks like base64 of the credential, encoded once too often",
        ),
    )
)
"""Mistakes that people make with Secrets, looked for only after the credentials were refused."""

TOKEN: Final[Sequence[Row]] = (
    Row(
        "token",
        Reason.TOKEN_CLIENT_REJECTED,
        "the token URL answers with the error `invalid_client`, or GitHub's `incorrect_client_credentials`",
        _says_oauth("invalid_client", "incorrect_client_credentials"),
        TOKEN_ANSWERED + ": it does not accept the client.",
    ),
    Row(
        "token",
        Reason.TOKEN_GRANT_REJECTED,
        "the token URL answers with the error `invalid_grant`",
        _says_oauth("invalid_grant"),
        TOKEN_ANSWERED + ": it does not accept the grant, which may have expired or been revoked.",
    ),
    Row(
        "token",
        Reason.TOKEN_SCOPE_REJECTED,
        "the token URL answers with the error `invalid_scope`",
        _says_oauth("invalid_scope"),
        TOKEN_ANSWERED + ": it does not accept the scopes.",
    ),
    Row(
        "token",
        Reason.TOKEN_ENDPOINT_BUSY,
        "the token URL answers with HTTP 429, or with the error `slow_down`",
        lambda facts: facts.status == HTTPStatus.TOO_MANY_REQUESTS or facts.says_oauth("slow_down"),
        TOKEN_ANSWERED + ": it asks for fewer requests.",
    ),
    # Before all that comes by itself: ServiceNow calls a wrong client a server_error.
    Row(
        "token",
        Reason.TOKEN_CLIENT_REJECTED,
        "the token URL answers with HTTP 401, and with no error code of the rows before this one",
        lambda facts: facts.status == HTTPStatus.UNAUTHORIZED,
        TOKEN_ANSWERED + ": it does not accept the client.",
    ),
    Row(
        "token",
        Reason.TOKEN_ENDPOINT_UNAVAILABLE,
        "the token URL answers with HTTP 5xx, or with the error `server_error` or `temporarily_unavailable`",
        lambda facts: facts.status >= 500 or facts.says_oauth("server_error", "temporarily_unavailable"),  # noqa: PLR2004
        TOKEN_ANSWERED + ": it reports a fault of its own.",
    ),
    Row(
        "token",
        Reason.TOKEN_ENDPOINT_NOT_FOUND,
        "the token URL answers with HTTP 404 or 405, or with a redirect",
        lambda facts: facts.status in {404, 405} or 300 <= facts.status <= 399,  # noqa: PLR2004
        TOKEN_ANSWERED + ": there are no tokens there, and no metadata of an issuer.",
    ),
    Row(
        "token",
        Reason.TOKEN_REQUEST_REJECTED,
        "the token URL answers with another HTTP 4xx, or with success and another error code",
        lambda facts: 400 <= facts.status <= 499 or isinstance(codes.at(facts.json, ("error",)), str),  # noqa: PLR2004
        TOKEN_ANSWERED + ": it refuses the request for a token.",
    ),
    Row(
        "token",
        Reason.TOKEN_ANSWER_INVALID,
        "the token URL answers with success, but what it answers holds no token",
        lambda _: True,
        TOKEN_ANSWERED + ", but without a token that can be used.",
    ),
)
"""A flow ended at its token URL, though that answered (RFC 6749 section 5.2)."""

_NOTHING_WAS_SENT: Final = Row(
    "request",
    Reason.AUTH_SCHEME_WRONG,
    "HTTP 401 or 403, or an error code like it, and the auth method sends no credential",
    lambda facts: facts.is_refused and facts.sends_nothing,
    ANSWERED + ": it wants a credential, and this auth method sends none.",
)

_SKEWED: Final = Row(
    "request",
    Reason.CLOCK_SKEW,
    "the credentials are rejected, and the answer's Date is more than five minutes away from our time",
    lambda facts: facts.is_rejected and facts.is_skewed,
    ANSWERED + ": it does not accept the credentials, and its clock is {skew} ours.",
)

REFUSALS: Final[Sequence[Row]] = (
    Row(
        "request",
        Reason.CREDENTIALS_REJECTED,
        "HTTP 400, and nginx's page that says that it could not verify the certificate that we show it",
        _says_page(b"<title>400 The SSL certificate error</title>"),
        ANSWERED + ": it does not accept the client certificate.",
    ),
    Row(
        "request",
        Reason.CLIENT_CERTIFICATE_REQUIRED,
        "HTTP 400, and nginx's page that says that it was shown no certificate",
        _says_page(b"<title>400 No required SSL certificate was sent</title>"),
        ANSWERED + ": it wants a client certificate.",
    ),
    _NOTHING_WAS_SENT,
    _SKEWED,
    Row(
        "request",
        Reason.CLOCK_SKEW,
        "the error code says that the time of a signed request and the external system's own are too far apart",
        lambda facts: facts.says(codes.CLOCK),
        ANSWERED + ": its clock and ours are too far apart for signed requests.",
    ),
    Row(
        "request",
        Reason.CREDENTIALS_EXPIRED,
        "the error code says expired or revoked; or HTTP 401, and its words do",
        lambda facts: facts.says(codes.EXPIRED) or (facts.is_rejected and codes.says_expired(facts.words)),
        ANSWERED + ": the credentials have expired or were revoked.",
    ),
    Row(
        "request",
        Reason.AUTH_SCHEME_WRONG,
        "HTTP 401, and its WWW-Authenticate header names only other schemes than the one that was sent",
        lambda facts: (
            _has_status(401)(facts)
            and bool(facts.sent_scheme and facts.wanted_schemes)
            and facts.sent_scheme not in facts.wanted_schemes
        ),
        ANSWERED + ": it wants credentials as {wanted}, and {sent} was sent.",
    ),
    Row(
        "request",
        Reason.CREDENTIALS_REJECTED,
        "HTTP 401 without further words, or an error code that says as much",
        lambda facts: facts.is_rejected,
        ANSWERED + ": it does not accept the credentials.",
    ),
    Row(
        "request",
        Reason.PERMISSION_DENIED,
        "HTTP 403 without further words, or an error code that says as much",
        lambda facts: _has_status(403)(facts) or facts.says(codes.PERMISSION),
        ANSWERED + ": the credentials do not permit it.",
    ),
)
"""The credentials were refused, with whatever status: some systems say so with 200."""

STATUSES: Final[Sequence[Row]] = (
    Row(
        "request",
        Reason.PROXY_AUTHENTICATION_REQUIRED,
        "HTTP 407",
        _has_status(407),
        "A proxy in front of {host} answered {request} with {status}.",
    ),
    Row(
        "request",
        Reason.CAPTIVE_PAGE,
        "HTTP 511",
        _has_status(511),
        "The network, not {host}, answered {request} with {status}.",
    ),
    Row(
        "request",
        Reason.WRONG_REGION,
        "a redirect to another host of the same domain, HTTP 421, or an error code that speaks of a region",
        lambda facts: (
            _has_status(421)(facts)
            or facts.says(codes.REGION)
            or (not facts.is_expected and facts.is_sent_to_sibling and not facts.is_sent_to_login)
        ),
        ANSWERED + ": the account lives at another of the system's hosts.",
    ),
    Row(
        "request",
        Reason.REDIRECTED_TO_LOGIN,
        "a redirect to an address with a word like `login`, `signin`, `sso` or `oauth/authorize` in it",
        lambda facts: not facts.is_expected and facts.is_sent_to_login,
        ANSWERED + ": it points to a page where people sign in, which is not followed.",
    ),
    Row(
        "request",
        Reason.REDIRECTED,
        "any other HTTP 3xx",
        lambda facts: not facts.is_expected and 300 <= facts.status <= 399,  # noqa: PLR2004
        ANSWERED + ": it points to another address, which is not followed.",
    ),
    Row(
        "request",
        Reason.REQUEST_INVALID,
        "HTTP 400 or 422",
        _has_status(400, 422),
        ANSWERED + ": it cannot make sense of the request.",
    ),
    Row(
        "request",
        Reason.PAYMENT_REQUIRED,
        "HTTP 402",
        _has_status(402),
        ANSWERED + ": it wants to be paid.",
    ),
    Row(
        "request",
        Reason.OBJECT_NOT_FOUND,
        "HTTP 404 with JSON, as an API says it",
        lambda facts: _has_status(404)(facts) and facts.content == "json",
        ANSWERED + ": the API is there, and what was asked for is not.",
    ),
    Row(
        "request",
        Reason.ENDPOINT_NOT_FOUND,
        "HTTP 404 with a web page, text or nothing, as a web server says it",
        _has_status(404),
        ANSWERED + ": there is no API at that address.",
    ),
    Row(
        "request",
        Reason.METHOD_NOT_ALLOWED,
        "HTTP 405",
        _has_status(405),
        ANSWERED + ": what is there does not take this kind of request.",
    ),
    Row(
        "request",
        Reason.MEDIA_TYPE_NOT_SUPPORTED,
        "HTTP 406 or 415",
        _has_status(406, 415),
        ANSWERED + ": it does not speak the form of data that the test uses.",
    ),
    Row(
        "request",
        Reason.REQUEST_TIMEOUT,
        "HTTP 408",
        _has_status(408),
        ANSWERED + ": it waited in vain for the rest of the request.",
    ),
    Row(
        "request",
        Reason.CONFLICT,
        "HTTP 409",
        _has_status(409),
        ANSWERED + ": the request contradicts its present state.",
    ),
    Row(
        "request",
        Reason.ENDPOINT_RETIRED,
        "HTTP 410",
        _has_status(410),
        ANSWERED + ": that was switched off for good.",
    ),
    Row(
        "request",
        Reason.REQUEST_TOO_LARGE,
        "HTTP 413, 414 or 431",
        _has_status(413, 414, 431),
        ANSWERED + ": the request is too large for it.",
    ),
    Row(
        "request",
        Reason.UPGRADE_REQUIRED,
        "HTTP 426",
        _has_status(426),
        ANSWERED + ": it wants another protocol or a newer client.",
    ),
    Row(
        "request",
        Reason.LEGALLY_BLOCKED,
        "HTTP 451",
        _has_status(451),
        ANSWERED + ": it refuses for legal reasons.",
    ),
    Row(
        "request",
        Reason.RATE_LIMITED,
        "HTTP 429 with Retry-After or the time at which a rate limit ends",
        lambda facts: _has_status(429)(facts) and facts.again_in is not None,
        ANSWERED + ": it asks for a pause before the next request.",
    ),
    Row(
        "request",
        Reason.TOO_MANY_REQUESTS,
        "HTTP 429 without a time",
        _has_status(429),
        ANSWERED + ": it asks for fewer requests.",
    ),
    Row(
        "request",
        Reason.GATEWAY_ERROR,
        "HTTP 502 or 504",
        _has_status(502, 504),
        ANSWERED + ": a gateway gets no proper answer from the system behind it.",
    ),
    Row(
        "request",
        Reason.MAINTENANCE,
        "HTTP 503 with Retry-After",
        lambda facts: _has_status(503)(facts) and facts.again_in is not None,
        ANSWERED + ": it is out of service for a while, and says when to try again.",
    ),
    Row(
        "request",
        Reason.SERVICE_UNAVAILABLE,
        "HTTP 503 without a time",
        _has_status(503),
        ANSWERED + ": it is overloaded or out of service.",
    ),
    Row(
        "request",
        Reason.SERVER_ERROR,
        "any other HTTP 5xx",
        lambda facts: not facts.is_expected and facts.status >= 500,  # noqa: PLR2004
        ANSWERED + ": it reports a fault of its own.",
    ),
    Row(
        "request",
        Reason.LOGIN_PAGE,
        "a web page with a field for a password, where the test does not ask for web pages",
        lambda facts: facts.is_success and facts.has_password_field and not facts.wants_html,
        ANSWERED + " and a page where people sign in.",
    ),
    Row(
        "request",
        Reason.ANSWER_IS_HTML,
        "a web page, and the request's Accept header asks for none",
        lambda facts: (
            facts.content == "html"
            and facts.is_success
            and not facts.wants_html
            and (facts.is_page or facts.reads_json or not facts.is_expected)
        ),
        ANSWERED + " and a web page in place of data.",
    ),
    Row(
        "request",
        Reason.UNEXPECTED_STATUS,
        "any other HTTP status that the test does not list in `expect.status`",
        lambda facts: not facts.is_expected,
        ANSWERED + "; the test expects {expected}.",
    ),
)
"""The status is not one that the test expects."""

BODIES: Final[Sequence[Row]] = (
    Row(
        "request",
        Reason.ANSWER_EMPTY,
        "the status is as expected, the answer is empty, and the test has to read JSON",
        lambda facts: facts.reads_json and facts.content == "empty",
        ANSWERED + " and nothing in it to read.",
    ),
    Row(
        "request",
        Reason.JSON_TRUNCATED,
        "the status is as expected, and the JSON that the test has to read ends before its last bracket",
        lambda facts: facts.reads_json and facts.is_cut_json,
        ANSWERED + " and JSON that ends in the middle.",
    ),
    Row(
        "request",
        Reason.ANSWER_NOT_JSON,
        "the status is as expected, and what the test has to read as JSON is none",
        lambda facts: facts.reads_json and facts.content != "json",
        ANSWERED + " and something that is no JSON.",
    ),
    Row(
        "request",
        Reason.GRAPHQL_ERRORS,
        "the status is as expected, and the answer has `errors`, and no `data` or nothing but nulls in it",
        lambda facts: facts.is_graphql_failure,
        ANSWERED + " and errors in place of data.",
    ),
    Row(
        "request",
        Reason.ANSWER_NOT_OK,
        "the status is as expected, and the answer has `ok: false` or `success: false`",
        lambda facts: facts.is_not_ok,
        ANSWERED + " and says in the answer that the request failed.",
    ),
    Row(
        "assertions",
        Reason.ASSERTION_UNDECIDABLE,
        "a rule of the test cannot be evaluated on the answer",
        lambda facts: facts.broken_rule is not None and bool(facts.broken_rule.undecidable),
        ANSWERED + ", but rule {number} cannot be decided: {why}.",
    ),
    Row(
        "assertions",
        Reason.ASSERTION_UNDECIDABLE,
        "one of the test's `failures` is too much work to be evaluated on the answer",
        lambda facts: bool(facts.undecided_failure),
        ANSWERED + ", but whether that is a failure cannot be decided: {undecided}.",
    ),
    Row(
        "assertions",
        Reason.ASSERTION_FAILED,
        "a rule of the test does not hold for the answer",
        lambda facts: facts.broken_rule is not None,
        ANSWERED + ", but rule {number} does not hold: {rule}.",
    ),
    Row(
        "identity",
        Reason.IDENTITY_MISSING,
        "the answer has no text or number where the test's `identity` looks for one",
        lambda facts: facts.plan.test.identity is not None and facts.identity is None,
        ANSWERED + ", but without {path}.",
    ),
    Row(
        "control",
        Reason.CREDENTIAL_UNPROVEN,
        "the test has `proveCredential`, and the same request without the credential succeeds with the same identity",
        _succeeds_as_well,
        ANSWERED + ", and so it does where no credential is sent.",
        about_unproven,
    ),
    Row(
        "control",
        Reason.PROOF_PENDING,
        "the test has `proveCredential`, and the same request without the credential got no answer, or one of the"
        " statuses 408, 425, 429, 502, 503 and 504",
        lambda facts: facts.is_to_be_proven and _tells_nothing(facts),
        ANSWERED + "; whether it does so without a credential, too, could not be found out.",
    ),
    Row(
        "identity",
        Reason.CONNECTED,
        "the status is as expected, every rule holds, and the identity was found",
        lambda _: True,
        "Connected to {host}{identity}.",
    ),
)
"""The status is as expected. The last row always matches."""

TABLE: Final[Sequence[Row]] = (
    *BEFORE_AN_ANSWER,
    *RECOGNISED,
    *SECRET_FORMS,
    *TOKEN,
    *REFUSALS,
    *STATUSES,
    *BODIES,
)
"""Every row, in order. The `failures[]` of a test, or of the auth method for a token URL, go before all that is told of
the answer, but for what explains why credentials were rejected, where they only say that they were."""

AT_TOKEN_URL: Final[Sequence[Row]] = (*SECRET_FORMS, *TOKEN)
"""Rows for what a token URL has answered."""
AT_TEST: Final[Sequence[Row]] = (*RECOGNISED, *SECRET_FORMS, *REFUSALS, *STATUSES, *BODIES)
"""Rows for what a test's request was answered."""
EXPLAINS_A_REJECTION: Final[Sequence[Row]] = (*SECRET_FORMS, _NOTHING_WAS_SENT, _SKEWED)
"""Rows that say why credentials were rejected, where a failure rule only says that they were."""
EXPLAINS_A_REJECTED_CLIENT: Final[Sequence[Row]] = SECRET_FORMS
"""The same of what a token URL has answered."""
