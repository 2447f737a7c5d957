"""The address at which people's browsers come back: what it may be, and what it is where nobody says. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

CALLBACK_PATH = "/oauth/callback"

EXAMPLE = f"https://hub.example.com{CALLBACK_PATH}"

WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not listened on


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine and nothing else, whoever asks."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def default_url(host: str, port: int) -> str | None:
    """Return where a browser on this machine reaches a server there; None where others are meant to reach it."""
    return f"http://localhost:{port}{CALLBACK_PATH}" if is_loopback(host) else None


def url_problem(url: str) -> str | None:
    """Return what is wrong with an address for browsers to come back to, None where nothing is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"it is no address like {EXAMPLE}"
    return next((words for is_wrong, words in _findings(url, parts, host) if is_wrong), None)


def _findings(url: str, parts: SplitResult, host: str) -> tuple[tuple[bool, str], ...]:
    """Return each thing that may be wrong, and what to say of it."""
    plain = parts.scheme == "http" and not is_loopback(host)
    return (
        (
            parts.scheme not in {"http", "https"} or not host,
            f"it is no address like {EXAMPLE}",
        ),
        (
            not url.isascii() or not url.isprintable() or " " in url or "\\" in url,
            "it has characters that no address has; write other alphabets in their 'xn--' and '%' forms",
        ),
        (
            "@" in parts.netloc,
            "it has a user name in it, and the address is shown to everybody: leave that out",
        ),
        (
            "?" in url or "#" in url,
            "it has a query or a fragment, where the external system puts its answer: leave that out",
        ),
        (
            plain,
            (
                "over http:// everybody on the way could read what the external system sends: use https://, with an"
                " ingress that ends TLS in front of the operator; only localhost may be http://"
            ),
        ),
        (
            host in WILDCARDS,
            "no browser can open it: name the host that people's browsers reach",
        ),
        (
            parts.path in {"", "/"},
            f"it has no path: end it with {CALLBACK_PATH}",
        ),
    )
