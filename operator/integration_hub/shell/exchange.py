"""What may be shown of a request and its answer to a person: masked and bounded before anybody gets hold of it.

Three nets. What the auth method has added to a request is masked whole, whatever it is. Values that are known to be
secret are masked wherever they stand, in every form that the masker knows. What is left is masked by its name and its
shape. Bodies are shown only where somebody asks for them, and those of token requests never.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from integration_hub.config.plain_text import clean, one_line
from integration_hub.config.redaction import (
    MASK,
    MIN_SECRET,
    is_sensitive_name,
    redact_headers,
    redact_text,
    redact_value,
)
from integration_hub.config.violation import joined
from integration_hub.model.http import HttpRequest, HttpResponse, Outcome
from integration_hub.model.instance import IntegrationInstance

LONG_SECRET = 8
"""Characters from which on a secret within a longer text is no accident."""
MAX_BODY = 2048
"""Bytes of a body that are shown."""
MAX_HEADERS = 50


@dataclass(frozen=True, slots=True)
class ShownBody:
    """A body, or how large it is. `text` is None for what is no text."""

    text: str | None
    size: int
    """Bytes of the whole body."""
    cut: bool = False
    """Whether the text is only its beginning."""


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """A request, and what was answered. `status` is None where nothing was."""

    purpose: str
    method: str
    url: str
    headers: Mapping[str, str]
    seconds: float
    was_sent: bool
    """Whether there was a connection to send it on."""
    body: ShownBody | None = None
    status: int | None = None
    answer_headers: Mapping[str, str] | None = None
    answer_body: ShownBody | None = None


def secrets_of(
    data: Mapping[str, bytes], *, used: Collection[str], public: Collection[str]
) -> frozenset[str]:
    """Return the values of a Secret as the masker wants them: each as it is, and without what stands around it.

    A service account's Secret holds its namespace beside the token. What is `public` is left out so that addresses stay
    readable; what the auth method has `used` never is.
    """
    values = {value.decode("utf-8", "replace") for value in data.values()}
    hidden = {value for value in values if value.strip() not in {text.strip() for text in public}} | set(used)
    return frozenset(form for value in hidden for form in (value, value.strip()) if form)


def public_texts(instance: IntegrationInstance) -> frozenset[str]:
    """Return what everybody may read who reads the manifest.

    A text under the name of a secret is none of it: that may have got there by mistake.
    """
    metadata = instance.metadata
    return frozenset({metadata.namespace, metadata.name, *_public(instance.spec.config)})


def _public(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for name, below in value.items():
                if not is_sensitive_name(str(name)):
                    yield from _public(below)
        case list():
            for below in value:
                yield from _public(below)


def exposed(value: object, secrets: Collection[str], path: str) -> Iterator[str]:
    """Yield the paths at which a secret stands in clear. A short one may stand within a word by chance."""
    match value:
        case str():
            known = [secret.strip() for secret in secrets if len(secret.strip()) >= MIN_SECRET]
            if any(
                secret == value.strip() or (len(secret) >= LONG_SECRET and secret in value)
                for secret in known
            ):
                yield path
        case Mapping():
            for name, below in value.items():
                yield from exposed(below, secrets, joined(path, str(name)))
        case list():
            for index, below in enumerate(value):
                yield from exposed(below, secrets, joined(path, index))


def secrets_in(planned: HttpRequest, sent: HttpRequest, outcome: Outcome) -> frozenset[str]:
    """Return the values that an exchange has made secret: what authenticated it, and tokens that it has brought."""
    found = {value for name, value in sent.headers.items() if planned.headers.get(name) != value}
    found |= {value for pair in sent.query if pair not in planned.query for value in pair[1:]}
    if sent.purpose == "token" and outcome.response is not None:
        found |= set(_sensitive(_json(outcome.response.body)))
    # 'Bearer x', 'name=x; other=y': the parts are as secret as the whole.
    parts = {part for value in found for piece in value.split(";") for part in _halves(piece.strip())}
    return frozenset(filter(None, found | parts))


def shown(
    planned: HttpRequest, sent: HttpRequest, outcome: Outcome, secrets: Collection[str], *, bodies: bool
) -> ShownExchange:
    """Return what may be shown of an exchange. `planned` is the test's request as it was before authentication."""
    is_test = sent.purpose != "token"
    response = outcome.response
    return ShownExchange(
        purpose=sent.purpose,
        method=sent.method,
        url=_url(planned, sent, secrets),
        headers=_request_headers(planned, sent, secrets),
        seconds=outcome.seconds,
        was_sent=response is not None or outcome.transport.request is not None,
        body=shown_body(sent.body, secrets) if bodies and is_test and sent.body == planned.body else None,
        status=response.status if response else None,
        answer_headers=_headers(response.headers, secrets) if response else None,
        answer_body=_answer_body(response, secrets) if bodies and is_test and response else None,
    )


def shown_body(body: bytes | None, secrets: Collection[str]) -> ShownBody | None:
    """Return the beginning of a body, masked; None where there is none."""
    if not body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ShownBody(None, len(body))
    if "\0" in text:
        return ShownBody(None, len(body))
    value = _json(body)
    if isinstance(value, dict | list):
        text = json.dumps(redact_value(value, secrets), indent=2, ensure_ascii=False)
    # Masked as a whole and then cut: half a secret would no longer be known as one.
    masked = clean(redact_text(text, secrets)).encode()
    return ShownBody(masked[:MAX_BODY].decode(errors="ignore"), len(body), cut=len(masked) > MAX_BODY)


def _answer_body(response: HttpResponse, secrets: Collection[str]) -> ShownBody:
    return shown_body(response.body, secrets) or ShownBody("", 0)


def _url(planned: HttpRequest, sent: HttpRequest, secrets: Collection[str]) -> str:
    query = "&".join(
        f"{quote(name)}={_query_value(planned, sent, pair, secrets)}"
        for pair in sent.query
        for name in pair[:1]
    )
    address = redact_text(sent.url, secrets)
    return one_line(f"{address}{'&' if '?' in address else '?'}{query}" if query else address)


def _query_value(
    planned: HttpRequest, sent: HttpRequest, pair: tuple[str, str], secrets: Collection[str]
) -> str:
    name, value = pair
    if sent.purpose == "token" or pair not in planned.query or is_sensitive_name(name):
        return MASK
    return quote(redact_text(value, secrets), safe="*")


def _request_headers(planned: HttpRequest, sent: HttpRequest, secrets: Collection[str]) -> Mapping[str, str]:
    added = {name: MASK for name, value in sent.headers.items() if planned.headers.get(name) != value}
    return _headers({**sent.headers, **added}, secrets)


def _headers(headers: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    masked = redact_headers(dict(list(headers.items())[:MAX_HEADERS]), secrets)
    return {one_line(redact_text(name, secrets)): one_line(value) for name, value in masked.items()}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _sensitive(value: Any) -> Iterator[str]:
    """Yield the texts of a token's answer that stand under a name of a secret."""
    if isinstance(value, dict):
        for name, below in value.items():
            if isinstance(below, str) and is_sensitive_name(name):
                yield below


def _halves(text: str) -> tuple[str, ...]:
    """Return what may be secret of 'Bearer x' and of 'name=x'."""
    _, _, after_word = text.partition(" ")
    _, _, after_name = text.partition("=")
    return after_word.strip(), after_name.strip()
