"""Values that must not reach a log while they are in use. The log's redaction point reads them from here."""

from __future__ import annotations

from contextvars import ContextVar

in_use: ContextVar[tuple[str, ...]] = ContextVar("in_use", default=())
"""Credential values of the reconcile that the current task is at."""
