"""What the operator itself obtains: tokens, and what is pending while a person's consent is awaited. Plain data.

No repr shows a value: tokens, codes and verifiers are as secret as passwords.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What a token URL has answered (RFC 6749 section 5.1). Times are in UTC."""

    access_token: str
    obtained_at: datetime
    grant: str
    """Fingerprint of what it was granted for: client, scopes, token URL. Tokens of another grant are not used."""
    token_type: str = "Bearer"  # noqa: S105
    expires_at: datetime | None = None
    """When the access token ends; None where the answer does not tell and the definition assumes nothing."""
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None
    """When the refresh token ends, where the answer tells."""
    scopes: tuple[str, ...] | None = None
    """The scopes that were granted; None where the answer does not tell, which means those asked for."""

    def __repr__(self) -> str:
        """Show when they were obtained and when they end, and nothing else."""
        return f"Tokens(obtained_at={self.obtained_at}, expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True, repr=False)
class ConsentAttempt:
    """A link that was given out: what a callback must match, and what the exchange of its code needs."""

    state: str
    """Single-use: '<UID of the instance without dashes>.<random text>'."""
    url: str
    """The link itself."""
    redirect_uri: str
    generation: int
    """The instance's metadata.generation that the link was made for."""
    grant: str
    """Fingerprint of what is asked for, as in `Tokens`."""
    expires_at: datetime
    """Until when the link is shown. It is accepted for a little longer: a person may be on the way."""
    verifier: str | None = None
    """PKCE's code_verifier (RFC 7636), None where the definition uses none."""
    issuer: str | None = None
    """The issuer that the callback's `iss` must name (RFC 9207), None where that is not known."""

    def __repr__(self) -> str:
        """Show when it ends, and nothing else."""
        return f"ConsentAttempt(expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True, repr=False)
class DeviceCode:
    """What a device authorization endpoint has answered (RFC 8628 section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_at: datetime
    grant: str
    """Fingerprint of what is asked for, as in `Tokens`."""
    token_url: str
    """Where to ask what has become of it."""
    verification_uri_complete: str | None = None
    interval: float = 5.0
    """Seconds between polls."""
    next_poll: datetime | None = None
    """Not to be asked for before this."""
    refused: int = 0
    """How many polls in a row were refused without a word of why."""
    awaited_since: datetime | None = None
    """When the first of the codes in a row was shown that nobody has used."""

    def __repr__(self) -> str:
        """Show when it ends, and nothing else."""
        return f"DeviceCode(expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True, repr=False)
class ConsentAnswer:
    """What a browser has brought back from the provider: the query of the callback."""

    state: str
    code: str | None = None
    iss: str | None = None
    error: str | None = None
    """The provider's error code, like 'access_denied' (RFC 6749 section 4.1.2.1)."""

    def __repr__(self) -> str:
        """Show whether it is a refusal, and nothing else."""
        return f"ConsentAnswer(error={self.error is not None})"


def token_hash(token: str) -> str:
    """Return what tells one refresh token from another, in the sealed record alone."""
    return sha256(token.encode()).hexdigest()
