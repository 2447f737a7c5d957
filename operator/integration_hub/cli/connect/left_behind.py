"""What is so in the cluster when `hub connect` or `hub edit` stops midway."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "Nothing was written."


class LeftBehind:
    """A sentence for each object that was written, or may have been; where there is none, nothing was."""

    def __init__(self) -> None:
        """Nothing was written yet."""
        self._sentences: dict[str, str] = {}

    def note(self, what: str, sentence: str) -> None:
        """Say from now on of `what`, as in "the Secret", how it is."""
        self._sentences[what] = sentence

    def only(self, what: str, sentence: str) -> None:
        """Say from now on how `what` is, and nothing else: that says all."""
        self._sentences = {what: sentence}

    def forget(self, what: str) -> None:
        """Say nothing of `what`: it is as it was before."""
        self._sentences.pop(what, None)

    def has(self, what: str) -> bool:
        """Tell whether `what` was written, or may have been."""
        return what in self._sentences

    def __bool__(self) -> bool:
        """Tell whether anything was written, or may have been."""
        return bool(self._sentences)

    def __str__(self) -> str:
        """Return all of it in words."""
        return " ".join(self._sentences.values()) or NOTHING
