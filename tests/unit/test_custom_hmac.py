"""Signing as a definition describes: the documented recipes by published examples and openssl, and each refusal."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.custom.placeholders import Placeholder, filled, placeholders_in
from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.templates import render_settings, template_violations
from integration_hub.config.templates import TemplateError
from integration_hub.model.http import HttpRequest
from support.auth import CONTEXT

CUSTOM = METHODS["custom"]
DOCS = (Path(__file__).parents[2] / "docs" / "auth-methods.md").read_text(encoding="utf-8")
BASE64_KEY = base64.b64encode(b"a key of 16 byte").decode()


def documented(header: str) -> dict[str, Any]:
    """Return the settings of the documentation's example that sets this header."""
    (found,) = (
        settings
        for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
        for example in yaml.safe_load_all(block)
        for settings in [example.get("settings", {})]
        if header in {entry["name"] for entry in settings.get("hmac", {}).get("headers", [])}
    )
    return dict(found)


def sent(
    settings: dict[str, Any], values: dict[str, str], asked: HttpRequest, context: AuthContext = CONTEXT
) -> HttpRequest:
    assert settings_violations("custom", settings) == []
    credentials = Credentials(values)
    assert {key.name for key in CUSTOM.secret_keys(settings)} == set(values)
    assert CUSTOM.credential_problem(settings, credentials) is None
    (request,) = CUSTOM.flow(settings, credentials, asked, context)
    return request


def openssl(message: bytes, key: bytes, algorithm: str = "sha256") -> bytes:
    """Return the HMAC that openssl makes: nothing of it is Python's."""
    command = [
        "openssl",
        "dgst",
        f"-{algorithm}",
        "-mac",
        "HMAC",
        "-macopt",
        f"hexkey:{key.hex()}",
        "-binary",
    ]
    return subprocess.run(command, input=message, capture_output=True, check=True, timeout=30).stdout


class TestDocumentedRecipes:
    def test_github_by_its_own_example(self) -> None:
        # "Validating webhook deliveries", GitHub Docs: secret, payload and signature.
        asked = HttpRequest("POST", "https://h.example/", body=b"Hello, World!")
        request = sent(
            documented("X-Hub-Signature-256"), {"webhookSecret": "It's a Secret to Everybody"}, asked
        )
        assert request.headers["X-Hub-Signature-256"] == (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        )

    def test_duo_by_its_own_example(self) -> None:
        # "Authentication", Duo Accounts API: keys, request and signature. It has its parameters in a body.
        settings = documented("Date")
        settings["hmac"]["parts"][-1] = "{body}"
        keys = {"ikey": "DIWJ8X6AEYOR5OMC6TQ1", "skey": "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"}
        asked = HttpRequest(
            "POST", "https://api-XXXXXXXX.duosecurity.com/accounts/v1/account/list",
            body=b"realname=First%20Last&username=root",
        )  # fmt: skip
        request = sent(settings, keys, asked, AuthContext(now=datetime(2012, 8, 21, 17, 29, 18, tzinfo=UTC)))
        assert request.headers["Date"] == "Tue, 21 Aug 2012 17:29:18 -0000"
        scheme, _, value = request.headers["Authorization"].partition(" ")
        assert (scheme, base64.b64decode(value)) == (
            "Basic",
            b"DIWJ8X6AEYOR5OMC6TQ1:2d97d6166319781b5a3a07af39d366f491234edc",
        )

    def test_duo_with_parameters_in_the_query(self) -> None:
        asked = HttpRequest(
            "GET", "https://h.example/x", query=(("username", "root"), ("realname", "First Last"))
        )
        request = sent(documented("Date"), {"ikey": "i", "skey": "s"}, asked)
        text = b"Sun, 22 Nov 2026 12:00:00 -0000\nGET\nh.example\n/x\nrealname=First%20Last&username=root"
        shown = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
        assert shown == b"i:" + openssl(text, b"s", "sha1").hex().encode()

    def test_coinbase_by_openssl(self) -> None:
        values = {"keyId": "id", "signingKey": BASE64_KEY, "passphrase": "pass phrase"}
        asked = HttpRequest("post", "https://h.example/orders", query=(("a", "1"),), body=b'{"size":1}')
        request = sent(documented("CB-ACCESS-SIGN"), values, asked)
        expected = openssl(b'1795348800POST/orders?a=1{"size":1}', b"a key of 16 byte")
        assert {name: value for name, value in request.headers.items() if name.startswith("CB-")} == {
            "CB-ACCESS-KEY": "id",
            "CB-ACCESS-SIGN": base64.b64encode(expected).decode(),
            "CB-ACCESS-TIMESTAMP": "1795348800",
            "CB-ACCESS-PASSPHRASE": "pass phrase",
        }

    def test_azure_by_openssl(self) -> None:
        asked = HttpRequest(
            "GET", "https://my.azconfig.io/kv", query=(("api-version", "1.0"), ("key", "a/b"))
        )
        request = sent(documented("x-ms-date"), {"keyId": "id", "signingKey": BASE64_KEY}, asked)
        empty = base64.b64encode(hashlib.sha256().digest()).decode()
        date = "Sun, 22 Nov 2026 12:00:00 GMT"
        text = f"GET\n/kv?api-version=1.0&key=a%2Fb\n{date};my.azconfig.io;{empty}"
        signature = base64.b64encode(openssl(text.encode(), b"a key of 16 byte")).decode()
        assert request.headers == {
            "x-ms-date": date,
            "x-ms-content-sha256": empty,
            "Authorization": "HMAC-SHA256 Credential=id&SignedHeaders=x-ms-date;host;x-ms-content-sha256"
            f"&Signature={signature}",
        }


