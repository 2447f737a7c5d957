"""`hub definition`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from integration_hub.adapters import shipped
from integration_hub.cli.main import main
from support.hub_command import Hub


def run(*words: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["definition", *map(str, words)], input=stdin)


def text(name: str = "stripe") -> str:
    found = shipped.definition_text(name)
    assert found is not None
    return found


def vendor(name: str = "stripe") -> dict[str, Any]:
    found = shipped.vendor_text(name)
    assert found is not None
    raw: dict[str, Any] = yaml.safe_load(found)
    return raw


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    file = tmp_path / "changed.yaml"
    file.write_text(text().replace("name: balance", "name: money").replace("icon: St", "icon: Stripe"))
    return file


def test_a_definition_without_findings_is_ok() -> None:
    ran = run("lint", "stripe", "slack")
    assert (ran.exit_code, ran.output) == (0, "stripe: ok\nslack: ok\n")


def test_an_error_is_told_with_file_and_path(changed: Path) -> None:
    ran = run("lint", "-f", changed)
    assert ran.exit_code == 1
    assert ran.output.startswith(f"{changed} (stripe): error: spec.icon: must be a monogram")


def test_a_warning_counts_only_where_that_is_asked_for() -> None:
    raw = yaml.safe_load(text())
    del raw["spec"]["tests"][1]["failures"]
    quiet = yaml.safe_dump(raw)
    assert run("lint", "-f", "-", stdin=quiet).exit_code == 0
    strict = run("lint", "-f", "-", "--strict", stdin=quiet)
    assert strict.exit_code == 1
    assert "standard input (stripe): warning: spec.tests[balance].failures" in strict.output


def test_findings_are_data_for_programs(changed: Path) -> None:
    (found,) = json.loads(run("lint", "-f", changed, "-o", "json").output)["items"]
    assert [(one["level"], one["path"]) for one in found["findings"]] == [("error", "spec.icon")]


def test_a_test_plays_one_case() -> None:
    ran = run("test", "stripe", "--case", "too many requests", "-o", "json")
    assert ran.exit_code == 0
    (played,) = json.loads(ran.output)["items"]
    assert (played["authMethod"], played["found"]["reason"], played["faults"]) == (
        "api-key",
        "TooManyRequests",
        [],
    )


def test_what_is_not_as_expected_is_explained(tmp_path: Path) -> None:
    raw = vendor()
    raw["cases"][0]["expect"]["identity"] = "acct_other"
    file = tmp_path / "vendor.yaml"
    file.write_text(yaml.safe_dump(raw))
    ran = run("test", "stripe", "--vendor", file, "--case", raw["cases"][0]["name"])
    assert ran.exit_code == 1
    assert "differs" in ran.output
    assert "It is connected as 'acct_1HubOwn' and not as 'acct_other'" in ran.output
    assert "1 connection: 1 not as expected." in ran.output


@pytest.mark.parametrize(
    ("told", "expected", "says"),
    [
        ("2027-09-30", "2027-10-01T00:00:00Z", "ends 2027-09-30T00:00:00Z and not 2027-10-01T00:00:00Z"),
        (None, "2027-10-01T00:00:00Z", "The credential ends never and not 2027-10-01T00:00:00Z"),
        ("30/09/2027", None, "When the credential ends cannot be read: what stands there is no moment."),
    ],
    ids=["another end", "no end", "an end that cannot be read"],
)
def test_an_end_that_is_not_as_expected_is_explained(
    tmp_path: Path, told: str | None, expected: str | None, says: str
) -> None:
    raw = vendor("gitlab")
    case = next(case for case in raw["cases"] if case["name"] == "a token without an end")
    case["answers"]["token"]["json"]["expires_at"] = told
    case["expect"]["credentialExpiresAt"] = expected
    file = tmp_path / "vendor.yaml"
    file.write_text(yaml.safe_dump(raw))
    ran = run("test", "gitlab", "--vendor", file, "--case", case["name"])
    assert ran.exit_code == 1
    assert says in ran.output


def test_a_vendor_file_that_lacks_cases_is_not_enough(tmp_path: Path) -> None:
    raw = vendor()
    raw["cases"] = [case for case in raw["cases"] if case["kind"] != "rate-limit"]
    file = tmp_path / "vendor.yaml"
    file.write_text(yaml.safe_dump(raw))
    ran = run("test", "stripe", "--vendor", file)
    assert ran.exit_code == 1
    assert "vendor file: cases: has none of kind 'rate-limit'" in ran.stderr


def test_a_definition_with_errors_is_not_played(changed: Path) -> None:
    ran = run("test", "-f", changed)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "spec.icon" in ran.stderr


@pytest.mark.parametrize("metadata", ["x", "7", "[stripe]", "true"])
def test_metadata_of_another_type_is_told_by_every_command(metadata: str) -> None:
    spoilt = f"{text()[: text().index('metadata:')]}metadata: {metadata}\n{text()[text().index('spec:') :]}"
    said = "standard input (without a name): error: metadata: must be a group of fields, with the definition's name"
    linted = run("lint", "-", stdin=spoilt)
    assert (linted.exit_code, linted.stderr) == (1, "")
    assert linted.stdout.startswith(said)
    tested = run("test", "-", stdin=spoilt)
    assert (tested.exit_code, tested.stdout) == (1, "")
    assert tested.stderr.startswith(said)
    compared = run("diff", "stripe", "-", stdin=spoilt)
    assert (compared.exit_code, compared.stdout) == (2, "")
    assert "metadata: must be a group of fields, with the definition's name in it" in compared.stderr


def test_a_definition_that_names_addresses_alone_is_not_played() -> None:
    raw = yaml.safe_load(text("openai"))
    raw["spec"] |= {"baseURL": "https://1.1.1.1", "allowedHosts": ["1.1.1.1", "169.254.169.254:8443"]}
    assert run("lint", "-", stdin=yaml.safe_dump(raw)).exit_code == 0, "the lint has nothing against it"
    ran = run("test", "-", stdin=yaml.safe_dump(raw))
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == (
        "Error: spec.allowedHosts names addresses alone (1.1.1.1, 169.254.169.254:8443), so nothing was played.\n"
        "Why: A simulated vendor is reached by the names of its hosts, and to an address nothing is sent.\n"
        "What to do: Name a host in spec.baseURL and spec.allowedHosts.\n"
    )


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("1.1.1.1", "hosts[0]: is an address: a vendor is played at names, like 'api.example.com'"),
        ("api.example.com:99999", "hosts[0]: must be a port"),
        ("api..example.com", "hosts[0]: is empty, or has nothing between two dots"),
        ("*.com", "hosts[0]: allows too much after '*.'"),
    ],
)
def test_a_vendor_is_at_no_host_that_cannot_be_played(tmp_path: Path, host: str, said: str) -> None:
    raw = vendor()
    raw["hosts"][0] = host
    file = tmp_path / "vendor.yaml"
    file.write_text(yaml.safe_dump(raw))
    ran = run("test", "stripe", "--vendor", file)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.stderr


def test_on_a_terminal_the_mistakes_of_one_that_is_not_played_have_whole_colours(
    changed: Path, tmp_path: Path
) -> None:
    code, shown = Hub(tmp_path, None).on_a_terminal("definition", "test", "-f", str(changed))
    assert code == 1
    assert "\ufffd" not in shown
    assert "\x1b[38;5;196m✗\x1b[0m error: spec.icon: must be" in shown
    assert shown.rstrip().endswith("Error: The definition has mistakes, so nothing was played.")


def test_files_are_named_with_or_without_f(changed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("lint", "stripe", changed)
    assert ran.output.startswith(f"stripe: ok\n{changed} (stripe): error: spec.icon")
    assert run("lint", "-", stdin=text()).output == "standard input (stripe): ok\n"
    assert run("test", "-", "--case", "too many requests", stdin=text()).exit_code == 0
    monkeypatch.chdir(changed.parent)
    changed.parent.joinpath("slack").mkdir()
    assert run("lint", "changed.yaml", "slack").output.splitlines()[-1] == "slack: ok"


def test_a_comparison_has_what_breaks_first(changed: Path) -> None:
    ran = run("diff", "stripe", changed)
    assert ran.exit_code == 1
    assert (
        ran.output.splitlines()[0]
        == "breaking  spec.tests[balance]: was removed: a connection that names it is refused"
    )
    back = run("diff", "stripe", "stripe")
    assert (back.exit_code, back.output) == (0, "Nothing is other.\n")
    data = json.loads(run("diff", "stripe", changed, "-o", "json").output)["items"]
    assert [one["breaking"] for one in data] == [True, False, False]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lint"], "Name a file or a definition of the catalog, or --all."),
        (["lint", "strip"], "The catalog has no definition 'strip' (did you mean 'stripe'?)"),
        (["lint", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
        (["test", "nope"], "The catalog has no definition 'nope'.\nWhat to do: Name a file, like nope.yaml,"),
        (["lint", "-f", "/nowhere.yaml"], "/nowhere.yaml cannot be read: No such file"),
        (["test"], "one of the two"),
        (["test", "stripe", "-f", "a.yaml"], "one of the two"),
        (["test", "stripe", "--case", "too many request"], "did you mean 'too many requests'?"),
        (["test", "stripe", "--vendor", "/nowhere.yaml"], "cannot be read"),
        (["diff", "stripe"], "Missing argument"),
        (["diff", "stripe", "./nowhere.yaml"], "cannot be read"),
    ],
)
def test_a_mistake_in_the_command_is_named(words: list[str], said: str) -> None:
    ran = run(*words)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert not ran.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "is not valid YAML"),
        ("a: 1\na: 2\n", "a field stands there twice"),
        ("kind: ConfigMap\n", "has no IntegrationDefinition in it"),
        ("", "has no IntegrationDefinition in it"),
    ],
)
def test_a_file_that_is_none_is_refused(content: str, said: str) -> None:
    ran = run("lint", "-f", "-", stdin=content)
    assert ran.exit_code == 2
    assert said in ran.stderr
