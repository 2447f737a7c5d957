"""Why an API server gave no answer, in a few words that a person understands. Whichever client asked; no sockets."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from integration_hub.adapters.kubeconfig import KubeconfigError

_BROKEN_OFF: Final = "the connection broke off"
_OF_SYSTEM: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: _BROKEN_OFF,
    errno.EPIPE: _BROKEN_OFF,
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
}

_WORDS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (KubeconfigError, lambda error: str(error).rstrip(".")),  # a plugin that fails: its words tell what to do
    (ssl.SSLCertVerificationError, lambda error: f"its certificate is not trusted: {error.verify_message}"),
    (ssl.SSLError, lambda _: "what answers there does not speak TLS as it should"),
    (TimeoutError, lambda _: "no answer in time"),
    (socket.gaierror, lambda _: "its name cannot be looked up"),
    (OSError, lambda error: _of_system(error.errno)),
)
"""The first that fits counts."""


def why_no_answer(error: BaseException) -> str:
    """Return what is known of why. Never the address, which is said beside it."""
    # aiohttp wraps what it was told; the blocking client has it as it is.
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return next((words(cause) for kind, words in _WORDS if isinstance(cause, kind)), _BROKEN_OFF)


def _of_system(number: int | None) -> str:
    return _OF_SYSTEM.get(number, os.strerror(number).lower()) if number else _BROKEN_OFF
