"""Every secret of OAuth 2.0 goes its whole way, and through every failure; then all that was said is searched for them.

The provider is as indiscreet as they get: it repeats what it was asked in bodies, headers and error codes.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest

from integration_hub.credentials.envelope import opened
from integration_hub.credentials.keyring import Keyring
from integration_hub.credentials.sealed import Binding, _data_key_place, _read
from integration_hub.devcluster import ControlPlane
from integration_hub.shell.keyring_source import DEFAULT_NAME, data_of
from integration_hub.shell.record_names import uid_of_record
from support.aging import keyring, make_older
from support.canaries import forms, found
from support.hub_command import HubTest, user_kubeconfig
from support.instances import DEFINITIONS_PATH, Api, Object, secret, verdict
from support.oauth2 import RSA_PEM
from support.oauth_party import CLIENT_ID, CLIENT_SECRET, Fault, Form, OAuthParty
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.token_hub import ALMOST_ITS_LIFE, CONNECTED, TokenHub, open_page
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

Start = Callable[..., OperatorProcess]
Answer = tuple[int, Mapping[str, str], str]

METHODS: dict[str, dict[str, Any]] = {
    "link": {},
    "posted": {"clientAuthentication": "client_secret_post", "requiredScopes": ["read"]},
    "signed": {"clientAuthentication": "private_key_jwt"},
    "device": {"grant": "deviceCode"},
    "service": {"grant": "clientCredentials"},
}


def secret_of(form: Form) -> str:
    """Return what in a request is worth most."""
    return form.get("refresh_token") or form.get("code") or form["client_secret"]


def garbage(form: Form) -> Answer:
    return 200, {"X-Echo": json.dumps(form)}, f"<html>{json.dumps(form)}</html>"


def no_token(form: Form) -> Answer:
    return 200, {}, json.dumps({"access_token": {"of": form}, "refresh_token": [form]})


def unsendable(form: Form) -> Answer:
    return 200, {}, json.dumps({"access_token": f"{secret_of(form)}\r\n", "token_type": "Bearer"})


def misplaced(form: Form) -> Answer:
    word = secret_of(form)
    fields = ("access_token", "token_type", "scope", "expires_in", "refresh_token_expires_in")
    return 200, {}, json.dumps(dict.fromkeys(fields, word))


def elsewhere(form: Form) -> Answer:
    return 302, {"Location": f"https://127.0.0.1:1/?{urlencode(form)}"}, ""


def echoed(form: Form) -> Answer:
    return 500, {"X-Echo": json.dumps(form), "Retry-After": secret_of(form)}, json.dumps(form)


def described(form: Form) -> Answer:
    error = {"error": "invalid_request", "error_description": json.dumps(form), "error_uri": urlencode(form)}
    return 400, {"WWW-Authenticate": f'Basic realm="{secret_of(form)}"'}, json.dumps(error)


def coded(form: Form) -> Answer:
    return 400, {}, json.dumps({"error": secret_of(form)})


def nested(form: Form) -> Answer:
    return 401, {}, json.dumps({"error": {"code": form["client_secret"], "message": json.dumps(form)}})


INDISCREET = (garbage, no_token, unsendable, misplaced, elsewhere, echoed, described, coded, nested)


def name_of(fault: Callable[[Form], Answer]) -> str:
    return fault.__name__.replace("_", "-")


@pytest.fixture(scope="module")
def party() -> Iterator[OAuthParty]:
    with OAuthParty() as party:
        yield party


@pytest.fixture
def hub(spare_api: Api, start_operator: Start, party: OAuthParty, target: TargetServer) -> Iterator[TokenHub]:
    hub = TokenHub(spare_api, start_operator, party, target, f"secrecy-{uuid4().hex[:6]}", METHODS)
    signing = secret(hub.namespace, "signing", clientId=CLIENT_ID, privateKey=RSA_PEM)
    spare_api.apply(signing)
    yield hub
    hub.remove()


@pytest.fixture
def people(spare_cluster: ControlPlane, hub: TokenHub, tmp_path: Path) -> Path:
    """The kubeconfig of people who run commands."""
    info = spare_cluster.up()
    return user_kubeconfig(
        tmp_path / "people",
        server=info.server,
        ca_file=info.ca_file,
        namespace=hub.namespace,
        like=info.kubeconfig,
    )


def everything_said(api: Api, operator: OperatorProcess) -> dict[str, str]:
    """Return all that the operator says or writes, by place."""
    paths = ("/apis/integrationhub.dev/v1alpha1/integrationinstances", DEFINITIONS_PATH)
    process = Path(f"/proc/{operator.pid}")
    return {
        "log": operator.log.read_text(),
        "events": api.call("GET", "/apis/events.k8s.io/v1/events"),
        "core events": api.call("GET", "/api/v1/events"),
        "status": "".join(json.dumps(api.collection(path), ensure_ascii=False) for path in paths),
        "metrics": operator.get("/metrics")[1],
        "health": operator.get("/healthz")[1] + operator.get("/readyz")[1],
        "command line": (process / "cmdline").read_text(),
        "environment": (process / "environ").read_text(),
    }


def secrets_written(api: Api, hub: TokenHub) -> dict[str, str]:
    """Return all Secrets that are not a person's own and not the keys, as they are and decoded."""
    own = {"key", "signing", DEFAULT_NAME}
    return {
        f"Secret {raw['metadata']['name']}": json.dumps(raw)
        + "".join(value.decode("latin-1") for value in data_of(raw).values())
        for raw in api.collection("/api/v1/secrets")["items"]
        if raw["metadata"]["name"] not in own and raw["metadata"]["namespace"] == hub.namespace
    }


