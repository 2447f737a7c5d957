"""The catalog's 'gitea' before a real Gitea, which answers as the simulated one is written to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from integration_hub.adapters.shipped import definition_text
from integration_hub.auth.tokens import TokenRefused
from integration_hub.catalog.loader import read_object
from integration_hub.model.definition import IntegrationDefinition
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import diagnose
from integration_hub.probe.plan import plan_probe
from support.certificates import Authority
from support.gitea_server import PASSWORD, GiteaServer, Visitor, gitea_server, require_program
from support.hub_command import HubTest
from support.instances import Object, instance, secret
from support.oauth2 import accepted
from support.oauth2_connection import OAuth2Connection, Sender
from support.programs import TOOLS

DEFINITION = read_object(definition_text("gitea") or "")
SPEC = IntegrationDefinition.model_validate({name: DEFINITION[name] for name in ("metadata", "spec")}).spec
AUTHORITY = Authority("Forge Authority")
Verdict = tuple[str, str | None]
Ask = Callable[..., list[Verdict]]
READ = ("read:user", "read:repository")


@pytest.fixture(scope="module")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GiteaServer]:
    with gitea_server(require_program(), tmp_path_factory.mktemp("gitea"), AUTHORITY) as server:
        yield server


@pytest.fixture
def person(gitea: GiteaServer) -> str:
    """The name of somebody whom no other test knows."""
    name = f"person-{uuid4().hex[:8]}"
    gitea.add_user(name)
    return name


@pytest.fixture
def ask(gitea: GiteaServer, tmp_path: Path) -> Ask:
    """`ask(method, values, tests=[], server=None)`: reason and identity of each test of a connection."""

    def run(
        method: str, values: dict[str, str], tests: list[str] | None = None, server: str | None = None
    ) -> list[Verdict]:
        whole = instance(
            "ns",
            "forge",
            "gitea",
            config={"server": server or gitea.url, "caCertificate": AUTHORITY.pem},
            auth={"method": method, "secretRef": {"name": "key"}},
            tests=[{"name": name} for name in tests or []],
        )
        documents: list[Object] = [DEFINITION, secret("ns", **values), whole]
        ran = HubTest(tmp_path, None, values.get("token", PASSWORD)).run(
            "--draft", "-f", "-", "-o", "json", stdin=yaml.safe_dump_all(documents)
        )
        assert ran.out, ran.err
        assert ran.data["tests"], ran.out
        return [(test["reason"], test.get("identity")) for test in ran.data["tests"]]

    return run


class TestTokens:
    """What a person makes under Settings > Applications."""

    def test_one_with_the_permissions_that_the_definition_asks_for_is_connected(
        self, ask: Ask, gitea: GiteaServer, person: str
    ) -> None:
        token = gitea.issue_token(person, "hub", READ)
        found = ask("token", {"token": token}, ["repositories"])
        assert found == [("Connected", person), ("Connected", None)]

    def test_one_that_there_is_not_is_rejected(self, ask: Ask) -> None:
        assert ask("token", {"token": "0" * 40}) == [("CredentialsRejected", None)]

    def test_one_that_was_deleted_is_rejected(self, ask: Ask, gitea: GiteaServer, person: str) -> None:
        token = gitea.issue_token(person, "hub", READ)
        gitea.revoke_token(person, "hub")
        assert ask("token", {"token": token}) == [("CredentialsRejected", None)]

    def test_one_without_the_permission_for_people_lacks_it(
        self, ask: Ask, gitea: GiteaServer, person: str
    ) -> None:
        token = gitea.issue_token(person, "hub", ["read:repository"])
        assert ask("token", {"token": token}) == [("InsufficientScope", None)]

    def test_one_without_the_permission_for_repositories_lacks_it_for_that_test(
        self, ask: Ask, gitea: GiteaServer, person: str
    ) -> None:
        token = gitea.issue_token(person, "hub", ["read:user"])
        found = ask("token", {"token": token}, ["repositories"])
        assert found == [("Connected", person), ("InsufficientScope", None)]

    def test_one_of_somebody_who_is_locked_is_told_as_that(
        self, ask: Ask, gitea: GiteaServer, person: str
    ) -> None:
        token = gitea.issue_token(person, "hub", READ)
        gitea.lock(person)
        assert ask("token", {"token": token}) == [("AccountLocked", None)]

    def test_a_path_at_which_there_is_no_gitea_is_no_bad_token(
        self, ask: Ask, gitea: GiteaServer, person: str
    ) -> None:
        token = gitea.issue_token(person, "hub", READ)
        found = ask("token", {"token": token}, server=f"{gitea.url}/git")
        assert found == [("EndpointNotFound", None)]


class TestPasswords:
    """User name and password."""

    def test_the_right_one_is_connected(self, ask: Ask, person: str) -> None:
        values = {"username": person, "password": PASSWORD}
        assert ask("basic", values) == [("Connected", person)]

    @pytest.mark.parametrize("wrong", [{"password": "another-canary"}, {"username": "nobody-of-this-name"}])
    def test_another_one_is_rejected(self, ask: Ask, person: str, wrong: dict[str, str]) -> None:
        values = {"username": person, "password": PASSWORD} | wrong
        assert ask("basic", values) == [("CredentialsRejected", None)]


@pytest.fixture(scope="module")
def sender(gitea: GiteaServer) -> Iterator[Sender]:
    sender = Sender(gitea.url, AUTHORITY.pem)
    yield sender
    sender.close()


class TestSigningIn:
    """The method 'oauth' with its settings from the catalog: its client, PKCE, its scopes, and its tests."""

    CALLBACK = "http://127.0.0.1:8081/oauth/callback"

    @pytest.fixture
    def connection(
        self, gitea: GiteaServer, person: str, sender: Sender, request: pytest.FixtureRequest
    ) -> OAuth2Connection:
        """With scopes of its own where a test gives it some, as spec.auth.scopes does."""
        (method,) = (method for method in SPEC.auth_methods if method.name == "oauth")
        own = {"scopes": request.param} if hasattr(request, "param") else {}
        settings = accepted({**method.settings, **own}, {"server": gitea.url})
        return OAuth2Connection(
            sender, settings, self.CALLBACK, **gitea.add_application(person, self.CALLBACK)
        )

    @staticmethod
    def consented(connection: OAuth2Connection, gitea: GiteaServer, person: str) -> Tokens:
        attempt = connection.link()
        tokens = connection.exchanged(attempt, Visitor(gitea, person).consents(attempt.url))
        assert isinstance(tokens, Tokens), tokens
        return tokens

    @staticmethod
    def verdicts(connection: OAuth2Connection, gitea: GiteaServer, tokens: Tokens) -> list[Verdict]:
        """Make the definition's tests with these tokens, as the operator makes them."""
        config = {"server": gitea.url, "caCertificate": AUTHORITY.pem}
        found: list[Verdict] = []
        for test in SPEC.tests:
            plan = plan_probe(SPEC, test, test.request, config)
            sent = connection.signed(plan.request, tokens)
            outcome = connection.sender.exchange(sent)
            shown = connection.credentials.with_tokens(tokens)
            told = diagnose(plan, [outcome], now=datetime.now(UTC), credentials=shown, sent=sent)
            found.append((str(told.reason), told.identity))
        return found

    def test_who_consents_is_connected_with_the_scopes_that_were_asked_for_and_renewed(
        self, connection: OAuth2Connection, gitea: GiteaServer, person: str
    ) -> None:
        tokens = self.consented(connection, gitea, person)
        connected = [("Connected", person), ("Connected", None)]
        assert self.verdicts(connection, gitea, tokens) == connected
        renewed = connection.renewed(tokens)
        assert isinstance(renewed, Tokens), renewed
        assert self.verdicts(connection, gitea, renewed) == connected

    @pytest.mark.parametrize("connection", [["read:user"]], indirect=True)
    def test_a_scope_that_was_not_asked_for_is_lacking(
        self, connection: OAuth2Connection, gitea: GiteaServer, person: str
    ) -> None:
        tokens = self.consented(connection, gitea, person)
        assert self.verdicts(connection, gitea, tokens) == [
            ("Connected", person),
            ("InsufficientScope", None),
        ]

    def test_who_says_no_is_heard(
        self, connection: OAuth2Connection, gitea: GiteaServer, person: str
    ) -> None:
        attempt = connection.link()
        brought = Visitor(gitea, person).consents(attempt.url, granted=False)
        refused = connection.exchanged(attempt, brought)
        assert isinstance(refused, TokenRefused)
        assert (refused.code, refused.ended) == ("access_denied", True)

    def test_an_application_that_is_gone_ends_the_tokens(
        self, connection: OAuth2Connection, gitea: GiteaServer, person: str
    ) -> None:
        tokens = self.consented(connection, gitea, person)
        gitea.remove_applications(person)
        assert isinstance(connection.renewed(tokens), TokenRefused)
        assert self.verdicts(connection, gitea, tokens)[0] == ("CredentialsRejected", None)


