"""AWS Signature Version 4: AWS's published vectors, AWS's own signer beside ours, and what each refusal says.

The vectors are those of the suite that AWS published as "aws-sig-v4-test-suite" and keeps in awslabs/aws-c-auth; each
signature here was computed anew with botocore, which the test repeats. Left out are four that no request of ours can
be like: a folded header (obsolete since RFC 7230), a signed Content-Length, and a path with a bare space for S3.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials as BotocoreCredentials  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.custom.aws_sigv4 import (
    AccessKey,
    canonical_request,
    signed,
    signed_headers,
    signing_key,
    string_to_sign,
)
from integration_hub.auth.custom.sent_form import SentForm, body_digest, sent_form
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.model.http import HttpRequest
from support.auth import CONTEXT

HOST = "example.amazonaws.com"
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE_STAMP, SUITE_DAY, SUITE_SCOPE = (
    "20150830T123600Z",
    "20150830",
    "20150830/us-east-1/service/aws4_request",
)
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NORMALISED, AS_IT_IS = "service", "s3"

Headers = Mapping[str, str]

GET, POST = "GET", "POST"
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
POSTED = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"
SUITE: list[tuple[str, str, str, str, Headers, str, str]] = [
    # name, method, path, query, headers, rule for paths, signature
    ("get-vanilla", GET, "/", "", {}, NORMALISED, VANILLA),
    ("get-header-key-duplicate", GET, "/", "", {"My-Header1": "value2,value2,value1"}, NORMALISED,
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("get-header-value-order", GET, "/", "", {"My-Header1": "value4,value1,value3,value2"}, NORMALISED,
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", GET, "/", "", {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}, NORMALISED,
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-relative", GET, "/example/..", "", {}, NORMALISED, VANILLA),
    ("get-relative", GET, "/example/..", "", {}, AS_IT_IS,
     "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"),
    ("get-relative-relative", GET, "/example1/example2/../..", "", {}, NORMALISED, VANILLA),
    ("get-relative-relative", GET, "/example1/example2/../..", "", {}, AS_IT_IS,
     "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"),
    ("get-slash-dot-slash", GET, "/./", "", {}, NORMALISED, VANILLA),
    ("get-slash-dot-slash", GET, "/./", "", {}, AS_IT_IS,
     "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"),
    ("get-slash", GET, "//", "", {}, NORMALISED, VANILLA),
    ("get-slash", GET, "//", "", {}, AS_IT_IS, "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"),
    ("get-slash-pointless-dot", GET, "/./example", "", {}, NORMALISED,
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    ("get-slash-pointless-dot", GET, "/./example", "", {}, AS_IT_IS,
     "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"),
    ("get-slashes", GET, "//example//", "", {}, NORMALISED,
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("get-slashes", GET, "//example//", "", {}, AS_IT_IS,
     "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
    ("get-space", GET, "/example space/", "", {}, NORMALISED,
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("get-unreserved", GET, f"/{UNRESERVED}", "", {}, NORMALISED,
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", GET, "/\u1234", "", {}, NORMALISED,
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-vanilla-empty-query-key", GET, "/", "Param1=value1", {}, NORMALISED,
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-encoded", GET, "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {}, NORMALISED,
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("get-vanilla-query-order-key-case", GET, "/", "Param2=value2&Param1=value1", {}, NORMALISED,
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-query-unreserved", GET, "/", f"{UNRESERVED}={UNRESERVED}", {}, NORMALISED,
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("get-vanilla-utf8-query", GET, "/", "%E1%88%B4=bar", {}, NORMALISED,
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("post-vanilla", POST, "/", "", {}, NORMALISED, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-header-key-sort", POST, "/", "", {"My-Header1": "value1"}, NORMALISED,
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-header-value-case", POST, "/", "", {"My-Header1": "VALUE1"}, NORMALISED,
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    ("post-vanilla-query", POST, "/", "Param1=value1", {}, NORMALISED, POSTED),
]  # fmt: skip


def botocores(
    request: HttpRequest, url: str, key: AccessKey, scope: tuple[str, str, str]
) -> tuple[str, str, str]:
    """Return canonical request, text to sign and signature of AWS's own signer; `scope` is stamp, region, service."""
    stamp, region, service = scope
    credentials = BotocoreCredentials(key.id, key.secret, key.session_token)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
    asked = AWSRequest(request.method, url, dict(request.headers), request.body or b"")
    asked.context["timestamp"] = stamp
    canonical = signer.canonical_request(asked)
    text = signer.string_to_sign(asked, canonical)
    return canonical, text, signer.signature(text, asked)


