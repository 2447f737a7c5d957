"""What becomes of the answers: objects in the cluster, or a folder for Git. What fails midway leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from integration_hub.adapters.kube_api import INSTANCES, ApiError
from integration_hub.cli.asking import wait_until
from integration_hub.cli.connect.definitions import Missing
from integration_hub.cli.connect.home import home_of
from integration_hub.cli.connect.place import WHOLE_SECRETS, Place, Written
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.folder_files import write_files
from integration_hub.cli.output import as_yaml
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.config.plain_text import one_line
from integration_hub.forms.interview import Interview
from integration_hub.forms.manifests import secret_changes, secret_manifest
from integration_hub.forms.question import Answers
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.shell.git_folder import INSTANCE, Folder, files
from integration_hub.shell.kustomization import NAMES, listing_of
from integration_hub.shell.merge_patch import merge_patch
from integration_hub.shell.saving import manifest

Raw = dict[str, Any]

SEAL_SECONDS: Final = 60
HIDDEN: Final = "(hidden)"


@dataclass(frozen=True)
class Result:
    """What is to be written."""

    interview: Interview
    answers: Answers
    raw: Raw
    """The instance as it is to be."""
    changed: bool = True
    """Whether anything of the instance differs; a new one always does."""
    missing: Missing | None = None
    """The definition, where the cluster does not have it."""
    needs_consent: bool = False
    cluster_flags: tuple[str, ...] = ()
    """Which cluster is meant, as flags that kubeseal takes, too."""

    @property
    def name(self) -> str:
        """The connection's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def new_secret(self) -> Raw | None:
        """The Secret to make."""
        return secret_manifest(self.interview, self.answers)

    @property
    def secret_patch(self) -> Raw | None:
        """What changes in a Secret that is there."""
        return secret_changes(self.interview, self.answers)

    @property
    def spec_patch(self) -> Raw:
        """What changes in an instance that is there."""
        if self.interview.current is None:
            return {}
        return {"spec": merge_patch(self.interview.current.spec, self.raw["spec"])}


class Applying:
    """Writes into a cluster: the Secret first, and the instance once the API server has agreed to it."""

    def __init__(self, place: Place, screen: Screen) -> None:
        """Write nothing yet."""
        self._place = place
        self._screen = screen

    def apply(self, result: Result, *, dry: bool = False) -> str | None:
        """Write all of it, once it was rehearsed; return the version of the Secret, None where that is as it was.

        Where the instance is refused, or somebody stops it, a new Secret is taken away again.
        """
        secret = self._secret(result, dry=dry)
        try:
            self._say(secret, "created" if result.new_secret else "changed", dry=dry)
            written = self._instance(result, dry=dry)
        except BaseException:
            self._undo(result, secret, dry=dry)
            raise
        self._say(written, "created" if result.interview.current is None else "changed", dry=dry)
        return secret.raw["metadata"].get("resourceVersion") if secret is not None else None

    def rehearse(self, result: Result) -> None:
        """Have the API server check all of it on trial. HubError where it would refuse some."""
        if result.interview.current is None and self._place.exists(INSTANCES, result.name):
            raise HubError(
                f"IntegrationInstance '{result.name}' in namespace '{self._place.namespace}' exists already, and is"
                " not overwritten.",
                todo=f"Take another name with --name, or change it with 'hub edit {result.name}'.",
                code=Exit.USAGE,
            )
        self._instance(result, dry=True)
        self._secret(result, dry=True)

    def _instance(self, result: Result, *, dry: bool) -> Written | None:
        current = result.interview.current
        if current is None:
            has_secret = result.new_secret is not None
            return self._place.apply_instance(result.raw, dry=dry, with_secret=has_secret)
        if not result.changed:
            return None
        return self._place.change(INSTANCES, current.raw, result.spec_patch, dry=dry)

    def _secret(self, result: Result, *, dry: bool) -> Written | None:
        if result.new_secret is not None:
            return self._place.create_secret(result.new_secret, dry=dry)
        if result.secret_patch is None:
            return None
        name = result.interview.secret_name(result.answers) or ""
        before = self._place.secret(name)
        if before is None:
            raise HubError(
                f"Secret '{name}' in namespace '{self._place.namespace}' cannot be changed: it is gone, or you may"
                " not read it.",
                todo="Ask for the right to 'get' it, or put the values into a new Secret.",
                code=Exit.UNREACHABLE,
            )
        return self._place.change(WHOLE_SECRETS, before, result.secret_patch, dry=dry)

    def _undo(self, result: Result, secret: Written | None, *, dry: bool) -> None:
        if secret is None or dry:
            return
        if result.new_secret is None:
            self._screen.note(f"The Secret '{secret.raw['metadata']['name']}' has been changed already.")
            return
        with suppress(ApiError):
            self._place.delete_secret(secret)
            self._screen.note(f"The Secret '{secret.raw['metadata']['name']}' was taken away again.")

    def _say(self, written: Written | None, verb: str, *, dry: bool) -> None:
        if written is None:
            return
        group = written.resource.api.rpartition("/")[0]
        kind = written.resource.kind.lower() + (f".{group}" if group else "")
        how = " (server dry run)" if dry else ""
        self._screen.say(f"{kind}/{written.raw['metadata']['name']} {verb}{how}")


