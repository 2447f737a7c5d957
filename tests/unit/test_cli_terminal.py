"""What output looks like: legible on every background, whole in pipes, words alone where they are asked for."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.cli.events import TYPES
from integration_hub.cli.table import GAP, KEPT, Table, fitting
from integration_hub.cli.terminal import Screen, State, cells, cut, rgb

BACKGROUNDS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "dark grey": (0x1E, 0x1E, 0x1E),
    "One Dark": (0x28, 0x2C, 0x34),
    "Solarized dark": (0x00, 0x2B, 0x36),
    "Solarized light": (0xFD, 0xF6, 0xE3),
}
WIDE = 'a long text that says what was found, and what to do "next"'


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance after WCAG 2.2."""
    parts = (part / 255 for part in colour)
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Contrast ratio after WCAG 2.2, from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=list(BACKGROUNDS))
@pytest.mark.parametrize("state", State, ids=[state.name for state in State])
def test_every_symbol_has_the_contrast_of_graphics_on_dark_and_light(
    state: State, background: tuple[int, int, int]
) -> None:
    # WCAG 1.4.11. Words have the terminal's own colour, so they are as legible as whatever else stands there.
    assert contrast(rgb(state.value.colour), background) >= 3


def test_colours_are_those_that_no_theme_changes() -> None:
    assert all(16 <= state.value.colour <= 231 for state in State)
    assert rgb(16) == (0, 0, 0)
    assert rgb(231) == (255, 255, 255)
    assert rgb(196) == (255, 0, 0)


def test_states_differ_by_their_symbol_not_by_their_colour_alone() -> None:
    for symbols in ([s.value.symbol for s in State], [s.value.ascii for s in State]):
        assert len(set(symbols)) == len(State)
        assert all(cells(symbol) == 1 for symbol in symbols)


@pytest.fixture
def terminal() -> Iterator[io.TextIOWrapper]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"TERM": "xterm"}, "\x1b[38;5;29m✓\x1b[0m True"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "✓ True"),
        ({"TERM": "dumb"}, "True"),
        ({"TERM": "xterm", "HUB_PLAIN": "1"}, "True"),
        ({"TERM": "xterm", "HUB_PLAIN": "0"}, "\x1b[38;5;29m✓\x1b[0m True"),
    ],
)
def test_a_status_on_a_terminal_is_a_word_with_as_much_beside_it_as_is_wanted(
    terminal: io.TextIOWrapper, environment: dict[str, str], shown: str
) -> None:
    assert Screen(terminal, terminal, environment=environment).status(State.GOOD, "True") == shown


def test_an_event_that_is_no_warning_has_no_mark_of_success(terminal: io.TextIOWrapper) -> None:
    screen = Screen(terminal, terminal, environment={"TERM": "xterm", "NO_COLOR": "1"})
    table = Table(
        ["TYPE", "REASON"], [["Normal", "SecretNotFound"], ["Warning", "X"]], {"TYPE": TYPES}, is_whole=True
    )
    assert [line.split()[0] for line in table.lines(screen)] == ["TYPE", "Normal", "✗"]


def test_a_terminal_that_knows_no_unicode_gets_ascii() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="ascii") as stream:
        screen = Screen(stream, stream, environment={"TERM": "xterm", "NO_COLOR": "1"})
        assert screen.status(State.BAD, "False") == "x False"
    os.close(ours)


