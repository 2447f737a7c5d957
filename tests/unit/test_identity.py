"""Where in an answer stands who we are connected as."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model.http import HttpResponse
from integration_hub.probe.expressions import Document
from integration_hub.probe.identity import (
    MAX_IDENTITY,
    MAX_PARTS,
    evaluated_identity,
    is_expression,
    parse_identity,
    parse_path,
    read_identity,
)

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
keys = st.text(
    st.characters(blacklist_characters='"\\', blacklist_categories=["Cs"]), min_size=1, max_size=20
)
steps = st.lists(names | keys | st.integers(0, 9), min_size=1, max_size=6)


def written(step: str | int, *, as_name: bool) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if as_name and step.isidentifier() and step.isascii() else f'["{step}"]'


def nested(path: list[str | int], value: Any) -> Any:
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [None] * step + [value]
    return value


def response(body: Any, headers: dict[str, str] | None = None) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(200, headers or {}, content)


@given(steps, st.booleans())
def test_what_is_written_as_a_path_is_found_there(path: list[str | int], as_name: bool) -> None:
    expression = "response.json" + "".join(written(step, as_name=as_name) for step in path)
    assert parse_path(expression) == ("json", *path)
    assert read_identity(parse_identity(expression), response(nested(path, "ops@acme"))) == "ops@acme"


@given(st.text(max_size=40) | st.text("response.json+' \"a[0]", max_size=40))
def test_any_other_text_is_refused_with_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_path(text)[0] in {"json", "headers"}
    with contextlib.suppress(ValueError):
        assert 0 < len(parse_identity(text)) <= MAX_PARTS


@given(steps, st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_reading_never_fails_whatever_the_answer_is(path: list[str | int], body: bytes) -> None:
    found = read_identity((("json", *path),), response(body))
    assert found is None or (0 < len(found) <= MAX_IDENTITY and found.isprintable())


@pytest.mark.parametrize(
    ("expression", "words", "reason"),
    [
        ("", "must start with 'response.json'", "nothing is named"),
        ("json.id", "must start with 'response.json'", "the source is missing"),
        ("response", "must name a field", "the whole answer is no identity"),
        ("response.json", "must name a field", "the whole body is no identity"),
        ("response.text.x", "must name a field", "text has no fields"),
        ("response.status", "must name a field", "a status is no identity"),
        ("responsejson.id", "from character 9", "a dot is missing"),
        ("response.json.", "from character 14", "a name is missing"),
        ("response.json.user-name", "from character 19", "a '-' needs brackets"),
        ("response.json.a[-1]", "from character 16", "no negative index"),
        ("response.json.a[b]", "from character 16", "an index is a number"),
        ("response.json['a']", "from character 14", "double quotes only"),
        ("response.json.a() ", "from character 16", "no calls"),
        ("response.json.naïve", "from character 17", "CEL's names are ASCII; brackets take any"),
        ("response.json.a[٣]", "from character 16", "CEL's numbers are ASCII"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(expression: str, words: str, reason: str) -> None:
    for parse in (parse_path, parse_identity):
        with pytest.raises(ValueError, match=r"^(must|cannot)") as refused:
            parse(expression)
        assert words in str(refused.value), reason


@pytest.mark.parametrize(
    ("expression", "body", "expected", "reason"),
    [
        ("response.json.user.email", {"user": {"email": "a@b"}}, "a@b", "a field of a field"),
        ("response.json[0].login", [{"login": "octo"}], "octo", "an entry of a list at the top"),
        ('response.json["user-name"]', {"user-name": "x"}, "x", "a name in brackets"),
        (" response.json.id ", {"id": 42}, "42", "a number, with spaces around the path"),
        ("response.json.id", {"id": 0}, "0", "zero is a value"),
        ("response.json.id", {"id": "  a\nb\t"}, "a b", "one line without spaces around it"),
        ("response.json.id", {"id": "x" * 500}, "x" * MAX_IDENTITY, "a long value is cut"),
        ("response.json.id", {"id": ""}, None, "an empty value tells nothing"),
        ("response.json.id", {"id": " \n"}, None, "a blank value tells nothing"),
        ("response.json.id", {"id": None}, None, "null tells nothing"),
        ("response.json.id", {"id": True}, None, "true is no name"),
        ("response.json.id", {"id": {"a": 1}}, None, "an object is no name"),
        ("response.json.id", {"id": ["a"]}, None, "a list is no name"),
        ("response.json.id", {}, None, "the field is not there"),
        ("response.json.id[0]", {"id": "abc"}, None, "a text has no entries"),
        ("response.json.id[3]", {"id": ["a"]}, None, "the list is shorter"),
        ("response.json.id.x", {"id": ["a"]}, None, "a list has no names"),
        ("response.json.id", b"<html>", None, "no JSON"),
        ("response.json.id", b"", None, "no body"),
        ("response.json.id", b"[" * 100_000, None, "JSON that is too deep to read"),
        ("response.json.id", b'{"id": ' + b"9" * 5000 + b"}", None, "a number that is too long to read"),
    ],
)
def test_reading(expression: str, body: Any, expected: str | None, reason: str) -> None:
    assert read_identity(parse_identity(expression), response(body)) == expected, reason


@pytest.mark.parametrize("expression", ['response.headers["X-Account"]', 'response.headers["x-account"]'])
def test_a_header_is_found_in_any_case(expression: str) -> None:
    assert read_identity(parse_identity(expression), response({}, {"x-account": "acme"})) == "acme"


def test_of_a_header_there_is_nothing_below() -> None:
    assert read_identity((("headers", "x-account", "0"),), response({}, {"x-account": "acme"})) is None


@pytest.mark.parametrize("before", [0, 5, MAX_IDENTITY - 10])
def test_a_secret_that_is_longer_than_an_identity_is_masked_before_it_is_cut(before: int) -> None:
    token = "".join(chr(ord("A") + number % 26) for number in range(3 * MAX_IDENTITY))
    found = read_identity((("json", "id"),), response({"id": "x" * before + token}), (token,))
    assert found == "x" * before + "***"


class TestJoined:
    @given(st.lists(steps | st.text("abc /+-.[]", max_size=10), min_size=1, max_size=MAX_PARTS))
    def test_what_is_joined_is_read_part_by_part(self, parts: list[list[str | int] | str]) -> None:
        parts = [*parts[: MAX_PARTS - 1], ["id"]]
        shown = (
            f'"{part}"'
            if isinstance(part, str)
            else "response.json" + "".join(written(step, as_name=True) for step in part)
            for part in parts
        )
        expected = tuple(part if isinstance(part, str) else ("json", *part) for part in parts)
        assert parse_identity(" + ".join(shown)) == expected

    @pytest.mark.parametrize(
        ("expression", "expected", "reason"),
        [
            ('response.json.team + " / " + response.json.user', "acme / ops", "a text between two fields"),
            ("response.json.team+'/'+response.json.user", "acme/ops", "without spaces, and in other quotes"),
            ("response.json.team + response.json.id", "acme7", "a number is written as it is"),
            ("'team ' + response.json.team + ''", "team acme", "a text may come first, and be empty"),
            (
                'response.json.team + " + " + response.json["a + b"]',
                "acme + c",
                "a '+' in quotes joins nothing",
            ),
            ('response.json.user + " of " + response.headers["X-Org"]', "ops of globex", "of two sources"),
            ("response.json.team + ' / ' + response.json.nobody", None, "a field is missing: no identity"),
            ("response.json.blank + ' / ' + response.json.team", None, "a field is blank: no identity"),
        ],
    )
    def test_reading(self, expression: str, expected: str | None, reason: str) -> None:
        body = {"team": "acme", "user": "ops", "id": 7, "a + b": "c", "blank": " "}
        assert read_identity(parse_identity(expression), response(body, {"x-org": "globex"})) == expected, (
            reason
        )

    @pytest.mark.parametrize(
        ("expression", "words", "reason"),
        [
            ('"acme"', "must have a path", "a text alone is nobody's name"),
            ("response.json.a +", "from character 18 on: a path or a short text", "nothing follows"),
            ("response.json.a + b", "from character 19 on: a path or a short text", "a name of nothing"),
            ("response.json.a + 1", "from character 19 on: a path or a short text", "a number"),
            (f"response.json.a + '{'x' * 51}'", "a short text", "a long text"),
            (r"response.json.a + 'a\\b'", "a short text", "an escape"),
            ("response.json.a + 'b", "a short text", "a text that never ends"),
            ("response.json.a response.json.b", "from character 17", "nothing joins them"),
            ("response.json.a - response.json.b", "or '+' before more", "another operator"),
            ("response.json.a + response.json", "must name a field", "the whole body"),
            ("+".join(["response.json.a"] * (MAX_PARTS + 1)), f"joins {MAX_PARTS + 1}", "too many"),
        ],
    )
    def test_what_is_wrong_is_said(self, expression: str, words: str, reason: str) -> None:
        with pytest.raises(ValueError, match=r"^(must|cannot|joins)") as refused:
            parse_identity(expression)
        assert words in str(refused.value), reason

    @pytest.mark.parametrize(
        ("expression", "expected", "reason"),
        [
            ("response.json.user + ' at ' + config.site", "ops at acme", "a field of the configuration"),
            ('config["site"] + "/" + response.json.user', "acme/ops", "which may come first, and in quotes"),
            ("response.json.user + config.port", "ops8443", "a number"),
            ("response.json.user + config.auth.type", "opsx", "a field within a field"),
            ("response.json.user + config.region", None, "one that has no value: no identity"),
        ],
    )  # fmt: skip
    def test_the_configuration_may_stand_in_it(
        self, expression: str, expected: str | None, reason: str
    ) -> None:
        config = {"site": "acme", "port": 8443, "auth": {"type": "x"}}
        assert read_identity(parse_identity(expression), response({"user": "ops"}), (), config) == expected, (
            reason
        )

    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("config.site", "must have a path into the answer"),
            ("config.site + ' / ' + config.site", "must have a path into the answer"),
            ("response.json.a + config", "must name a field below 'config'"),
            ("response.json.a + config[0]", "must name a field below 'config'"),
            ("response.json.a + configuration.x", "cannot be read from character 25"),
        ],
    )
    def test_it_never_is_the_configuration_alone(self, expression: str, words: str) -> None:
        with pytest.raises(ValueError, match=r"^(must|cannot)") as refused:
            parse_identity(expression)
        assert words in str(refused.value)

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("response.json.teams.filter(t, t.id == config.team)[0].name", "Acme s"),
            ("string(response.json.teams.size()) + ' teams'", "2 teams"),
            ("response.json.teams.filter(t, t.id == 'none')[0].name", None),
            ("response.json.teams.exists(t, t.id == config.team)", None),
            ("timestamp(response.json.at)", None),
        ],
    )
    def test_an_expression_finds_what_no_path_leads_to(self, expression: str, expected: str | None) -> None:
        body = {
            "teams": [{"id": "a", "name": "Other"}, {"id": "b", "name": "Acme\ns"}],
            "at": "2026-01-01T00:00:00Z",
        }
        document = Document(response(body), {"team": "b"})
        assert is_expression(expression)
        assert evaluated_identity(expression, document) == expected

    def test_of_an_expression_secrets_are_masked_too(self) -> None:
        document = Document(response({"a": "x-s3cr3t-y"}))
        assert evaluated_identity("string(response.json.a)", document, ("s3cr3t",)) == "x-***-y"

    def test_all_of_it_is_as_long_as_one_identity(self) -> None:
        parts = parse_identity("response.json.a + response.json.a")
        assert read_identity(parts, response({"a": "x" * 150})) == "x" * MAX_IDENTITY

    def test_a_secret_is_masked_also_where_it_is_put_together_of_two(self) -> None:
        parts = parse_identity("response.json.a + response.json.b")
        assert read_identity(parts, response({"a": "x-s3cr", "b": "3t-y"}), ("s3cr3t",)) == "x-***-y"
