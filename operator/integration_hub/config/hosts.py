"""Hosts and ports as text: the one place that decides what a host may look like.

Stricter than the URL standards on purpose. Two parsers that read one text as two hosts are how a
credential goes to the wrong place, so everything that parsers are known to read differently is refused:
anything outside ASCII (write 'xn--...'), percent-encoding, user info, a dot at the end, and numbers
that only some resolvers take for an IPv4 address ('127.1', '0x7f.0.0.1', '2130706433').
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import Final

_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*", re.ASCII)
_MAX_HOST: Final = 253
_MAX_PORT: Final = 65535
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]+", re.ASCII)


class HostError(ValueError):
    """The text is not a host or port; the message continues a sentence that starts with what it is about."""


def checked_host(text: str) -> str:
    """Return the host as it stands in a URL: lower case, IPv6 in brackets.

    Takes a host name, an IPv4 address, or an IPv6 address with or without brackets.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare or bare is not text:
        return f"[{_ipv6(bare)}]"
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(text)
    if len(text) > _MAX_HOST:
        raise HostError(f"is longer than {_MAX_HOST} characters")
    for label in labels:
        checked_label(label)
    return text.lower()


def is_ipv4(host: str) -> bool:
    """Tell whether a host that was checked is an IPv4 address: no name may end in a number."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def checked_wildcard(text: str) -> str:
    """Return the host below which a rule allows every name; '*.com' or '*.10.0.0.1' would allow what nobody means."""
    host = checked_host(text)
    if "." not in host or host.startswith("[") or is_ipv4(host):
        raise HostError("allows too much after '*.': name the domain below the top one, like '*.example.com'")
    return host


def checked_label(text: str) -> str:
    """Return one label of a host name ('acme' of 'acme.example.com'), in lower case."""
    if not text:
        raise HostError("is empty, or has nothing between two dots or at an end")
    if not text.isascii():
        raise HostError("has characters outside of ASCII; write an international name in its form 'xn--...'")
    if not _LABEL.fullmatch(text):
        raise HostError(
            "may have letters, digits and '-' only, at most 63 between two dots, and no '-' at an end"
        )
    return text.lower()


def checked_port(value: object) -> int:
    """Return the port as a number between 1 and 65535."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digits = str(value)
    if (
        isinstance(value, (bool, float))
        or not re.fullmatch("[1-9][0-9]{0,4}", digits)
        or int(digits) > _MAX_PORT
    ):
        raise HostError(f"must be a port: a whole number between 1 and {_MAX_PORT}")
    return int(digits)


def _ipv6(text: str) -> str:
    if _IPV6.fullmatch(
        text
    ):  # keeps out zone identifiers ('%eth0'), which mean nothing outside of one machine
        with suppress(ValueError):
            return str(ipaddress.IPv6Address(text))
    raise HostError("is not a host: it contains ':' and is no IPv6 address")


def _ipv4(text: str) -> str:
    with suppress(ValueError):
        return str(ipaddress.IPv4Address(text))
    raise HostError("ends in a number and is no IPv4 address of four numbers, like '192.0.2.10'")


def owned_domain(host: str) -> str:
    """Return the part of a name that one owner has: two labels, three below 'co.uk' and its like; '' for an address."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit() or len(labels) < 2:  # noqa: PLR2004
        return ""
    is_deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL  # noqa: PLR2004
    return ".".join(labels[-3:] if is_deep else labels[-2:])
