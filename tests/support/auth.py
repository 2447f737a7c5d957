"""What auth flows are handed in tests: a clock that stands and randomness that is none."""

from __future__ import annotations

from datetime import UTC, datetime

from integration_hub.auth.flow import AuthContext

CONTEXT = AuthContext(
    now=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
    random=lambda size: bytes(number % 251 + 1 for number in range(size)),
    redirect_uri="https://hub.example.com/oauth/callback",
)
