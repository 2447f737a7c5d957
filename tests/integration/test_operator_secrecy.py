"""Unique secrets are planted, success and every failure run through, and all that the operator says is searched.

The external system is as indiscreet as systems get: it repeats the credentials in bodies and headers of every answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from support.certificates import Authority
from support.fault_server import unused_port
from support.instances import DEFINITIONS_PATH, Api, Object, account, definition, instance, secret, verdict
from support.operator_process import OperatorProcess
from support.target_server import Answer, Seen, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

KEY = "cnry-K7/x+Qz=9&w%Jd-4vT8mLpA2"
PASSWORD = 'cnry-P3"b/Yq+Rr=6&e%Uf-5wS9nMoB1'
WITH_LINE_BREAK = "cnry-L1sGh8/t+Vk=2&c%Xy-7zE4\n"
NOT_ASKED_FOR = "cnry-N6dFj3/r+Wm=5&a%Zs-1qK0"
IN_CONFIG = "cnry-C9hVb2/u+Xn=8&i%Tg-3yR6"
CANARIES = (KEY, PASSWORD, WITH_LINE_BREAK, NOT_ASKED_FOR, IN_CONFIG)
USER = "ada"


def forms(value: str) -> Iterator[str]:
    """Yield what a secret looks like in a text: as it is, and in every encoding that something on its way may use."""
    for text in {value, value.strip()}:
        data = text.encode()
        yield text
        yield repr(text)[1:-1]
        yield json.dumps(text)[1:-1]
        for encoded in (quote(text, safe=""), quote(text), quote_plus(text)):
            yield encoded
            yield encoded.lower() if "%" in encoded else encoded
        yield data.hex()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(data).decode()
            for before in range(3):  # in the middle of something longer: 'user:password' of a Basic header
                whole = encode(b"\0" * before + data + b"\0" * (-(before + len(data)) % 3)).decode()
                yield whole[-(-before * 8 // 6) : -4]
    yield base64.b64encode(f"{USER}:{value}".encode()).decode()


def leaks(places: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return in which places which canaries are found, in whatever form."""
    return {
        (place, canary[:6])
        for canary in CANARIES
        for form in set(forms(canary))
        for place, text in places.items()
        if form in text
    }


def everything_said(api: Api, operator: OperatorProcess) -> dict[str, str]:
    """Return all that the operator has said, by place: logs, Events, statuses, metrics, and what `ps` shows of it."""
    statuses = [
        {"name": obj["metadata"]["name"], "status": obj.get("status"), "metadata": obj["metadata"]}
        for path in ("/apis/integrationhub.dev/v1alpha1/integrationinstances", DEFINITIONS_PATH)
        for obj in api.collection(path)["items"]
    ]
    for (
        found
    ) in statuses:  # the names of fields that users applied; one of them is the canary in spec.config's keys
        found["metadata"] = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    process = Path(f"/proc/{operator.pid}")
    return {
        "log": operator.log.read_text(),
        "events": api.call("GET", "/apis/events.k8s.io/v1/events"),
        "core events": api.call("GET", "/api/v1/events"),
        "status": json.dumps(statuses, ensure_ascii=False),
        "metrics": operator.get("/metrics")[1],
        "healthz": operator.get("/healthz")[1] + operator.get("/readyz")[1],
        "command line": (process / "cmdline").read_text(),
        "environment": (process / "environ").read_text(),
    }


def echo(status: int) -> Callable[[Seen], Answer]:
    """Answer with all that was sent, where a careless server would and where only a malicious one would."""

    def answer(seen: Seen) -> Answer:
        said = seen.headers.get("authorization") or seen.headers.get("cookie") or str(dict(seen.query))
        body = {"user": {"login": said}, "error": f"bad credentials {said}", "headers": dict(seen.headers)}
        headers = {
            "X-Echo": said,
            "Location": f"/v1/x/?token={quote(said)}",
            "WWW-Authenticate": f'Basic realm="{said}"',
        }
        return Answer(status, body, headers)

    return answer


METHODS: dict[str, dict[str, Any]] = {
    "bearer": {"type": "apiKey", "settings": {"prefix": "Bearer"}},
    "bare": {"type": "apiKey", "settings": {"name": "X-API-Key"}},
    "query": {"type": "apiKey", "settings": {"in": "query", "name": "k", "allowInQuery": True}},
    "basic": {"type": "basicAuth"},
}
TOO_MANY = 429
STATUSES = (200, 302, 401, 403, 404, 418, TOO_MANY, 500)


