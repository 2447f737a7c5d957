"""Awaiting what must not be left in the middle, whoever wants the work to end meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def undisturbed(work: Coroutine[Any, Any, T]) -> tuple[T, bool]:
    """Await work to its end, and tell whether this task was to be cancelled meanwhile.

    Who calls does what is left of the duty and then lets itself be cancelled. The work must be bounded in time.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled
