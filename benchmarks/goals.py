"""What a run must reach: a figure, and the most that it may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One figure and its limit."""

    name: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.value <= self.limit


def table(goals: Sequence[Goal]) -> str:
    """Return the goals as lines for a person."""
    return "\n".join(
        f"{'ok  ' if goal.is_met else 'MISS'}  {goal.name:58} {goal.value:>10.6g}  at most {goal.limit:.6g}"
        for goal in goals
    )


def missed(goals: Iterable[Goal]) -> list[str]:
    """Return the names of those that were not reached."""
    return [goal.name for goal in goals if not goal.is_met]
