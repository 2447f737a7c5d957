"""Certificate authorities as people paste them: the whole certificates of a text, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_CERTIFICATE = re.compile(rf"{_BEGIN}\s[A-Za-z0-9+/=\s]*{_END}")
_BASE64_OF_PEM = "LS0tLS1CRUdJTi"

UNREADABLE = "a certificate in it is garbled"

_FAULTS: Final[Sequence[tuple[Callable[[str], bool], str]]] = (
    (
        lambda text: "PRIVATE KEY-----" in text,
        "it holds a private key, which belongs to the server alone; paste certificates only",
    ),
    (
        lambda text: text.lstrip().startswith(_BASE64_OF_PEM),
        "it is encoded in base64 once more; decode it first",
    ),
    (lambda text: r"\n" in text, r"its line breaks are written as '\n'; paste it with real ones"),
    (lambda text: "-----BEGIN " in text.replace(_BEGIN, ""), "it holds something else than certificates"),
    (lambda text: _BEGIN not in text, f"it has no line '{_BEGIN}'"),
    (lambda text: text.count(_BEGIN) > text.count(_END), f"it has no line '{_END}' after a certificate"),
    (
        lambda text: (
            any("\n" not in part.partition(_END)[0].strip() for part in text.split(_BEGIN)[1:])
            and " " in text.replace(_BEGIN, "").replace(_END, "").strip()
        ),
        "its line breaks are lost; paste it with one line below the other",
    ),
    (lambda text: len(_CERTIFICATE.findall(text)) != text.count(_BEGIN), UNREADABLE),
)
"""Checked in this order; the first that holds is reported. No words repeat the text."""


def pem_fault(text: str) -> str | None:
    """Return what is wrong with a bundle of certificates, None where it looks whole. It is not decoded."""
    return next((words for holds, words in _FAULTS if holds(text)), None)


def certificates(text: str) -> list[str]:
    """Return the whole certificates of the text, without what stands between them."""
    return _CERTIFICATE.findall(text)
