"""What becomes of the answers: objects in the cluster, files of a folder, or a look at what they would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from integration_hub.cli.connect.applying import CONNECTION, SECRET, Applying
from integration_hub.cli.connect.definitions import Definitions
from integration_hub.cli.connect.dialogue import Dialogue
from integration_hub.cli.connect.folder import Plan, plan_folder
from integration_hub.cli.connect.left_behind import LeftBehind
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connect.result import Result
from integration_hub.cli.connect.waiting import Waiting
from integration_hub.cli.connect.wish import Wish
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.folder_files import write_files
from integration_hub.cli.interrupts import answered_first
from integration_hub.cli.output import as_yaml
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.model.reasons import Reason
from integration_hub.shell.git_folder import DEFINITION, EXAMPLE_SECRET, README
from integration_hub.shell.kustomization import KUSTOMIZATION, listing_of
from integration_hub.shell.saving import manifest

HIDDEN: Final = "(hidden)"
DEFINITION_LEFT: Final = "the definition"


class Writing:
    """Writes a result as a person wished."""

    def __init__(
        self,
        place: Place,
        screen: Screen,
        definitions: Definitions,
        dialogue: Dialogue | None,
        flags: Mapping[str, Any],
    ) -> None:
        """Write nothing yet. Without a dialogue, nobody is asked whether a file is overwritten."""
        self._place = place
        self._screen = screen
        self._definitions = definitions
        self._dialogue = dialogue
        self._flags = flags
        self.left = LeftBehind()
        """What is so when it is stopped now."""

    def write(self, result: Result, wish: Wish) -> Exit | None:
        """Write it, and wait for what the operator decides where that is wished.

        Returns the exit code, None where a person would rather have nothing written after all.

        Raises:
            HubError: it cannot be written, or the operator decides nothing in time. `left` says what there is then.
            UnusableListError: the folder's list cannot be added to.

        """
        if not result.writes and wish.folder is None:
            self._screen.note("Nothing has changed, so nothing is written.")
            return Exit.OK
        if wish.dry_run == "client":
            show_manifests(self._screen, result)
            return Exit.OK
        if wish.folder is not None:
            return self._write_folder(plan_folder(wish.folder, result, wish.secret_format), result)
        return self._apply(result, wish)

    @property
    def is_done(self) -> bool:
        """Whether the connection is written, or may be."""
        return self.left.has(CONNECTION) or self.left.has(SECRET)

    def _apply(self, result: Result, wish: Wish) -> Exit:
        try:
            version = self._applied(result, dry=wish.dry_run == "server")
        except HubError:
            if self.left:
                self._screen.note(str(self.left))
            raise
        if wish.dry_run == "server":
            return Exit.OK
        if not wish.wait:
            return Exit.OK
        if result.needs_consent and result.interview.current is None:
            return self._consent(result, wish)
        only_secret = version is not None and not result.changed
        waiting = Waiting(self._place, self._screen, wish.timeout)
        ready = waiting.until_decided(result.name, asks=only_secret)
        if result.needs_consent and ready.reason == Reason.AUTHORIZATION_REQUIRED:
            return self._consent(result, wish)
        return waiting.told(ready)

    def _applied(self, result: Result, *, dry: bool) -> str | None:
        """Write all of it, what is missing first; return the version of the Secret, as Applying does."""
        applying, missing = Applying(self._place, self._screen, self.left), result.missing
        applying.rehearse(result)  # first, so that no definition is installed for a connection that cannot be
        if missing is not None:
            if not dry:
                words = (
                    f"The definition '{missing.name}' may be installed: '{typed('get', 'idef')}' shows it."
                )
                self.left.note(DEFINITION_LEFT, words)
            with answered_first():
                self._definitions.install(missing, dry=dry)
                if not dry:
                    self.left.note(DEFINITION_LEFT, f"The definition '{missing.name}' stays installed.")
        return applying.apply(result, dry=dry)

    def _write_folder(self, plan: Plan, result: Result) -> Exit | None:
        if plan.taken:
            if self._dialogue is None:
                raise HubError(
                    f"{', '.join(plan.taken)} in '{plan.folder}' would be overwritten.",
                    todo="Name another folder with -o, or remove what is there.",
                    code=Exit.USAGE,
                )
            question = f"Overwrite {', '.join(plan.taken)} in '{plan.folder}'?"
            if self._dialogue.choose(question, [("no", "No"), ("yes", "Yes, overwrite")]) == "no":
                return None
        write_files(plan.folder, plan.texts)
        for name in plan.texts:
            self._screen.say(str(plan.folder / name))
        self._tell_of_folder(plan.folder, tuple(plan.texts), result)
        return Exit.OK

    def _tell_of_folder(self, folder: Path, written: Sequence[str], result: Result) -> None:
        """Say what has to be done, or thought of, before the folder is applied."""
        listing = listing_of(folder)
        if listing.text is None:
            applied = " and ".join(name for name in written if name not in {EXAMPLE_SECRET, README})
            self._screen.note(
                f"All else in '{folder}' is left as it is. Where a {KUSTOMIZATION} lists what is applied, it has to"
                f" name {applied}."
            )
        elif listing.namespace not in {None, self._place.namespace}:
            self._screen.note(
                f"Careful: '{listing.path}' puts all that it lists into the namespace '{listing.namespace}', and so the"
                f" connection, too, although it was made for '{self._place.namespace}'."
            )
        if result.missing is not None:
            self._screen.note(
                f"{DEFINITION} is there since this cluster does not have the definition '{result.missing.name}':"
                " applying it takes the right to create IntegrationDefinitions."
            )
        if README in written:
            self._screen.note(f"Next steps are in {folder / README}.")

    def _consent(self, result: Result, wish: Wish) -> Exit:
        """Show the link or code, and wait until somebody has consented."""
        from integration_hub.cli.authorize.run import Request, run  # noqa: PLC0415 - few connections need it

        return Exit(
            run(
                Request(
                    name=result.name,
                    namespace=self._place.namespace,
                    kubeconfig=self._flags["kubeconfig"],
                    context=self._flags["context"],
                    again=False,
                    browser=self._dialogue is not None and not self._flags["no_browser"],
                    wait=True,
                    timeout=wish.consent_timeout,
                )
            )
        )


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
    screen.data("---\n".join(documents).rstrip("\n"))
