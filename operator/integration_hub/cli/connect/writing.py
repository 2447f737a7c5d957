"""What becomes of the answers: objects in the cluster, files of a folder, or a look at what they would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from integration_hub.cli.connect.applying import Applying
from integration_hub.cli.connect.definitions import Definitions
from integration_hub.cli.connect.dialogue import Dialogue
from integration_hub.cli.connect.folder import taken_in, write_folder
from integration_hub.cli.connect.home import home_of
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connect.result import Result
from integration_hub.cli.connect.waiting import Waiting
from integration_hub.cli.connect.wish import Wish
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.output import as_yaml
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.shell.git_folder import DEFINITION, EXAMPLE_SECRET, README
from integration_hub.shell.kustomization import KUSTOMIZATION, listing_of
from integration_hub.shell.saving import manifest

NOTHING: Final = "Nothing was written."

HIDDEN: Final = "(hidden)"


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
        self.left_behind = NOTHING
        """What is so when it is stopped now."""

    def write(self, result: Result, wish: Wish) -> Exit:
        """Write it, and wait for what the operator decides where that is wished; return the exit code."""
        if not result.writes and wish.folder is None:
            self._screen.note("Nothing has changed, so nothing is written.")
            return Exit.OK
        if wish.dry_run == "client":
            show_manifests(self._screen, result)
            return Exit.OK
        if wish.folder is not None:
            return self._write_folder(result, wish, wish.folder)
        return self._apply(result, wish)

    def _apply(self, result: Result, wish: Wish) -> Exit:
        version = self._applied(result, dry=wish.dry_run == "server")
        if wish.dry_run == "server":
            return Exit.OK
        self.left_behind = (
            "The connection is applied, and the operator goes on by itself:"
            f" '{typed('status', result.name, '-n', self._place.namespace)}' shows how far it is."
        )
        if not wish.wait:
            return Exit.OK
        if result.needs_consent:
            return self._consent(result, wish)
        return Waiting(self._place, self._screen, wish.timeout).until_ready(
            result.name, secret_version=version
        )

    def _applied(self, result: Result, *, dry: bool) -> str | None:
        """Write all of it, what is missing first; return the version of the Secret, as Applying does."""
        applying, missing = Applying(self._place, self._screen), result.missing
        applying.rehearse(result)  # first, so that no definition is installed for a connection that cannot be
        if missing is None:
            return applying.apply(result, dry=dry)
        if not dry:
            self.left_behind = f"The definition '{missing.name}' may be installed; 'hub get idef' shows it."
        self._definitions.install(missing, dry=dry)
        if not dry:
            self.left_behind = (
                f"The definition '{missing.name}' is installed; whether the connection is, shows 'hub get'."
            )
        try:
            return applying.apply(result, dry=dry)
        except HubError:
            if not dry:
                self._screen.note(f"The definition '{missing.name}' stays installed.")
            raise

    def _write_folder(self, result: Result, wish: Wish, folder: Path) -> Exit:
        taken = taken_in(folder, result, wish.secret_format)
        overwrite = False
        if taken and self._dialogue is not None:
            options = [("no", "No, stop"), ("yes", "Yes, overwrite")]
            overwrite = (
                self._dialogue.choose(f"Overwrite {', '.join(taken)} in '{folder}'?", options) == "yes"
            )
            if not overwrite:
                self._screen.note(NOTHING)
                return Exit.FAILED
        elif result.interview.current is not None:
            # An edit of what stands there is what was asked for.
            overwrite = taken == [home_of(folder, result.raw, listing_of(folder))]
        written = write_folder(self._screen, folder, result, wish.secret_format, overwrite=overwrite)
        self._tell_of_folder(folder, written, result)
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
                    timeout=wish.timeout,
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
    screen.say("---\n".join(documents).rstrip("\n"))