def hmac(parts: list[str], value: str = "{signature}", **settings: Any) -> dict[str, Any]:
    return {"hmac": {"parts": parts, "headers": [{"name": "X-Sig", "value": value}], **settings}}


ASKED = HttpRequest(
    "get",
    "https://h.example:8443/a b/c",
    {"Content-Type": "text/plain"},
    (("b", "2"), ("a", "~/")),
    b"\x00\xff",
)
PLACES = [
    ("{method}", b"GET"),
    ("{scheme}", b"https"),
    ("{host}", b"h.example:8443"),
    ("{path}", b"/a%20b/c"),
    ("{query}", b"a=~%2F&b=2"),
    ("{rawQuery}", b"b=2&a=~%2F"),
    ("{pathAndQuery}", b"/a%20b/c?b=2&a=~%2F"),
    ("{body}", b"\x00\xff"),
    ("{header:content-type}", b"text/plain"),
    ("{header:X-Absent}", b""),
    ("{timestamp}", b"1795348800"),
    ("{bodyHash}", hashlib.sha256(b"\x00\xff").hexdigest().encode()),
    ('{"json": {"a": {}}} {} { method }', b'{"json": {"a": {}}} {} { method }'),
    ("\u00e4", "\u00e4".encode()),
]


@pytest.mark.parametrize(("part", "expected"), PLACES)
def test_every_place_is_filled_in_as_it_is_sent(part: str, expected: bytes) -> None:
    request = sent(hmac([part, "{scheme}"], separator="|"), {"signingKey": "k"}, ASKED)
    assert request.headers["X-Sig"] == openssl(expected + b"|https", b"k").hex()


TIMESTAMPS = [
    ("unix", "1795348800"),
    ("unixMillis", "1795348800000"),
    ("iso8601", "2026-11-22T12:00:00Z"),
    ("iso8601Millis", "2026-11-22T12:00:00.000Z"),
    ("iso8601Basic", "20261122T120000Z"),
    ("rfc7231", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ("rfc2822", "Sun, 22 Nov 2026 12:00:00 -0000"),
]


@pytest.mark.parametrize(("format_", "expected"), TIMESTAMPS)
def test_the_time_is_written_as_the_definition_says(format_: str, expected: str) -> None:
    settings = hmac(["{timestamp}"], value="{timestamp} {signature}", timestampFormat=format_)
    signature = openssl(expected.encode(), b"k").hex()
    assert sent(settings, {"signingKey": "k"}, ASKED).headers["X-Sig"] == f"{expected} {signature}"


NONCES = [("hex", "0102030405060708090a0b0c0d0e0f10"), ("uuid", "01020304-0506-4708-890a-0b0c0d0e0f10")]


@pytest.mark.parametrize(("format_", "expected"), NONCES)
def test_one_nonce_stands_in_every_place(format_: str, expected: str) -> None:
    settings = hmac(["{nonce}{nonce}"], value="{nonce} {signature}", nonceFormat=format_)
    signature = openssl(expected.encode() * 2, b"k").hex()
    assert sent(settings, {"signingKey": "k"}, ASKED).headers["X-Sig"] == f"{expected} {signature}"


def test_who_needs_no_nonce_needs_no_randomness() -> None:
    sent(hmac(["{body}"]), {"signingKey": "k"}, ASKED, AuthContext(now=CONTEXT.now))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "sha1"])
def test_every_algorithm_is_the_one_of_openssl(algorithm: str) -> None:
    settings = hmac(["{body}"], algorithm=algorithm)
    if algorithm == "sha1":
        settings["hmac"]["allowSha1"] = True
    request = sent(settings, {"signingKey": "k"}, ASKED)
    assert request.headers["X-Sig"] == openssl(b"\x00\xff", b"k", algorithm).hex()


KEYS = [
    ("text", "p\u00e4ss w\u00f6rd", "p\u00e4ss w\u00f6rd".encode()),
    ("base64", "+/+/AA==", b"\xfb\xff\xbf\x00"),
    ("base64url", "-_-_AA", b"\xfb\xff\xbf\x00"),
    ("base64url", "-_-_AA==", b"\xfb\xff\xbf\x00"),
    ("hex", "FBffbf00", b"\xfb\xff\xbf\x00"),
]


@pytest.mark.parametrize(("encoding", "text", "key"), KEYS)
def test_the_signing_key_is_read_as_the_definition_says(encoding: str, text: str, key: bytes) -> None:
    request = sent(hmac(["{body}"], keyEncoding=encoding), {"signingKey": text}, ASKED)
    assert request.headers["X-Sig"] == openssl(b"\x00\xff", key).hex()


SIGNATURES = [
    ("hex", lambda digest: digest.hex()),
    ("hexUpper", lambda digest: digest.hex().upper()),
    ("base64", lambda digest: base64.b64encode(digest).decode()),
    ("base64url", lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("=")),
]


@pytest.mark.parametrize(("encoding", "written"), SIGNATURES)
def test_the_signature_is_written_as_the_definition_says(encoding: str, written: Any) -> None:
    request = sent(
        hmac(["{bodyHash}"], encoding=encoding, bodyHashEncoding=encoding), {"signingKey": "k"}, ASKED
    )
    inner = written(hashlib.sha256(b"\x00\xff").digest())
    assert request.headers["X-Sig"] == written(openssl(inner.encode(), b"k"))


def test_the_configuration_fills_in_its_part_and_never_a_place() -> None:
    settings = hmac(["{{ config.tenant }}:{method}"], value="{{ config.tenant }} {signature}")
    assert settings_violations("custom", settings) == []
    assert list(template_violations(CUSTOM, settings, known=["tenant"], secret=[])) == []
    rendered = render_settings(CUSTOM, settings, {"tenant": "acme {signature"})
    credentials = Credentials({"signingKey": "k"})
    (request,) = CUSTOM.flow(rendered, credentials, ASKED, CONTEXT)
    signature = openssl(b"acme {signature:GET", b"k").hex()
    assert request.headers["X-Sig"] == f"acme {{signature {signature}"


PLACES_OF_A_CONFIGURATION = [
    ("{{ config.a }}", {"a": "{secret:signingKey}"}),
    ("{{ config.a }}", {"a": "{secret:another.key}"}),
    ("{{ config.a }}", {"a": "{{secret:another.key}}"}),
    ("{{ config.a }}", {"a": "{signature}"}),
    ("{{ config.a }}{{ config.b }}", {"a": "{sec", "b": "ret:another.key}"}),
    ("{ {{ config.a }}", {"a": "{keyId}"}),
    ("{{ config.a }}keyId}", {"a": "{"}),
]


@pytest.mark.parametrize(("text", "config"), PLACES_OF_A_CONFIGURATION)
def test_a_configuration_makes_no_place_by_which_more_of_the_secret_would_be_sent(
    text: str, config: dict[str, str]
) -> None:
    for settings in (hmac(["{body}", text]), hmac(["{body}"], value=f"{text} {{signature}}")):
        with pytest.raises(TemplateError, match=r"config\.a cannot stand here") as error:
            render_settings(CUSTOM, settings, config)
        assert error.value.field == "a"


def test_what_was_filled_in_is_never_filled_in_again() -> None:
    values = {"signingKey": "k", "keyId": "{secret:other}", "other": "{keyId}"}
    request = sent(hmac(["{secret:other}"], value="{keyId} {signature}"), values, ASKED)
    assert request.headers["X-Sig"] == "{secret:other} " + openssl(b"{keyId}", b"k").hex()


