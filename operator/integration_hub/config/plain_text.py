"""Texts that others have written, made harmless for a terminal. Pure functions of text."""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 1000
"""Characters of a text that is shown as one line."""


def clean(text: str) -> str:
    """Return the text without characters that could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)


def one_line(text: str) -> str:
    """Return the text as one line without characters that could steer a terminal, cut."""
    line = " ".join(clean(text).split())
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"


def is_text(text: str) -> bool:
    """Tell whether a text can be sent: where bytes are none, Python hands over halves of characters (surrogates)."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
