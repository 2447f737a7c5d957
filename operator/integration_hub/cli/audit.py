"""`hub audit verify`: whether the audit log is as the operator wrote it. Flags and words; `audit_chain` decides."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from integration_hub.cli.errors import Exit, HubError, NotFoundError
from integration_hub.cli.flags import HELP, output_flag
from integration_hub.cli.keys.command import place_flags
from integration_hub.cli.output import Form, write
from integration_hub.cli.terminal import Screen, State
from integration_hub.cli.words import counted
from integration_hub.flags import Group

if TYPE_CHECKING:
    from integration_hub.credentials.audit_chain import ChainReport, Line, Report
    from integration_hub.credentials.keyring import Keyring

MOST_SHOWN: Final = 50
"""Faults that are shown to a person; '-o json' has all."""
LONGEST: Final = 2**20
"""Bytes of one line; no line of the operator's is longer."""


@click.group("audit", cls=Group, context_settings=HELP)
def audit() -> None:
    """Check the audit log: who used which credential, and how that ended."""


@audit.command("verify", context_settings=HELP)
@click.argument(
    "files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--keyring-files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the keys, where the operator was given one; then no cluster is asked.",
)
@output_flag(("table", "json", "yaml"))
@place_flags
def verify(files: tuple[Path, ...], keyring_files: Path | None, output: Form, **place: Any) -> None:
    """Say whether the audit log is whole and as the operator wrote it.

    FILES are logs of 'hub run --log-format json' in their order, '-' or none for standard input. Other lines may be
    among them. Each line is sealed together with the one before it, under a key of the keyring: what was changed,
    added, taken out or moved between the first and the last line of a run is named.

    \b
    Examples:
      kubectl logs -n integration-hub deploy/integration-hub | hub audit verify
      hub audit verify hub.log.2 hub.log.1 hub.log

    Exit code 0 where all is as it was written, 1 where it is not or there are no audit lines, 2 for a mistake in the
    command, 3 where the keyring cannot be read.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub audit verify --help` needs none of it.
    from integration_hub.credentials.audit_chain import check_lines  # noqa: PLC0415

    keyring = _keyring_in(keyring_files) if keyring_files is not None else _keyring_of(place)
    with ExitStack() as opened:
        reader = _Reader([_opened(file, opened) for file in files or (Path("-"),)])
        report = check_lines(reader.audit_lines(), keyring)
    _show(Screen.current(), output, report, reader.others)
    sys.exit(Exit.OK if report.is_sound else Exit.FAILED)


# What is read


def _opened(file: Path, until: ExitStack) -> tuple[str, IO[bytes]]:
    if str(file) == "-":
        if sys.stdin is None:
            raise HubError(
                "There is no standard input to read the log from.", todo="Name a file.", code=Exit.USAGE
            )
        return "", sys.stdin.buffer
    try:
        return f"{file}, ", until.enter_context(file.open("rb"))
    except OSError as error:
        raise HubError(f"{file} cannot be read: {error.strerror}.", code=Exit.USAGE) from error


class _Reader:
    """Finds the audit lines in logs."""

    def __init__(self, logs: Sequence[tuple[str, IO[bytes]]]) -> None:
        self._logs = logs
        self.others = 0
        """Lines that are none of the audit log."""

    def audit_lines(self) -> Iterator[tuple[str, Line]]:
        """Yield each with where it stands."""
        for source, log in self._logs:
            for number, text in enumerate(_lines(log), start=1):
                line = _read(text)
                if line is not None and line.get("logger") == "integration_hub.audit":
                    yield f"{source}line {number}", line
                else:
                    self.others += 1


def _lines(log: IO[bytes]) -> Iterator[bytes]:
    """Yield lines; of one that is too long to be ours, nothing, so that its end does not pass for a line."""
    while text := log.readline(LONGEST):
        is_whole = text.endswith(b"\n") or len(text) < LONGEST
        while not is_whole:
            more = log.readline(LONGEST)
            is_whole = more.endswith(b"\n") or len(more) < LONGEST
            text = b""
        yield text


def _read(text: bytes) -> Line | None:
    """Return the object that a line is; None where it is none.

    A name that stands there twice is kept twice, under another name, so that the seal does not fit: readers differ in
    which of the two they show.
    """
    try:
        line = json.loads(text, object_pairs_hook=_with_doubles)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _with_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name if name not in found else f"{name} (again)"] = value
    return found


def _keyring_in(folder: Path) -> Keyring:
    import asyncio  # noqa: PLC0415 - as above

    from integration_hub.shell.keyring_source import FileKeyring, KeyringUnavailableError  # noqa: PLC0415

    source = FileKeyring(folder)
    try:
        asyncio.run(source.refresh())
    except KeyringUnavailableError as error:
        raise HubError(f"There is no keyring: {error}.", code=Exit.UNREACHABLE) from error
    return source.current()


def _keyring_of(place: dict[str, Any]) -> Keyring:
    from integration_hub.adapters.kube_api import SECRETS, ApiError  # noqa: PLC0415 - as above
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.keys.run import Where  # noqa: PLC0415
    from integration_hub.credentials.keyring import KeyringError, parse_keyring  # noqa: PLC0415
    from integration_hub.shell.keyring_source import data_of  # noqa: PLC0415

    where = Where.of(**place)
    cluster = Cluster.of({**place, "namespace": where.namespace})
    try:
        return parse_keyring(data_of(cluster.kube.read(SECRETS, where.namespace, where.name)))
    except KeyringError as error:
        raise HubError(f"There is no keyring in {where.secret}: {error}.", code=Exit.UNREACHABLE) from error
    except ApiError as error:
        if error.gone:
            raise NotFoundError(
                f"There is no keyring: {where.secret} does not exist.",
                todo="Name the one that the operator uses, with --keyring or --keyring-files.",
            ) from error
        raise cluster.explained(error, where.secret, cluster.reading(SECRETS, "get")) from error


# What is told


def _show(screen: Screen, form: Form, report: Report, others: int) -> None:
    if not form.is_table:
        write(screen, form, _as_data(report))
        return
    for chain in report.chains.values():
        screen.say(f"Run {chain.chain}: {_span_of(chain)}")
    for fault in report.faults[:MOST_SHOWN]:
        screen.say(f"{screen.status(State.BAD, 'Fault')} {fault}")
    if len(report.faults) > MOST_SHOWN:
        screen.say(f"... and {len(report.faults) - MOST_SHOWN} more; '-o json' has all.")
    if not report.lines:
        screen.say(
            f"There are no audit lines among {counted(others, 'line')}. The operator writes them with"
            " '--log-format json' and '--log-level info' or finer."
        )
    elif report.is_sound:
        screen.say(
            f"{screen.status(State.GOOD, 'Sound')} {_count(report.lines)}, as the operator wrote them."
        )
    else:
        screen.say(
            f"{screen.status(State.BAD, 'Not sound')} {_count(report.lines)}, {len(report.faults)} faults."
        )


def _span_of(chain: ChainReport) -> str:
    begins = "" if chain.first == 1 else f" (its first {chain.first - 1} are not here)"
    ends = (
        "it ended as it should"
        if chain.ended
        else "it has not ended: the operator runs, was killed, or lines at the end are missing"
    )
    return f"lines {chain.first} to {chain.seen}{begins}; {ends}."


def _count(lines: int) -> str:
    return f"{lines} audit line{'' if lines == 1 else 's'}"


def _as_data(report: Report) -> dict[str, Any]:
    return {
        "sound": report.is_sound,
        "lines": report.lines,
        "runs": [
            {"chain": one.chain, "first": one.first, "last": one.seen, "lines": one.lines, "ended": one.ended}
            for one in report.chains.values()
        ],
        "faults": [{"where": fault.where, "words": fault.words} for fault in report.faults],
    }
