"""Writing a connection into the cluster. What fails midway leaves nothing behind, or it is told what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from integration_hub.adapters.kube_api import INSTANCES, ApiError
from integration_hub.cli.connect.left_behind import LeftBehind
from integration_hub.cli.connect.place import WHOLE_SECRETS, Place, Written
from integration_hub.cli.connect.result import Result
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.interrupts import answered_first
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed

SECRET: Final = "the Secret"
CONNECTION: Final = "the connection"

_MAYBE_DONE: Final = frozenset({0, 504})
"""Status codes after which nobody knows whether a write was done; 0: there was no answer."""


class Applying:
    """Writes into a cluster: the Secret first, and the instance once the API server has agreed to it."""

    def __init__(self, place: Place, screen: Screen, left: LeftBehind) -> None:
        """Write nothing yet. `left` is told what is there already, or may be."""
        self._place = place
        self._screen = screen
        self._left = left
        self._goes_on = ""
        """What is so once all is written."""

    def apply(self, result: Result, *, dry: bool = False) -> str | None:
        """Write all of it, once it was rehearsed; return the version of the Secret, None where that is as it was.

        Where the instance is refused, or somebody stops it, a new Secret is taken away again.
        """
        self._goes_on = (
            "The connection is applied, and the operator goes on by itself:"
            f" '{typed('status', result.name, '-n', self._place.namespace)}' shows how far it is."
        )
        secret: Written | None = None
        try:
            if result.writes_secret:
                verb = "created" if result.new_secret is not None else "changed"
                with self._writing(SECRET, f"the Secret '{result.secret_name}' was {verb}", dry=dry):
                    secret = self._secret(result, dry=dry)
                self._say(secret, verb, dry=dry)
            if result.changed:
                verb = "created" if result.interview.current is None else "changed"
                with self._writing(CONNECTION, f"the connection '{result.name}' was {verb}", dry=dry):
                    written = self._instance(result, dry=dry)
                self._say(written, verb, dry=dry)
        except BaseException:
            stays = dry or result.new_secret is None or self._left.has(CONNECTION)
            if secret is not None and not stays:
                self._take_away(secret)
            raise
        if not dry:
            self._left.only(CONNECTION, self._goes_on)
        return secret.raw["metadata"].get("resourceVersion") if secret is not None else None

    @contextmanager
    def _writing(self, what: str, done: str, *, dry: bool) -> Iterator[None]:
        """Keep note of what becomes of a write, which is not known before the API server has answered."""
        if dry:
            yield
            return
        self._left.note(what, f"Whether {done} is not known.")
        try:
            with answered_first():
                yield
                if what == CONNECTION:
                    self._left.only(CONNECTION, self._goes_on)
                else:
                    self._left.note(what, f"{done[0].upper()}{done[1:]}.")
        except HubError as error:
            if not isinstance(error.__cause__, ApiError) or error.__cause__.status not in _MAYBE_DONE:
                self._left.forget(what)
            raise

    def _take_away(self, secret: Written) -> None:
        name, namespace = secret.raw["metadata"]["name"], self._place.namespace
        try:
            self._place.delete_secret(secret)
        except ApiError as error:
            self._left.note(
                SECRET,
                f"The Secret '{name}' was created, and could not be taken away again ({error}):"
                f" 'kubectl delete secret {name} -n {namespace}' does it, for those who may.",
            )
        else:
            self._left.forget(SECRET)
            self._screen.note(f"The Secret '{name}' was taken away again.")

    def rehearse(self, result: Result) -> None:
        """Have the API server check all of it on trial. HubError where it would refuse some."""
        if result.interview.current is None and self._place.exists(INSTANCES, result.name):
            raise HubError(
                f"IntegrationInstance '{result.name}' in namespace '{self._place.namespace}' exists already, and is"
                " not overwritten.",
                todo="Take another name with --name, or change it with"
                f" '{typed('edit', result.name, '-n', self._place.namespace)}'.",
                code=Exit.USAGE,
            )
        if result.changed:
            self._instance(result, dry=True)
        if result.writes_secret:
            self._secret(result, dry=True)

    def _instance(self, result: Result, *, dry: bool) -> Written:
        current = result.interview.current
        if current is None:
            has_secret = result.new_secret is not None
            return self._place.apply_instance(result.raw, dry=dry, with_secret=has_secret)
        return self._place.change(INSTANCES, current.raw, result.spec_patch, dry=dry)

    def _secret(self, result: Result, *, dry: bool) -> Written:
        if result.new_secret is not None:
            return self._place.create_secret(result.new_secret, dry=dry)
        name = result.secret_name
        before = self._place.secret(name)
        if before is None:
            raise HubError(
                f"Secret '{name}' in namespace '{self._place.namespace}' cannot be changed: it is gone, or you may"
                " not read it.",
                todo="Ask for the right to 'get' it, or put the values into a new Secret.",
                code=Exit.UNREACHABLE,
            )
        return self._place.change(WHOLE_SECRETS, before, result.secret_patch or {}, dry=dry)

    def _say(self, written: Written, verb: str, *, dry: bool) -> None:
        group = written.resource.api.rpartition("/")[0]
        kind = written.resource.kind.lower() + (f".{group}" if group else "")
        how = " (server dry run)" if dry else ""
        self._screen.say(f"{kind}/{written.raw['metadata']['name']} {verb}{how}")