def on_forty_columns(text: str, **environment: str) -> list[str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        Screen(io.StringIO(), stream, environment={"TERM": "xterm", **environment}).note(text)
    found = b""
    with suppress(OSError):  # what Linux says of a terminal whose other side is closed
        while piece := os.read(ours, 4096):
            found += piece
    os.close(ours)
    return found.decode().splitlines()


def test_a_note_is_broken_between_words_on_a_terminal_and_a_list_stands_in_its_column() -> None:
    text = "  1  Bearer token: made in the console of the system\nshort\n"
    assert on_forty_columns(text) == [
        "  1  Bearer token: made in the console",
        "     of the system",
        "short",
        "",
    ]
    link = "See https://example.com/a/very/long/address/that/is/not/broken now"
    assert on_forty_columns(link)[1] == link.split()[1]


def test_a_note_is_whole_in_a_pipe_and_where_it_is_read_aloud() -> None:
    text = "word " * 30 + "end"
    assert on_forty_columns(text, HUB_PLAIN="1") == [text]
    stream = io.StringIO()
    Screen(io.StringIO(), stream).note(text)
    assert stream.getvalue() == f"{text}\n"


def test_a_pipe_gets_words_alone() -> None:
    stream = io.StringIO()
    screen = Screen(stream, stream, environment={"TERM": "xterm"})
    assert screen.status(State.BAD, "False") == "False"
    assert screen.strong("x") == "x"
    assert screen.width is None
    with screen.busy("works"):
        pass
    assert not stream.getvalue()


def test_what_is_under_way_is_shown_on_a_terminal_and_taken_away_again() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        shown = b""
        with Screen(stream, stream, environment={"TERM": "xterm"}).busy("the operator tests"):
            while b"the operator tests ..." not in shown:
                shown += os.read(ours, 4096)
        stream.write("done")
        stream.flush()
        while not shown.endswith(b"done"):
            shown += os.read(ours, 4096)
    os.close(ours)
    assert shown.endswith(b"\r\x1b[2Kdone")


def test_nothing_moves_where_it_is_read_aloud(terminal: io.TextIOWrapper) -> None:
    assert not Screen(terminal, terminal, environment={"TERM": "xterm", "HUB_PLAIN": "1"}).moves
    assert not Screen(terminal, terminal, environment={"TERM": "dumb"}).moves
    assert Screen(terminal, terminal, environment={"TERM": "xterm"}).moves


STEERS = "\x1b]0;pwned\x07\x1b[2J\x9b2J\r\x1b[38;5;16m\u202e"


def test_whatever_is_said_or_noted_has_no_styles_but_our_own(terminal: io.TextIOWrapper) -> None:
    out, err = io.StringIO(), io.StringIO()
    Screen(out, err, environment={}).say(f"a{STEERS}b\n\tc")
    Screen(out, err, environment={}).note(f"a{STEERS}b\n\tc")
    for text in (out.getvalue(), err.getvalue()):
        assert all(sign.isprintable() or sign in "\n\t" for sign in text)
        assert text.endswith("b\n\tc\n")


def test_a_style_of_ours_stays_beside_what_would_steer() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        screen = Screen(stream, stream, environment={"TERM": "xterm"})
        screen.say(f"{screen.status(State.BAD, 'False')} {screen.strong(STEERS)}")
        screen.data(f"{screen.tinted(State.GOOD, '+')} {STEERS}")
    found = b""
    with suppress(OSError):  # what Linux says of a terminal whose other side is closed
        while piece := os.read(ours, 4096):
            found += piece
    os.close(ours)
    shown = found.decode()
    assert "\x1b[38;5;196m✗\x1b[0m False \x1b[1m" in shown
    assert "\x1b[38;5;29m+\x1b[0m " in shown
    assert all(sign not in shown for sign in ("\x1b]", "\x1b[2J", "\x9b", "\x1b[38;5;16m", "\u202e"))


def test_data_in_a_pipe_are_as_they_are() -> None:
    out = io.StringIO()
    Screen(out, out, environment={}).data(STEERS, nl=False)
    assert out.getvalue() == STEERS


def test_plain_tables_have_one_fact_a_line_and_nothing_empty() -> None:
    stream = io.StringIO()
    table = Table(["NAME", "READY", "LAST TESTED"], [["a", "True", ""], ["b", "False", "5m"]])
    table.show(Screen(stream, stream, plain=True))
    assert stream.getvalue() == "Name: a\nReady: True\n\nName: b\nReady: False\nLast tested: 5m\n"


def test_tables_in_a_pipe_are_aligned_and_whole() -> None:
    stream = io.StringIO()
    Table(["NAME", "MESSAGE"], [["a", WIDE * 9], ["日本", "b"]]).show(Screen(stream, stream))
    head, first, second = stream.getvalue().splitlines()
    assert head == "NAME   MESSAGE"
    assert first == f"a      {WIDE * 9}"
    assert second == "日本   b"


def test_what_others_have_said_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    Table(["NAME"], [["a\x1b[2Jb\nc"]]).show(Screen(stream, stream))
    assert stream.getvalue() == "NAME\na\ufffd[2Jb c\n"


HEADERS = ("NAMESPACE", "NAME", "READY", "REASON", "EXPIRES", "AGE", "MESSAGE")


@given(
    wanted=st.lists(st.integers(0, 200), min_size=7, max_size=7),
    empty=st.lists(st.booleans(), min_size=7, max_size=7),
    width=st.integers(1, 250),
)
def test_a_table_fits_the_terminal_or_shows_no_more_than_what_must_be_there(
    wanted: list[int], empty: list[bool], width: int
) -> None:
    wanted = [max(own, len(header)) for own, header in zip(wanted, HEADERS, strict=True)]
    widths = fitting(HEADERS, wanted, empty, width)
    kept = {header: own for header, own in zip(HEADERS, widths, strict=True) if own is not None}
    assert all(own <= most for own, most in zip(widths, wanted, strict=True) if own is not None)
    assert {header: kept[header] for header in HEADERS[:3]} == dict(zip(HEADERS, wanted[:3], strict=False))
    total = sum(kept.values()) + GAP * (len(kept) - 1)
    assert total <= width or set(kept) <= KEPT
    if sum(wanted) + GAP * 6 <= width:
        assert widths == wanted


@given(st.text(max_size=40), st.integers(1, 50))
def test_a_cut_text_takes_no_more_columns_than_it_may(text: str, columns: int) -> None:
    shown = cut(text, columns)
    assert cells(shown) <= columns
    assert shown == text or shown.endswith("…")
    assert text.startswith(re.sub("…$", "", shown)) or shown == text


INSTANCES = ["NAME", "READY", "REASON", "DEFINITION", "IDENTITY", "EXPIRES", "LAST TESTED", "AGE", "MESSAGE"]


def shown_columns(width: int, count: int) -> list[str]:
    wanted = [12, 7, 20, 10, 38, 20, 11, 3, 120][:count]
    widths = fitting(INSTANCES[:count], wanted, [False] * count, width)
    assert widths[:3] == wanted[:3], "a name or a reason is cut, and cannot be typed"
    return [header for header, own in zip(INSTANCES, widths, strict=False) if own is not None]


def test_on_a_narrow_terminal_the_columns_go_that_are_missed_least() -> None:
    assert shown_columns(160, 8) == INSTANCES[:8]
    for width in (100, 80):
        assert shown_columns(width, 8) == ["NAME", "READY", "REASON", "DEFINITION", "EXPIRES"]
    assert shown_columns(60, 8)[:3] == ["NAME", "READY", "REASON"]


@pytest.mark.parametrize("width", [70, 80, 100, 120])
def test_a_wide_table_keeps_its_messages(width: int) -> None:
    assert shown_columns(width, 9)[-1] == "MESSAGE"


def test_a_message_takes_the_room_of_the_columns_that_went() -> None:
    widths = fitting(INSTANCES, [12, 7, 20, 10, 38, 20, 11, 3, 120], [False] * 9, 100)
    shown = [own for own in widths if own is not None]
    assert sum(shown) + GAP * (len(shown) - 1) == 100
