"""Writing a connection into the cluster. What fails midway leaves nothing behind."""

from __future__ import annotations

from contextlib import suppress

from integration_hub.adapters.kube_api import INSTANCES, ApiError
from integration_hub.cli.connect.place import WHOLE_SECRETS, Place, Written
from integration_hub.cli.connect.result import Result
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.terminal import Screen


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
