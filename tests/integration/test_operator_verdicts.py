"""Every way in which a connection can stand, found over real connections, and how it is told to people and to tools."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration_hub.model.instance import InstanceStatus
from integration_hub.model.reasons import REASONS, Course, Reason
from support.certificates import Authority
from support.fault_server import deaf_port, unused_port
from support.instances import Api, Object, account, condition, definition, instance, kstatus, secret, verdict
from support.operator_process import OperatorProcess
from support.status_rules import assert_keeps_the_rules
from support.target_server import Answer, TargetServer

pytestmark = pytest.mark.cluster

NAMESPACE = "verdicts"
DEFINITION = "verdicts"


@dataclass(frozen=True)
class Case:
    """One way in which a connection can stand."""

    name: str
    reason: Reason
    status: str = "False"
    answer: Answer | None = None
    """What the external system answers; what it answers to everybody where this is None."""
    config: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    """What stands in the message, beside the host."""
    requests: int = 1
    """How many requests of the first test reach the external system."""

    def __str__(self) -> str:
        return self.name


def secret_of(name: str) -> dict[str, Any]:
    return {"auth": {"method": "key", "secretRef": {"name": name}}}


ANSWERED = (
    Case("ok", Reason.CONNECTED, "True", says=("as verdicts-ok@acme.example",)),
    Case("unauthorized", Reason.CREDENTIALS_REJECTED, answer=Answer(401), says=("401 Unauthorized",)),
    Case("forbidden", Reason.PERMISSION_DENIED, answer=Answer(403), says=("403 Forbidden",)),
    Case("not-found", Reason.OBJECT_NOT_FOUND, answer=Answer(404), says=("404 Not Found",)),
    Case(
        "too-many",
        Reason.TOO_MANY_REQUESTS,
        "Unknown",
        answer=Answer(429),
        config={"server": "{host1}"},
        says=("429 Too Many Requests",),
    ),
    Case(
        "redirect",
        Reason.REDIRECTED,
        answer=Answer(302, headers={"Location": "/v1/verdicts-redirected/whoami"}),
        says=("302 Found",),
    ),
    Case("fault", Reason.SERVER_ERROR, answer=Answer(500), says=("500 Internal Server Error",)),
    Case("teapot", Reason.UNEXPECTED_STATUS, answer=Answer(418), says=("418", "200")),
    Case(
        "stranger",
        Reason.IDENTITY_MISSING,
        answer=Answer(body={"hello": "world"}),
        says=("response.json.user.login",),
    ),
    Case("flood", Reason.RESPONSE_TOO_LARGE, answer=Answer(body="x" * 100_000)),
    Case("silent", Reason.RESPONSE_TIMEOUT, answer=Answer(hold=True), config={"server": "{host2}"}),
)

UNREACHED = (
    Case("refused", Reason.CONNECTION_REFUSED, config={"server": "https://127.0.0.1:{unused}"}, requests=0),
    Case("deaf", Reason.TLS_TIMEOUT, config={"server": "https://127.0.0.1:{deaf}"}, requests=0),
    Case("untrusted", Reason.TLS_UNTRUSTED, config={"ca": "{other_ca}"}, requests=0),
    Case("misnamed", Reason.TLS_HOST_MISMATCH, config={"server": "https://localhost:{port}"}, requests=0),
    Case("no-ca", Reason.TRUST_INVALID, config={"ca": "not a certificate"}, requests=0),
    Case(
        "private",
        Reason.ADDRESS_NOT_ALLOWED,
        config={"server": "https://10.1.2.3"},
        says=("10.1.2.3",),
        requests=0,
    ),
    Case(
        "metadata",
        Reason.ADDRESS_NOT_ALLOWED,
        config={"server": "https://169.254.169.254"},
        says=("169.254.169.254",),
        requests=0,
    ),
    Case(
        "elsewhere",
        Reason.HOST_NOT_ALLOWED,
        config={"host": "evil.example"},
        says=("allowedHosts",),
        requests=0,
    ),
)

STOPPED = (
    Case("typo", Reason.CONFIG_INVALID, config={"acount": "x"}, says=("spec.config.acount",), requests=0),
    Case(
        "pattern",
        Reason.CONFIG_INVALID,
        config={"account": "No Such"},
        says=("spec.config.account",),
        requests=0,
    ),
    Case(
        "no-secret-ref",
        Reason.SECRET_REF_MISSING,
        spec={"auth": {"method": "key"}},
        says=("apiKey",),
        requests=0,
    ),
    Case("no-secret", Reason.SECRET_NOT_FOUND, spec=secret_of("absent"), says=("'absent'",), requests=0),
    Case(
        "no-key",
        Reason.SECRET_KEY_MISSING,
        spec=secret_of("other-keys"),
        says=("apiKey", "token"),
        requests=0,
    ),
    Case("empty-key", Reason.SECRET_KEY_EMPTY, spec=secret_of("empty"), says=("apiKey",), requests=0),
    Case(
        "line-break",
        Reason.SECRET_LINE_BREAK,
        spec=secret_of("line-break"),
        says=("line break",),
        requests=0,
    ),
    Case(
        "no-method",
        Reason.AUTH_METHOD_NOT_FOUND,
        spec={"auth": {"method": "magic", "secretRef": {"name": "key"}}},
        says=("'magic'", "'key'", "'basic'"),
        requests=0,
    ),
    Case(
        "which-method",
        Reason.AUTH_METHOD_NOT_FOUND,
        spec={"auth": {"secretRef": {"name": "key"}}},
        says=("'key'",),
        requests=0,
    ),
    Case("suspended", Reason.SUSPENDED, "Unknown", spec={"suspend": True}, requests=0),
)

CASES = (*ANSWERED, *UNREACHED, *STOPPED)

METHODS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "key": ({"type": "apiKey", "settings": {"prefix": "Bearer"}}, {"authorization": "Bearer the-right-key"}),
    "header": ({"type": "apiKey", "settings": {"name": "X-API-Key"}}, {"x-api-key": "the-right-key"}),
    "odd-prefix": (
        {"type": "apiKey", "settings": {"prefix": "Token token="}},
        {"authorization": "Token token=the-right-key"},
    ),
    "two-headers": (
        {
            "type": "apiKey",
            "settings": {
                "headers": [
                    {"name": "X-App", "secretKey": "apiKey"},
                    {"name": "X-Also", "secretKey": "token", "prefix": "T"},
                ]
            },
        },
        {"x-app": "the-right-key", "x-also": "T second"},
    ),
    "cookie": (
        {"type": "apiKey", "settings": {"in": "cookie", "name": "session"}},
        {"cookie": "session=the-right-key"},
    ),
    "query": ({"type": "apiKey", "settings": {"in": "query", "name": "k", "allowInQuery": True}}, {}),
    "basic": (
        {"type": "basicAuth"},
        {"authorization": "Basic " + base64.b64encode(b"ada:lovelace").decode()},
    ),
}
"""By name: the auth method, and the headers in which the credentials must arrive."""


def described(target: TargetServer) -> Object:
    """The definition of all cases. Its host can be changed to one that its allowedHosts do not have."""
    acme = definition(
        DEFINITION,
        target,
        allowedHosts=["{{ config.server }}", "api.acme.example"],
        authMethods=[{"name": name, **method} for name, (method, _) in METHODS.items()],
    )
    acme["spec"]["configSchema"]["properties"]["host"] = {"type": "string"}
    return acme


def guarded(target: TargetServer) -> Object:
    """A definition whose base URL the instance can turn to a host that the definition does not allow."""
    acme = described(target) | {"metadata": {"name": f"{DEFINITION}-guarded"}}
    acme["spec"]["baseURL"] = "https://{{ config.host }}"
    acme["spec"]["allowedHosts"] = ["*.acme.example"]
    return acme


@pytest.fixture(scope="module")
def found(api: Api, operator: OperatorProcess, target: TargetServer) -> Iterator[dict[str, Object]]:
    """All instances, each with its verdict, and the requests that this took."""
    with ExitStack() as ports:
        words: dict[str, int | str] = {
            "unused": ports.enter_context(unused_port()),
            "deaf": ports.enter_context(deaf_port()),
            "port": target.port,
            "host1": target.hosts[1],
            "host2": target.hosts[2],
        }
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        secrets = [
            secret(NAMESPACE, "key"),
            secret(
                NAMESPACE, "all", apiKey="the-right-key", token="second", username="ada", password="lovelace"
            ),
            secret(NAMESPACE, "other-keys", token="x", user="y"),
            secret(NAMESPACE, "empty", apiKey=""),
            secret(NAMESPACE, "line-break", apiKey="the-right-key\n"),
        ]
        definitions = [described(target), guarded(target)]
        instances = []
        for case in CASES:
            name = case.name
            if case.answer is not None:
                target.script(account(NAMESPACE, name), case.answer)
            config = {"account": account(NAMESPACE, name)} | {
                key: _filled(text, words) for key, text in case.config.items()
            }
            of = DEFINITION if "host" not in case.config else f"{DEFINITION}-guarded"
            instances.append(
                instance(NAMESPACE, name, of, **(secret_of("key") | {"config": config} | case.spec))
            )
        for name in METHODS:
            target.script(account(NAMESPACE, f"by-{name}"), Answer())
            auth = {"method": name, "secretRef": {"name": "all"}}
            instances.append(instance(NAMESPACE, f"by-{name}", DEFINITION, auth=auth))
        # The host that does not exist needs the name servers' word on what that looks like.
        nowhere = instance(NAMESPACE, "nowhere", DEFINITION, **secret_of("key"))
        nowhere["spec"]["config"]["server"] = "https://nowhere.invalid"
        api.apply(namespace, *secrets, *definitions, *instances, nowhere)
        expected = {case.name: (case.status, str(case.reason)) for case in CASES}
        expected |= {f"by-{name}": ("True", "Connected") for name in METHODS}
        yield api.wait_for_all(NAMESPACE, expected | {"nowhere": lookup_fails()})
        api.delete(*instances, nowhere, *definitions, namespace)


def _filled(text: str, words: dict[str, int | str]) -> str:
    return Authority("Some other authority").pem if text == "{other_ca}" else text.format_map(words)


def lookup_fails() -> tuple[str, str]:
    """What the operator must find where a name does not exist: that, or that no name server says so."""
    try:
        socket.getaddrinfo("nowhere.invalid", 443)
    except socket.gaierror as error:
        return ("False", "HostNotFound") if error.errno == socket.EAI_NONAME else ("Unknown", "DNSFailed")
    pytest.fail("the name servers here invent addresses for names that cannot exist")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_verdict_tells_people_what_is_wrong_and_what_to_do(
    case: Case, found: dict[str, Object], target: TargetServer
) -> None:
    shown = found[case.name]
    assert verdict(shown) == (case.status, case.reason)
    assert_keeps_the_rules(
        InstanceStatus.model_validate(shown["status"]), generation=shown["metadata"]["generation"]
    )
    message = condition(shown)["message"]
    assert not [word for word in case.says if word not in message], message
    tests = shown["status"].get("tests", [])
    if case in STOPPED:
        assert not tests, "nothing was tested"
    else:
        server = shown["spec"]["config"].get("server", target.url).removeprefix("https://")
        host = shown["spec"]["config"].get("host", server)
        assert host in message
        assert [test["reason"] for test in tests] == [case.reason]
        assert bool(tests[0].get("hint")) == (case.reason is not Reason.CONNECTED)
    if remedy := REASONS[case.reason].remedy:
        assert remedy in message
    first_test = target.seen(account(NAMESPACE, case.name))
    assert len(first_test) >= case.requests
    assert bool(first_test) == bool(case.requests), "nothing is sent where nothing may be"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_verdict_tells_tools_whether_to_wait_or_to_give_up(case: Case, found: dict[str, Object]) -> None:
    expected = {
        Course.GOOD: "Current",
        Course.STALLED: "Failed",
        Course.RETRYING: "InProgress",
        Course.WAITING: "InProgress",
        Course.PAUSED: "InProgress",
    }
    assert kstatus(found[case.name]) == expected[REASONS[case.reason].course]


def test_a_redirect_is_not_followed(found: dict[str, Object], target: TargetServer) -> None:
    assert target.count("verdicts-redirected") == 0


def test_a_name_that_does_not_exist(found: dict[str, Object]) -> None:
    assert "nowhere.invalid" in condition(found["nowhere"])["message"]
    assert kstatus(found["nowhere"]) == "InProgress"


@pytest.mark.parametrize("method", METHODS)
def test_credentials_arrive_where_the_auth_method_says(
    method: str, found: dict[str, Object], target: TargetServer
) -> None:
    settings, expected = METHODS[method]
    (seen,) = target.seen(account(NAMESPACE, f"by-{method}"))
    for name in ("authorization", "x-api-key", "x-app", "x-also", "cookie"):
        assert seen.headers.get(name) == expected.get(name)
    assert seen.query == ({"k": "the-right-key"} if method == "query" else {})
    assert found[f"by-{method}"]["status"]["authType"] == settings["type"]
    assert "the-right-key" not in str(found[f"by-{method}"])


def test_what_may_pass_by_itself_is_tried_again_without_anybody_asking(
    found: dict[str, Object], api: Api, target: TargetServer
) -> None:
    passing = ("fault", "too-many")
    for name in passing:
        target.script(account(NAMESPACE, name), Answer())
    shown = api.wait_for_all(NAMESPACE, dict.fromkeys(passing, ("True", "Connected")))
    assert all(kstatus(shown[name]) == "Current" for name in passing)
    # Rejected credentials are not: that locks accounts.
    assert target.count(account(NAMESPACE, "unauthorized")) == 1
    assert target.count(account(NAMESPACE, "forbidden")) == 1
