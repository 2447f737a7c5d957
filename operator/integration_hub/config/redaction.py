"""The only masker: everything that leaves the operator as text (log, Event, status, error) goes through it.

Two nets, one behind the other. Values that are known to be secret while they are in use are masked
wherever they stand, also in their encoded forms. What is not known is caught by its shape: credentials
in headers, URLs and 'password=...' pairs, JWTs, private keys, and tokens that carry their vendor's
mark.

Names are not values: 'secretRef: salesforce-token', 'token_url' or "Secret 'salesforce-token' was not found" stay
readable, for they are what a person needs to repair things. `is_sensitive_name` draws that line, by a name's last word.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"

MIN_SECRET: Final = 4
"""Shorter known values are not looked for: masking 'on' or 'key' everywhere would only destroy the text."""

MAX_DEPTH: Final = 20
"""How deep `redact_value` follows data before it masks the rest, which also ends data that holds itself."""


def redact_text(text: str, secrets: Collection[str] = ()) -> str:
    """Return the text with secrets masked. Never raises; doing it twice changes nothing more.

    `secrets` are values known to be secret. They are masked as they are, percent-encoded, JSON-escaped, and
    in base64 at any position (as in 'Basic ' + base64(user:value)).
    """
    return _redact(text, secret_forms(secrets))


def _redact(text: str, forms: tuple[str, ...]) -> str:
    if not forms and _HINT.search(text) is None:
        return text
    before = None
    while before != text:  # to the end: what one rule leaves can be what another looks for
        before = text
        for form in forms:
            text = text.replace(form, MASK)
        if _HINT.search(text) is not None:
            text = _by_shape(text)
    return text


def redact_headers(headers: Mapping[str, str], secrets: Collection[str] = ()) -> dict[str, str]:
    """Return the headers with the values of sensitive ones masked whole, and secrets masked in the others.

    Stricter than `is_sensitive_name`: any name that contains a word like 'token' or 'key' counts, because a
    header's value is rarely something that a person needs to read.
    """
    return {
        name: MASK if _SENSITIVE_HEADER.search(name) else redact_text(value, secrets)
        for name, value in headers.items()
    }


def redact_value(value: Any, secrets: Collection[str] = ()) -> Any:
    """Return a copy of the data with secrets masked: in texts, and whatever stands under a sensitive name.

    Numbers, booleans and None outside of sensitive names stay; objects of other types, exceptions among them,
    become redacted text. The `data` of a Kubernetes Secret is masked whole.
    """
    return _value(value, secret_forms(secrets), depth=0, sensitive=False)


# -- Names -----------------------------------------------------------------------------------------

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_SENSITIVE_WORDS: Final = frozenset(
    {
        "accesskey", "apikey", "assertion", "authorization", "authtoken", "clientsecret", "cookie",
        "cookies", "credential", "credentials", "jwt", "pass", "passphrase", "passwd", "password",
        "passwords", "pat", "privatekey", "pwd", "secret", "secretkey", "secrets", "token", "tokens",
    }
)  # fmt: skip
_SENSITIVE_PAIRS: Final = frozenset(
    {
        "access-key", "account-key", "api-key", "api-keys", "app-key", "application-key", "auth-code",
        "auth-key", "authorization-code", "code-verifier", "connection-string", "device-code",
        "encryption-key", "integration-key", "license-key", "master-key", "private-key", "routing-key",
        "secret-key", "session-id", "session-key", "shared-key", "signing-key", "storage-key",
        "subscription-key", "webhook-url",
    }
)  # fmt: skip
_EMPTY_WORDS: Final = frozenset(
    {"b64", "base", "base64", "current", "hash", "new", "old", "previous", "string", "value", "values"}
)
"""Words at the end of a name that do not change what it is a name of: 'passwordValue', 'token_2'."""


@lru_cache(maxsize=4096)
def is_sensitive_name(name: str) -> bool:
    """Return whether a field of that name holds a secret, as 'clientSecret' or 'X-API-Key' do.

    The last word decides: 'secretRef', 'secret_name', 'tokenURL', 'token_type', 'passwordKey' and
    'tokenExpiresAt' tell about a secret and are not one.
    """
    words = [word.lower() for word in _WORDS.findall(name[-100:])]
    while len(words) > 1 and (words[-1] in _EMPTY_WORDS or words[-1].isdigit()):
        words.pop()
    return bool(words) and (words[-1] in _SENSITIVE_WORDS or "-".join(words[-2:]) in _SENSITIVE_PAIRS)


_SENSITIVE_HEADER: Final = re.compile(
    r"auth|cookie|token|secret|passw|key|credential|signature|session|jwt|assertion", re.IGNORECASE
)

# -- Known values ----------------------------------------------------------------------------------


class SecretForms(tuple[str, ...]):
    """All forms of some secrets, worked out once for many texts. It is as secret as they are: drop it with them."""

    __slots__ = ()


def secret_forms(secrets: Collection[str]) -> SecretForms:
    """Return all forms of the secrets, the longest first so that none is left as the rest of another.

    They are not cached, nor is a regular expression made of them (`re` keeps hundreds): secrets should not stay in
    memory after their use.
    """
    if isinstance(secrets, SecretForms):
        return secrets
    forms = {
        form
        for secret in secrets
        if isinstance(secret, str)
        for form in _forms(secret)
        if len(form) >= MIN_SECRET and form.strip("*")
    }
    return SecretForms(sorted(forms, key=lambda form: (-len(form), form)))


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < MIN_SECRET:
        return
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    if secret.strip() != secret:
        yield secret.strip()
    for encoded in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), encoded)
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield from _base64_forms(data)


def _base64_forms(data: bytes) -> Iterator[str]:
    """Yield what base64 has of the data wherever it begins in a longer text, as in base64('user:' + data).

    Three bytes become four characters, so there are three alignments; of each, the characters that neighbours
    decide too are left out.
    """
    for skipped in range(3):
        encoded = base64.b64encode(b"\0" * skipped + data).decode("ascii").rstrip("=")
        first = -(-skipped * 8 // 6)
        last = (skipped + len(data)) * 8 // 6
        inner = encoded[first:last]
        if len(inner) >= _MIN_INNER:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
    yield base64.b64encode(data).decode("ascii")


_MIN_INNER = 6

# -- Shapes ----------------------------------------------------------------------------------------

_HINT: Final = re.compile(
    r"[=@]|eyJ|-----BEGIN|bearer|basic|token|secret|passw|pwd|passphrase|key|credential|authorization|cookie|ssws|jwt"
    r"|pat\b|assertion|session|code|webhook|gh[pousr]_|xox|sk[-_]|rk[-_]|SG\.|AKIA|AIza",
    re.IGNORECASE,
)
"""Texts without any of these cannot match a shape: the cheap way out for the common short text."""

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----.*?(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*){0,3}"
)
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#\"'<>]+(?=@)")
_SCHEME_VALUE: Final = re.compile(
    r"(?<![\w-])(?P<scheme>bearer|basic|ssws|token|apikey|negotiate|dpop)"
    r"(?P<gap>[ \t]+)(?P<value>[A-Za-z0-9._~+/-]{6,}={0,2})(?![\w=:])",
    re.IGNORECASE,
)
_VENDOR: Final = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{20,}|glpat-[\w-]{16,}|shp[a-z]{2}_[A-Fa-f0-9]{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}|ntn_[A-Za-z0-9]{20,}|pat-[a-z0-9]{2,4}-[a-f0-9-]{30,})"
)


def _by_shape(text: str) -> str:
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _USERINFO.sub(MASK, text)
    text = _JWT.sub(MASK, text)
    text = _VENDOR.sub(MASK, text)
    text = _pairs(text)
    return _SCHEME_VALUE.sub(_scheme_masked, text)


def _scheme_masked(match: re.Match[str]) -> str:
    """Mask 'Basic dXNlcjp4' and leave 'Basic authentication' and 'token salesforce-prod'."""
    if re.fullmatch(r"[A-Z]?[a-z]+([.:-]*[a-z]*)*", match["value"]) and len(match["value"]) < _LONG:
        return match.group()
    return f"{match['scheme']}{match['gap']}{MASK}"


_LONG = 32

_NAME: Final = re.compile(
    r"(?<![\w.$-])(?P<name>[A-Za-z_$][\w.$-]{0,99})(?P<close>\\{0,4}[\"'])?"
    r"(?P<delimiter>[ \t]{0,3}(?:=|:(?!//))[ \t]{0,3})"
)
_QUOTED: Final = re.compile(
    r"b?(?P<quote>\\{0,4}[\"'])(?P<value>.*?)(?P<end>(?<!\\)(?P=quote)|\Z)", re.DOTALL
)
_BARE: Final = re.compile(r"(?P<value>[^\s,;&\"'<>(){}\[\]]+)")
_TO_LINE_END: Final = re.compile(r"(?P<value>[^\r\n\"']+)")

_WHOLE_LINE: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Headers whose value has spaces: masked to the end of the line."""