@pytest.mark.parametrize("case", SUITE, ids=lambda case: f"{case[0]}-{case[5]}")
def test_the_vectors_of_the_suite_are_met_stage_by_stage(
    case: tuple[str, str, str, str, Headers, str, str],
) -> None:
    _, method, path, query, headers, rule, signature = case
    headers = {**headers, "X-Amz-Date": SUITE_STAMP}
    request = HttpRequest(method, f"https://{HOST}/", headers)
    form = SentForm(method, "https", HOST, path, query)
    digest = body_digest(request).hex()

    canonical = canonical_request(form, signed_headers(request, form), digest, service=rule)
    text = string_to_sign(canonical, SUITE_STAMP, SUITE_SCOPE)
    day_key = signing_key(KEY.secret, SUITE_DAY, "us-east-1", "service")

    assert hmac.digest(day_key, text.encode(), "sha256").hex() == signature
    if rule == NORMALISED:
        url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
        scope = (SUITE_STAMP, "us-east-1", "service")
        assert (canonical, text, signature) == botocores(request, url, KEY, scope)


def test_the_signing_key_is_the_one_of_aws_documentation() -> None:
    # "Examples of how to derive a signing key for Signature Version 4", AWS General Reference.
    derived = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
    assert derived.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


BUCKET = "https://examplebucket.s3.amazonaws.com"
S3_EXAMPLES = [
    # "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
    (HttpRequest(GET, f"{BUCKET}/test.txt", {"Range": "bytes=0-9"}),
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    (HttpRequest("PUT", f"{BUCKET}/test$file.text",
                 {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
                 body=b"Welcome to Amazon S3."),
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    (HttpRequest(GET, f"{BUCKET}/", query=(("lifecycle", ""),)),
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    (HttpRequest(GET, BUCKET, query=(("prefix", "J"), ("max-keys", "2"))),
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "signature"), S3_EXAMPLES, ids=range(len(S3_EXAMPLES)))
def test_the_examples_of_s3_documentation_are_met(request_: HttpRequest, signature: str) -> None:
    key = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    sent = signed(request_, key, "us-east-1", "s3", datetime(2013, 5, 24, tzinfo=UTC))
    assert sent.headers["Authorization"].endswith(f"Signature={signature}")


def test_a_path_of_s3_is_sent_in_the_spelling_that_is_signed() -> None:
    sent = signed(HttpRequest(GET, f"{BUCKET}/a$b/c%2Fd/~e%7Ef"), KEY, "us-east-1", "s3", CONTEXT.now)
    assert sent.url == f"{BUCKET}/a%24b/c/d/~e~f"
    assert signed(sent, KEY, "us-east-1", "s3", CONTEXT.now).url == sent.url


def test_a_path_of_another_service_is_sent_as_it_is() -> None:
    url = f"https://{HOST}/a$b/c%2Fd"
    assert signed(HttpRequest(GET, url), KEY, "us-east-1", "execute-api", CONTEXT.now).url == url


# What a definition and a configuration can make of a request: paths arrive percent-encoded, values as they are.
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)
paths = st.lists(
    texts.filter(lambda text: text not in {"", ".", ".."}).map(lambda text: quote(text, safe="$!'@:,;="))
)
names = st.text("abcXYZ019-", min_size=1, max_size=8).map(lambda text: f"x-{text}")
header_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)


hosts = st.sampled_from(
    [
        "https://h.example",
        "https://H.example:443",
        "https://h.example:8443",
        "http://127.0.0.1:9000",
        "https://[::1]:9000",
    ]
)
requests = st.builds(
    HttpRequest,
    st.sampled_from(["GET", "POST", "PUT", "delete"]),
    st.tuples(hosts, paths).map(lambda parts: "/".join([parts[0], *parts[1]])),
    st.dictionaries(names, header_texts, max_size=3),
    st.lists(st.tuples(texts, texts), max_size=4).map(tuple),
    st.none() | st.binary(max_size=20),
)


@given(requests, st.none() | st.just("token=="), st.sampled_from(["s3", "execute-api"]))
def test_every_request_is_signed_as_botocore_signs_what_is_sent(
    asked: HttpRequest, token: str | None, service: str
) -> None:
    key = AccessKey("AKIDEXAMPLE", "secret", token)
    sent = signed(asked, key, "eu-central-1", service, CONTEXT.now)
    form = sent_form(sent)
    others = {name: value for name, value in sent.headers.items() if name != "Authorization"}
    url = f"{form.scheme}://{form.host}{form.target}"
    scope = (sent.headers["X-Amz-Date"], "eu-central-1", service)

    _, _, signature = botocores(replace(sent, headers=others), url, key, scope)

    assert sent.headers["Authorization"].rpartition("Signature=")[2] == signature


class TestWhatIsSigned:
    def sent(self, service: str = "s3", **headers: str) -> HttpRequest:
        request = HttpRequest(GET, f"https://{HOST}/", headers)
        return signed(request, AccessKey("AKID", "s", "t"), "us-east-1", service, CONTEXT.now)

    def covered(self, request: HttpRequest) -> list[str]:
        return request.headers["Authorization"].split("SignedHeaders=")[1].partition(",")[0].split(";")

    def test_host_date_body_and_token_are_covered(self) -> None:
        assert self.covered(self.sent()) == [
            "host",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-security-token",
        ]

    def test_headers_that_change_on_the_way_are_not_covered(self) -> None:
        sent = self.sent(
            **{"User-Agent": "x", "Connection": "close", "Accept": "*/*", "Host": "other.example"}
        )
        assert self.covered(sent)[:2] == ["accept", "host"]

    def test_only_services_that_want_it_get_the_hash_of_the_body_in_a_header(self) -> None:
        assert "X-Amz-Content-Sha256" in self.sent("aoss").headers
        assert "X-Amz-Content-Sha256" not in self.sent("execute-api").headers

    def test_headers_of_an_earlier_signature_are_replaced(self) -> None:
        sent = self.sent(**{"authorization": "old", "x-amz-date": "old", "x-amz-security-token": "old"})
        assert "old" not in sent.headers.values()
        assert {name.lower() for name in sent.headers} == set(self.covered(sent)) - {"host"} | {
            "authorization"
        }


CUSTOM = METHODS["custom"]
GOOD = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
TEMPORARY = {**GOOD, "accessKeyId": "ASIAIOSFODNN7EXAMPLE"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GOOD, None),
        ({"accessKeyId": "minio/admin", "secretAccessKey": "with spaces and \u00e4"}, None),
        ({**TEMPORARY, "sessionToken": "IQoJb3JpZ2luX2VjE=="}, None),
        (TEMPORARY, "need their session token in the key 'sessionToken'"),
        (
            {**TEMPORARY, "sessionToken": "to\u00eften"},
            "'sessionToken' contains characters that a header cannot carry",
        ),
        (
            {**GOOD, "accessKeyId": "AKID, x=y"},
            "'accessKeyId' contains characters that no access key's ID has",
        ),
        (
            dict(zip(GOOD, reversed(GOOD.values()), strict=True)),
            "'secretAccessKey' is an access key's ID, not",
        ),
    ],
)
def test_access_keys_that_cannot_work_are_told_before_they_are_used(
    values: dict[str, str], words: str | None
) -> None:
    problem = CUSTOM.credential_problem({"awsSigV4": {"service": "s3"}}, Credentials(values))
    assert problem is None if words is None else words in (problem or "")
    assert all(value not in (problem or "") for name, value in values.items() if name != "accessKeyId")


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        ({}, "settings.awsSigV4.service", "is required"),
        ({"service": "s3", "accessKeyIdKey": "k", "secretAccessKeyKey": "k"}, "settings.awsSigV4.secretAccessKeyKey",
         "is a key that another value has, too"),
        ({"service": "s3", "sessionTokenKey": "accessKeyId"}, "settings.awsSigV4.sessionTokenKey", "another value has"),
        ({"service": "s3", "regoin": "x"}, "settings.awsSigV4.regoin", "did you mean 'region'?"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_told(settings: dict[str, Any], path: str, words: str) -> None:
    (violation,) = settings_violations("custom", {"awsSigV4": settings})
    assert violation.path == path
    assert words in violation.message


def test_a_workload_gets_the_access_key_under_usual_names() -> None:
    settings = {
        "awsSigV4": {
            "service": "s3",
            "region": "eu-central-1",
            "accessKeyIdKey": "ID",
            "secretAccessKeyKey": "S",
        }
    }
    held = Credentials({"ID": "AKID", "S": "secret", "sessionToken": "token"})
    assert CUSTOM.delivered(settings, held) == {
        "accessKeyId": "AKID", "secretAccessKey": "secret", "sessionToken": "token", "region": "eu-central-1",
    }  # fmt: skip
    assert CUSTOM.delivered({"awsSigV4": {"service": "s3"}}, Credentials(GOOD)) == {
        **GOOD,
        "region": "us-east-1",
    }


def test_the_access_keys_id_may_be_shown_and_nothing_else() -> None:
    keys = CUSTOM.secret_keys({"awsSigV4": {"service": "s3"}})
    assert [(key.name, key.required, key.public) for key in keys] == [
        ("accessKeyId", True, True), ("secretAccessKey", True, False), ("sessionToken", False, False),
    ]  # fmt: skip
    assert "secret" not in repr(AccessKey("id", "secret", "secret"))