def show_manifests(screen: Screen, result: Result) -> None:
    """Print what would be written, with no value of the Secret."""
    documents = [result.missing.text] if result.missing is not None else []
    secret = result.new_secret
    if secret is not None:
        secret["stringData"] = dict.fromkeys(secret.pop("data"), HIDDEN)
        documents.append(as_yaml(secret))
    elif result.secret_patch is not None:
        name = result.interview.secret_name(result.answers)
        keys = ", ".join(result.secret_patch["data"])
        screen.note(f"In the Secret '{name}', these keys would change: {keys}")
    documents.append(manifest(result.raw))
    screen.say("---\n".join(documents).rstrip("\n"))


# A folder


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


# Waiting


@dataclass
class Waiting:
    """Waits until a connection is Ready, or cannot be without somebody."""

    place: Place
    screen: Screen
    timeout: timedelta
    _last: str = ""
    """What the operator has said last."""

    def until_ready(self, name: str, *, secret_version: str | None = None) -> Exit:
        """Return the exit code. `secret_version` is that of the Secret which was changed, None where none was.

        Raises:
            HubError: the connection is gone, may not be seen any more, or the operator decides nothing in time.

        """
        raw = wait_until(
            self.place.cluster,
            name,
            self.timeout.total_seconds(),
            lambda raw: self._decided(raw, secret_version) is not None,
            begun=time.monotonic(),
            screen=self.screen,
            what="the connection is Ready",
            said=lambda: self._last,
        )
        ready = self._decided(raw, secret_version)
        if ready is None:
            raise ValueError("nothing is waited for any longer once it is decided")
        word = self.screen.status(
            OF_READY.get(ready.status, State.UNKNOWN), "Ready" if ready.status == "True" else "Not ready"
        )
        self.screen.note(f"{word}, {ready.reason}: {one_line(ready.message)}")
        return Exit.OK if ready.status == "True" else Exit.FAILED

    def _decided(self, raw: Raw, secret_version: str | None) -> Condition | None:
        """Return what the operator has decided about the objects as they are now; None while it has not."""
        instance = IntegrationInstance.model_validate(raw)
        ready = instance.status.condition("Ready")
        if ready is None or instance.status.observed_generation != instance.metadata.generation:
            return None
        self._last = one_line(f"{ready.reason}: {ready.message}")
        tested = instance.status.tested
        if secret_version is not None and (
            tested is None or tested.secret_resource_version != secret_version
        ):
            return None
        is_final = ready.reason in set(Reason) and REASONS[Reason(ready.reason)].course in {
            Course.GOOD, Course.STALLED, Course.PAUSED,
        }  # fmt: skip
        return ready if is_final else None
