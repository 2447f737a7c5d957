"""A connection as a folder for Git, in which no value of a Secret stands but sealed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integration_hub.catalog.loader import read_object
from integration_hub.cli.connect.home import home_of, objects_in
from integration_hub.cli.connect.result import Result
from integration_hub.cli.errors import HubError
from integration_hub.shell.git_folder import EXAMPLE_SECRET, INSTANCE, README, Folder, about_it, files
from integration_hub.shell.kustomization import NAMES, listing_of

SEAL_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written into a folder."""

    folder: Path
    texts: Mapping[str, str]
    """By the names of the files, paths below the folder."""
    taken: tuple[str, ...]
    """Files among them that are there, and not those of this connection."""


def plan_folder(folder: Path, result: Result, secret_format: str) -> Plan:
    """Return what a folder is to hold. Values go to no other program than kubeseal, where that is wished.

    Raises:
        HubError: the Secret cannot be sealed, or the instance cannot stand there.
        UnusableListError: the folder's list cannot be added to.

    """
    about = _folder(folder, result, secret_format)
    texts = files(about)
    there = [
        name for name in texts if name not in NAMES and (folder / name).exists()
    ]  # a list is only added to
    edits = result.interview.current is not None
    taken = [name for name in there if not (edits and _is_its_own(about, folder / name, texts[name], name))]
    return Plan(folder, texts, tuple(taken))


def _is_its_own(about: Folder, path: Path, text: str, name: str) -> bool:
    """Tell whether a file that is there was written for the same connection, so that its next state replaces it."""
    if name == about.file:
        return True  # it was found there
    if name == README:
        return about_it(about) in path.read_text(encoding="utf-8", errors="replace")
    found = objects_in(path)
    if len(found) != 1:
        return False
    if name == EXAMPLE_SECRET:
        return bool(_identity(found[0])[0] == "Secret")  # nothing applies it
    return _identity(found[0]) == _identity(read_object(text))


def _identity(raw: Any) -> tuple[Any, Any, Any]:
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    if not isinstance(metadata, dict):
        return None, None, None
    return raw.get("kind"), metadata.get("namespace"), metadata.get("name")


def _folder(where: Path, result: Result, secret_format: str) -> Folder:
    interview, answers = result.interview, result.answers
    secret, listing = result.new_secret, listing_of(where)
    home = home_of(where, result.raw, listing) if interview.current is not None else None
    seals = secret is not None and secret_format == "sealed-secret"
    return Folder(
        instance=result.raw,
        system=interview.spec.display_name,
        keys=interview.keys(answers),
        secret_type=interview.secret_type(answers) or "Opaque",
        has_secret=secret is not None,
        format=secret_format,
        listing=listing,
        sealed=sealed_secret(secret, result.cluster_flags) if secret is not None and seals else None,
        needs_consent=result.needs_consent,
        definition=result.missing.text if result.missing is not None else None,
        file=home or INSTANCE,
        is_there=interview.current is not None and (home is not None or listing.text is not None),
    )


def sealed_secret(secret: Mapping[str, Any], cluster_flags: Sequence[str] = ()) -> str:
    """Return the SealedSecret that `kubeseal` makes of a Secret.

    The Secret goes to it through a pipe: no value stands on a command line or in a file.

    Raises:
        HubError: there is no kubeseal, or it fails.

    """
    program = shutil.which("kubeseal")
    if program is None:
        raise _not_sealed("there is no 'kubeseal' on PATH", "Install it")
    flags = ("--format", "yaml", *cluster_flags)
    try:
        done = subprocess.run(  # noqa: S603 - the person's own program
            [program, *flags],
            input=json.dumps(secret),
            capture_output=True,
            text=True,
            check=False,
            timeout=SEAL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _not_sealed("'kubeseal' did not answer", "See whether it runs") from None
    holds_a_value = any(value and value in done.stdout for value in secret["data"].values())
    if done.returncode != 0 or "SealedSecret" not in done.stdout or holds_a_value:
        # Its words are not repeated: it was given the values.
        why = f"'kubeseal' failed (exit code {done.returncode})"
        raise _not_sealed(why, "See with 'kubeseal --fetch-cert' whether it reaches its controller")
    return done.stdout


def _not_sealed(why: str, mend: str) -> HubError:
    return HubError(
        f"The Secret cannot be sealed: {why}.",
        todo=f"{mend}, and try again. Or choose the format 'example' (--secret-format example): its {README} says how"
        " the Secret is made.",
    )
