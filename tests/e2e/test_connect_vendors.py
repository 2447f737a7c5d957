"""The wizard completed for systems of the catalog against their simulated vendors, by a person on a real terminal.

Then once more from the manifests that it wrote, with kubectl, as Argo CD applies them: what Git has is enough. Both
where the definition is installed and where nobody has installed it yet.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pexpect
import pytest

from conftest import run_kubectl
from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.devcluster import ControlPlane
from support.hub_command import Hub, admin_kubeconfig, forms
from support.instances import Api, Object
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.simulated_vendor import StandingVendor
from support.wizard import Terminal, plain

pytestmark = pytest.mark.cluster

SYSTEMS = ("stripe", "slack", "salesforce")
CONNECTED = ("True", "Connected")


@dataclass
class World:
    """The vendors, the operator that reaches them, and a cluster with the catalog's definitions."""

    plane: ControlPlane
    api: Api
    vendors: Mapping[str, StandingVendor]
    operator: OperatorProcess
    trust: Path
    callback: str

    def flags(self) -> list[str]:
        return [word for vendor in self.vendors.values() for word in vendor.flags()]

    def kubectl(self, *words: str | Path) -> str:
        return run_kubectl(self.plane, *words).stdout


@pytest.fixture(scope="module")
def world(spare_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything that a team finds when it comes to connect something."""
    folder = tmp_path_factory.mktemp("vendors")
    api = Api(spare_cluster.up().kubeconfig)
    port = free_port()
    with ExitStack() as until:
        vendors = {}
        for name in SYSTEMS:
            (folder / name).mkdir()
            vendors[name] = until.enter_context(StandingVendor(name, folder / name))
        trust = folder / "authorities.pem"
        trust.write_text("".join(vendor.authority_file.read_text() for vendor in vendors.values()))
        flags = [word for vendor in vendors.values() for word in vendor.flags()]
        operator = OperatorProcess(
            spare_cluster.home.kubeconfig,
            folder / "operator.log",
            *flags,
            "--callback-listen",
            f"127.0.0.1:{port}",
        )
        until.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", str(trust))
        ran = Hub(folder, spare_cluster.home.kubeconfig).run("catalog", "install", *SYSTEMS)
        assert ran.code == 0, ran.err
        operator.start()
        until.callback(operator.stop)
        yield World(spare_cluster, api, vendors, operator, trust, f"http://localhost:{port}/oauth/callback")
        installed: list[Object] = [
            {"kind": "IntegrationDefinition", "metadata": {"name": name}} for name in SYSTEMS
        ]
        api.delete(*(one for one in installed if api.exists(one)))  # others share the cluster


@pytest.fixture
def namespace(world: World) -> Iterator[str]:
    name = f"team-{uuid4().hex[:8]}"
    world.kubectl("create", "namespace", name)
    yield name
    world.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def hub(world: World, namespace: str, tmp_path: Path) -> Hub:
    """The command of somebody in the team. What a Secret holds is nowhere in what it writes."""
    info = world.plane.up()
    file = admin_kubeconfig(tmp_path, info, namespace)
    return Hub(tmp_path, file)


def instance(namespace: str, name: str) -> Object:
    return {"kind": "IntegrationInstance", "metadata": {"name": name, "namespace": namespace}}


def browse(world: World, link: str, vendor: StandingVendor) -> None:
    """Do as a browser does when somebody consents: open the link, and go where it sends.

    The vendor's name is looked up nowhere: what leads the hub to the simulated one leads here, too.
    """
    parts = urlsplit(link)
    assert parts.hostname is not None
    address, port = vendor.flags()[-1].rpartition("=")[2].split(":")
    context = ssl.create_default_context(cafile=str(world.trust))
    with (
        socket.create_connection((address, int(port)), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as tls,
    ):
        page = http.client.HTTPSConnection(parts.hostname)
        page.sock = tls
        page.request("GET", f"{parts.path}?{parts.query}")
        answer = page.getresponse()
        assert answer.status == 302, answer.read()
        back = urlsplit(answer.headers["Location"])
    home = http.client.HTTPConnection(back.hostname or "", back.port, timeout=60)
    home.request("GET", f"{back.path}?{back.query}")
    assert home.getresponse().status == 200
    home.close()


@dataclass(frozen=True)
class Story:
    """A connection that somebody makes."""

    system: str
    method: str
    """Of the definition's auth methods."""
    answers: Mapping[str, str]
    """What is typed at which question; elsewhere Enter is pressed."""
    identity: str
    consents: bool = False
    """Whether somebody has to sign in at the vendor."""


STORIES = {
    "stripe": Story(
        "stripe", "api-key", {"How does the connection authenticate?": "api-key"}, "acct_1HubOwn"
    ),
    "slack": Story("slack", "token", {"How does the connection authenticate?": "token"}, "hub in Acme"),
    "salesforce, by itself": Story(
        "salesforce",
        "client-credentials",
        {
            "How does the connection authenticate?": "client-credentials",
            "My Domain host": "acme.my.salesforce.com",
        },
        "integration@acme.example",
    ),
    "salesforce, by a person": Story(
        "salesforce",
        "oauth",
        {"How does the connection authenticate?": "oauth", "My Domain host": "acme.my.salesforce.com"},
        "integration@acme.example",
        consents=True,
    ),
}


def completed(run: Terminal, world: World, story: Story, secret: Mapping[str, str]) -> str:
    """Answer whatever the wizard asks until it has ended; return all that it wrote."""
    definition = read_object(shipped.definition_text(story.system) or "")
    (method,) = (one for one in definition["spec"]["authMethods"] if one["name"] == story.method)
    words = {help_["key"]: help_["displayName"] for help_ in method["credentials"]}
    typed = {**story.answers, **{words[key]: value for key, value in secret.items()}}
    questions = list(typed)
    link = r"(https://\S+/authorize\?\S+)"
    enter = r"(\(Enter for [^\n]*\)|\(optional\)|Enter keeps it\)|What now\?[^\n]*)[^\n]*$"
    refused = r"What now\? \(Enter for Change[^\n]*"
    patterns = [
        refused,
        *(rf"(?m)^{re.escape(question)}[^\n]*$" for question in questions),
        link,
        enter,
        pexpect.EOF,
    ]
    seen: str = ""
    while True:
        found = run.process.expect(patterns)
        seen += run.process.before + (run.process.after if isinstance(run.process.after, str) else "")
        assert patterns[found] != refused, plain(seen)
        if patterns[found] is pexpect.EOF:
            break
        if 0 < found <= len(questions):
            run.types(typed[questions[found - 1]])
        elif patterns[found] == link:
            browse(world, run.process.match.group(1), world.vendors[story.system])
        else:
            run.types("")
    run.process.close()
    assert run.process.exitstatus == 0, seen
    assert not shown(secret, seen)
    return seen


def shown(secret: Mapping[str, str], text: str) -> list[str]:
    """Return what of a Secret stands in a text. A client id is no secret: links have it."""
    public = secret.get("clientId", "")
    values = [value for key, value in secret.items() if key != "clientId"]
    return [form for value in values for form in forms(value) if form in text and form not in public]


@pytest.mark.parametrize("name", STORIES)
def test_a_person_connects_a_system_and_git_can_do_it_again(
    world: World, hub: Hub, namespace: str, tmp_path: Path, name: str
) -> None:
    story = STORIES[name]
    vendor = world.vendors[story.system]
    scene = vendor.play(story.method, redirect_uri=world.callback)
    secret = scene.secret()
    place = ("--name", "billing", "--display-name", "Billing", "--no-browser", *world.flags())

    run = Terminal(hub, "connect", story.system, "--plain", "--apply", *place, SSL_CERT_FILE=str(world.trust))
    seen = completed(run, world, story, secret)
    assert ("Result: Success, Connected" if story.consents else "Ready, Connected") in seen
    made = world.api.wait_for_verdict(instance(namespace, "billing"), *CONNECTED)
    assert made["status"]["identity"] == story.identity

    # Somebody deletes it all, and has the wizard write it for Git.
    world.kubectl("delete", "iinst,secret", "--all", "-n", namespace)
    folder = tmp_path / "git"
    run = Terminal(
        hub, "connect", story.system, "--plain", "-o", str(folder), *place, SSL_CERT_FILE=str(world.trust)
    )
    completed(run, world, story, secret)
    written = "".join(path.read_text() for path in folder.iterdir())
    assert not shown(secret, written)

    reference = made["spec"]["auth"]["secretRef"]["name"]
    literals = [f"--from-literal={key}={value}" for key, value in secret.items()]
    world.kubectl("create", "secret", "generic", reference, "-n", namespace, *literals)
    world.kubectl("apply", "-k", folder)
    if story.consents:
        waiting = world.api.wait_for_verdict(
            instance(namespace, "billing"), "Unknown", "AuthorizationRequired"
        )
        browse(world, waiting["status"]["authorization"]["url"], vendor)
    again = world.api.wait_for_verdict(instance(namespace, "billing"), *CONNECTED)
    assert again["status"]["identity"] == story.identity
    assert again["spec"] == made["spec"]
    assert scene.notes == [], "it has asked for what the vendor does not know"


def test_a_newcomer_connects_a_system_that_nobody_has_installed(
    world: World, hub: Hub, namespace: str, tmp_path: Path
) -> None:
    story = STORIES["slack"]
    scene = world.vendors[story.system].play(story.method, redirect_uri=world.callback)
    secret = scene.secret()
    place = ("--name", "chat", "--display-name", "Chat", *world.flags())
    definition = ("idef", story.system)
    world.kubectl("delete", *definition)

    run = Terminal(hub, "connect", "--plain", *place, SSL_CERT_FILE=str(world.trust))
    run.answers("Which system?", "slakc")
    run.sees("Slack (not installed yet)")
    seen = completed(run, world, story, secret)
    assert "Install the definition 'slack' in the cluster? (Enter for Yes, install it and apply" in plain(
        seen
    )
    assert "integrationdefinition.integrationhub.dev/slack created" in seen
    assert "Ready, Connected" in seen
    made = world.api.wait_for_verdict(instance(namespace, "chat"), *CONNECTED)
    assert made["status"]["identity"] == story.identity

    # Git brings the definition, too, into a cluster that has none of it.
    world.kubectl("delete", "iinst,secret", "--all", "-n", namespace)
    world.kubectl("delete", *definition)
    folder = tmp_path / "git"
    run = Terminal(
        hub, "connect", story.system, "--plain", "-o", str(folder), *place, SSL_CERT_FILE=str(world.trust)
    )
    assert "Its manifest is written beside that of the connection." in completed(run, world, story, secret)
    reference = made["spec"]["auth"]["secretRef"]["name"]
    literals = [f"--from-literal={key}={value}" for key, value in secret.items()]
    world.kubectl("create", "secret", "generic", reference, "-n", namespace, *literals)
    world.kubectl("apply", "-k", folder)
    again = world.api.wait_for_verdict(instance(namespace, "chat"), *CONNECTED)
    assert again["spec"] == made["spec"]
    assert scene.notes == []
