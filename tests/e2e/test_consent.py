"""A person's consent from end to end: the operator as users run it, a real API server, Keycloak, and Chromium.

The operator is one process that some tests kill and start again. Keycloak ends a session whose refresh token comes
twice, so a connection that stays green over renewals has shown that none ever did.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from integration_hub.credentials.keyring import parse_keyring
from integration_hub.credentials.record import CredentialRecord, from_fields
from integration_hub.credentials.sealed import Binding, open_fields
from integration_hub.devcluster import ControlPlane
from integration_hub.model.base import API_VERSION
from support.browser import approve, deny, enter_device_code, fill_in_who, sign_in
from support.instances import Api, Object, condition, secret, verdict
from support.keycloak import PASSWORDS, SCOPE, SECRET, UNSPOKEN_SCOPE, KeycloakServer
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.waiting import wait_until

pytestmark = pytest.mark.cluster
pytest_plugins = ["support.signing_in"]

OPERATOR_NAMESPACE = "integration-hub"
KEYRING = "integration-hub-keyring"
SHORT = 13
"""Seconds that an access token lives whose renewal a test waits for: it comes after ten, and no sooner."""

LINKED = ("Unknown", "AuthorizationRequired")
CONNECTED = ("True", "Connected")


# The definition, and what a user applies


def definition(keycloak: KeycloakServer) -> Object:
    """A catalog entry of the realm, with a method for each way."""
    shared = {"issuer": keycloak.issuer, "scopes": ["openid"]}
    strict = {"refresh": {"reuse": "strict"}}  # as Keycloak is set up
    methods: dict[str, dict[str, Any]] = {
        "link": {"grant": "authorizationCode", **strict},
        "code": {"grant": "deviceCode", **strict},
        "service": {"grant": "clientCredentials"},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationDefinition",
        "metadata": {"name": "keycloak"},
        "spec": {
            "displayName": "Keycloak",
            "configSchema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"note": {"type": "string"}},
            },
            "baseURL": keycloak.url,
            "allowedHosts": [keycloak.url.removeprefix("https://")],
            "trust": {"caBundle": keycloak.ca},
            "authMethods": [
                {"name": name, "type": "oauth2", "settings": shared | settings}
                for name, settings in methods.items()
            ],
            "tests": [
                {
                    "name": "whoami",
                    "default": True,
                    "request": {"path": keycloak.userinfo_path},
                    "identity": "response.json.preferred_username",
                }
            ],
        },
    }


def instance(namespace: str, name: str, method: str, *, of_secret: str, **auth: Any) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationInstance",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "definitionRef": {"name": "keycloak"},
            "auth": {"method": method, "secretRef": {"name": of_secret}, **auth},
        },
    }


@dataclass
class Hub:
    """The control plane with its one operator, and a user's hands in a namespace of the test's own."""

    api: Api
    plane: ControlPlane
    operator: OperatorProcess
    keycloak: KeycloakServer
    namespace: str
    kept: set[str] = field(default_factory=set)
    """What must be seen nowhere: secrets of all tests together."""
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def connect(
        self, name: str = "people", method: str = "link", client_id: str = "hub-code", **auth: Any
    ) -> Object:
        """Apply an instance and the Secret of its client."""
        self.api.apply(secret(self.namespace, client_id, clientId=client_id, clientSecret=SECRET))
        made = instance(self.namespace, name, method, of_secret=client_id, **auth)
        return self.api.apply(made)[0]

    def client(self, **attributes: str) -> str:
        """Register a client of the test's own, and return its id."""
        client_id = f"own-{secrets.token_hex(4)}"
        self.keycloak.admin.create_client(client_id, attributes=attributes)
        return client_id

    def user(self) -> tuple[str, str]:
        """Create a person of the test's own; return name and password."""
        name = f"user-{secrets.token_hex(4)}"
        password = self.keycloak.admin.create_user(name)
        self.kept.add(password)
        return name, password

    def link(self, obj: Object) -> str:
        """Wait for the link that a person is to open, and return it."""
        found = self.api.wait_for_verdict(obj, *LINKED)
        return str(found["status"]["authorization"]["url"])

    def wait(self, obj: Object, verdict: tuple[str, str]) -> Object:
        found = self.api.wait_for_verdict(obj, *verdict)
        self.remember(found)
        return found

    def record(self, obj: Object) -> CredentialRecord:
        """Open what the operator keeps of an instance, as only the keyring's owner can."""
        data = self._data(self.sealed(obj))
        ring = parse_keyring(self._data(self.api.get(_secret(OPERATOR_NAMESPACE, KEYRING))))
        metadata = obj["metadata"]
        binding = Binding(metadata["namespace"], _record_name(obj), metadata["uid"])
        return from_fields(open_fields(data, binding, ring))

    def sealed(self, obj: Object) -> Object:
        return self.api.get(_secret(obj["metadata"]["namespace"], _record_name(obj)))

    def remember(self, obj: Object) -> None:
        """Keep in mind what the operator has now for an instance, for the test that looks for it everywhere."""
        record = self.record(obj)
        for tokens in filter(None, (record.tokens, record.candidate)):
            self.kept |= {tokens.access_token, *filter(None, [tokens.refresh_token])}
        self.kept |= {attempt.verifier for attempt in record.attempts if attempt.verifier}
        if record.device is not None:
            self.kept.add(record.device.device_code)

    def test_now(self, obj: Object) -> str:
        """Ask for a test, and return what the status will echo once it was made."""
        wish = secrets.token_hex(4)
        self.api.merge(obj, {"metadata": {"annotations": {"integrationhub.dev/request": wish}}})
        return wish

    def kubectl_wait(self, obj: Object) -> subprocess.Popen[str]:
        """Wait for a connection as scripts do."""
        metadata = obj["metadata"]
        words = ["wait", "iinst", metadata["name"], "-n", metadata["namespace"]]
        return self._start(*self.plane.kubectl_command(), *words, "--for=condition=Ready", "--timeout=60s")

    def authorize(self, obj: Object, *flags: str) -> subprocess.Popen[str]:
        """Run `hub authorize`, which prints the link and waits."""
        metadata = obj["metadata"]
        return self._start(
            sys.executable, "-W", "error", "-m", "integration_hub", "authorize", metadata["name"],
            "-n", metadata["namespace"], "--kubeconfig", str(self.plane.home.kubeconfig),
            "--no-browser", "--timeout", "60s", *flags,
        )  # fmt: skip

    def _start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.started.append(process)
        return process

    def close(self) -> None:
        """End the commands that a failed test has left."""
        for process in self.started:
            process.kill()
            process.communicate()

    def wait_for_renewal(self, obj: Object) -> Object:
        """Wait until the tokens that an instance has now are others."""
        before = self.record(obj).tokens
        assert before is not None

        def renewed(seen: CredentialRecord) -> bool:
            return seen.tokens is not None and seen.tokens.access_token != before.access_token

        wait_until(lambda: self.record(obj), renewed, "the tokens are renewed")
        self.remember(obj)
        return self.api.get(obj)

    @staticmethod
    def _data(obj: Object) -> dict[str, bytes]:
        return {name: b64decode(value) for name, value in obj["data"].items()}


