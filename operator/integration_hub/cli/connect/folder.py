"""Writing a connection as a folder for Git, in which no value of a Secret stands but sealed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from integration_hub.cli.connect.home import home_of
from integration_hub.cli.connect.result import Result
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.folder_files import write_files
from integration_hub.cli.terminal import Screen
from integration_hub.shell.git_folder import INSTANCE, Folder, files
from integration_hub.shell.kustomization import NAMES, listing_of

SEAL_SECONDS: Final = 60


def write_folder(
    screen: Screen, folder: Path, result: Result, secret_format: str, *, overwrite: bool
) -> tuple[str, ...]:
    """Write the folder's files and return their names.

    Raises:
        HubError: a file is there already, the instance cannot stand there, or it cannot be written.
        UnusableListError: the folder's list cannot be added to.

    """
    texts = files(_folder(folder, result, secret_format))
    taken = _taken(folder, texts)
    if taken and not overwrite:
        raise HubError(
            f"{', '.join(taken)} in '{folder}' would be overwritten.",
            todo="Name another folder with -o, or remove what is there.",
            code=Exit.USAGE,
        )
    write_files(folder, texts)
    for name in texts:
        screen.say(str(folder / name))
    return tuple(texts)


def taken_in(folder: Path, result: Result, secret_format: str) -> list[str]:
    """Return which files of the folder would be overwritten."""
    return _taken(folder, files(_folder(folder, result, secret_format, seal=False)))


def _taken(folder: Path, names: Mapping[str, str]) -> list[str]:
    # A list is only added to.
    return [name for name in names if name not in NAMES and (folder / name).exists()]


def _folder(where: Path, result: Result, secret_format: str, *, seal: bool = True) -> Folder:
    interview, answers = result.interview, result.answers
    secret, listing = result.new_secret, listing_of(where)
    home = home_of(where, result.raw, listing) if interview.current is not None else None
    sealed, why = (None, "")
    if seal and secret is not None and secret_format == "sealed-secret":
        sealed, why = sealed_secret(secret, result.cluster_flags)
    return Folder(
        instance=result.raw,
        system=interview.spec.display_name,
        keys=interview.keys(answers),
        secret_type=interview.secret_type(answers) or "Opaque",
        has_secret=secret is not None,
        format=secret_format,
        listing=listing,
        sealed=sealed,
        why_not_sealed=why,
        needs_consent=result.needs_consent,
        definition=result.missing.text if result.missing is not None else None,
        file=home or INSTANCE,
        is_there=interview.current is not None and (home is not None or listing.text is not None),
    )


def sealed_secret(secret: Mapping[str, Any], cluster_flags: Sequence[str] = ()) -> tuple[str | None, str]:
    """Return the SealedSecret that `kubeseal` makes of a Secret, or None and why there is none.

    The Secret goes to it through a pipe: no value stands on a command line or in a file.
    """
    program = shutil.which("kubeseal")
    if program is None:
        return None, "there is no 'kubeseal' on PATH."
    try:
        done = subprocess.run(  # noqa: S603 - the person's own program
            [program, "--format", "yaml", *cluster_flags],
            input=json.dumps(secret),
            capture_output=True,
            text=True,
            check=False,
            timeout=SEAL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, "'kubeseal' did not answer."
    holds_a_value = any(value and value in done.stdout for value in secret["data"].values())
    if done.returncode != 0 or "SealedSecret" not in done.stdout or holds_a_value:
        # Its words are not repeated: it was given the values.
        return None, f"'kubeseal' failed (exit code {done.returncode}); run the command below to see why."
    return done.stdout, ""
