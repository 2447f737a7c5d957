"""`name=value` as the value of a flag."""

from __future__ import annotations

import click


class Pair(click.ParamType[tuple[str, str]]):
    """A pair. What is wrong is said without the text: it may be a secret that was pasted into the wrong place."""

    name = "name=value"

    def __init__(self, like: str) -> None:
        """`like` is an example."""
        self._like = like

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return both parts."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        if not separator or not name.strip():
            self.fail(f"must be written like {self._like}", param, ctx)
        return name.strip(), text
