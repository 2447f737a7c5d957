"""`hub check` and `hub version`: is the cluster fit, and which versions are there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from integration_hub import __version__
from integration_hub.cli.flags import HELP, output_flag, place_flags
from integration_hub.cli.output import Form, Raw, as_items, write
from integration_hub.cli.terminal import Screen, State
from integration_hub.cli.words import typed
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.check_findings import Finding
    from integration_hub.cli.cluster import Cluster

GROUP: Final = "integrationhub.dev"
Right = tuple[str, str, str, str]
"""Words, API group, resource, verb."""

_READING: Sequence[Right] = (
    ("list instances", GROUP, "integrationinstances", "list"),
    ("read definitions", GROUP, "integrationdefinitions", "get"),
    ("read Events", "events.k8s.io", "events", "list"),
)
_CHANGING: Sequence[Right] = (
    ("create instances", GROUP, "integrationinstances", "create"),
    ("change instances", GROUP, "integrationinstances", "patch"),
    ("create Secrets", "", "secrets", "create"),
)
_TESTING: Sequence[Right] = (("read Secrets", "", "secrets", "get"),)
_INSTALLING: Sequence[Right] = (
    ("create CRDs", "apiextensions.k8s.io", "customresourcedefinitions", "create"),
    ("create namespaces", "", "namespaces", "create"),
    ("create ClusterRoles", "rbac.authorization.k8s.io", "clusterroles", "create"),
    ("bind them", "rbac.authorization.k8s.io", "clusterrolebindings", "create"),
)
_OPERATORS: Sequence[Right] = (
    ("watch instances", GROUP, "integrationinstances", "watch"),
    ("watch definitions", GROUP, "integrationdefinitions", "watch"),
    ("write status", GROUP, "integrationinstances/status", "patch"),
    ("watch Secrets", "", "secrets", "watch"),
    ("read Secrets", "", "secrets", "get"),
    ("create Secrets", "", "secrets", "create"),
    ("update Secrets", "", "secrets", "update"),
    ("post Events", "events.k8s.io", "events", "create"),
)
_IN_NO_NAMESPACE = frozenset(
    {
        "integrationdefinitions",
        "customresourcedefinitions",
        "namespaces",
        "clusterroles",
        "clusterrolebindings",
    }
)
_OPERATOR_LABEL = "app.kubernetes.io/name=integration-hub"


@click.command("check", cls=Command, context_settings=HELP)
@click.option("--pre", is_flag=True, help="Before the hub is installed: only whether it can be.")
@place_flags()
@click.option(
    "--operator-namespace", default="integration-hub", show_default=True, help="Where the operator runs."
)
@click.option("--service-account", default="integration-hub", show_default=True, help="The operator's.")
@output_flag(("table", "json", "yaml"))
def check(pre: bool, output: Form, **flags: Any) -> None:
    """Say whether the cluster is fit for the hub: what is installed, what runs, and what you may do.

    What cannot be told, since you may see only a part of the cluster, is no failure.

    \b
    Examples:
      hub check --pre      before the hub is installed
      hub check            afterwards, or when nothing happens

    Exit code 0 where nothing has failed, 1 where something has, 3 where the cluster cannot be asked.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub check --help` needs no cluster.
    from integration_hub.cli.check_findings import FAILED  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)
    examination = _Examination(cluster, flags["operator_namespace"], flags["service_account"])
    found: list[Finding] = []
    for finding in examination.before() if pre else examination.all():
        found.append(finding)
        if output.is_table:
            for line in _lines(finding, screen):
                screen.say(line)
    if not output.is_table:
        write(screen, output, as_items(finding._asdict() for finding in found))
    sys.exit(1 if any(finding.result == FAILED for finding in found) else 0)


def _lines(finding: Finding, screen: Screen) -> Iterator[str]:
    states = {"ok": State.GOOD, "failed": State.BAD}
    word = screen.status(states.get(finding.result, State.UNKNOWN), finding.result)
    yield f"{finding.name}: {word}"
    yield from screen.folded(finding.says)
    if finding.todo:
        yield from screen.folded(f"What to do: {finding.todo}")


class _Examination:
    """Asks the cluster one question after another."""

    def __init__(self, cluster: Cluster, namespace: str, account: str) -> None:
        self._cluster, self._namespace, self._account = cluster, namespace, account

    def before(self) -> Iterator[Finding]:
        """Yield what must hold before the hub is installed."""
        yield self._version()
        yield self._rights(
            "Your right to install", _INSTALLING, todo="Ask an administrator of the cluster to install."
        )

    def all(self) -> Iterator[Finding]:
        """Yield all there is to know."""
        from integration_hub.cli.check_findings import FAILED, OK  # noqa: PLC0415 - as above

        yield self._version()
        crds = list(self._crds())
        yield from crds
        look = self._rights("Your right to look", _READING)
        yield look
        connect = self._rights("Your right to connect", _CHANGING)
        if (look.result, connect.result) == (OK, FAILED):
            connect = connect._replace(todo=f"{connect.todo} Without that you can look, not change.")
        yield connect
        only = "Without it 'hub test' lets the operator test. To test from here, ask for the right to 'get' Secrets."
        yield self._rights("Your right to test", _TESTING, todo=only, needed=False)
        if all(finding.result != "failed" for finding in crds):
            yield self._operator()
        yield self._operators_rights()
        yield self._keyring()

    def _version(self) -> Finding:
        from integration_hub.cli.check_findings import version_finding  # noqa: PLC0415 - as above

        with self._cluster.asked("its version"):
            version = str(self._cluster.kube.call("GET", "/version").get("gitVersion", ""))
        return version_finding(version, self._cluster.kube.server)

    def _crds(self) -> Iterator[Finding]:
        # Here, since the models take long to load.
        from integration_hub.adapters.kube_api import FORBIDDEN, ApiError  # noqa: PLC0415
        from integration_hub.cli.check_findings import UNKNOWN, Finding, crd_finding  # noqa: PLC0415
        from integration_hub.model.crds import custom_resource_definitions  # noqa: PLC0415

        for ours in custom_resource_definitions():
            kind = ours["spec"]["names"]["kind"]
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{ours['metadata']['name']}"
            try:
                yield crd_finding(kind, self._cluster.kube.call("GET", path), ours)
            except ApiError as error:
                if error.gone:
                    yield crd_finding(kind, None, ours)
                elif error.status == FORBIDDEN:
                    yield Finding(f"CRD {kind}", UNKNOWN, "You may not look at CRDs.")
                else:
                    raise self._cluster.explained(error, f"the CRD of {kind}") from error

    def _rights(self, name: str, rights: Sequence[Right], *, todo: str = "", needed: bool = True) -> Finding:
        """Judge rights of whoever asks; without `todo`, roles with those that are missing are to be asked for."""
        from integration_hub.cli.check_findings import (  # noqa: PLC0415 - as above
            FAILED,
            UNKNOWN,
            rights_finding,
            roles_to_ask_for,
        )

        with self._cluster.asked("what you may do"):
            answers = list(self._reviewed(rights, namespace=self._cluster.namespace))
        everywhere = all(resource in _IN_NO_NAMESPACE for _, _, resource, _ in rights)
        who = "You" if everywhere else f"In namespace '{self._cluster.namespace}' you"
        if not todo:
            missing = {words for words, is_allowed in answers if not is_allowed}
            cluster_wide = {words for words, _, resource, _ in rights if resource in _IN_NO_NAMESPACE}
            todo = roles_to_ask_for(missing - cluster_wide, missing & cluster_wide, self._cluster.namespace)
        finding = rights_finding(name, answers, who=who, todo=todo)
        return finding if needed or finding.result != FAILED else finding._replace(result=UNKNOWN)

    def _operators_rights(self) -> Finding:
        from integration_hub.adapters.kube_api import FORBIDDEN, ApiError, Resource  # noqa: PLC0415 - as above
        from integration_hub.cli.check_findings import UNKNOWN, Finding, rights_finding  # noqa: PLC0415

        name, user = "Operator's rights", f"system:serviceaccount:{self._namespace}:{self._account}"
        todo = "'kubectl apply -f deploy/rbac.yaml' gives them; docs/production.md says what can be left out."
        accounts = Resource("v1", "serviceaccounts", "ServiceAccount")
        try:
            self._cluster.kube.read(accounts, self._namespace, self._account)
            answers = list(self._reviewed(_OPERATORS, user=user))
        except ApiError as error:
            if error.gone:
                says = f"There is no service account {self._namespace}/{self._account}: the operator has another one."
                return Finding(
                    name, UNKNOWN, says, "Name it with --operator-namespace and --service-account."
                )
            if error.status != FORBIDDEN:
                raise self._cluster.explained(error, "what the operator may do") from error
            return Finding(name, UNKNOWN, "You may not ask what others may do.")
        return rights_finding(
            name, answers, who=f"The service account {self._namespace}/{self._account}", todo=todo
        )

    def _reviewed(
        self, rights: Iterable[Right], *, user: str = "", namespace: str = ""
    ) -> Iterator[tuple[str, bool]]:
        from integration_hub.cli.rights import is_allowed  # noqa: PLC0415 - as above

        for words, group, whole, verb in rights:
            resource, _, sub = whole.partition("/")
            within = "" if resource in _IN_NO_NAMESPACE else namespace
            attributes = {"group": group, "resource": resource, "verb": verb, "namespace": within}
            attributes |= {"subresource": sub} if sub else {}
            yield words, is_allowed(self._cluster.kube, attributes, user=user)

    def _operator(self) -> Finding:
        from integration_hub.adapters.kube_api import FORBIDDEN, INSTANCES, ApiError, Resource  # noqa: PLC0415 - as above
        from integration_hub.cli.check_findings import UNKNOWN, Finding, operator_finding  # noqa: PLC0415

        kube = self._cluster.kube
        try:
            instances = kube.items(INSTANCES)
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise self._cluster.explained(error, "the list of instances") from error
            try:
                instances = kube.items(INSTANCES, self._cluster.namespace)
            except ApiError as own:
                if own.status != FORBIDDEN:
                    raise self._cluster.explained(own, "the list of instances") from own
                return Finding(
                    "Operator", UNKNOWN, "You may not list instances, so what it does cannot be seen."
                )
        pods: list[Raw] | None
        try:
            pods = kube.items(Resource("v1", "pods", "Pod"), query={"labelSelector": _OPERATOR_LABEL})
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise self._cluster.explained(error, "the list of Pods") from error
            pods = None
        return operator_finding(instances, pods, datetime.now(UTC))

    def _keyring(self) -> Finding:
        from integration_hub.adapters.kube_api import FORBIDDEN, SECRETS, ApiError  # noqa: PLC0415 - as above
        from integration_hub.adapters.kube_blocking import METADATA_ONE  # noqa: PLC0415
        from integration_hub.cli.check_findings import OK, UNKNOWN, Finding  # noqa: PLC0415

        name, secret = "Keyring", "integration-hub-keyring"
        place = f"Secret '{secret}' in namespace '{self._namespace}'"
        try:
            # Without its data: nobody needs the keys to know that they are there.
            self._cluster.kube.read(SECRETS, self._namespace, secret, accept=METADATA_ONE)
        except ApiError as error:
            if error.gone:
                says = f"There is no {place}. The operator makes it when it starts, unless its keys are in files."
                return Finding(name, UNKNOWN, says)
            if error.status != FORBIDDEN:
                raise self._cluster.explained(error, f"the {place}") from error
            return Finding(name, UNKNOWN, f"You may not look at the {place}.")
        return Finding(name, OK, f"The {place} is there. '{typed('keys', 'list')}' says more.")


@click.command("version", cls=Command, context_settings=HELP)
@click.option("--client", is_flag=True, help="Only this command's own version; asks no cluster.")
@place_flags()
@output_flag(("table", "json", "yaml"))
def version(client: bool, output: Form, **flags: Any) -> None:
    """Print the version of this command, and of the cluster.

    \b
    Examples:
      hub version --client
      hub version -o json

    Exit code 3 where the cluster cannot be asked; the version of the command is printed all the same.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    from integration_hub.model.names import API_VERSION  # noqa: PLC0415 - `--help` needs none of it

    screen = Screen.current()
    known: dict[str, Any] = {"client": __version__, "api": API_VERSION}
    try:
        if not client:
            known["server"] = _server_version(flags)
    finally:
        # The command's own are known whatever the cluster says.
        _print_versions(screen, output, known)


def _server_version(flags: Mapping[str, Any]) -> str:
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415 - `--help` needs no cluster

    cluster = Cluster.of(flags)
    with cluster.asked("its version"):
        return str(cluster.kube.call("GET", "/version").get("gitVersion", ""))


def _print_versions(screen: Screen, output: Form, known: Mapping[str, Any]) -> None:
    if not output.is_table:
        write(screen, output, known)
        return
    names = {"client": "hub", "api": "API", "server": "Kubernetes"}
    for key, value in known.items():
        screen.say(f"{names[key]}: {value}")