class TestWithoutTheServer:
    """The tool of `make test` with an empty cache, a Go that may fetch nothing, and a C compiler or none."""

    @staticmethod
    def run(
        folder: Path, *words: str, ci: str, programs: tuple[str, ...] = ("go", "gcc")
    ) -> subprocess.CompletedProcess[str]:
        (folder / "bin").mkdir()
        for name in programs:
            found = shutil.which(name)
            if found is not None:
                (folder / "bin" / name).symlink_to(Path(found).resolve())
        environment = {
            "PATH": str(folder / "bin"),
            "HOME": str(folder),
            "CI": ci,
            "GOPROXY": "off",
            "PIP_NO_INDEX": "1",
        }
        tool: list[str | Path] = [sys.executable, TOOLS / "bootstrap_gitea.py", *words]
        return subprocess.run(tool, capture_output=True, text=True, check=False, timeout=60, env=environment)

    def test_a_person_is_told_and_goes_on(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, ci="")
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("Gitea cannot be had: Go ")
        assert done.stderr.endswith("Going on without: the tests against a Gitea server are skipped.\n")
        assert done.stderr.count("\n") == 1

    def test_a_compiler_that_is_missing_is_named(self, tmp_path: Path) -> None:
        assert "gcc is not on PATH" in self.run(tmp_path, ci="", programs=("go",)).stderr

    def test_ci_does_not_go_on(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, ci="true")
        assert done.returncode == 1
        assert done.stderr.endswith(" CI needs it.\n")

    def test_asking_where_it_is_builds_nothing(self, tmp_path: Path) -> None:
        assert self.run(tmp_path, "--find", ci="true").returncode == 1
        assert [path.name for path in tmp_path.iterdir()] == ["bin"]
