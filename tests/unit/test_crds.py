"""What the CRDs promise. That the API server agrees with them is shown by tests/integration/test_crds.py."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import ConfigDict, Field

from integration_hub.model.base import Model
from integration_hub.model.crds import (
    KINDS,
    RULES,
    NotStructuralError,
    Schema,
    custom_resource_definition,
    structural,
)
from integration_hub.model.schema import cel

ROOT = Path(__file__).parents[2]
DEFINITION, INSTANCE = (custom_resource_definition(kind) for kind in KINDS)
BOTH = pytest.mark.parametrize(
    "crd", [DEFINITION, INSTANCE], ids=["IntegrationDefinition", "IntegrationInstance"]
)


def version(crd: dict[str, Any]) -> dict[str, Any]:
    (only,) = crd["spec"]["versions"]
    return dict(only)


def nodes(crd: dict[str, Any]) -> dict[str, Schema]:
    """Every schema of the CRD by its path: '.spec.tests' is a field, '.spec.tests[]' what the list holds."""
    return dict(walk("", version(crd)["schema"]["openAPIV3Schema"]))


def walk(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(f"{path}.{name}", child)
    for keyword, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in node:
            yield from walk(path + suffix, node[keyword])


def is_field(path: str) -> bool:
    return not path.endswith(("[]", "{}"))


class TestNames:
    def test_definitions_belong_to_the_cluster(self) -> None:
        assert DEFINITION["metadata"] == {"name": "integrationdefinitions.integrationhub.dev"}
        assert DEFINITION["spec"]["scope"] == "Cluster"
        assert DEFINITION["spec"]["names"] == {
            "kind": "IntegrationDefinition",
            "listKind": "IntegrationDefinitionList",
            "plural": "integrationdefinitions",
            "singular": "integrationdefinition",
            "shortNames": ["idef"],
            "categories": ["hub"],
        }

    def test_instances_belong_to_a_namespace(self) -> None:
        assert INSTANCE["metadata"] == {"name": "integrationinstances.integrationhub.dev"}
        assert INSTANCE["spec"]["scope"] == "Namespaced"
        assert INSTANCE["spec"]["names"]["shortNames"] == ["iinst"]
        assert INSTANCE["spec"]["names"]["categories"] == ["hub"]

    @BOTH
    def test_one_version_with_a_status_of_its_own(self, crd: dict[str, Any]) -> None:
        assert crd["spec"]["group"] == "integrationhub.dev"
        assert version(crd)["name"] == "v1alpha1"
        assert version(crd)["subresources"] == {"status": {}}

    def test_columns(self) -> None:
        columns = {
            crd["spec"]["names"]["kind"]: [
                (column["name"], column["type"], column.get("priority", 0))
                for column in version(crd)["additionalPrinterColumns"]
            ]
            for crd in (DEFINITION, INSTANCE)
        }
        assert columns == {
            "IntegrationDefinition": [
                ("Ready", "string", 0),
                ("Reason", "string", 0),
                ("Version", "string", 0),
                ("Display name", "string", 0),
                ("Age", "date", 0),
                ("Message", "string", 1),
            ],
            "IntegrationInstance": [
                ("Ready", "string", 0),
                ("Reason", "string", 0),
                ("Definition", "string", 0),
                ("Identity", "string", 0),
                ("Expires", "string", 0),
                ("Last tested", "date", 0),
                ("Age", "date", 0),
                ("Message", "string", 1),
            ],
        }

    def test_selectable_fields(self) -> None:
        assert version(INSTANCE)["selectableFields"] == [
            {"jsonPath": ".spec.definitionRef.name"},
            {"jsonPath": ".spec.auth.secretRef.name"},
            {"jsonPath": ".status.phase"},
        ]
        assert "selectableFields" not in version(DEFINITION)

    @BOTH
    def test_columns_and_selectors_lead_to_fields(self, crd: dict[str, Any]) -> None:
        columns = {column["jsonPath"] for column in version(crd)["additionalPrinterColumns"]}
        selectors = {field["jsonPath"] for field in version(crd).get("selectableFields", [])}
        paths = {re.sub(r"\[.*?\]\.", "[].", path) for path in columns | selectors}
        assert paths - {".metadata.creationTimestamp"} <= nodes(crd).keys()


class TestSchema:
    # Except metadata: the API server refuses a description there and brings its own.
    @BOTH
    def test_every_field_is_described(self, crd: dict[str, Any]) -> None:
        described = {path for path, node in nodes(crd).items() if node.get("description")}
        assert {path for path in nodes(crd) if is_field(path)} - described == {".metadata"}

    @BOTH
    def test_descriptions_are_words_on_one_line(self, crd: dict[str, Any]) -> None:
        descriptions = [node["description"] for node in nodes(crd).values() if "description" in node]
        assert [text for text in descriptions if text != " ".join(text.split())] == []

    @BOTH
    def test_nothing_is_defaulted(self, crd: dict[str, Any]) -> None:
        assert [path for path, node in nodes(crd).items() if "default" in node] == []

    @BOTH
    def test_every_node_has_one_type(self, crd: dict[str, Any]) -> None:
        untyped = [path for path, node in nodes(crd).items() if not isinstance(node.get("type"), str)]
        assert untyped == [".spec.tests[].request.body"]
        assert [
            path for path, node in nodes(crd).items() if node.keys() & {"anyOf", "$ref", "nullable"}
        ] == []

    @BOTH
    def test_only_the_spec_is_required(self, crd: dict[str, Any]) -> None:
        assert nodes(crd)[""]["required"] == ["spec"]

    def test_required_fields(self) -> None:
        assert nodes(DEFINITION)[".spec"]["required"] == [
            "displayName",
            "baseURL",
            "allowedHosts",
            "authMethods",
            "tests",
        ]
        assert nodes(INSTANCE)[".spec"]["required"] == ["definitionRef"]

    def test_lists_whose_entries_have_names_are_maps(self) -> None:
        maps = {
            path: node["x-kubernetes-list-map-keys"]
            for crd in (DEFINITION, INSTANCE)
            for path, node in nodes(crd).items()
            if node.get("x-kubernetes-list-type") == "map"
        }
        assert maps == {
            ".spec.authMethods": ["name"],
            ".spec.authMethods[].credentials": ["key"],
            ".spec.tests": ["name"],
            ".spec.templates": ["name"],
            ".status.conditions": ["type"],
            ".status.tests": ["name"],
            ".status.tests[].stages": ["name"],
        }

    @BOTH
    def test_every_list_says_how_it_merges_and_ends(self, crd: dict[str, Any]) -> None:
        lists = {path: node for path, node in nodes(crd).items() if node.get("type") == "array"}
        assert [path for path, node in lists.items() if "x-kubernetes-list-type" not in node] == []
        assert [path for path, node in lists.items() if "maxItems" not in node] == []

    def test_objects_that_others_define_stay_open(self) -> None:
        opened = {
            path
            for crd in (DEFINITION, INSTANCE)
            for path, node in nodes(crd).items()
            if node.get("x-kubernetes-preserve-unknown-fields")
        }
        assert opened == {
            ".spec.config",
            ".spec.configSchema",
            ".spec.authMethods[].settings",
            ".spec.templates[].config",
            ".spec.tests[].request.body",
        }

    def test_times_are_checked(self) -> None:
        times = {path for path, node in nodes(INSTANCE).items() if node.get("format") == "date-time"}
        assert times == {
            ".status.conditions[].lastTransitionTime",
            ".status.authorization.expiresAt",
            ".status.credential.expiresAt",
            ".status.credential.renewsAt",
            ".status.credential.authorizationExpiresAt",
            ".status.lastTested",
            ".status.tests[].time",
            ".status.tests[].since",
            ".status.tests[].nextTime",
            ".status.tests[].credentialExpiresAt",
            ".status.history[].time",
            ".status.nextTestTime",
            ".status.updatedAt",
        }


class TestRules:
    """The API server judges by the bounds of a rule's inputs whether the rule could cost too much."""

    @BOTH
    def test_what_a_rule_reads_is_bounded(self, crd: dict[str, Any]) -> None:
        everything = nodes(crd)
        read = {
            (path, child)
            for path, node in everything.items()
            for rule in node.get(RULES, [])
            for child in everything
            if child == path or any(child.startswith(f"{path}.{name}") for name in fields_named(rule["rule"]))
        }
        bounds = {"string": {"maxLength", "enum", "format"}, "array": {"maxItems"}}
        unbounded = [
            child
            for _, child in read
            if (needed := bounds.get(everything[child].get("type", "")))
            and not everything[child].keys() & needed
        ]
        assert unbounded == []

    @BOTH
    def test_messages_are_for_people(self, crd: dict[str, Any]) -> None:
        messages = [rule["message"] for node in nodes(crd).values() for rule in node.get(RULES, [])]
        assert messages
        assert [text for text in messages if not re.search(r"\b(must|cannot)\b", text)] == []
        assert [text for text in messages if re.search(r"\b(self|regex|matches)\b|\^", text)] == []

    def test_the_definition_of_an_instance_never_changes(self) -> None:
        (rule,) = nodes(INSTANCE)[".spec.definitionRef"][RULES]
        assert rule["rule"] == "self == oldSelf"