REFUSED = [
    (
        hmac(["{methd}"]),
        "parts[0]",
        "has '{methd}', which is nothing that can be filled in (did you mean 'method'?)",
    ),
    (hmac(["{signature}"]), "parts[0]", "cannot have '{signature}', which is made of the parts"),
    (hmac(["{header}"]), "parts[0]", "has '{header}', which needs a name, like '{header:Content-Type}'"),
    (hmac(["{method:x}"]), "parts[0]", "'method' takes nothing after a ':'"),
    (hmac(["{header:Host}"]), "parts[0]", "a header that is not sent as it is given; use '{host}'"),
    (hmac(["{header:user-agent}"]), "parts[0]", "a header that is not sent as it is given"),
    (
        hmac(["{body}"], value="{signature} {body}"),
        "headers[0].value",
        "cannot have '{body}' in a header",
    ),
    (hmac(["{body}\\n{method}"]), "parts[0]", r"has '\n' as two characters"),
    (hmac(["{body}"], separator="\\n"), "separator", r"has '\n' as two characters"),
    (hmac(["secret"]), "parts", "so every request has the same signature"),
    (hmac(["{body}"], value="none"), "headers", "has no '{signature}', so nothing proves who asks"),
    (hmac(["{body}"], algorithm="sha1"), "algorithm", "add 'allowSha1: true' to say that this is on purpose"),
    (hmac(["{body}"], allowSha1=True), "allowSha1", "has a meaning only with 'algorithm: sha1'"),
    (
        hmac(["{body}"], nonceFormat="hex"),
        "nonceFormat",
        "has no use: neither parts nor headers have '{nonce}'",
    ),
    (hmac(["{body}"], keyIdKey="id"), "keyIdKey", "has no use: neither parts nor headers have '{keyId}'"),
    (hmac(["{keyId}"], keyIdKey="k", secretKey="k"), "keyIdKey", "is the key of the signing key, too"),
    (
        hmac(["{secret:signingKey}"]),
        "secretKey",
        "is the signing key, which signs and never goes anywhere itself",
    ),
    (hmac(["{body}"], algorithm="md5"), "algorithm", "must be one of"),
    (hmac([]), "parts", "must not be empty"),
]


@pytest.mark.parametrize(("settings", "path", "words"), REFUSED)
def test_settings_that_cannot_be_are_told(settings: dict[str, Any], path: str, words: str) -> None:
    (violation,) = settings_violations("custom", settings)
    assert violation.path == f"settings.hmac.{path}"
    assert words in violation.message


def test_headers_are_held_to_the_rules_of_api_keys() -> None:
    headers = [
        {"name": "Host", "value": "{signature}"},
        {"name": "X-A", "value": "{signature}", "prefix": "Basic"},
        {"name": "x-a", "value": "x"},
    ]
    found = settings_violations("custom", {"hmac": {"parts": ["{body}"], "headers": headers}})
    assert {violation.path for violation in found} == {
        "settings.hmac.headers[0].name", "settings.hmac.headers[1].prefix", "settings.hmac.headers[2].name",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "values", "words"),
    [
        (
            {"keyEncoding": "base64"},
            {"signingKey": "not base64!"},
            "'signingKey' is not base64, which the definition",
        ),
        (
            {"keyEncoding": "base64url"},
            {"signingKey": "+/+/"},
            "'signingKey' is not base64 in its form for URLs",
        ),
        ({"keyEncoding": "hex"}, {"signingKey": "abc"}, "'signingKey' is not hexadecimal"),
        (
            {"value": "{keyId} {signature}"},
            {"signingKey": "k", "keyId": "\u20ac"},
            "'keyId' contains characters",
        ),
        (
            {"value": "{secret:p} {signature}"},
            {"signingKey": "k", "p": "\u20ac"},
            "'p' contains characters",
        ),
    ],
)
def test_credentials_that_cannot_be_used_are_told_without_their_value(
    settings: dict[str, Any], values: dict[str, str], words: str
) -> None:
    problem = CUSTOM.credential_problem(hmac(["{body}"], **settings), Credentials(values))
    assert problem is not None
    assert words in problem
    assert not any(value in problem for value in values.values() if len(value) > 1)


def test_only_the_name_of_the_signing_key_may_be_shown() -> None:
    settings = hmac(["{keyId}{secret:other}"], value="{secret:other} {keyId} {signature}")
    keys = {key.name: key.public for key in CUSTOM.secret_keys(settings)}
    assert keys == {"signingKey": False, "keyId": True, "other": False}


def test_a_workload_gets_every_key() -> None:
    values = {"signingKey": "k", "keyId": "id"}
    assert CUSTOM.delivered(hmac(["{keyId}"]), Credentials(values)) == values


places = st.builds(
    Placeholder, st.from_regex("[A-Za-z]{1,9}", fullmatch=True), st.sampled_from(["", "X-Name"])
)


@given(st.lists(st.text(max_size=5).filter(lambda text: "{" not in text and "}" not in text) | places))
def test_texts_with_places_are_read_as_they_are_written(pieces: list[str | Placeholder]) -> None:
    text = "".join(map(str, pieces))
    assert placeholders_in(text) == [piece for piece in pieces if isinstance(piece, Placeholder)]
    assert filled(text, lambda place: f"<{place.name}>".encode()) == b"".join(
        f"<{piece.name}>".encode() if isinstance(piece, Placeholder) else piece.encode("utf-8")
        for piece in pieces
    )


@given(st.text())
def test_text_without_values_stays_what_it_is(text: str) -> None:
    assert filled(text, lambda _: None) == text.encode()