_IN_QUERY: Final = frozenset(
    {"key", "code", "sig", "signature", "auth", "hmac", "x-amz-signature", "x-goog-signature"}
)
"""Parameters that are secret in a URL's query and mean anything elsewhere."""

_PROSE: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "can",
        "cannot",
        "contains",
        "does",
        "expected",
        "expired",
        "for",
        "found",
        "from",
        "has",
        "have",
        "in",
        "invalid",
        "is",
        "it",
        "key",
        "may",
        "missing",
        "must",
        "names",
        "needs",
        "no",
        "not",
        "of",
        "on",
        "one",
        "only",
        "or",
        "required",
        "should",
        "the",
        "this",
        "to",
        "unknown",
        "value",
        "was",
        "will",
        "with",
    ]
)
"""First words of a message after a name, as in 'spec.config.token: is required'."""


def _pairs(text: str) -> str:
    """Mask values after sensitive names: 'name=value', 'name: value' (YAML, JSON, headers, queries)."""
    done: list[str] = []
    at = 0
    search_from = 0
    while (match := _NAME.search(text, search_from)) is not None:
        search_from = match.end()
        span = _value_span(text, match)
        if span is None:
            continue
        start, end = span
        done += (text[at:start], MASK)
        at = search_from = end
    return "".join((*done, text[at:])) if done else text


