"""The catalog's 'prometheus' before a real Prometheus, which answers as the simulated one is written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from integration_hub.adapters.shipped import definition_text
from integration_hub.catalog.loader import read_object
from support.certificates import Authority
from support.hub_command import HubTest
from support.instances import Object, instance, secret
from support.prometheus_server import PASSWORD, USER, USERS, prometheus_server, require_program
from support.waiting import wait_until

DEFINITION = read_object(definition_text("prometheus") or "")
AUTHORITY = Authority("Monitoring Authority")
Verdict = tuple[str, str | None]
Ask = Callable[..., list[Verdict]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that asks for a user and a password."""
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus_server(require_program(), folder, AUTHORITY.issue("127.0.0.1")) as address:
        yield address


@pytest.fixture(scope="module")
def below_a_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that is at /metrics-of-all, without that path."""
    folder = tmp_path_factory.mktemp("prometheus")
    identity = AUTHORITY.issue("127.0.0.1")
    with prometheus_server(require_program(), folder, identity, prefix="/metrics-of-all") as address:
        yield address


@pytest.fixture(scope="module")
def unprotected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that lets everybody in, as Prometheus does where nobody has protected it."""
    folder = tmp_path_factory.mktemp("prometheus")
    identity = AUTHORITY.issue("127.0.0.1")
    with prometheus_server(require_program(), folder, identity, users={}) as address:
        yield address


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """`ask(address, values, method="basic", tests=[])`: reason and identity of each test of a connection."""

    def run(
        address: str, values: dict[str, str], method: str = "basic", tests: list[str] | None = None
    ) -> list[Verdict]:
        whole = instance(
            "ns",
            "metrics",
            "prometheus",
            config={"server": address, "caCertificate": AUTHORITY.pem},
            auth={"method": method} | ({"secretRef": {"name": "key"}} if values else {}),
            tests=[{"name": name} for name in tests or []],
        )
        documents: list[Object] = [DEFINITION, secret("ns", **values), whole]
        ran = HubTest(tmp_path, None, PASSWORD).run(
            "--draft", "-f", "-", "-o", "json", stdin=yaml.safe_dump_all(documents)
        )
        assert ran.out, ran.err
        assert ran.data["tests"], ran.out
        return [(test["reason"], test.get("identity")) for test in ran.data["tests"]]

    return run


def user(password: str = PASSWORD, name: str = USER) -> dict[str, str]:
    return {"username": name, "password": password}


def test_a_user_of_the_web_configuration_file_is_connected_and_told_the_version(
    ask: Ask, server: str
) -> None:
    ((reason, identity),) = ask(server, user())
    assert reason == "Connected"
    assert identity is not None
    assert identity.startswith(("version 2.", "version 3."))


def test_there_are_data_of_its_targets(ask: Ask, server: str) -> None:
    wait_until(
        lambda: ask(server, user(), tests=["query"])[1],
        lambda verdict: verdict == ("Connected", None),
        "the target was scraped",
    )


@pytest.mark.parametrize(
    "values",
    [user("another-canary"), user(USERS[USER]), user(name="somebody")],
    ids=["another password", "the hash in place of the password", "another user"],
)
def test_who_is_no_user_is_rejected(ask: Ask, server: str, values: dict[str, str]) -> None:
    assert ask(server, values) == [("CredentialsRejected", None)]


def test_it_knows_no_tokens(ask: Ask, server: str) -> None:
    assert ask(server, {"token": "canary-of-a-token"}, "bearer-token") == [("CredentialsRejected", None)]


def test_a_prefix_that_it_does_not_have_is_no_bad_password(ask: Ask, server: str) -> None:
    assert ask(f"{server}/prometheus", user()) == [("EndpointNotFound", None)]


def test_a_prefix_belongs_to_the_address(ask: Ask, below_a_prefix: str) -> None:
    assert ask(below_a_prefix, user()) == [("EndpointNotFound", None)]
    ((reason, _),) = ask(f"{below_a_prefix}/metrics-of-all", user())
    assert reason == "Connected"


def test_one_that_lets_everybody_in_proves_no_password(ask: Ask, unprotected: str) -> None:
    assert ask(unprotected, user()) == [("CredentialUnproven", None)]
    assert ask(unprotected, {"token": "canary-of-a-token"}, "bearer-token") == [("CredentialUnproven", None)]


def test_one_that_lets_everybody_in_is_connected_to_without_a_credential(ask: Ask, unprotected: str) -> None:
    ((reason, identity),) = ask(unprotected, {}, "open")
    assert reason == "Connected"
    assert (identity or "").startswith("version ")


def test_one_that_asks_for_a_user_lets_nobody_in_without(ask: Ask, server: str) -> None:
    assert ask(server, {}, "open") == [("AuthSchemeWrong", None)]
