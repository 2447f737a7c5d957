"""What stands in the Secret for workloads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from integration_hub.auth.api_key import ApiKey
from integration_hub.auth.basic_auth import BasicAuth
from integration_hub.auth.custom.aws_sigv4 import AwsSigV4
from integration_hub.auth.custom.mtls import MutualTls
from integration_hub.auth.flow import Credentials
from integration_hub.auth.oauth2 import OAuth2
from integration_hub.credentials.binding import binding_data, binding_type
from integration_hub.model.tokens import Tokens
from integration_hub.shell.refusals import refusals

DOCS = Path(__file__).parents[2] / "docs"
URI = "https://eu.acme.example/api/v2"


def data(uri: str = URI, provider: str = "Acme Inc.", **delivered: str) -> dict[str, str]:
    return binding_data(type_="acme", provider=provider, uri=uri, delivered=delivered)


def test_a_workload_finds_what_the_specification_promises_and_what_the_method_yields() -> None:
    assert data(accessToken="t") == {
        "type": "acme",
        "provider": "Acme Inc.",
        "uri": URI,
        "host": "eu.acme.example",
        "port": "443",
        "accessToken": "t",
    }


def test_the_secrets_type_tells_of_the_definition() -> None:
    assert binding_type("acme") == "servicebinding.io/acme"


def test_without_a_vendor_the_hub_is_the_provider() -> None:
    assert data(provider="")["provider"] == "integration-hub"


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("https://api.acme.example", "api.acme.example", "443"),
        ("http://localhost", "localhost", "80"),
        ("https://api.acme.example:8443/x", "api.acme.example", "8443"),
        ("https://[2001:db8::1]:9443", "2001:db8::1", "9443"),
        ("https://10.0.0.1/", "10.0.0.1", "443"),
    ],
)
def test_the_address_comes_whole_and_in_its_parts(uri: str, host: str, port: str) -> None:
    found = data(uri)
    assert (found["uri"], found["host"], found["port"]) == (uri, host, port)


def test_without_an_address_there_are_no_parts_of_one() -> None:
    assert data("") == {"type": "acme", "provider": "Acme Inc."}


@pytest.mark.parametrize("uri", ["https://api.acme.example:99999/", "https://[2001:db8::1"])
def test_an_address_that_has_no_readable_parts_comes_whole(uri: str) -> None:
    assert data(uri) == {"type": "acme", "provider": "Acme Inc.", "uri": uri}


def test_without_usable_credentials_the_rest_stays_so_that_a_mounted_volume_does_not_vanish() -> None:
    assert set(data()) == {"type", "provider", "uri", "host", "port"}


def test_nothing_that_a_method_yields_takes_the_place_of_type_and_provider() -> None:
    forged = {"type": "forged", "provider": "forged", "host": "db.acme.example", "port": "5432"}
    found = binding_data(type_="acme", provider="Acme Inc.", uri=URI, delivered=forged)
    assert (found["type"], found["provider"]) == ("acme", "Acme Inc.")
    assert (found["host"], found["port"]) == ("db.acme.example", "5432"), (
        "a method knows better where it leads"
    )


@pytest.mark.parametrize("name", ["", ".", "..", "..data", "a/b", "a b", "ä", "a\n", "x" * 254])
def test_what_cannot_be_a_key_of_a_secret_is_left_out(name: str) -> None:
    assert binding_data(type_="acme", provider="", uri="", delivered={name: "v", "ok": "v"}) == {
        "type": "acme",
        "provider": "integration-hub",
        "ok": "v",
    }


@pytest.mark.parametrize("name", [".hidden", "private-key", "A_b.c-1", "x" * 253])
def test_what_can_be_a_key_of_a_secret_stays(name: str) -> None:
    assert binding_data(type_="acme", provider="", uri="", delivered={name: "v"})[name] == "v"


def test_user_name_and_password_have_the_specifications_names() -> None:
    given = Credentials({"username": "ann", "password": "p"})
    delivered = BasicAuth().delivered({}, given)
    assert dict(delivered) == {"username": "ann", "password": "p"}
    assert data(**delivered)["username"] == "ann"


def test_an_api_key_has_the_name_that_it_has_in_its_own_secret() -> None:
    assert data(**ApiKey().delivered({"prefix": "Bearer"}, Credentials({"apiKey": "k"})))["apiKey"] == "k"


# The page


def test_the_page_names_what_each_method_delivers() -> None:
    page = (DOCS / "binding.md").read_text(encoding="utf-8")
    table = page.partition("And what the auth method yields:")[2].partition("\n\nNever")[0]
    for delivered in (
        OAuth2().delivered({}, Credentials({}, tokens=Tokens("a", datetime(2026, 1, 1, tzinfo=UTC), "g"))),
        BasicAuth().delivered({}, Credentials({"username": "u", "password": "p"})),
        AwsSigV4().delivered(
            {"region": "eu-west-1", "service": "s3"},
            Credentials({"accessKeyId": "a", "secretAccessKey": "s", "sessionToken": "t"}),
        ),
        MutualTls().delivered({}, Credentials({"tls.crt": "c", "tls.key": "k"})),
    ):
        assert [name for name in delivered if f"`{name}`" not in table] == []


@pytest.mark.parametrize("page", ["binding.md", "deletion.md"])
def test_the_manifests_of_the_pages_pass_the_crd(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    documents = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    ours = [one for one in documents if one.get("kind") == "IntegrationInstance"]
    assert ours
    assert [problem for one in ours for problem in refusals("IntegrationInstance", one["spec"])] == []
