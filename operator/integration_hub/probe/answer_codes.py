"""What the words of an error answer mean: where systems put their error codes, and which of these say the same.

Answers are JSON, or the XML of S3 and its like, which is read as if it were.
Codes are compared without case and punctuation, so 'INVALID_SESSION_ID', 'invalidSessionId' and 'Invalid session id'
are one. None of these words is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Place = tuple[str | int, ...]

CODE_PLACES: Final[Sequence[Place]] = (
    ("error", "code"),
    ("errors", 0, "extensions", "code"),
    ("errors", 0, "code"),
    ("errors", 0, "errorCode"),
    ("errors", 0, "reason"),
    (0, "errorCode"),
    (0, "code"),
    ("error", "errors", 0, "reason"),
    ("error", "details", 0, "reason"),
    ("error", "status"),
    ("error", "reason"),
    ("error", "type"),
    ("error_codes", 0),
    ("error",),
    ("errorCode",),
    ("error_code",),
    ("error_summary",),
    ("errcode",),
    ("code",),
    ("Code",),
    ("__type",),
    ("fault", "detail", "errorcode"),
    ("fault", "error", 0, "code"),
    ("category",),
    ("Error", "Code"),
    ("reason",),
)
"""Ordered by how much a code there tells: the first one is shown."""

_WORD_PLACES: Final[Sequence[Place]] = (
    ("message",),
    ("msg",),
    ("error_description",),
    ("error", "message"),
    ("errors", 0, "message"),
    (0, "message"),
    ("detail",),
    ("errorMessage",),
    ("error",),
    ("title",),
    ("Error", "Message"),
)
_MAX_WORDS: Final = 1000

_MAX_XML: Final = 10_000
"""Bytes of an XML answer that are looked at: its error stands at the beginning."""
_XML_ERROR: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml\b[^<>]{0,200}\?>\s*)?<(?:Error|ErrorResponse|Response)\b[^<>]{0,500}>"
)
"""The beginnings that S3 and its like have, and the other APIs of AWS that speak XML."""
_XML_FIELD: Final = re.compile(rb"<(Code|Message)>([^<>]{1,1000})</\1>")


def _same(*codes: str) -> frozenset[str]:
    return frozenset(normalised(code) for code in codes)


def normalised(code: str) -> str:
    """Return a code without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", code[:200].lower())


EXPIRED: Final = _same(
    "token_expired", "expired_token", "access_token_expired", "expired_access_token", "expired_auth_token",
    "session_expired", "credentials_expired", "credential_expired", "password_expired", "expired_password",
    "api_key_expired", "expired_api_key", "jwt_expired", "refresh_token_expired", "ExpiredAuthenticationToken",
    "AuthenticationTokenExpired", "EXPIRED_AUTHENTICATION", "expired", "token_revoked", "revoked_token",
    "access_token_revoked", "api_key_revoked", "revoked",
)  # fmt: skip
"""Recognised, and no longer valid."""

REJECTED: Final = _same(
    "unauthorized", "unauthenticated", "not_authenticated", "invalid_auth", "not_authed", "invalid_token",
    "invalid_access_token", "bad_credentials", "invalid_credentials", "invalid_api_key", "api_key_invalid",
    "invalid_key", "authentication_failed", "authentication_error", "authentication_required", "auth_error",
    "INVALID_SESSION_ID", "InvalidAuthenticationToken", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "invalid_signature", "login_failed", "invalid_login", "InvalidClientTokenId", "InvalidSecurity", "AuthFailure",
    "UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationToken", "INVALID_AUTHENTICATION",
)  # fmt: skip

CLOCK: Final = _same("RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired")
"""The time of a signed request and the other side's are too far apart."""

LOCKED: Final = _same(
    "account_inactive", "account_locked", "account_suspended", "account_disabled", "user_inactive", "user_locked",
    "user_locked_out", "user_suspended", "user_disabled", "user_deactivated", "org_locked", "org_suspended",
    "tenant_suspended", "inactive_user", "locked_account",
)  # fmt: skip

