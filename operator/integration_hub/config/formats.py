"""The values of `format` that the profile knows. Each is really checked, by a pure function of the text."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from integration_hub.config.hosts import HostError, checked_host, checked_port


class Format(NamedTuple):
    """A format: whether a text has it, and what to say when it has not."""

    holds: Callable[[str], bool]
    expected: str


_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_MAX_URI = 2000


def _is_uri(text: str) -> bool:
    if (
        len(text) > _MAX_URI
        or not re.fullmatch(r"[!-~]+", text)
        or any(char in text for char in '<>"{}|\\^`')
    ):
        return False
    try:
        parts = urlsplit(text)
        checked_host((parts.hostname or "") if "@" not in parts.netloc else "")
        if parts.port is not None:
            checked_port(parts.port)
    except (HostError, ValueError):
        return False
    return parts.scheme in {"http", "https"}


def _is_hostname(text: str) -> bool:
    with suppress(HostError):
        return checked_host(text) == text.lower() and ":" not in text and not text[-1].isdigit()
    return False


def _is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None and _is_hostname(text.rpartition("@")[2])


def _parses(parse: Callable[[str], object], shape: re.Pattern[str]) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        with suppress(ValueError):
            return shape.fullmatch(text) is not None and parse(text) is not None
        return False

    return holds


FORMATS: Final[dict[str, Format]] = {
    "uri": Format(_is_uri, "a web address without spaces or user name, like 'https://api.example.com/v1'"),
    "hostname": Format(_is_hostname, "a host name, like 'api.example.com' (no https://, no path)"),
    "email": Format(_is_email, "an e-mail address, like 'jane@example.com'"),
    "ipv4": Format(
        _parses(ipaddress.IPv4Address, re.compile("[0-9.]+")), "an IPv4 address, like '192.0.2.10'"
    ),
    "ipv6": Format(
        _parses(ipaddress.IPv6Address, re.compile("[0-9a-fA-F:.]+")), "an IPv6 address, like '2001:db8::1'"
    ),
    "uuid": Format(
        lambda text: _UUID.fullmatch(text) is not None, "a UUID, like '3f2b8c1e-9d4a-4f6b-8a7c-0123456789ab'"
    ),
    "date": Format(_parses(dt.date.fromisoformat, _DATE), "a date, like '2026-11-30'"),
    "date-time": Format(
        _parses(lambda text: dt.datetime.fromisoformat(text.upper()), _DATE_TIME),
        "a date and time with its zone, like '2026-11-30T09:00:00Z'",
    ),
}
