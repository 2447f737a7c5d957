"""Opening a link in the person's browser, where there is one to be expected."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY")
_OWN_DISPLAY = frozenset({"darwin", "win32", "cygwin"})
"""Platforms that have a screen without saying so."""

_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def may_open(environment: Mapping[str, str], platform: str, *, is_terminal: bool) -> bool:
    """Tell whether a browser that is opened here is one that the person sees.

    BROWSER says so itself. Over SSH it would be opened at the wrong end; in a pipe or a job nobody looks.
    """
    if not is_terminal:
        return False
    if environment.get("BROWSER"):
        return True
    if any(environment.get(name) for name in _REMOTE):
        return False
    return platform in _OWN_DISPLAY or any(environment.get(name) for name in _DISPLAY)


def open_link(url: str) -> subprocess.Popen[bytes] | None:
    """Ask the person's browser to open a link; None where that cannot even be begun.

    In a process of its own: some browsers are waited for until they are closed, and Ctrl-C is not for them. Without
    TERM, since a text browser would take the terminal that we write to. No shell ever sees the link.
    """
    environment = {name: value for name, value in os.environ.items() if name != "TERM"}
    try:
        return subprocess.Popen(  # noqa: S603 - Python itself; whose browser it is, the person has chosen
            [sys.executable, "-I", "-c", _OPEN, url],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
