"""What a host's record of arrivals says: how late, how many at once, what was left out. Pure functions of times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence


def lateness(arrivals: Sequence[float], interval: float) -> list[float]:
    """Return how much later each arrival is than the earliest, as seen on a grid of points one interval apart.

    The grid is the one that fits best: the points of time within an interval lie on a circle, and the widest gap
    between two neighbours is where one round ends and the next begins.
    """
    if not arrivals:
        return []
    places = sorted(arrival % interval for arrival in arrivals)
    gaps = [
        after - before for before, after in zip([places[-1] - interval, *places[:-1]], places, strict=True)
    ]
    earliest = places[gaps.index(max(gaps))]
    return [(place - earliest) % interval for place in places]


def off_grid(arrivals: Sequence[float], interval: float, phase: float) -> list[float]:
    """Return how much later each arrival is than the nearest point of a grid that is known; before it is negative."""
    half = interval / 2
    return [(arrival - phase * interval + half) % interval - half for arrival in arrivals]


def quantile(values: Iterable[float], share: float) -> float:
    """Return the value below which this share of all lies; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def most_within(arrivals: Iterable[float], window: float) -> int:
    """Return the greatest number of arrivals in any stretch of time of this length, wherever it begins."""
    ordered = sorted(arrivals)
    return max((bisect_left(ordered, begin + window) - n for n, begin in enumerate(ordered)), default=0)


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return the greatest number of spans of time that overlap in one moment."""
    # What ends in the moment in which another begins is no longer there.
    steps = sorted(step for begun, ended in spans for step in ((begun, 1), (ended, -1)))
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most
