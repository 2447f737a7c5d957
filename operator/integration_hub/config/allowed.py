"""Whether a definition's `allowedHosts` can allow an address, as far as that is certain before any configuration is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from integration_hub.config.templates import TemplateError, render_allowed_host, render_base_url

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FIXED: Final = re.compile(r"(https?://[^/{]+)(?:/|$)", re.IGNORECASE)
"""An address whose host is the same with every configuration."""


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return the entry of `allowedHosts` that allows it."""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return ("http://" if self.scheme == "http" else "") + host + port


def missing_host(address: str, allowed: Iterable[str]) -> str | None:
    """Return the entry that `allowedHosts` lacks; None where one allows the address, or may with some configuration."""
    fixed = _FIXED.match(address)
    rules = list(allowed)
    if fixed is None or any("{{" in rule for rule in rules):
        return None
    try:
        asked = _origin(render_base_url(fixed[1], {}))
        found = any(_allows(render_allowed_host(rule, {}), asked) for rule in rules)
    except (TemplateError, ValueError):
        return None  # told where each is checked for itself
    return None if found else str(asked)


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    return _Origin(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])


def _allows(rule: str, asked: _Origin) -> bool:
    origin = _origin(rule if rule.startswith("http://") else f"https://{rule}")
    if (origin.scheme, origin.port) != (asked.scheme, asked.port):
        return False
    if origin.host.startswith("*."):
        return asked.host.endswith(origin.host[1:])
    return asked.host == origin.host