def _record_name(obj: Object) -> str:
    return f"hub-credential-{obj['metadata']['uid']}"


def _secret(namespace: str, name: str) -> Object:
    return {"kind": "Secret", "metadata": {"namespace": namespace, "name": name}}


@pytest.fixture(scope="module")
def operator(
    spare_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """One operator, whose only work comes from changes and from what is due."""
    api = Api(spare_cluster.up().kubeconfig)
    flags = ("--interval", "168h", "--relist", "168h", "--host-rate", "1000", "--host-concurrency", "200")
    process = OperatorProcess(
        spare_cluster.home.kubeconfig,
        tmp_path_factory.mktemp("consent") / "operator.log",
        *flags,
        "--callback-listen",
        f"127.0.0.1:{free_port()}",
        "--log-level",
        "debug",
    )
    process.start()
    yield process
    process.stop()
    # Other operators on this control plane would go on with what is here.
    for namespace in [item for item in api.collection("/api/v1/namespaces")["items"] if _is_ours(item)]:
        name = namespace["metadata"]["name"]
        api.delete(*({"kind": "IntegrationInstance"} | item for item in api.instances(name).values()))
        api.delete({"kind": "Namespace"} | namespace)
    api.delete({"kind": "IntegrationDefinition", "metadata": {"name": "keycloak"}})


def _is_ours(namespace: Object) -> bool:
    return str(namespace["metadata"]["name"]).startswith("consent-")


KEPT: set[str] = {SECRET, *PASSWORDS.values()}


@pytest.fixture
def hub(spare_cluster: ControlPlane, operator: OperatorProcess, keycloak: KeycloakServer) -> Iterator[Hub]:
    """Everything, with the operator running even where the test before this one has failed midway."""
    api = Api(spare_cluster.up().kubeconfig)
    if operator.get("/readyz")[0] != 200:
        operator.stop()
        operator.start()
    namespace = f"consent-{secrets.token_hex(4)}"
    entry = definition(keycloak)
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, entry)
    api.wait_for_verdict(entry, "True", "Valid")
    hub = Hub(api, spare_cluster, operator, keycloak, namespace, KEPT)
    yield hub
    hub.close()


def heading(page: Page) -> str:
    """Return the heading of the page that the operator shows at the end."""
    page.wait_for_url("**/oauth/callback**")
    return page.locator("h1").inner_text()


def ends_well(process: subprocess.Popen[str]) -> None:
    """Wait for a command's end, which must be a good one."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said


def code_of(url: str) -> str:
    (code,) = parse_qs(urlsplit(url).query)["code"]
    return code


# Consent


def test_a_person_consents_and_the_connection_works(hub: Hub, page: Page) -> None:
    obj = hub.connect()
    link, waiting = hub.link(obj), hub.kubectl_wait(obj)
    hub.remember(obj)
    assert waiting.poll() is None
    sign_in(page, link, "alice", PASSWORDS["alice"])
    assert heading(page) == "Connected"
    expect(page.locator("body")).to_contain_text("alice")
    ends_well(waiting)

    found = hub.wait(obj, CONNECTED)
    assert found["status"]["identity"] == "alice"
    assert "authorization" not in found["status"]
    assert found["status"]["credential"]["scopes"] == ["openid"]
    hub.kept.add(code_of(page.url))

    # The link is good for one use: opening the same page again, or somebody else's code with it, changes nothing.
    kept = hub.sealed(obj)["metadata"]["resourceVersion"]
    page.reload()
    split = urlsplit(page.url)
    query = {name: values[0] for name, values in parse_qs(split.query).items()}
    page.goto(split._replace(query=urlencode(query | {"code": "another"})).geturl())
    assert hub.sealed(obj)["metadata"]["resourceVersion"] == kept
    assert verdict(hub.api.get(obj)) == CONNECTED

    uid, _, random = query["state"].partition(".")
    for state in (f"{uid}.{random[::-1]}", f"{'0' * 32}.{random}", "nonsense"):
        page.goto(split._replace(query=urlencode(query | {"state": state})).geturl())
        assert heading(page) == "This link cannot be used"
    assert hub.sealed(obj)["metadata"]["resourceVersion"] == kept


def test_a_person_says_no_and_later_yes(hub: Hub, page: Page) -> None:
    name, password = hub.user()
    obj = hub.connect(client_id="hub-consent")
    sign_in(page, hub.link(obj), name, password)
    deny(page)
    assert heading(page) == "Not authorised"
    refused = hub.wait(obj, ("Unknown", "AuthorizationDenied"))
    assert "access_denied" in condition(refused)["message"]

    again = hub.authorize(obj)
    sign_in(page, read_link(again), name, password)  # who says no is signed out
    approve(page)
    assert heading(page) == "Connected"
    ends_well(again)
    assert hub.wait(obj, CONNECTED)["status"]["identity"] == name


def read_link(process: subprocess.Popen[str]) -> str:
    """Return the link that `hub authorize` prints."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if found := re.search(r"https://\S+", line):
            return found[0]
    raise AssertionError(f"it printed no link:\n{seen}")


def test_a_code_is_typed_into_the_providers_page(hub: Hub, page: Page) -> None:
    obj = hub.connect(method="code", client_id="hub-device")
    found = hub.api.wait_for_verdict(obj, *LINKED)
    hub.remember(obj)
    shown = found["status"]["authorization"]
    enter_device_code(page, f"{hub.keycloak.issuer}/device", shown["userCode"])
    fill_in_who(page, "bob", PASSWORDS["bob"])
    approve(page)
    connected = hub.wait(obj, CONNECTED)
    assert connected["status"]["identity"] == "bob"
    assert "authorization" not in connected["status"]


def test_a_consent_outlives_an_operator_that_dies_while_the_person_decides(hub: Hub, page: Page) -> None:
    name, password = hub.user()
    obj = hub.connect(client_id="hub-consent")
    sign_in(page, hub.link(obj), name, password)
    hub.operator.kill()
    hub.operator.start()
    approve(page)
    assert heading(page) == "Connected"
    assert hub.wait(obj, CONNECTED)["status"]["identity"] == name


def test_what_is_asked_for_changes_and_a_person_is_asked_again(hub: Hub, page: Page) -> None:
    obj = hub.connect()
    first = hub.link(obj)
    obj = hub.connect(scopes=[SCOPE])
    wait_until(lambda: hub.link(obj), lambda link: link != first, "a link for what is asked for now")
    # The old link asks for less than the connection needs now.
    sign_in(page, first, "alice", PASSWORDS["alice"])
    assert heading(page) == "This link cannot be used"
    page.goto(hub.link(obj))
    assert heading(page) == "Connected"
    found = hub.wait(obj, CONNECTED)
    assert set(found["status"]["credential"]["scopes"]) == {"openid", SCOPE}

    obj = hub.connect(scopes=[SCOPE, UNSPOKEN_SCOPE])
    page.goto(hub.link(obj))
    assert heading(page) == "You have signed in, but the connection does not work"
    missing = hub.wait(obj, ("False", "InsufficientScope"))
    assert UNSPOKEN_SCOPE in condition(missing)["message"]


def test_consenting_again_leaves_what_works_in_use_until_then(hub: Hub, page: Page) -> None:
    obj = hub.connect()
    sign_in(page, hub.link(obj), "alice", PASSWORDS["alice"])
    hub.wait(obj, CONNECTED)
    page.context.clear_cookies()

    again = hub.authorize(obj, "--again")
    link = read_link(again)
    assert verdict(hub.api.get(obj)) == CONNECTED
    before = hub.record(obj).tokens
    sign_in(page, link, "bob", PASSWORDS["bob"])
    assert heading(page) == "Connected"
    ends_well(again)
    found = wait_until(
        lambda: hub.api.get(obj), lambda seen: seen["status"]["identity"] == "bob", "bob is connected"
    )
    assert verdict(found) == CONNECTED
    after = hub.record(obj).tokens
    assert before is not None
    assert after is not None
    assert before.access_token != after.access_token
    hub.remember(obj)


# Afterwards


def test_tokens_are_renewed_over_deaths_and_restarts_and_none_comes_twice(hub: Hub, page: Page) -> None:
    name, password = hub.user()
    client_id = hub.client(**{"access.token.lifespan": str(SHORT)})
    obj = hub.connect(client_id=client_id)
    sign_in(page, hub.link(obj), name, password)
    connected = hub.wait(obj, CONNECTED)
    since = connected["metadata"]["resourceVersion"]

    hub.operator.kill()
    hub.operator.start()
    hub.wait_for_renewal(obj)
    assert hub.operator.terminate() == 0
    hub.keycloak.admin.rotate_keys()
    hub.operator.start()
    last = hub.wait_for_renewal(obj)

    assert last["status"]["identity"] == name
    verdicts = {verdict(version.obj) for version in hub.api.writes(hub.namespace, since)["people"]}
    assert verdicts <= {CONNECTED}
    assert len(hub.keycloak.admin.sessions(name)) == 1


def test_a_session_that_was_ended_there_asks_for_a_person_again(hub: Hub, page: Page) -> None:
    name, password = hub.user()
    obj = hub.connect(client_id=hub.client(**{"access.token.lifespan": str(SHORT)}))
    sign_in(page, hub.link(obj), name, password)
    hub.wait(obj, CONNECTED)

    hub.keycloak.admin.sign_out(name)
    found = hub.wait(obj, ("False", "ReauthenticationRequired"))
    assert "invalid_grant" in condition(found)["message"]
    page.context.clear_cookies()
    sign_in(page, found["status"]["authorization"]["url"], name, password)
    assert heading(page) == "Connected"
    assert hub.wait(obj, CONNECTED)["status"]["identity"] == name


def test_rotated_keys_of_the_realm_change_nothing(hub: Hub, page: Page) -> None:
    obj = hub.connect()
    sign_in(page, hub.link(obj), "bob", PASSWORDS["bob"])
    hub.wait(obj, CONNECTED)
    hub.keycloak.admin.rotate_keys()
    wish = hub.test_now(obj)
    found = wait_until(
        lambda: hub.api.get(obj),
        lambda seen: seen["status"].get("lastHandledRequest") == wish,
        "it is tested again",
    )
    assert verdict(found) == CONNECTED


# What all of the above must not have left anywhere. The last test, since it looks at what the others did.


def test_no_secret_is_seen_anywhere(hub: Hub) -> None:
    service = hub.connect("service", "service", "hub-service")
    hub.wait(service, CONNECTED)
    assert len(hub.kept) > 12, "the tests before this one have remembered what they saw"
    seen = {
        "log": hub.operator.log.read_text(),
        "metrics": hub.operator.get("/metrics")[1],
        "instances": _everything(hub, f"/apis/{API_VERSION}/integrationinstances"),
        "definitions": _everything(hub, f"/apis/{API_VERSION}/integrationdefinitions"),
        "events": _everything(hub, "/apis/events.k8s.io/v1/events"),
        "secrets": _everything(hub, "/api/v1/secrets?labelSelector=integrationhub.dev/credential-of"),
    }
    assert all(seen.values())
    assert "hub-credential-" in seen["secrets"]
    for where, text in seen.items():
        for value in hub.kept:
            assert value not in text, f"a secret is in the {where}"


def _everything(hub: Hub, path: str) -> str:
    """Return a collection as text, with what is in base64 beside it as it is read."""
    items = hub.api.collection(path)["items"]
    values = [
        value for item in items if item.get("kind", "") != "" for value in item.get("data", {}).values()
    ]
    values += [value for item in items for value in (item.get("data") or {}).values()]
    return json.dumps(items) + "".join(b64decode(value).decode(errors="replace") for value in values)
