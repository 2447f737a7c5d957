"""Which connections `hub test` is about: of the cluster or of a file, with the person's own request if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.cli.connecting import connection_of
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.streams import UnreadableError, text_of
from integration_hub.cli.trial.wish import Raw, Wish
from integration_hub.cli.trial.words import in_flags
from integration_hub.config.redaction import is_sensitive_name
from integration_hub.config.values import choices, did_you_mean
from integration_hub.reconcile.definition import CheckedDefinition, check_definition, listed
from integration_hub.reconcile.inputs import Inputs, SecretAnswer
from integration_hub.shell.draft import Draft, read_draft
from integration_hub.shell.lookup import Cluster, NoSuchObjectError, as_if_applied, inputs_of
from integration_hub.shell.refusals import refusals
from integration_hub.shell.saving import with_test


@dataclass(frozen=True)
class Subject:
    """A connection to test, and where its Secret is read."""

    raw: Raw
    inputs: Inputs
    secrets: Mapping[tuple[str, str], SecretAnswer]
    """Those of the draft's own file."""


class Access:
    """The cluster of one run, connected to when it is needed first: a draft may need none."""

    def __init__(self, wish: Wish) -> None:
        """Open nothing yet."""
        self._wish = wish
        self._kube: KubeClient | None = None
        self._connection: KubeConnection | None = None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._kube is not None:
            await self._kube.close()

    def _connect(self) -> KubeConnection:
        if self._connection is None:
            self._connection = connection_of(self._wish.kubeconfig, self._wish.context)
        return self._connection

    def cluster(self) -> Cluster:
        """Return the cluster, as the person sees it."""
        connection = self._connect()
        if self._kube is None:
            self._kube = KubeClient(connection)
        return Cluster(self._kube, connection.server)

    def namespace(self) -> str:
        """Return the namespace that is meant where none is named."""
        if self._wish.namespace:
            return self._wish.namespace
        try:
            return self._connect().namespace
        except HubError:
            if self._wish.file is None:
                raise
            return "default"  # a draft may need no cluster


class Subjects:
    """Finds what a wish is about."""

    def __init__(self, wish: Wish, access: Access) -> None:
        """Look for nothing yet."""
        self._wish = wish
        self._access = access

    async def all(self) -> list[Subject]:
        """Return all that was asked for."""
        if self._wish.file is not None:
            return await self._drafts(self._wish.file)
        cluster = self._access.cluster()
        raw = await cluster.instance(self._access.namespace(), self._wish.name or "")
        definition = await cluster.definition(raw["spec"]["definitionRef"]["name"])
        return [await self._subject(raw, definition, cluster, {})]

    async def _drafts(self, file: Path) -> list[Subject]:
        source = "standard input" if str(file) == "-" else str(file)
        draft = read_draft(_text_of(file, source), source=source, namespace=self._access.namespace())
        chosen = [raw for raw in draft.instances if self._wish.name in {None, raw["metadata"]["name"]}]
        if not chosen:
            names = [raw["metadata"]["name"] for raw in draft.instances]
            raise HubError(
                f"There is no IntegrationInstance '{self._wish.name}' in {source}"
                f"{did_you_mean(self._wish.name, names)}; it has {choices(names)}.",
                code=Exit.USAGE,
            )
        return [await self._drafted(raw, draft) for raw in chosen]

    async def _drafted(self, raw: Raw, draft: Draft) -> Subject:
        """Return a draft with what it needs: from its own file, else from the cluster."""
        name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
        wanted = raw["spec"]["definitionRef"]["name"]
        reference = ((raw["spec"].get("auth") or {}).get("secretRef") or {}).get("name")
        lacking = [] if wanted in draft.definitions else [f"IntegrationDefinition '{wanted}'"]
        if reference is not None and (namespace, reference) not in draft.secrets:
            lacking.append(f"Secret '{reference}' in namespace '{namespace}'")
        if not lacking:
            definition = check_definition(draft.definitions[wanted])
            return await self._subject(as_if_applied(raw, None), definition, None, draft.secrets)
        cluster = self._cluster_for(raw, lacking)
        try:
            applied = await cluster.instance(namespace, name)
        except NoSuchObjectError:
            applied = None
        definition_or_none = (
            check_definition(draft.definitions[wanted])
            if wanted in draft.definitions
            else await cluster.definition(wanted)
        )
        subject = await self._subject(as_if_applied(raw, applied), definition_or_none, cluster, draft.secrets)
        near = tuple(get_close_matches(wanted, draft.definitions, n=1)) if definition_or_none is None else ()
        similar = tuple(dict.fromkeys((*near, *subject.inputs.similar_definitions)))
        return replace(subject, inputs=replace(subject.inputs, similar_definitions=similar))

    def _cluster_for(self, raw: Raw, lacking: list[str]) -> Cluster:
        """Return the cluster, which is needed for what the file of a draft does not hold."""
        try:
            return self._access.cluster()
        except HubError as error:
            if error.code is Exit.USAGE:
                raise
            raise HubError(
                f"The file has no {' and no '.join(lacking)}, which IntegrationInstance"
                f" '{raw['metadata']['name']}' needs.",
                why=str(error),
                todo="Add that to the file, or let a cluster be asked.",
                code=error.code,
            ) from error

    async def _subject(
        self,
        raw: Raw,
        definition: CheckedDefinition | None,
        cluster: Cluster | None,
        secrets: Mapping[tuple[str, str], SecretAnswer],
    ) -> Subject:
        if self._wish.entry is not None:
            raw = with_test(raw, self._entry())
        return Subject(raw, await inputs_of(raw, definition, cluster), secrets)

    def _entry(self) -> Raw:
        """Return the request of the person's own as an entry of spec.tests."""
        entry = {"name": self._wish.own_test, **(self._wish.entry or {})}
        for part in ("headers", "query"):
            for name in entry["request"].get(part, {}):
                if is_sensitive_name(name):
                    raise HubError(
                        f"--{part.removesuffix('s')} {name}: credentials do not stand in a test; the auth method takes"
                        " them from the Secret and adds them itself.",
                        code=Exit.USAGE,
                    )
        problems = refusals("IntegrationInstance", {"definitionRef": {"name": "any"}, "tests": [entry]})
        if problems:
            raise HubError(f"The request cannot be tried: {in_flags(listed(problems), 0)}.", code=Exit.USAGE)
        return entry


def _text_of(file: Path, source: str) -> str:
    try:
        return text_of(file)
    except UnreadableError as error:
        raise HubError(f"{source} cannot be read: {error}", code=Exit.USAGE) from error