def data_keys(api: Api, hub: TokenHub) -> dict[str, bytes]:
    """Return the data keys of all records, and the keys that wrap them."""
    keys: Keyring = keyring(api)
    kept: dict[str, bytes] = {f"key-{number}": key for number, key in keys.keys.items()}
    for raw in api.collection(f"/api/v1/namespaces/{hub.namespace}/secrets")["items"]:
        name = raw["metadata"]["name"]
        uid = uid_of_record(name)
        if uid is not None:
            envelope = _read(data_of(raw))
            binding = Binding(hub.namespace, name, uid)
            place = _data_key_place(binding, envelope.key, envelope.check, envelope.fields)
            kept[f"data key of {name}"] = opened(keys.keys[envelope.key], envelope.data_key, place)
    return kept


def kept(hub: TokenHub, states: Mapping[str, str]) -> dict[str, str | bytes]:
    """Return every secret that there is, by a name."""
    given = {
        f"{name}: {value[:14]}": value for name, tenant in hub.tenants.items() for value in tenant.secrets()
    }
    lines = {f"line {number} of the key": line for number, line in enumerate(RSA_PEM.splitlines()[1:-1])}
    return {**given, **lines, **states, **data_keys(hub.api, hub), "client secret": CLIENT_SECRET}


def leaks(places: Mapping[str, str], canaries: Mapping[str, str | bytes]) -> set[tuple[str, str]]:
    """Return in which places which secrets are that must not be there."""
    return {
        (place, name)
        for place, name in found(places, canaries)
        # The link stands in messages, for `kubectl describe` to show; once it was used its state is of no use.
        if not (place.endswith("events") and name.startswith("state of "))
    }


def state_in(link: str) -> str:
    return parse_qs(urlsplit(link).query)["state"][0]


def test_no_secret_of_oauth_is_in_anything_that_is_said_or_stored(
    hub: TokenHub, people: Path, tmp_path: Path
) -> None:
    api, said, states = hub.api, dict[str, str](), dict[str, str]()
    operator = hub.start("--log-level", "debug")
    bound = {"binding": {"secretName": "for-apps"}}
    by_link = [
        hub.create("link", "link", spec=bound, gives_id_token=True),
        hub.create("posted", "posted", scope="read write"),
        hub.create("signed", "signed", key="signing", signs=True),
        *(
            hub.create(f"{end}-{name_of(fault)}", "link")
            for fault in INDISCREET
            for end in ("renews", "ended")
        ),
        *(hub.create(f"echo-{status}", "link", echoes=status) for status in (200, 302, 401, 403, 500)),
    ]
    failing = {fault: hub.create(f"asks-{name_of(fault)}", "posted") for fault in INDISCREET}
    hub.create("device", "device")
    hub.create("service", "service")
    denied = hub.create("denied", "link")

    def visit(obj: Object) -> None:
        link, name = hub.link(obj), obj["metadata"]["name"]
        states[f"state of {name}"] = state_in(link)
        _, said[f"page of {name}"] = open_page(hub.party.browse(link))

    for fault, obj in failing.items():
        hub.tenants[obj["metadata"]["name"]].faults.append(Fault(says=fault))
    for obj in (*by_link, *failing.values()):
        visit(obj)
    callback = hub.party.browse(hub.link(denied)).partition("?")[0]
    refusal = {
        "state": state_in(hub.link(denied)),
        "error": "access_denied",
        "error_description": CLIENT_SECRET,
    }
    _, said["page of a denial"] = open_page(f"{callback}?{urlencode(refusal)}")
    _, said["page of nothing"] = open_page(f"{callback}?{urlencode({'state': CLIENT_SECRET, 'code': 'x'})}")
    hub.wait(dict.fromkeys(("link", "posted", "signed", "device", "service", "echo-200"), CONNECTED))

    # Renewals: two go well, the others find a provider that tells everything. Where the access token has ended, what is
    # to be said of the renewal is all that there is to say.
    for fault in INDISCREET:
        hub.tenants[f"renews-{name_of(fault)}"].faults += [Fault(says=fault)]
        hub.tenants[f"ended-{name_of(fault)}"].faults += [Fault(says=fault)] * 50
    renewing = {
        obj["metadata"]["name"]: obj
        for obj in by_link
        if obj["metadata"]["name"].partition("-")[0] in {"link", "signed", "renews", "ended"}
    }
    for name, obj in renewing.items():
        make_older(api, obj, timedelta(hours=2) if name.startswith("ended") else ALMOST_ITS_LIFE)
        hub.wish(obj, "once")
    hub.is_seen_to(*renewing.values(), wish="once")

    command = HubTest(tmp_path, people)
    for words in (("service",), ("service", "-o", "json", "--show-body"), ("link", "--show-body")):
        ran = command.run(*words)
        said[f"hub test {' '.join(words)}"] = ran.out + ran.err
    late = hub.create("late", "link")
    hub.link(late)
    said["hub authorize"] = authorized(hub, late, people)
    operator.wait_until_idle()

    now = {name: verdict(obj)[1] for name, obj in api.instances(hub.namespace).items()}
    assert {now[name] for name in ("link", "posted", "signed", "device", "service", "late")} == {"Connected"}
    assert "Connected" not in {now[f"ended-{name_of(fault)}"] for fault in INDISCREET}
    assert {now[f"asks-{name_of(fault)}"] for fault in INDISCREET} >= {"AuthorizationFailed"}
    written = secrets_written(api, hub)
    assert len([name for name in written if "hub-credential-" in name]) >= len(by_link) + len(failing)
    delivered = written.pop("Secret for-apps")
    canaries = kept(hub, states)
    assert len(canaries) > 100
    places = said | written | everything_said(api, operator)
    assert "tokens asked for" in places["log"], "the log that is searched is the right one"
    assert leaks(places, canaries) == set()
    assert {name.partition(" ")[2][:6] for _, name in found({"": delivered}, canaries)} == {"access"}


