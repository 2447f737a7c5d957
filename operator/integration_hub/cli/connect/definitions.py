"""The definition that is connected to: the cluster's, or the catalog's where the cluster has none of the name.

With one of the catalog, all is asked and tested as with an installed one. It is installed before the connection is
applied, by the code of `hub catalog install`; whether that is permitted is known before the first question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from integration_hub.adapters import shipped
from integration_hub.adapters.kube_api import DEFINITIONS, ApiError
from integration_hub.catalog.index import read_index
from integration_hub.catalog.loader import read_object
from integration_hub.catalog.offers import Offer, offers
from integration_hub.cli.catalog.install import as_if_there, carried_out, look
from integration_hub.cli.catalog.named import meant
from integration_hub.cli.connect.place import NotInstalledError, Place
from integration_hub.cli.connect.wish import Wish
from integration_hub.cli.errors import HubError, NotFoundError, UnreachableError
from integration_hub.cli.rights import is_allowed
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.model.names import GROUP
from integration_hub.reconcile.definition import CheckedDefinition, check_definition

Raw = dict[str, Any]

VERBS: Final = ("create", "patch")
"""Rights that an apply takes of what there is not yet."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A definition of the catalog that the cluster does not have."""

    text: str
    """Its manifest, as the catalog has it."""
    raw: Raw
    lacks: tuple[str, ...]
    """Rights that installing it takes and whoever asks does not have."""

    @property
    def name(self) -> str:
        """The definition's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def system(self) -> str:
        """The external system's name, as people know it."""
        return str(self.raw["spec"]["displayName"])

    @property
    def command(self) -> str:
        """What installs it."""
        return f"hub catalog install {self.name}"


class Definitions:
    """Finds definitions, and installs those that are missing."""

    def __init__(self, place: Place, screen: Screen) -> None:
        """Ask nothing yet."""
        self._place = place
        self._screen = screen

    def offers(self) -> list[Offer]:
        """Return all that can be connected to."""
        return offers(self._place.entries(), read_index(shipped.index_text()))

    def find(self, name: str) -> tuple[CheckedDefinition, Missing | None]:
        """Return a definition that can be used; with what is missing in the cluster where it is the catalog's.

        Raises:
            HubError: there is none of that name, or it has mistakes.

        """
        try:
            return self._place.definition(name), None
        except NotInstalledError:
            missing = self._missing(name, shipped.definition_text(name) or "")
            return check_definition(as_if_there(missing.raw)), missing
        except NotFoundError as error:
            raise NotFoundError(
                error.what,
                todo=f"The catalog has none of that name, either{meant(name)}. 'hub connect' without a name finds"
                " systems by words.",
            ) from error

    def _missing(self, name: str, text: str) -> Missing:
        asked = {"group": GROUP, "resource": DEFINITIONS.plural, "name": name}
        try:
            lacks = tuple(
                verb for verb in VERBS if not is_allowed(self._place.cluster.kube, {**asked, "verb": verb})
            )
        except ApiError:
            lacks = ()  # what is not permitted is told when it is tried
        return Missing(text, read_object(text), lacks)

    def install(self, missing: Missing, *, dry: bool = False) -> None:
        """Install a definition as `hub catalog install` does; with `dry`, on trial.

        Raises:
            HubError: it is refused, or another one of the name is there meanwhile.

        """
        cluster = self._place.cluster
        step = look(cluster, missing.raw)
        if step.there is not None and not step.is_same:
            raise HubError(
                f"IntegrationDefinition '{missing.name}' was installed by somebody else meanwhile, and is another than"
                " the catalog's.",
                todo="Run the command again: it asks what that one needs.",
            )
        done = carried_out(cluster, step, dry=True, force=False)
        if not dry:
            done = carried_out(cluster, step, dry=False, force=False)
        self._screen.say(f"integrationdefinition.{GROUP}/{missing.name} {done[1]}")


def refuse_missing(missing: Missing, wish: Wish) -> None:
    """Raise HubError where a definition is missing and what is wished for cannot be had, or was not said plainly."""
    if missing.lacks and wish.asks_cluster_to_write:
        raise _not_permitted(missing)
    if not (wish.asks or wish.install or wish.test_only):
        raise NotFoundError(
            f"IntegrationDefinition '{missing.name}' is not installed in this cluster.",
            todo="The catalog has it: with --install it is installed before the connection, or written beside it with"
            f" -o. Or '{typed('catalog', 'install', missing.name)}' installs it, if you may.",
        )


def _not_permitted(missing: Missing) -> HubError:
    rights = " and ".join(f"'{verb}'" for verb in missing.lacks)
    return UnreachableError(
        f"IntegrationDefinition '{missing.name}' is not installed in this cluster, and you may not install it.",
        why=f"You lack the right to {rights} {DEFINITIONS.plural}.",
        todo=f"An administrator of the cluster runs '{missing.command}'; then run this command again. Without, you can"
        " test with --test-only, and write manifests for Git with -o DIR.",
    )


def told(missing: Missing, wish: Wish) -> str:
    """Return what a person is told of a missing definition before the first question."""
    first = "This is the definition of the catalog; it is not installed in this cluster yet."
    if wish.test_only or wish.dry_run is not None:
        return first
    if wish.folder is not None:
        return f"{first} Its manifest is written beside that of the connection."
    if missing.lacks:
        return (
            f"{first} You may not install it: an administrator of the cluster does, with '{missing.command}'. You can"
            " test, and write manifests for Git."
        )
    then = "it is installed" if wish.install else "you are asked whether to install it"
    return f"{first} Before the connection is applied, {then}."