def _value_span(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the value to mask stands; None when the name is not sensitive or no value follows."""
    name = match["name"].lower()
    in_query = name in _IN_QUERY and text[match.start() - 1 : match.start()] in {"?", "&"}
    if not in_query and not is_sensitive_name(match["name"]):
        return None
    shape = _QUOTED if _QUOTED.match(text, match.end()) else _TO_LINE_END if name in _WHOLE_LINE else _BARE
    found = shape.match(text, match.end())
    if (
        found is None
        or found["value"] in {"", MASK}
        or (shape is not _QUOTED and _is_no_value(match, found["value"]))
    ):
        return None
    return found.span("value")


def _is_no_value(name: re.Match[str], value: str) -> bool:
    """Return whether 'name: word' is a sentence about a name, or 'secret=word' names a Kubernetes Secret."""
    word = value.split(" ", 1)[0].rstrip(".,:")
    match name["close"], name["delimiter"].strip():
        case None, ":":
            about_name = word.isalpha() and (_is_object_name(name["name"]) or "." in name["name"])
            return name["delimiter"] != ":" and (word in _PROSE or about_name)
        case None, "=":
            return _names_secret(name["name"], word)
        case _:
            return False


def _names_secret(name: str, value: str) -> bool:
    """Return whether the value of exactly 'secret' is a Kubernetes Secret's name, as in our log lines."""
    return name.lower() == "secret" and _is_object_name(value)


_OBJECT_NAME: Final = re.compile(
    r"(?:[a-z][a-z0-9-]{0,62}/)?[a-z]{2,}(?:[-.](?:[a-z]{2,}|[0-9]{1,2}))+", re.ASCII
)


def _is_object_name(text: str) -> bool:
    """Return whether the text reads like the name of an object: words with '-', perhaps a small number."""
    return _OBJECT_NAME.fullmatch(text) is not None and not text.startswith("x-")


# -- Data ------------------------------------------------------------------------------------------

_REFERENCES: Final = frozenset({"name", "namespace", "key", "kind", "apiVersion", "type", "id", "optional"})
"""Fields of a group under a sensitive name ('secret: {name: ...}') that tell which secret it is."""


def _value(value: Any, forms: tuple[str, ...], *, depth: int, sensitive: bool) -> Any:
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth > MAX_DEPTH:
            return MASK
        if isinstance(value, Mapping):
            return _mapping(value, forms, depth=depth, sensitive=sensitive)
        entries = [_value(entry, forms, depth=depth + 1, sensitive=sensitive) for entry in value]
        return tuple(entries) if isinstance(value, tuple) else entries
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (bytes, bytearray)):
        text = value.decode("utf-8", "surrogateescape")
        return _text(text, forms, sensitive=sensitive).encode("utf-8", "surrogateescape")
    text = _text(_as_text(value), forms, sensitive=sensitive)
    return value if isinstance(value, (int, float)) and text == str(value) else text


def _text(text: str, forms: tuple[str, ...], *, sensitive: bool) -> str:
    return MASK if sensitive and text else _redact(text, forms)


def _mapping(
    value: Mapping[Any, Any], forms: tuple[str, ...], *, depth: int, sensitive: bool
) -> dict[Any, Any]:
    is_secret = value.get("kind") == "Secret"
    redacted: dict[Any, Any] = {}
    for key, entry in value.items():
        name = key if isinstance(key, str) else ""
        whole = is_secret and name in {"data", "stringData"}
        named = isinstance(entry, str) and _names_secret(name, entry)
        below = whole or (is_sensitive_name(name) and not named) or (sensitive and name not in _REFERENCES)
        redacted[_redact(key, forms) if isinstance(key, str) else key] = _value(
            entry, forms, depth=depth + 1, sensitive=below
        )
    return redacted


def _as_text(value: object) -> str:
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception:  # noqa: BLE001 - an object that cannot be shown must not end the logging of it
        return f"<{type(value).__name__} that cannot be shown>"