def authorized(hub: TokenHub, obj: Object, kubeconfig: Path) -> str:
    """Run `hub authorize`, consent meanwhile, and return what it wrote."""
    environment = dict(os.environ) | {"KUBECONFIG": str(kubeconfig)}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "integration_hub", "authorize", "--no-browser", obj["metadata"]["name"]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )  # fmt: skip
    try:
        open_page(hub.back(obj))
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, out
    return out


FAULTY = """
import dataclasses
from integration_hub.credentials.record import CredentialRecord, to_fields
from integration_hub.shell.reconciler import Reconciler
from integration_hub import wiring

class Faulty(Reconciler):
    async def _perform(self, instance, effect):
        answer = await super()._perform(instance, effect)
        kind, name = type(effect).__name__, instance.metadata.name
        if name.startswith("explode-") and self.desk is not None and kind == name[8:].title().replace("-", ""):
            request, record = getattr(effect, "request", None), getattr(effect, "record", None)
            if request is not None and request.purpose == "test":
                return answer
            response, stored = getattr(answer, "response", None), getattr(answer, "record", None)
            if kind == "WriteRecord" and record.candidate is None:
                return answer
            if kind == "ReadRecord" and (stored is None or stored.tokens is None):
                return answer
            try:
                raise OSError("inner", request and (dict(request.headers), request.query, request.body))
            except OSError as error:
                held = [to_fields(found) for found in (record, stored) if found is not None]
                raise RuntimeError(f"outer {effect!r} {answer!r} {response and response.body!r} {held}") from error
        return answer

vars(wiring)["Reconciler"] = Faulty
from integration_hub.cli.main import main
main()
"""
"""The operator with a mistake in it: exceptions that hold all that there is at a step."""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_secret_of_oauth_is_in_a_traceback(hub: TokenHub, log_format: str) -> None:
    operator = hub.start("--log-level", "debug", "--log-format", log_format, program=("-c", FAULTY))
    objects = [hub.create(f"explode-{step}", "posted") for step in ("send", "write-record", "read-record")]
    states = {}
    for obj in objects:
        link = hub.link(obj)
        states[f"state of {obj['metadata']['name']}"] = state_in(link)
        open_page(hub.party.browse(link))
    for obj in objects:
        hub.wish(obj, "once")
    paths = [hub.path(obj) for obj in objects]
    wait_until(
        lambda: [
            line for line in operator.log.read_text().splitlines() if "a mistake in the operator" in line
        ],
        lambda lines: all(any(path in line for line in lines) for path in paths),
        "all mistakes have happened",
    )
    wait_until(
        lambda: [str(hub.api.get(obj).get("status", {}).get("authorization")) for obj in objects],
        lambda shown: not any(state in link for link in shown for state in states.values()),
        "links that were used are shown no more",
    )
    places = everything_said(hub.api, operator)
    assert places["log"].count("Traceback") >= len(objects)
    assert leaks(places, kept(hub, states)) == set()


def test_the_search_finds_what_is_there_to_be_found(spare_api: Api, hub: TokenHub) -> None:
    for canary in ("cnry-K7/x+Qz=9&w%Jd", b"\x00\xff'\"cnry\n\x80" * 3):
        for number, form in enumerate(sorted(set(forms(canary)))):
            assert found({"": f"before {form} after"}, {"it": canary}) == {("", "it")}, number
    value = base64.b64encode(CLIENT_SECRET.encode()).decode()
    spare_api.apply(secret(hub.namespace, "leak", x="y") | {"data": {"x": value}})
    written = secrets_written(spare_api, hub)
    assert found(written, {"it": CLIENT_SECRET}) == {("Secret leak", "it")}