def objects(namespace: str, target: TargetServer, port: int) -> tuple[list[Object], list[Object]]:
    """Return definitions with Secrets, and the instances: every auth method through every kind of end."""
    methods = [{"name": name, **method} for name, method in METHODS.items()]
    acme = definition(namespace, target, authMethods=methods)
    acme["spec"]["configSchema"]["properties"]["apiToken"] = {"type": "string", "x-hub-secret": True}
    # A definition that takes for an identity what is none: it shows what the system echoes.
    greedy = definition(f"{namespace}-greedy", target, authMethods=methods)
    greedy["spec"]["tests"][0]["identity"] = 'response.headers["x-echo"]'
    whole = {"apiKey": KEY, "username": USER, "password": PASSWORD, "unasked": NOT_ASKED_FOR}
    secrets = [
        secret(namespace, "key", **whole),
        secret(namespace, "line-break", apiKey=WITH_LINE_BREAK, username=USER, password=WITH_LINE_BREAK),
        secret(namespace, "other-keys", token=NOT_ASKED_FOR, pass_word=PASSWORD),
        secret(namespace, "colon", username=f"{USER}:{PASSWORD}", password=PASSWORD),
    ]
    instances = []

    def add(name: str, method: str, of: str = namespace, secret_name: str = "key", **config: str) -> None:
        auth = {"method": method, "secretRef": {"name": secret_name}}
        whole_config = {"account": account(namespace, name)} | config
        instances.append(instance(namespace, name, of, auth=auth, config=whole_config))

    for method in METHODS:
        for status in STATUSES:
            name = f"{method}-{status}"
            target.script(account(namespace, name), echo(status))
            # What one answers with 429 is asked of all at its host.
            add(name, method, **({"server": target.hosts[4]} if status == TOO_MANY else {}))
        target.script(account(namespace, f"{method}-greedy"), echo(200))
        add(f"{method}-greedy", method, f"{namespace}-greedy")
        add(f"{method}-refused", method, server=f"https://127.0.0.1:{port}")
        add(f"{method}-untrusted", method, ca=Authority("Another authority").pem)
        add(f"{method}-private", method, server="https://10.0.0.1")
        add(f"{method}-line-break", method, secret_name="line-break")
        add(f"{method}-other-keys", method, secret_name="other-keys")
    add("colon", "basic", secret_name="colon")
    # What people do: the secret is written into the configuration, under its name or where another value belongs.
    add("in-config", "bearer", apiToken=IN_CONFIG)
    return [acme, greedy, *secrets], instances


def test_no_secret_is_in_anything_that_the_operator_says(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    with ExitStack() as ports:
        prepared, instances = objects(namespace, target, ports.enter_context(unused_port()))
        api.apply(*prepared, *instances)
        shown = wait_for_verdicts(api, namespace, len(instances))
        # Everything has happened that was meant to happen.
        assert {verdict(obj)[1] for obj in shown.values()} >= {
            "Connected", "Redirected", "CredentialsRejected", "PermissionDenied", "ObjectNotFound",
            "UnexpectedStatus", "TooManyRequests", "ServerError", "ConnectionRefused", "TLSUntrusted",
            "AddressNotAllowed", "SecretLineBreak", "SecretValueInvalid", "SecretKeyMissing", "ConfigInvalid",
        }  # fmt: skip
        sent = [str(target.seen(account(namespace, f"{method}-200"))) for method in METHODS]
        assert all(
            KEY in text or base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() in text for text in sent
        )
        wait_until(lambda: len(api.events(namespace)), lambda count: count >= 10, "Events")
        operator.wait_until_idle()
    places = everything_said(api, operator)
    assert "connection tested" in places["log"]
    assert shown["bearer-500"]["metadata"]["uid"] in places["log"], (
        "the log that is searched is the right one"
    )
    assert leaks(places) == set()
    api.delete(*instances, prepared[0], prepared[1])


def wait_for_verdicts(api: Api, namespace: str, count: int) -> dict[str, Object]:
    return wait_until(
        lambda: api.instances(namespace),
        lambda shown: len(shown) == count and all(verdict(obj)[1] for obj in shown.values()),
        "every instance has a verdict",
    )


FAULTY = """
import integration_hub.adapters.http as http
original = http.HttpClient.send
async def send(self, request, **settings):
    if "explode" not in request.url:
        return await original(self, request, **settings)
    try:
        raise OSError("inner", dict(request.headers), request.query)
    except OSError as error:
        raise RuntimeError(f"outer {request!r} {settings!r}") from error
http.HttpClient.send = send
from integration_hub.cli.main import main
main()
"""
"""The operator with a mistake in it: an exception that holds all that it can lay hands on, and another one inside."""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_secret_is_in_a_traceback(
    log_format: str,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
) -> None:
    api, namespace = spare_api, f"traceback-{log_format}"
    acme = definition(
        namespace, target, authMethods=[{"name": name, **method} for name, method in METHODS.items()]
    )
    instances = [
        instance(
            namespace, method, namespace,
            auth={"method": method, "secretRef": {"name": "key"}}, config={"account": f"{namespace}-explode"},
        )
        for method in METHODS
    ]  # fmt: skip
    fine = instance(namespace, "fine", namespace, auth={"method": "bearer", "secretRef": {"name": "key"}})
    target.script(account(namespace, "fine"), echo(200))
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        acme, secret(namespace, apiKey=KEY, username=USER, password=PASSWORD, unasked=NOT_ASKED_FOR), *instances, fine,
    )  # fmt: skip
    operator = start_operator("--log-format", log_format, "--log-level", "debug", program=("-c", FAULTY))
    api.wait_for_all(
        namespace, dict.fromkeys(METHODS, ("Unknown", "InternalError")) | {"fine": ("True", "Connected")}
    )
    log = operator.log.read_text()
    assert log.count("Traceback") >= 2 * len(METHODS)
    assert "RuntimeError" in log
    assert leaks(everything_said(api, operator)) == set()
    api.delete(*instances, fine, acme)


def test_the_search_finds_what_is_there_to_be_found(
    api: Api, namespace: str, operator: OperatorProcess
) -> None:
    """In every form, and in a place that is read from the API server as the others are."""
    for number, form in enumerate(sorted(set(forms(PASSWORD)))):
        config_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"leak-{number}", "namespace": namespace},
            "data": {"note": f"before {form} after"},
        }
        api.apply(config_map)
        places = everything_said(api, operator) | {"ConfigMap": api.get(config_map)["data"]["note"]}
        assert leaks(places) == {("ConfigMap", PASSWORD[:6])}, form
