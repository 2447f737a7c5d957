"""Where a redirect leads to, and what kind of place that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from integration_hub.config.hosts import owned_domain

_LOGIN_PATH: Final = re.compile(
    r"(?:^|[/._-])(?:log-?_?in|sign-?_?in|log-?on|sso|saml2?|idp|oauth2?/(?:v\d/)?authorize)(?:[/._?-]|$)",
    re.IGNORECASE,
)
_LOGIN_HOST: Final = re.compile(r"(?:login|signin|sso|idp|auth|accounts?|id)\.", re.IGNORECASE)


def redirect(status: int, headers: Mapping[str, str], asked: SplitResult) -> SplitResult | None:
    """Return where an answer sends who has asked for that URL; None where it sends nobody on."""
    text = headers.get("location", "")
    if status // 100 != 3 or not text:  # noqa: PLR2004 - HTTP's class of redirects
        return None
    try:
        place = urlsplit(urljoin(asked.geturl(), text[:2000]))
    except ValueError:
        return None
    return place if place.hostname else None


def is_login(place: SplitResult) -> bool:
    """Tell whether a URL is that of a page where people sign in."""
    return bool(_LOGIN_PATH.search(place.path) or _LOGIN_HOST.match(place.hostname or ""))


def are_siblings(there: str | None, here: str | None) -> bool:
    """Tell whether two hosts are of the same domain, and differ by more than a 'www.'."""
    if not there or not here or _bare(there) == _bare(here):
        return False
    return bool(owned_domain(here)) and owned_domain(there) == owned_domain(here)


def _bare(host: str) -> str:
    return host.removeprefix("www.")
