"""Device authorization (RFC 8628): a code that a person types at a URL, and asking whether that has happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from integration_hub.auth.oauth2.answer import (
    document,
    is_unavailable,
    refusal,
    refused,
    repeats,
    tokens,
)
from integration_hub.auth.oauth2.discovery import is_as_safe, server
from integration_hub.auth.oauth2.fingerprint import fingerprint
from integration_hub.auth.oauth2.lifetimes import lifetime
from integration_hub.auth.oauth2.link import OTHER_GRANT
from integration_hub.auth.oauth2.request import token_request
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import DevicePending, Steps, TokenRefused
from integration_hub.model.http import HttpResponse
from integration_hub.model.tokens import DeviceCode, Tokens

LIFETIME: Final = timedelta(minutes=15)
"""Where the answer does not tell, although it must."""
LONGEST: Final = timedelta(hours=24)
INTERVAL: Final = 5.0
"""RFC 8628 section 3.2."""
SLOWER: Final = 5.0
"""By how much each 'slow_down' makes the interval longer (RFC 8628 section 3.5)."""
MOST: Final = 300.0

UNUSABLE: Final = (
    "The device authorization URL's answer has no code that a person could type, or no address to type it at."
)

_USER_CODE: Final = re.compile(r"[!-~]([ -~]{0,62}[!-~])?", re.ASCII)
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,1000}", re.ASCII)


def start_device(setup: Setup) -> Steps[DeviceCode | TokenRefused]:
    """Ask for a device code and the code that a person types (RFC 8628 section 3.1)."""
    found = yield from server(setup, "deviceAuthorizationURL", "tokenURL")
    if isinstance(found, TokenRefused):
        return found
    parameters = [*setup.scope_parameters(), *setup.target_parameters()]
    asked, token_url = found.urls["deviceAuthorizationURL"], found.urls["tokenURL"]
    response = yield token_request(setup, asked, parameters, {}, token_url)
    return refusal(setup, response) or _device_code(setup, document(response) or {}, asked, token_url)


def poll_device(setup: Setup, device: DeviceCode) -> Steps[Tokens | DevicePending | TokenRefused]:
    """Ask once whether the person has consented (RFC 8628 section 3.4)."""
    if setup.context.now >= device.expires_at:
        return refused(setup, "expired_token")
    if device.grant != fingerprint(setup):
        return TokenRefused(message=OTHER_GRANT)
    parameters = [("grant_type", setup.row.grant_type), ("device_code", device.device_code)]
    further = setup.settings.get("tokenParameters", {})
    # Where the code came from; the issuer's metadata is not asked for again at each poll.
    response = yield token_request(
        setup, device.token_url, [*parameters, *setup.target_parameters()], further
    )
    if is_unavailable(response):
        return _slower(device, None)
    answer = tokens(setup, response, device.grant, shown=(device.device_code,))
    pending = _PENDING.get(answer.code) if isinstance(answer, TokenRefused) else None
    return pending(device, response) if pending else answer


def _as_before(device: DeviceCode, _: HttpResponse | None) -> DevicePending:
    return DevicePending(device.interval)


def _slower(device: DeviceCode, response: HttpResponse | None) -> DevicePending:
    told = _interval(document(response) if response else None, 0.0)
    return DevicePending(min(max(device.interval + SLOWER, told), MOST))


_PENDING: Final[dict[str, Callable[[DeviceCode, HttpResponse | None], DevicePending]]] = {
    "authorization_pending": _as_before,
    "slow_down": _slower,
}
"""RFC 8628 section 3.5. A server that cannot answer now is asked less often, too: the person may still be typing."""


def _device_code(setup: Setup, found: Any, asked: str, token_url: str) -> DeviceCode | TokenRefused:
    device_code, user_code = found.get("device_code"), found.get("user_code")
    address = found.get("verification_uri") or found.get("verification_url")  # Google's name for it
    complete = found.get("verification_uri_complete")
    if not isinstance(device_code, str) or not device_code:
        return TokenRefused(message=UNUSABLE)
    # A person is shown the rest, so nothing of it may be what nobody is to see.
    secrets = (*setup.secrets(), device_code)
    if not _is_user_code(user_code, secrets) or not _is_address(address, asked, secrets):
        return TokenRefused(message=UNUSABLE)
    interval = _interval(found, INTERVAL)
    lives = min(lifetime(found.get("expires_in")) or LIFETIME, LONGEST)
    now = setup.context.now
    return DeviceCode(
        device_code=device_code,
        user_code=user_code,
        verification_uri=address,
        expires_at=now + lives,
        grant=fingerprint(setup),
        token_url=token_url,
        verification_uri_complete=complete if _is_address(complete, asked, secrets) else None,
        interval=interval,
        next_poll=now + timedelta(seconds=interval),
    )


def _interval(found: Any, default: float) -> float:
    told = lifetime(found.get("interval")) if found else None
    return min(max(told.total_seconds(), 1.0), MOST) if told else default


def _is_user_code(text: Any, secrets: Sequence[str]) -> bool:
    return isinstance(text, str) and bool(_USER_CODE.fullmatch(text)) and not repeats(secrets, text)


def _is_address(text: Any, asked: str, secrets: Sequence[str]) -> bool:
    """Tell whether a person can be sent there: an address, as safe as the one that was asked, without a secret."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text) or repeats(secrets, text):
        return False
    if not is_as_safe(text, asked):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc
