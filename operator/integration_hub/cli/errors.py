"""How a command ends that could not do its work: one error, its exit codes, and the last resort at the entrance.

    HubError            what, why, what to do, exit code; shown on standard error, never with a traceback
      NotFoundError     what was named does not exist
      UnreachableError  the cluster cannot be asked, or does not permit it

Anything else that reaches the entrance is a mistake of ours. It is told as one, and `--debug` shows where it is.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

import click

from integration_hub.cli.streams import silence
from integration_hub.config.plain_text import clean


class Exit(IntEnum):
    """Exit codes of every command; `hub COMMAND --help` says what 0 and 1 mean there."""

    OK = 0
    FAILED = 1
    """Not ready, failed, differs: the question has an answer, and it is no good news."""
    USAGE = 2
    """A mistake in the command itself, such as a name that there is not."""
    UNREACHABLE = 3
    """The cluster cannot be reached or does not permit it: there is no answer."""
    TIMEOUT = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    """Whoever reads what we write has had enough, like 'head': the code of SIGPIPE."""


class HubError(Exception):
    """A command cannot do its work. Says what, why, and what to do."""

    def __init__(self, what: str, *, why: str = "", todo: str = "", code: Exit = Exit.FAILED) -> None:
        """Each part is a sentence or more; `why` and `todo` may be empty."""
        super().__init__(what)
        self.what, self.why, self.todo = what, why, todo
        self.code = code

    def message(self) -> str:
        """Return the lines that a person reads; what others have said in them is made harmless."""
        lines = (self.what, self.why and f"Why: {self.why}", self.todo and f"What to do: {self.todo}")
        return "\n".join(clean(line) for line in lines if line)

    def show(self) -> None:
        """Write it."""
        click.echo(f"Error: {self.message()}", err=True)


class NotFoundError(HubError):
    """What was named does not exist."""

    def __init__(self, what: str, *, why: str = "", todo: str = "") -> None:
        """See HubError."""
        super().__init__(what, why=why, todo=todo, code=Exit.USAGE)


class UnreachableError(HubError):
    """The cluster cannot be asked."""

    def __init__(self, what: str, *, why: str = "", todo: str = "") -> None:
        """See HubError."""
        super().__init__(what, why=why, todo=todo, code=Exit.UNREACHABLE)


_DEBUG = "integration_hub.debug"
"""Where click's root context keeps that --debug was given, before the command or after it."""

_LOGGED = frozenset({"run"})
"""Commands whose standard error is a log: nobody can type them again with --debug."""

_STREAM_CODES = {errno.EPIPE: Exit.BROKEN_PIPE, errno.ENOSPC: Exit.FAILED, errno.EIO: Exit.FAILED}


def set_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Remember --debug; as click calls it."""
    if value:
        ctx.find_root().meta[_DEBUG] = True


def guarded(ctx: click.Context, invoke: Callable[[], Any]) -> Any:
    """Call what a command does. Whatever it did not foresee ends in words and an exit code."""
    try:
        return invoke()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except HubError as error:
        error.show()
        sys.exit(error.code)
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort
        foreseen = foreseen_in(error)
        if foreseen is not None:
            foreseen.show()
            sys.exit(foreseen.code)
        _end(error, debug=bool(ctx.find_root().meta.get(_DEBUG)) or ctx.invoked_subcommand in _LOGGED)


def foreseen_in(error: Exception) -> HubError | None:
    """Return what layers below commands say of a cluster or a folder, as commands say it; None for anything else."""
    # Here, since a run without an error needs none of it.
    from integration_hub.shell.explaining import CannotAskError, NoSuchObjectError  # noqa: PLC0415
    from integration_hub.shell.kustomization import UnusableListError  # noqa: PLC0415

    match error:
        case HubError():
            return error
        case NoSuchObjectError():
            return NotFoundError(error.found.what, todo=error.found.todo)
        case UnusableListError():
            return HubError(
                str(error), todo="Mend the list by hand, or name another folder.", code=Exit.USAGE
            )
        case UnicodeEncodeError() if "\udc80" <= error.object[error.start] <= "\udcff":
            # Only what was typed, names of files and variables have such halves of characters: bytes that are no text.
            return HubError("What was typed, or what a variable holds, is no text in UTF-8.", code=Exit.USAGE)
        case CannotAskError():
            return UnreachableError(error.found.what, todo=error.found.todo)
    return None


def _end(error: Exception, *, debug: bool) -> NoReturn:
    """Say how it ended, with the traceback where it was asked for, and end."""
    # Here, since a run without a mistake needs none of it.
    import traceback  # noqa: PLC0415

    from integration_hub.config.redaction import redact_text  # noqa: PLC0415

    code = _STREAM_CODES.get(error.errno or 0) if isinstance(error, OSError) else None
    if code is not None:
        silence()
        if code is Exit.FAILED:
            click.echo(
                "Error: What was found cannot be written: the disk or the other side takes no more.", err=True
            )
        sys.exit(code)
    if debug:
        click.echo(clean(redact_text("".join(traceback.format_exception(error)))), err=True, nl=False)
    words = redact_text(f"{type(error).__name__}: {error}")
    HubError(
        "The command met a mistake of its own.",
        why=" ".join(words.split()),
        todo="Please report it, with what you typed and what --debug shows."
        if not debug
        else "Please report it.",
    ).show()
    sys.exit(Exit.FAILED)