def fields_named(rule: str) -> set[str]:
    return set(re.findall(r"self\.(\w+)\b(?!\()", rule))


class Coordinates(Model):
    """Where it is."""

    latitude: Annotated[float, Field(ge=-90, le=90, multiple_of=0.5)]


class Place(Model):
    """A place."""

    code: str | int


class Bag(Model):
    """Anything."""

    things: dict[str, Any]


class Address(Model):
    """An address."""

    model_config = ConfigDict(json_schema_extra=cel(("self.city != ''", "must name a city")))

    city: str | None = None
    """The city."""


class Person(Model):
    """A person."""

    home: Annotated[Address | None, Field(json_schema_extra=cel(("has(self.city)", "must have a city")))] = (
        None
    )
    """Where
    the person lives."""


def translated(model: type[Model]) -> Schema:
    source = model.model_json_schema()
    return structural(source, source.pop("$defs", {}))


class TestTranslation:
    def test_references_and_null_unions_are_merged_into_the_field(self) -> None:
        assert translated(Person)["properties"]["home"] == {
            "description": "Where the person lives.",
            "type": "object",
            RULES: [
                {"rule": "self.city != ''", "message": "must name a city"},
                {"rule": "has(self.city)", "message": "must have a city"},
            ],
            "properties": {"city": {"description": "The city.", "type": "string"}},
        }

    @pytest.mark.parametrize(
        ("model", "cause"), [(Coordinates, "multipleOf"), (Place, "one type"), (Bag, "use JsonObject")]
    )
    def test_what_a_crd_cannot_express_is_refused(self, model: type[Model], cause: str) -> None:
        with pytest.raises(NotStructuralError, match=cause):
            translated(model)


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / "generate_crds.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestFiles:
    def test_the_files_in_the_repository_match_the_models(self) -> None:
        checked = generate("--check")
        assert (checked.returncode, checked.stderr) == (0, "")

    def test_a_file_is_for_people_too(self) -> None:
        text = (ROOT / "crds" / "integrationinstances.yaml").read_text()
        keys = [line.partition(":")[0] for line in text.splitlines() if line[0].isalpha()]
        assert text.startswith("# Generated by `make generate`")
        assert keys == ["apiVersion", "kind", "metadata", "spec"]
        assert yaml.safe_load(text) == INSTANCE

    def test_every_difference_is_named(self, tmp_path: Path) -> None:
        generate("--folder", tmp_path)
        assert generate("--check", "--folder", tmp_path).returncode == 0

        (tmp_path / "integrationdefinitions.yaml").unlink()
        with (tmp_path / "integrationinstances.yaml").open("a") as file:
            file.write("# edited by hand\n")
        (tmp_path / "leftover.yaml").write_text("")
        checked = generate("--check", "--folder", tmp_path)

        assert checked.returncode == 1
        assert checked.stderr.splitlines() == [
            f"{tmp_path}/integrationdefinitions.yaml is missing: run 'make generate'",
            f"{tmp_path}/integrationinstances.yaml differs from the models: run 'make generate'",
            f"{tmp_path}/leftover.yaml belongs to no kind: delete it",
        ]
