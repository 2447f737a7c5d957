"""Why an API server did not do what a person asked, and what to do: words, and the errors that carry them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from integration_hub.adapters.kube_api import DEFINITIONS, FORBIDDEN, UNAUTHORIZED, ApiError, Resource
from integration_hub.config.values import choices, did_you_mean
from integration_hub.model.names import API_VERSION


class Explanation(NamedTuple):
    """One sentence about what is in the way, and what to do about it."""

    what: str
    todo: str = ""

    def __str__(self) -> str:
        """Return both as one text."""
        return f"{self.what} {self.todo}".strip()


class NoSuchObjectError(Exception):
    """What was asked for does not exist. Says what was probably meant and what to do, apart and as one text."""

    def __init__(self, found: Explanation) -> None:
        """`found` is what there is not."""
        super().__init__(str(found))
        self.found = found


class CannotAskError(Exception):
    """The cluster cannot be asked. Says why and what to do, apart and as one text."""

    def __init__(self, found: Explanation) -> None:
        """`found` is what is in the way."""
        super().__init__(str(found))
        self.found = found


class Deed(NamedTuple):
    """What an API server was asked to do, and the rights that this takes."""

    verb: str
    """As in "You may not change it"."""
    rights: str
    """As in "Ask for the right to 'patch' it"; empty where only the API server's own words name it."""


def absence(resource: Resource, name: str, namespace: str, names: Collection[str] | None) -> str:
    """Return that there is no object of a name, with those that there are; None where they may not be listed."""
    if names is None:
        has = "You may not see which others there are."
    elif names:
        has = f"There {'are' if len(names) > 1 else 'is'} {choices(names)}."
    else:
        has = "There are none at all."
    return f"There is no {named(resource, name, namespace)}{did_you_mean(name, names or ())}. {has}"


def named(resource: Resource, name: str, namespace: str) -> str:
    """Return an object as a sentence names it."""
    return f"{resource.kind} '{name}'" + (f" in namespace '{namespace}'" if namespace else "")


READ: Final = Deed("read", "")
CHANGE: Final = Deed("change", "'patch' it")
CREATE: Final = Deed("create", "'create' and 'patch' it")
"""By an apply, which is a PATCH of what there is not yet."""


def reading(resource: Resource, *verbs: str, namespace: str = "") -> Deed:
    """Return that objects of a resource are read, as a Role names the rights for it; of all namespaces without one."""
    group = resource.api.rpartition("/")[0]
    named = f"{resource.plural}.{group}" if group else resource.plural
    everywhere = "" if resource == DEFINITIONS else " in all namespaces"
    where = f" in namespace '{namespace}'" if namespace else everywhere
    may = " and ".join(f"'{verb}'" for verb in verbs)
    return Deed("read", f"{may} {named}{where}")


def is_policy(error: ApiError) -> bool:
    """Tell whether the cluster's rules for objects forbid it, and not a lack of rights.

    Admission webhooks, policies and quotas answer with 403 as well. Of a right that is missing, every authorizer says
    'X is forbidden: User "Y" cannot create resource ...'.
    """
    said = str(error)
    is_rule = "denied the request" in said or (
        "is forbidden: " in said and 'is forbidden: User "' not in said
    )
    return error.status == FORBIDDEN and is_rule


POLICY: Final = "That is a rule of this cluster, whatever rights you have: whoever keeps it can say more."


def explanation(error: ApiError, what: str, server: str, deed: Deed = READ) -> Explanation:
    """Return why the API server at `server` did not read, change or create `what`, such as "the list of instances"."""
    if error.gone:
        return Explanation(
            f"The cluster at {server} does not know our kinds ({API_VERSION}).",
            "Install them with 'kubectl apply --server-side -f crds/', or choose another cluster with --context.",
        )
    if is_policy(error):
        return Explanation(f"The API server refuses to {deed.verb} {what}: {error}", POLICY)
    if error.status == FORBIDDEN:
        right = f"the right to {deed.rights}" if deed.rights else "that right"
        return Explanation(
            f"You may not {deed.verb} {what}.",
            f"Ask for {right}, or choose another --context. The API server says: {error}",
        )
    if error.status == UNAUTHORIZED:
        return Explanation(
            f"The API server at {server} does not accept your credentials.",
            "Log in again, or choose another --context.",
        )
    if error.status == 0:
        return Explanation(
            f"The API server at {server} cannot be reached ({error.why}).",
            "Check that it runs and that the kubeconfig's context is the right one.",
        )
    return Explanation(f"The API server at {server} could not {deed.verb} {what}: {error}")
