"""What can go wrong with an example. Each error says what happened, where, and what to do."""

from __future__ import annotations


class ExampleError(Exception):
    """A failure that a person can act on: `problem` says what and where, `remedy` what to do."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy
