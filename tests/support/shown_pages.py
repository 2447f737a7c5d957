"""What pages of the documentation promise, beside what is shown."""

from __future__ import annotations

import re


def normalised(text: str) -> list[str]:
    """Return lines in which times, ports and sizes are the same everywhere."""
    for pattern, same in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r" +\d+ ms", " MS"),
        (r"bytes=\d+", "bytes=N"),
    ):
        text = re.sub(pattern, same, text)
    return [line.rstrip() for line in text.splitlines()]


def shows(promised: str, shown: str) -> bool:
    """Tell whether the lines are as promised; '...' stands for any lines."""
    lines, start = normalised(shown), 0
    for part in re.split(r"(?m)^\.\.\.\n", promised):
        wanted = normalised(part)
        found = next((n for n in range(start, len(lines) + 1) if lines[n : n + len(wanted)] == wanted), None)
        if found is None:
            return False
        start = found + len(wanted)
    return True