SCOPE: Final = _same(
    "insufficient_scope", "missing_scope", "insufficient_scopes", "missing_scopes", "insufficientPermissions",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "no_scope", "invalid_scopes", "oauth_scope_missing",
)  # fmt: skip

ADDRESS: Final = _same(
    "ip_not_allowed", "ip_address_not_allowed", "ip_blocked", "ip_address_blocked", "ip_restricted", "restricted_ip",
    "ip_not_whitelisted", "ip_not_allowlisted", "ip_denied", "ip_address_forbidden", "client_ip_not_allowed",
    "ip_refused", "LOGIN_IP_RESTRICTED", "access_from_ip_denied",
)  # fmt: skip

QUOTA: Final = _same(
    "quota_exceeded", "daily_limit_exceeded", "rate_limit_exceeded", "user_rate_limit_exceeded",
    "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "limit_exceeded", "api_limit_exceeded", "rate_limited",
    "ratelimited", "rate_limit", "throttled", "throttling", "ThrottlingException", "too_many_requests",
    "over_query_limit", "insufficient_quota",
)  # fmt: skip

PERMISSION: Final = _same(
    "permission_denied", "forbidden", "access_denied", "insufficient_access", "insufficient_privileges",
    "no_permission", "not_allowed", "INSUFFICIENT_ACCESS_OR_READONLY", "not_permitted",
)  # fmt: skip

REGION: Final = _same(
    "wrong_region", "invalid_region", "incorrect_region", "region_mismatch", "wrong_datacenter", "wrong_data_center",
    "wrong_dc", "datacenter_mismatch", "PermanentRedirect", "IllegalLocationConstraintException",
    "AuthorizationHeaderMalformed",
)  # fmt: skip

_EXPIRED_WORDS: Final = re.compile(r"\b(expired|revoked)\b")
_UNDECIDED_WORDS: Final = re.compile(r"\b(invalid|incorrect|wrong|missing|malformed|not found|unknown|bad)\b")
_ADDRESS_WORDS: Final = re.compile(
    r"\bip\b.{0,80}\b(allowed|allow-?list|white-?list|whitelisted|permitted|blocked|restrict|restricted|denied)"
)
_QUOTA_WORDS: Final = re.compile(r"\b(quota|rate limit|limit exceeded|too many requests)\b")


def xml_error(body: bytes) -> Mapping[str, Any] | None:
    """Return an error that is told in XML as a document of the same fields, like {"Error": {"Code": "AccessDenied"}}.

    None where the answer is anything else. No XML is parsed: what has entities, or fields within fields, tells nothing.
    """
    beginning = body[:_MAX_XML]
    if _XML_ERROR.match(beginning) is None:
        return None
    fields = {
        name.decode(): value.decode("utf-8", "replace").strip()
        for name, value in _XML_FIELD.findall(beginning)
    }
    return {"Error": fields}


def codes_in(document: Any) -> Iterator[str]:
    """Yield every error code in a JSON document, those first that tell most."""
    for place in CODE_PLACES:
        value = at(document, place)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)[:200]


def words_in(document: Any) -> str:
    """Return the sentences that an error answer says to people, in lower case."""
    values = (at(document, place) for place in _WORD_PLACES)
    return " / ".join(value[:_MAX_WORDS].lower() for value in values if isinstance(value, str))


def says_expired(words: str) -> bool:
    """Tell whether a sentence says that credentials are over; 'invalid or expired' says nothing."""
    return bool(_EXPIRED_WORDS.search(words)) and not _UNDECIDED_WORDS.search(words)


def says_address_blocked(words: str) -> bool:
    """Tell whether a sentence says that our address may not ask."""
    return _ADDRESS_WORDS.search(words) is not None


def says_quota(words: str) -> bool:
    """Tell whether a sentence says that too much was asked."""
    return _QUOTA_WORDS.search(words) is not None


def at(document: Any, place: Place) -> Any:
    """Return the value at a place of a JSON document, None where there is none."""
    for step in place:
        if isinstance(step, str):
            document = document.get(step) if isinstance(document, Mapping) else None
        else:
            document = document[step] if isinstance(document, list) and step < len(document) else None
    return document
