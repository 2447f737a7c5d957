"""One line, or several, edited on a terminal with prompt_toolkit. The only module that knows that library."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, to_filter
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator

from integration_hub.cli.connect.ask import BACK, END_OF_PEM, PASTE_SECONDS, BackError
from integration_hub.config.plain_text import clean

_STYLE: Final = Style.from_dict({"bottom-toolbar": "noreverse", "validation-toolbar": "bold"})
_MENU_LINES: Final = 4


class Prompt:
    """Reads answers. Nothing that is typed is kept: there is no history."""

    def __init__(self, *, colour: bool) -> None:
        """Write to standard error."""
        # Without asking the terminal where its cursor is: not all of them answer, and nothing here needs it.
        self._output = Vt100_Output(
            sys.stderr,
            _size,
            term=os.environ.get("TERM"),
            default_color_depth=None if colour else ColorDepth.DEPTH_1_BIT,
            enable_cpr=False,
        )

    def line(  # noqa: PLR0913
        self,
        prompt: str,
        *,
        default: str,
        problem: Callable[[str], str | None],
        options: Sequence[str],
        secret: bool,
        multiline: bool,
    ) -> str:
        """Return what was typed, once there is no problem with it.

        Raises:
            BackError: the key for going back was pressed.
            KeyboardInterrupt: Ctrl-C, or Ctrl-D on an empty line.

        """
        session: PromptSession[str] = PromptSession(
            output=self._output,
            history=DummyHistory(),
            style=_STYLE,
            completer=WordCompleter(list(options), ignore_case=True, sentence=True) if options else None,
            complete_while_typing=bool(options),
            reserve_space_for_menu=_MENU_LINES if options else 0,
            validator=_Problem(problem),
            validate_while_typing=True,
            is_password=secret,
            multiline=multiline,
            key_bindings=_keys(multiline=multiline),
            enable_suspend=False,
            # An editor would put what is typed into a file.
            enable_open_in_editor=False,
        )
        _let_mistakes_wrap(session)
        try:
            return session.prompt(prompt, default=default)
        except EOFError:
            raise KeyboardInterrupt from None


def _size() -> Size:
    """Return the terminal's size; the usual one where it does not say."""
    try:
        columns, rows = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return Size(rows=rows or 24, columns=columns or 80)


class _Problem(Validator):
    def __init__(self, problem: Callable[[str], str | None]) -> None:
        self._problem = problem

    def validate(self, document: Document) -> None:
        said = self._problem(document.text)
        if said is not None:
            lines = textwrap.wrap(clean(said), _size().columns - 1, break_on_hyphens=False)
            raise ValidationError(len(document.text), "\n".join(lines))


def _let_mistakes_wrap(session: PromptSession[str]) -> None:
    """Give what is wrong with an answer the lines that it takes: the library's toolbar has one, and cuts the rest."""
    for window in session.layout.find_all_windows():
        if window.height == 1 and isinstance(window.content, FormattedTextControl):
            window.height = Dimension(min=1)
            window.dont_extend_height = to_filter(True)  # noqa: FBT003 - the library's own function


def _keys(*, multiline: bool) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("s-tab")
    def back(event: KeyPressEvent) -> None:
        event.app.exit(exception=BackError())

    @keys.add("enter", filter=Condition(lambda: multiline))
    def enter(event: KeyPressEvent) -> None:
        """End a text of several lines at an empty one, or at the end of a PEM, unless more comes at once.

        Terminals that do not tell a paste from typing send its line breaks as this key.
        """
        buffer: Any = event.current_buffer
        word, last = buffer.text.strip(), buffer.text.split("\n")[-1]
        may_end = not last.strip() or last.startswith(END_OF_PEM)
        is_at_end = buffer.document.is_cursor_at_the_end
        if not word or word.lower() == BACK or (may_end and not is_at_end):
            buffer.validate_and_handle()
            return
        buffer.newline(copy_margin=False)
        if may_end:
            event.app.create_background_task(_ended(event.app, buffer, buffer.text))

    return keys


async def _ended(app: Application[Any], buffer: Buffer, before: str) -> None:
    """Take the text where it stays in a moment as it was before."""
    await asyncio.sleep(PASTE_SECONDS)
    if app.is_done or buffer.text != before:
        return
    lines = before.split("\n")
    while not lines[-1].strip():
        lines.pop()
    buffer.text = "\n".join(lines) + "\n"
    buffer.validate_and_handle()
    app.invalidate()
