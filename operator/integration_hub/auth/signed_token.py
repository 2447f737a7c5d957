"""JSON Web Tokens that we sign with a private key (RFC 7519), for every method that needs one.

What is claimed, and where the token goes, is the method's: `oauth2/assertion.py`, `custom/exchange_jwt.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from integration_hub.auth.flow import AuthContext
from integration_hub.auth.private_key import load_private_key

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures of RFC 7518 section 3.1 that are made with a private key."""

LIFETIME: Final = timedelta(minutes=1)
"""Of a token that is sent at once. Some systems refuse one that lives longer than a minute."""

OWN_CLAIMS: Final[Mapping[str, str]] = {
    "iss": "'jwt.issuer'",
    "sub": "'jwt.subject'",
    "aud": "'jwt.audience'",
    "iat": "the operator",
    "exp": "'jwt.lifetime'",
    "jti": "the operator",
}
"""Claims that are not among a definition's further ones, and what sets them."""


def algorithm_of(told: Mapping[str, Any]) -> str:
    """Return the algorithm that the settings `jwt` name."""
    return str(told.get("algorithm", "RS256"))


def signed_token(  # noqa: PLR0913 - what a token is made of
    pem: str,
    claims: Mapping[str, Any],
    context: AuthContext,
    *,
    algorithm: str,
    lifetime: timedelta,
    header: Mapping[str, str],
    drift: timedelta = timedelta(0),
) -> str:
    """Return a token of these claims that lives from now on, and has an id of its own (`jti`).

    `pem` is a private key without a `key_fault`. `header` stands in the token beside `alg`. The token says that it was
    issued `drift` ago, for systems whose clocks are behind.
    """
    now = int(context.now.timestamp())
    times = {
        "iat": now - int(drift.total_seconds()),
        "exp": now + int(lifetime.total_seconds()),
        "jti": base64.urlsafe_b64encode(context.random(16)).rstrip(b"=").decode(),
    }
    # Its text was checked with the credentials; joserfc alone would validate an RSA key once more.
    key: Any = load_private_key(pem)
    family = ECKey if algorithm.startswith("ES") else RSAKey
    return jwt.encode(
        {"alg": algorithm, **header}, {**claims, **times}, family.import_key(key), algorithms=[algorithm]
    )
