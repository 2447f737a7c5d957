"""What the examples' runner decides, without a cluster; and the repository's examples as they stand."""

from __future__ import annotations

import ssl
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.adapters.shipped import definition_text
from integration_hub.catalog.loader import read_object
from integration_hub.examples.certificates import make_certificates
from integration_hub.examples.declaration import Promise, Service, load_declaration
from integration_hub.examples.errors import ExampleError
from integration_hub.examples.manifests import (
    Manifest,
    fill_in,
    load_manifests,
    objects_of_kind,
    write_manifests,
)
from integration_hub.examples.promises import Verdict, broken, comparison, verdicts
from integration_hub.examples.services import require_programs, write_htpasswd

EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/example.yaml"))


def manifest(value: object) -> Manifest:
    document = {"kind": "Secret", "metadata": {"name": "s"}, "value": value}
    return Manifest(Path("10-secret.yaml"), (document,))


def filled(value: object, **variables: str) -> Any:
    return fill_in(manifest(value), variables).documents[0]["value"]


# Manifests


def test_a_variable_is_replaced_alone_inside_text_and_at_any_depth() -> None:
    found = filled({"a": ["${X}", "at ${X}!", {"b": "${X}${Y}"}], "n": 1}, X="x", Y="y")
    assert found == {"a": ["x", "at x!", {"b": "xy"}], "n": 1}


def test_a_value_is_not_looked_into_again() -> None:
    assert filled("${X}", X="${Y}", Y="no") == "${Y}"


def test_a_variable_that_nothing_sets_is_named_with_its_place() -> None:
    with pytest.raises(
        ExampleError, match=r"10-secret\.yaml: Secret s\.value\.a\[1\] uses \$\{Y\}, which nothing sets"
    ):
        filled({"a": ["", "${Y}"]}, X="x")


@given(value=st.text())
def test_any_value_arrives_as_it_is(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Among them PEM certificates, quotes, 'yes', '#', ': ' and everything else that YAML has a meaning for.
    folder = tmp_path_factory.mktemp("manifests")
    write_manifests((fill_in(manifest({"v": "${X}"}), {"X": value}),), folder)
    assert load_manifests(folder)[0].documents[0]["value"] == {"v": value}


def test_a_certificate_stays_readable_and_the_file_private(tmp_path: Path) -> None:
    write_manifests((manifest("-----BEGIN-----\nMII\n-----END-----\n"),), tmp_path / "m")
    path = tmp_path / "m" / "10-secret.yaml"
    assert "value: |\n  -----BEGIN-----\n  MII\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_renamed_manifest_left_is_removed(tmp_path: Path) -> None:
    write_manifests((Manifest(Path("old.yaml"), manifest("").documents),), tmp_path)
    write_manifests((manifest(""),), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["10-secret.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", "is not YAML"),
        ("kind: Secret\n", "Document 1 of .* is no Kubernetes object"),
        ("kind: Secret\nmetadata: {name: a}\n---\njust text\n", "Document 2 of .* is no Kubernetes object"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "10.yaml").write_text(text)
    with pytest.raises(ExampleError, match=message):
        load_manifests(tmp_path)


# Promises


def instance(name: str, *, generation: int = 1, observed: int = 1, **ready: str) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Connected",
        "message": "Connected to a.",
        **ready,
    }
    return {
        "metadata": {"namespace": "n", "name": name, "generation": generation},
        "status": {"observedGeneration": observed, "identity": "me", "conditions": [condition]},
    }


def promise(**fields: Any) -> Promise:
    return Promise.model_validate(
        {"namespace": "n", "name": "a", "ready": "True", "reason": "Connected"} | fields
    )


def test_the_verdict_is_the_ready_condition_of_the_current_generation() -> None:
    found = verdicts(
        [instance("a"), instance("b", generation=2), {"metadata": {"namespace": "n", "name": "c"}}]
    )
    assert found == {("n", "a"): Verdict("True", "Connected", "me", "Connected to a.")}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, True),
        ({"identity": "me"}, True),
        ({"message": ["Connected", "to a"]}, True),
        ({"ready": "False"}, False),
        ({"reason": "Passed"}, False),
        ({"identity": "somebody"}, False),
        ({"message": ["Connected", "to b"]}, False),
        ({"name": "absent"}, False),
    ],
)
def test_a_promise_is_kept_when_all_that_it_names_is_so(fields: dict[str, Any], kept: bool) -> None:
    assert (broken([promise(**fields)], verdicts([instance("a")])) == []) is kept


def test_the_comparison_shows_both_sides() -> None:
    text = comparison([promise(), promise(name="b", identity="you")], verdicts([instance("a")]))
    assert text.splitlines() == [
        "kept    n/a",
        "        promised  Ready=True Connected",
        "        found     Ready=True Connected as me: Connected to a.",
        "BROKEN  n/b",
        "        promised  Ready=True Connected as you",
        "        found     no verdict yet",
    ]


# example.yaml


def test_every_mistake_in_a_declaration_is_named_by_path(tmp_path: Path) -> None:
    bad = {
        "title": "T",
        "promises": [{"namespace": "n", "name": "a", "ready": True, "reason": "R"}],
        "sevices": [],
    }
    (tmp_path / "example.yaml").write_text(yaml.safe_dump(bad))
    with pytest.raises(ExampleError) as error:
        load_declaration(tmp_path)
    for path in ("promises.0.ready: ", "next: ", "sevices: "):
        assert f"\n  {path}" in error.value.problem


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("", "has mistakes:\n  the file: ")])
def test_a_declaration_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "example.yaml").write_text(text)
    with pytest.raises(ExampleError, match=message):
        load_declaration(tmp_path)


def test_a_missing_declaration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="is missing"):
        load_declaration(tmp_path)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_of_the_repository_is_complete(folder: Path) -> None:
    declaration, manifests = load_declaration(folder), load_manifests(folder)
    promised = [(promise.namespace, promise.name) for promise in declaration.promises]
    assert sorted(promised) == sorted(objects_of_kind(manifests, "IntegrationInstance"))
    assert {namespace for namespace, _ in promised} == {
        name for _, name in objects_of_kind(manifests, "Namespace")
    }
    assert len(declaration.next) == 3
    assert (folder / "README.md").read_text().startswith("# ")


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_leaves_the_catalogs_names_to_the_catalog(folder: Path) -> None:
    """Else 'hub catalog install' after an example meets a definition of the name that is another one."""
    for file in load_manifests(folder):
        for document in file.documents:
            if document["kind"] == "IntegrationDefinition":
                shipped = definition_text(document["metadata"]["name"])
                assert shipped is None or document == read_object(shipped)


# What services need


def test_the_certificate_is_for_loopback_and_signed_by_the_authority(tmp_path: Path) -> None:
    authority = make_certificates(tmp_path)
    certificate = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600


def test_the_password_file_holds_no_password_and_is_read_as_the_server_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    write_htpasswd(path, {"reader": "open sesame"})
    assert "sesame" not in path.read_text()
    file = import_module("passlib.apache").HtpasswdFile(str(path))
    assert file.check_password("reader", "open sesame")
    assert not file.check_password("reader", "close sesame")


def test_a_python_module_that_a_service_lacks_is_named_before_anything_starts() -> None:
    service = Service(name="index", command=("python", "-m", "json"), modules=("json", "no_such_module"))
    with pytest.raises(ExampleError, match=r"'index' .* not installed: no_such_module\.\nRun .*make run"):
        require_programs([service])
    require_programs([service.model_copy(update={"modules": ("json",)})])
