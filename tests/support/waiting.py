"""Waiting for what will come: by polling, with a generous deadline that only a failure ever meets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 60.0
"""In seconds. No test measures time: this only ends a test that would wait for ever."""


def wait_until(
    look: Callable[[], T], accept: Callable[[T], object], what: str, seconds: float = DEADLINE
) -> T:
    """Look until what is seen is accepted, and return it; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while not accept(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s; last seen:\n{seen}")
        time.sleep(0.05)
    return seen
