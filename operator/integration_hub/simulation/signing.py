"""Checking what a client has signed: JSON Web Tokens (RFC 7519), and requests by AWS's Signature Version 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from integration_hub.catalog.vendor import Generated, SignedRequest, SignedToken
from integration_hub.simulation.asked import Asked, fits

SKEW_SECONDS = 60
"""How far a client's clock may be off."""
_AWS = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request,"
    r" ?SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


Signer = Callable[[], tuple[str, str]]
"""Returns a new certificate for a client and its private key, as PEM."""


def secret_of(
    values: Mapping[str, str | Generated], sign: Signer, *, of_another: bool = False
) -> dict[str, str]:
    """Return a Secret with what is to be made for the run; a certificate and a key in it belong together.

    Private keys of good Secrets are the same throughout a run, and so are those `of_another`: making one takes longer
    than a whole case.
    """
    pair = sign() if any(_is_of_pair(value) for value in values.values()) else ("", "")
    of_pair = {"client-certificate": pair[0], "client-key": pair[1]}
    return {
        name: value
        if isinstance(value, str)
        else of_pair[value.generate]
        if _is_of_pair(value)
        else generated(value.generate, of_another=of_another)
        for name, value in values.items()
    }


def _is_of_pair(value: str | Generated) -> bool:
    return isinstance(value, Generated) and value.generate.startswith("client-")


@lru_cache(maxsize=8)
def generated(kind: str, *, of_another: bool = False) -> str:
    """Return a private key of this process as PEM, 'rsa-key' or 'ec-key'; another one `of_another`."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "rsa-key":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def fingerprint(private_pem: str) -> str:
    """Return SHA-256 of the public half of a key (SubjectPublicKeyInfo), in base64; '' where that is no key."""
    try:
        public = load_pem_private_key(private_pem.encode(), None).public_key()
    except ValueError:
        return ""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")


def token_fault(
    text: str, rules: SignedToken, good: Mapping[str, str], fill: Callable[[str], str], now: datetime
) -> str | None:
    """Return what is wrong with a signed token, None where it is good. `good` is the good Secret."""
    private = load_pem_private_key(good[rules.key].encode(), None)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    family = ECKey if rules.algorithm.startswith("ES") else RSAKey
    try:
        token = jwt.decode(text, family.import_key(public), algorithms=[rules.algorithm])
    except (JoseError, ValueError):
        return f"is not signed with {rules.algorithm} and the key that the vendor knows"
    for part, wanted, found in (
        ("claim", rules.claims, token.claims),
        ("header", rules.headers, token.header),
    ):
        for name, value in wanted.items():
            if not fits(fill(value), _text(found.get(name))):
                return f"has not the {part} '{name}' that the vendor wants"
    return _time_fault(token.claims, rules.longest, now.timestamp())


def _time_fault(claims: Mapping[str, Any], longest: int, now: float) -> str | None:
    issued, ends = claims.get("iat", now), claims.get("exp")
    if not isinstance(ends, int | float) or not isinstance(issued, int | float):
        return "has no time at which it ends"
    if ends < now - SKEW_SECONDS:
        return "has ended"
    if issued > now + SKEW_SECONDS:
        return "is of a time to come"
    if ends - issued > longest:
        return f"lives longer than {longest} seconds"
    return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def aws_fault(asked: Asked, rules: SignedRequest, fill: Callable[[str], str], now: datetime) -> str | None:
    """Return what is wrong with a signed request, None where it is good.

    The steps have the names of AWS's own description ("Create a signed AWS API request", IAM User Guide).
    """
    match = _AWS.fullmatch(asked.headers.get("authorization", ""))
    if match is None or match["id"] != fill(rules.access_key_id):
        return "is not signed by the access key that the vendor knows"
    if (match["region"], match["service"]) != (fill(rules.region), fill(rules.service)):
        return "is signed for another region or service"
    moment = asked.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "has no X-Amz-Date"
    if abs((now - at).total_seconds()) > 15 * 60 or not moment.startswith(match["day"]):
        return "is of another time"
    names = match["names"].split(";")
    if "host" not in names or any(name not in asked.headers for name in names):
        return "signs headers that it does not have"
    body = hashlib.sha256(asked.body).hexdigest()
    path = asked.path if fill(rules.service) == "s3" else quote(asked.path, safe="/~")
    canonical_request = "\n".join(
        (
            asked.method,
            path,
            _canonical_query(asked.query),
            "".join(f"{name}:{' '.join(asked.headers[name].split())}\n" for name in names),
            match["names"],
            asked.headers.get("x-amz-content-sha256", body),
        )
    )
    scope = f"{match['day']}/{match['region']}/{match['service']}/aws4_request"
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"AWS4{fill(rules.secret_access_key)}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    wanted = hmac.new(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), "sha256").hexdigest()
    return None if hmac.compare_digest(wanted, match["signature"]) else "has a signature that does not match"


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = sorted(
        (quote(unquote(name), safe="~"), quote(unquote(value), safe="~")) for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded)
