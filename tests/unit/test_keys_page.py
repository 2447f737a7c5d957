"""docs/keys.md shows a rotation in other numbers than the recorded screens of docs/cli.md, and in the same words."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def words(text: str) -> list[str]:
    """Return the lines without numbers, checks and what depends on them."""
    text = re.sub(r"\b[0-9a-f]{8}\b", "CHECK", text)
    text = re.sub(r"\d+\w?", "N", text).replace("records", "record")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_rotation_is_shown_as_it_is() -> None:
    (block,) = re.findall(r"(?ms)^```console\n(.*?)^```$", (DOCS / "keys.md").read_text(encoding="utf-8"))
    recorded = [
        (DOCS / "screens" / f"keys-{name}.txt") for name in ("list.1-one", "rotate.1-all", "prune.1-asked")
    ]
    assert words(block) == words("".join(file.read_text(encoding="utf-8") for file in recorded))
