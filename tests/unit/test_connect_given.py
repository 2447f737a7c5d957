"""What flags say that cannot be: a value of a credential where everybody sees it is told, and never repeated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration_hub.cli.connect.given import Given
from integration_hub.cli.errors import HubError
from integration_hub.cli.main import main
from integration_hub.forms.question import Answers
from integration_hub.reconcile.definition import check_definition
from support.form_schemas import interview_of

VALUE = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"

SPEC: dict[str, Any] = {
    "displayName": "Acme",
    "configSchema": {
        "type": "object",
        "properties": {
            "region": {"type": "string"},
            "clientId": {"type": "string"},
            "signing": {"type": "string", "x-hub-secret": True},
        },
    },
    "baseURL": "https://api.example.com",
    "allowedHosts": ["api.example.com"],
    "authMethods": [
        {"name": "key", "type": "apiKey", "settings": {}},
        {"name": "password", "type": "basicAuth", "settings": {}},
        {
            "name": "app",
            "type": "oauth2",
            "settings": {
                "grant": "clientCredentials",
                "tokenURL": "https://api.example.com/token",
                "clientId": "{{ config.clientId }}",
            },
        },
    ],
    "tests": [{"name": "t", "default": True, "request": {"path": "/"}}],
}


def answers_of(**flags: Any) -> Answers:
    checked = check_definition({"metadata": {"name": "acme"}, "spec": SPEC})
    return Given(interview_of(checked), flags, asks=False).added_to(Answers())


def mistakes(**flags: Any) -> str:
    with pytest.raises(HubError) as told:
        answers_of(**flags)
    return str(told.value)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("apiKey", "apiKey"),
        ("signing", "signing"),
        pytest.param("password", "password", id="of a method that is not the chosen one"),
        pytest.param("api_key", "apiKey", id="as others spell it"),
        pytest.param("client-secret", "clientSecret", id="of another method, as others spell it"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_credential_among_the_settings_is_told_to_be_one(
    tmp_path: Path, name: str, key: str, in_file: bool
) -> None:
    if in_file:
        file = tmp_path / "values.yaml"
        file.write_text(f"{name}: {VALUE}\n")
        said = mistakes(values=file)
        assert said.startswith(f"{file}: {name} is a secret and does not stand")
    else:
        said = mistakes(settings=((name, VALUE),))
        assert said.startswith(f"--set {name} is a secret and does not stand")
    assert f"--secret-from-file {key}=FILE or --secret-from-env {key}=VARIABLE" in said
    assert "get a new one" in said
    assert VALUE not in said


def test_a_setting_that_is_called_as_a_key_of_the_secret_is_a_setting() -> None:
    answers = answers_of(settings=(("clientId", "shop"),))
    assert answers.get("config.clientId") == "shop"


def test_a_user_name_belongs_into_the_secret_and_need_not_be_renewed() -> None:
    said = mistakes(settings=(("username", "jane"),))
    assert said.startswith(
        "--set username belongs into the Secret: give it with --secret-from-file username=FILE"
    )
    assert "get a new one" not in said


def test_what_is_no_key_of_a_secret_stays_an_unknown_field() -> None:
    assert "is no field of this definition" in mistakes(settings=(("regoin", "eu"),))


NO_TEXT = os.fsdecode(b"sk_\xff")
"""As Python hands over a byte of a command line or an environment that is no text."""


def test_bytes_that_are_no_text_are_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ACME_KEY", NO_TEXT)
    file = tmp_path / "values.yaml"
    file.write_text('region: "\\udcff"\n')
    said = "is no text in UTF-8."
    assert (
        mistakes(secret_variables=(("apiKey", "ACME_KEY"),))
        == f"The value of the Secret's key 'apiKey' {said}"
    )
    assert mistakes(settings=(("region", NO_TEXT),)) == f"--set region {said}"
    assert mistakes(values=file) == f"{file}: region {said}"
    assert mistakes(roles=("admin", NO_TEXT)) == f"--role {said}"
    assert mistakes(display_name=NO_TEXT) == f"--display-name {said}"


@pytest.mark.parametrize("words", [("--api-key", VALUE), (f"--api-key={VALUE}",), ("--token", VALUE)])
@pytest.mark.parametrize("command", ["connect", "edit"])
def test_a_flag_for_a_credential_is_answered_by_how_one_is_given(
    command: str, words: tuple[str, ...]
) -> None:
    ran = CliRunner().invoke(main, [command, "acme", *words])
    said = " ".join(ran.output.split())
    assert ran.exit_code == 2
    assert f"No such option '{words[0].partition('=')[0]}'" in said
    assert "--secret-from-file KEY=FILE or --secret-from-env KEY=VARIABLE" in said
    assert "get a new one" in said
    assert VALUE not in said
    assert "--apply" not in said


@pytest.mark.parametrize("words", [("connect", "acme", "--aply"), ("test", "billing", "--api-key")])
def test_any_other_unknown_flag_is_answered_as_ever(words: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(main, list(words))
    assert ran.exit_code == 2
    assert "No such option" in ran.output
    assert "--secret-from-file" not in ran.output
