"""Expressions over an answer: what holds, what is refused and how it is said, and that every evaluation ends soon."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integration_hub.model.http import HttpResponse
from integration_hub.probe import expression_budget as budget
from integration_hub.probe import expression_patterns as patterns
from integration_hub.probe import expression_reader as reader
from integration_hub.probe import expressions
from integration_hub.probe.expressions import (
    Document,
    EvaluationError,
    ExpressionError,
    compile_expression,
    holds,
)
from integration_hub.probe.identity import parse_identity, parse_path, read_identity

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "expressions.md").read_text(encoding="utf-8")
CANARY = "s3cr3t-canary"


def document(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Document:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Document(HttpResponse(status, headers or {}, raw))


ANSWER = document(
    {"ok": True, "items": [1, 2, 3], "none": None, "user": {"id": 7, "name": CANARY}, CANARY: {}},
    headers={"content-type": "application/json", "x-token": CANARY},
)

# What holds

EXAMPLE, EXAMPLE_CONFIG = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
EXAMPLES = [
    line
    for block in re.findall(r"```cel\n(.*?)```", DOCS, re.DOTALL)
    for line in block.splitlines()
    if line and not line.startswith("//")
]
PATHS = [line for block in re.findall(r"```path\n(.*?)```", DOCS, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_documentation_hold(text: str) -> None:
    example = json.loads(EXAMPLE)
    body = json.dumps(example["json"]).encode()
    answer = HttpResponse(example["status"], example["headers"], body)
    assert holds(compile_expression(text), Document(answer, json.loads(EXAMPLE_CONFIG)))


@pytest.mark.parametrize("text", PATHS)
def test_a_path_of_the_documentation_leads_to_what_the_same_expression_gives(text: str) -> None:
    example = json.loads(EXAMPLE)
    answer = HttpResponse(example["status"], example["headers"], json.dumps(example["json"]).encode())
    config = json.loads(EXAMPLE_CONFIG)
    found = read_identity(parse_identity(text), answer, (), config)
    assert found
    assert found == compile_expression(text).evaluate(Document(answer, config))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10
    assert len(PATHS) >= 4


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_rule_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read from character|must start with|must name a field"):
        parse_path(text)


def test_the_limits_of_the_documentation_are_those_of_the_code() -> None:
    limits = (reader.MAX_LENGTH, reader.MAX_NESTING, patterns.MAX_PATTERN, budget.MAX_STEPS)
    for number in (*limits, expressions.MAX_TOGETHER):
        assert f"| {number:,} " in DOCS
    for name in (*reader.FUNCTIONS, *reader.METHODS, *reader.MACROS):
        assert f"`{name}" in DOCS or f".{name}(" in DOCS, name
    assert f"than {expressions.MAX_DEPTH} deep" in DOCS.replace("\n", " ")


VALUES = [
    ("response.json.user.id", 7),
    ("response.json.user.name", CANARY),
    ("response.json.none", None),
    ("response.status + 1", 201),
    ("string(response.json.user.id) + '-' + 'x'", "7-x"),
    ("response.json.items[1]", 2),
    ("response.json.items.map(i, i * 2)[2]", 6),
    ("response.json.items.map(i, i > 1, i * 2)[0]", 4),
    ("response.json.items.filter(i, i > 1).size()", 2),
    ("response.json.items.exists_one(i, i > 2)", True),
    ("response.json.missing == 1 || true", True),
    ("1 == 1.0", True),
    ("'\\u00e9\\x41\\n'", "éA\n"),
    (r"r'\d' + '\\'", "\\d\\"),
    ("// a remark\n1 // another", 1),
    ("{'a': [1, 2]}['a'][1]", 2),
    ("-response.json.user.id + 10", 3),
    ("!!response.json.ok", True),
    ("response['status']", 200),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_value_is_what_cel_says(text: str, value: object) -> None:
    assert compile_expression(text).evaluate(ANSWER) == value


MOMENTS = [
    ("timestamp('2026-12-31T00:00:00Z')", datetime(2026, 12, 31, tzinfo=UTC)),
    ("timestamp('2026-12-31' + 'T00:00:00Z') + duration('48h')", datetime(2027, 1, 2, tzinfo=UTC)),
    ("timestamp('2026-12-31T00:00:00Z') < timestamp('2027-01-01T00:00:00Z')", True),
]


@pytest.mark.parametrize(("text", "value"), MOMENTS)
def test_moments_are_read_and_reckoned_with(text: str, value: object) -> None:
    assert compile_expression(text).evaluate(ANSWER) == value


# The configuration

CONFIG = {"tenant": "acme", "port": 8443, "tls": True, "ids": ["a", "b"], "auth": {"type": "x"}, "big": 2**70}


def configured(config: dict[str, Any]) -> Document:
    return Document(HttpResponse(200, {}, b'{"tenants": ["acme", "globex"], "tenant": "acme"}'), config)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("response.json.tenants.exists(tenant, tenant == config.tenant)", True),
        ("config.tenant in response.json.tenants", True),
        ("config['tenant'] == response.json.tenant", True),
        ("config.port + 1", 8444),
        ("config.tls && config.ids.size() == 2", True),
        ("config.auth.type", "x"),
        ("has(config.region) ? config.region : 'eu'", "eu"),
        ("has(config.tenant)", True),
        ("config.big > 1", True),
    ],
)
def test_an_expression_reads_the_configuration(text: str, value: object) -> None:
    assert compile_expression(text).evaluate(configured(CONFIG)) == value


@pytest.mark.parametrize(
    ("text", "config", "said"),
    [
        ("config.tenant == response.json.tenant", {}, "the configuration has no value for 'tenant'"),
        ("config.tenant == response.json.ids.tenant", CONFIG, "the answer has no field 'ids'"),
        ("config.port == response.json.port", CONFIG, "the answer has no field 'port'"),
        ("config.auth.name", CONFIG, "the configuration has no value for 'name'"),
        ("config.tenant > 1", CONFIG, "a value has another type than the expression expects"),
        ("config.auth", CONFIG, "the result is a map, not a single value"),
    ],
)
def test_what_a_configuration_lacks_is_said(text: str, config: dict[str, Any], said: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(said)):
        compile_expression(text).evaluate(configured(config))


def test_a_configuration_is_read_only_by_those_who_ask_for_it() -> None:
    unreadable: dict[str, Any] = {"tenant": object()}
    answer = configured(unreadable)
    assert holds(compile_expression("response.json.tenant == 'acme'"), answer)
    with pytest.raises(TypeError):
        holds(compile_expression("config.tenant == 'acme'"), answer)


def test_a_long_configuration_counts_as_a_long_answer_does() -> None:
    answer = configured({"ids": ["a"] * 40_000})
    with pytest.raises(EvaluationError, match="would take too many steps"):
        compile_expression("config.ids.all(a, config.ids.all(b, a == b))").evaluate(answer)


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("response.status == 299") is compile_expression("response.status == 299")


# What is refused before there is an answer

REFUSALS = [
    ("", "is empty", None),
    ("true" + " " * 1000, "longer than 1000 characters", None),
    ("response.status ==", "ends too early", 19),
    ("response.status = 200", "write '=='", 17),
    ("true & true", "write '&&'", 6),
    ("true | true", "write '||'", 6),
    ("(1 + 2", "')' is missing", 7),
    ("1 + 2)", "')' does not belong here", 6),
    ("'a", "has no end", 1),
    (r"'\d'", "unknown escape", 2),
    (r"'\"'", "needs no backslash", 2),
    (r"'\ud800'", "no such character", 1),
    ("'a' 'b'", "does not belong here", 5),
    ("1 < 2 < 3", "brackets or '&&'", 7),
    ("response.statuss == 1", "did you mean 'status'?", 10),
    ("response['jsn'].ok", "did you mean 'json'?", 10),
    ("response.headers['Content-Type'] == ''", "write 'content-type'", 18),
    ("response.headers.content-type == ''", "needs quotes and brackets", 26),
    ("json.ok", "write 'response.json'", 1),
    ("respnse.status", "did you mean 'response'?", 1),
    ("true && foo", "unknown name 'foo'", 9),
    ("response.json.items.all(i, j > 1)", "unknown name 'j'", 28),
    ("response.json.items.all(i, true) && i", "unknown name 'i'", 37),
    ("response.json.items.all(i.x, true)", "takes a name for the item", 25),
    ("response.json.items.all(response, true)", "is taken", 25),
    ("response.json.items.all(i)", "takes a name for the item", 25),
    ("response.json.items.all(i, true, true)", "all() takes two arguments", 21),
    ("response.text.contain('a')", "did you mean 'contains'?", 15),
    ("contains('a', 'b')", "stands behind a value", 1),
    ("size()", "takes one argument", 1),
    ("now()", "unknown function 'now'", 1),
    ("timestamp()", "takes one argument", 1),
    ("config == {}", "name a field of the configuration, like 'config.region'", 1),
    ("true && has(config.a) && 'a' in config", "name a field of the configuration", 33),
    ("config[response.text] == ''", "name a field of the configuration", 1),
    ("config[0] == 1", "name a field of the configuration", 1),
    ("config.exists(name, true)", "name a field of the configuration", 1),
    ("cnfig.region == ''", "did you mean 'config'?", 1),
    ("response.json.items.all(config, true)", "is taken", 25),
    ("'a'.matches(response.text)", "stands in the expression", 13),
    ("'a'.matches('(')", "no pattern", 13),
    ("'a'.matches('((a{100}){100}){100}')", "repeats too much", 13),
    ("'a'.matches('(?x)a{1 0 0 0}')", "(?", 13),
    ("'a'.matches('a{5 0 0 0}')", "repeats too much", 13),
    (r"'a'.matches('\\p{L}')", "not supported", 13),
    ("'a'.matches('[[]a]')", "needs a backslash", 13),
    ("has(response)", "has() takes a field", 1),
    ("(" * 25 + "1" + ")" * 25, "brackets within one another", 21),
    ("99999999999999999999", "cannot be read", 1),
    ("1 ==\n99999999999999999999", "cannot be read", 6),
    ("response.json.?ok", "does not belong here", 15),
    ("b'a' == b'a'", "unknown name 'b'", 1),
    ("Foo{a: 1}", "unknown name 'Foo'", 1),
    ("response.json.items.map(i, [i, @result])", "does not belong here", 32),
]


@pytest.mark.parametrize(("text", "said", "at"), REFUSALS)
def test_what_is_wrong_is_said_in_a_line_with_its_place(text: str, said: str, at: int | None) -> None:
    with pytest.raises(ExpressionError, match=re.escape(said)) as raised:
        compile_expression(text)
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 200
    assert (f"(at character {at})" in message) if at else ("character " not in message)


def test_an_expression_too_large_for_any_answer_is_refused() -> None:
    many = f"[{', '.join(['1'] * 100)}]"
    with pytest.raises(ExpressionError, match="too many steps on any answer"):
        compile_expression(f"{many}.all(a, {many}.all(b, {many}.map(c, c).size() > a))")


# What an answer cannot give

ERRORS = [
    ("response.json.missing", "the answer has no field 'missing'"),
    ("response.json['missing'].x", "the answer has no field 'missing'"),
    ("has(response.json.missing.x)", "the answer has no field 'missing'"),
    ("response.headers['x-missing']", "the answer has no header 'x-missing'"),
    ("response.json[response.json.user.name + '!']", "no field of the name"),
    ("response.json.items[3]", "shorter than the expression expects"),
    ("response.json.items[-1]", "shorter than the expression expects"),
    ("response.json.items.x", "another type"),
    ("response.json.none.x", "another type"),
    ("response.json.user.name > 1", "another type"),
    ("response.json.user + response.json.user", "no result of map + map"),
    ("response.json.user.name + 1", "no result of string + int"),
    ("response.status / 0", "divided by zero"),
    ("9223372036854775807 + response.status", "too large"),
    ("int(response.json.user.name)", "cannot work on the value"),
    ("size(response.status)", "cannot work on the value"),
    ("response.json.user", "the result is a map"),
    ("response.json.items", "the result is a list"),
]


@pytest.mark.parametrize(("text", "said"), ERRORS)
def test_why_there_is_no_value_is_said_without_the_answers_own_words(text: str, said: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(said)) as raised:
        compile_expression(text).evaluate(ANSWER)
    assert CANARY not in str(raised.value)
    # Nor is the library's error behind it, which repeats values: a log would show that, too.
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_of_an_answer_that_is_no_json_that_is_said() -> None:
    with pytest.raises(EvaluationError, match="not JSON"):
        compile_expression("response.json.ok").evaluate(document(b"<html>"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("response.status", "a number"), ("response.text", "a text"), ("response.json.none", "null")],
)
def test_a_condition_is_true_or_false_and_nothing_else(text: str, kind: str) -> None:
    with pytest.raises(EvaluationError, match=f"must be true or false, but the result is {kind}"):
        holds(compile_expression(text), ANSWER)


# The answer

BODIES: list[tuple[bytes, bool, Any]] = [
    (b'{"a": [1, 2.5, "x", true, null]}', True, {"a": [1, 2.5, "x", True, None]}),
    (b"null", True, None),
    (b"\xef\xbb\xbf[1]", True, [1]),
    (b"", False, None),
    (b"{", False, None),
    (b"<html></html>", False, None),
    (b"\xff\xfe\xfd", False, None),
    (b"[NaN]", False, None),
    (b"[Infinity]", False, None),
    (b"[9223372036854775807, -9223372036854775808]", True, [2**63 - 1, -(2**63)]),
    (b"[9223372036854775808, 12345678901234567890123]", True, [2.0**63, 1.2345678901234568e22]),
    (b"[1e999]", True, ["1e999"]),
    (b"[" + b"9" * 5000 + b"]", True, ["9" * 5000]),
    (b"[" * 64 + b"]" * 64, True, json.loads("[" * 64 + "]" * 64)),
    (b"[" * 66 + b"]" * 66, False, None),
    (b"[" * 30_000 + b"]" * 30_000, False, None),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, False, None),
    (rb'{"\ud83d\ude00": "\ud800"}', True, {"😀": "\ufffd"}),
]


@pytest.mark.parametrize(("body", "is_json", "value"), BODIES, ids=[str(body[:20]) for body, _, _ in BODIES])
def test_every_body_is_read_or_is_no_json(body: bytes, is_json: bool, value: object) -> None:
    answer = document(body)
    assert (answer.is_json, answer.json) == (is_json, value)
    assert holds(compile_expression("response.status == 200 && response.text.size() >= 0"), answer)
    assert holds(compile_expression("response.json == response.json"), answer)


def test_a_header_of_any_bytes_is_no_obstacle() -> None:
    answer = document({}, headers={"x-odd": b"caf\xe9".decode("ascii", "surrogateescape")})
    assert holds(compile_expression("response.headers['x-odd'].startsWith('caf')"), answer)


def test_the_librarys_command_line_is_not_loaded() -> None:
    code = (
        "import sys\n"
        "from integration_hub.probe.expressions import compile_expression\n"
        "compile_expression('1 == 1')\n"
        "print([name for name in ('typer', 'prompt_toolkit', 'cel.cli') if name in sys.modules])"
    )
    path = {"PYTHONPATH": ":".join(part for part in (str(ROOT / "operator"), *sys.path) if part)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


# No expression on any answer takes long, or much memory

HOSTILE_ANSWERS: dict[str, Any] = {
    "numbers": [1] * 32_000,
    "objects": [{"n": n} for n in range(5_000)],
    "empty objects": [{}] * 21_000,
    "empty lists": [[]] * 21_000,
    "texts": ["ab"] * 13_000,
    "long text": ["a" * 65_000],
    "wide": {str(n): n for n in range(5_000)},
    "nested": [[[[[[[[1]]]]]]]] * 3_500,
    "deep": json.loads("[" * 60 + "1" + "]" * 60),
    "small": [1, 2, 3],
}
J = "response.json"
ONES = f"[{','.join(['1'] * 150)}]"
TEN = "[1,2,3,4,5,6,7,8,9,10]"
HOSTILE = [
    f"{J} == {J}",
    f"response == response && {J} == {J} && [{J}, {J}, {J}] == [{J}, {J}, {J}]",
    f"{J}.all(a, true)",
    f"{J}.exists(a, a == 'x')",
    f"{J}.exists_one(a, a == 1)",
    f"{J}.all(a, a in {TEN} || true)",
    f"{J}.all(a, {J}.all(b, true))",
    f"{J}.all(a, {J}.all(b, {J}.all(c, {J}.all(d, a == b && c == d))))",
    f"{J}.all(a, a in {J})",
    f"{J}.all(a, {J}.size() > 0)",
    f"{J}.all(a, size({J}[0]) >= 0)",
    f"{J}.map(a, a).size() > 0",
    f"{J}.map(a, {J}).size() > 0",
    f"{J}.map(a, [a, a, a, a]).size() > 0",
    f"{J}.filter(a, true).filter(a, true).filter(a, true).size() > 0",
    f"{TEN}.map(a, {J}).map(a, {J} + {J}).size() > 0",
    f"{J}.all(a, {{'a': a, 'b': {{'c': a, 'd': 1}}}}.size() > 0)",
    f"[{','.join([J] * 60)}].size() > 0",
    f"{{{','.join(f'{n}: {J}' for n in range(45))}}}.size() > 0",
    f"{'+'.join(['response.text'] * 60)} == ''",
    f"{TEN}.map(a, response.text + response.text).map(a, a + a + a).map(a, a + a + a).size() > 0",
    f"{TEN}.all(a, {TEN}.all(b, {TEN}.all(c, {TEN}.all(d, {TEN}.all(e, true)))))",
    f"{ONES}.all(a, {ONES}.all(b, {ONES}.all(c, true)))",
    f"{ONES}.map(a, {ONES}).size() > 0",
    f"{ONES}.map(a, {ONES}.map(b, b)).size() > 0",
    "[1]" + ".map(a, [a, a])" * 30 + ".size() > 0",
    "[1]" + ".map(a, a + a)" * 40 + "[0] > 0",
    "['aaaaaaaaaaaaaaaa']" + ".map(a, a + a)" * 40 + ".size() > 0",
    f"{J}.all(a, response.text.contains('aaaaaaaaaaaaaaaaab') || true)",
    f"{J}.all(a, response.text.contains(response.text + 'a') || true)",
    f"{J}.all(a, response.text != response.text + 'a')",
    f"{J}.all(a, response.text.matches('(a|aa|aaa)+b') || true)",
    f"{J}.all(a, 'a'.matches('[a-z]{{300}}') || true)",
    f"{TEN}.all(a, 'a'.matches('[a-z]{{2900}}') || true)",
    f"{TEN}.all(a, 'a'.matches('(?i)[a-z]{{500}}') || true)",
    f"{TEN}.all(a, 'a'.matches(r'\\w{{20}}[^a]{{20}}.') || true)",
    "response.text.matches('(a|aa|aaa)*b')",
    "response.text.matches('.*.*.*.*.*b$')",
    "response.text.matches('(a*)*(a*)*(a*)*b')",
    "response.text.matches('(a?){100}(a){100}b')",
    "response.text.matches('a{2900}')",
    "response.text.matches('(.{50}){2}b')",
    r"response.text.matches(r'\w{20}z')",
    r"response.text.matches(r'(?i)(\s|\d|a)*\bz')",
    f"{J}.exists(a, {J} + 1 == 1)",
    f"{TEN}.exists(a, {J} - {J} == 1)",
    "int(response.text) == 1 || double(response.text) == 1.0",
    f"{J}.all(a, timestamp(response.text) == a || true)",
    f"{J}.map(a, duration(response.text)).size() > 0",
    f"{J}.map(a, timestamp('2026-12-31T00:00:00Z') + duration('1h')).size() > 0",
    f"{J}.map(a, string(timestamp('2026-12-31T00:00:00Z'))).size() > 0",
    f"{J}[{J}.size() - 1] == {J}[0]",
    "response" + f"{'.json' * 1}{'[0]' * 300} == 1",
    "(true ? " * 18 + "1" + " : 2)" * 18 + " == 1",
    "!" * 900 + "true",
    "1" + " + 1" * 240 + " == 1",
    "true" + " || true" * 110,
]
TAKEN = """
import json, resource, sys
from copy import copy
from time import process_time
sys.path[:0] = json.loads(sys.argv[1])
import test_expressions as t

answers = {name: t.document(body) for name, body in t.HOSTILE_ANSWERS.items()}
for answer in answers.values():
    answer.context, answer.shape
t.compile_expression("'a'.matches('a')")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
if used:
    resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
unit = 1024 if sys.platform == "linux" else 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
slow, counts = [], {"refused": 0, "too many": 0, "evaluated": 0}
for text in t.HOSTILE:
    begun = process_time()
    try:
        expression = t.compile_expression(text)
    except t.ExpressionError:
        expression = None
        counts["refused"] += 1
    if process_time() - begun > 0.2:
        slow.append([text, "compile", process_time() - begun])
    for name, answer in answers.items() if expression else ():
        begun = process_time()
        try:
            expression.evaluate(copy(answer))  # which no expression before has spent anything of
            counts["evaluated"] += 1
        except t.EvaluationError as error:
            counts["too many" if "too many steps" in str(error) else "evaluated"] += 1
        if process_time() - begun > 0.2:
            slow.append([text, name, process_time() - begun])
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before
print(json.dumps({"slow": slow, "memory": memory, **counts}))
"""


def test_hostile_expressions_on_hostile_answers_end_soon_in_little_memory() -> None:
    # In a process of its own, whose memory and time are bounded, so that a mistake fails this test and nothing else.
    # What is measured is the processor's time, which does not depend on who else is at work.
    paths = json.dumps([str(Path(__file__).parent), str(ROOT / "operator"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", TAKEN, paths], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    taken = json.loads(done.stdout)
    assert taken["slow"] == []
    assert taken["memory"] < 50_000_000
    assert taken["evaluated"] > len(HOSTILE) * 2
    assert taken["too many"] > len(HOSTILE)


def test_all_expressions_of_a_test_end_soon_together() -> None:
    # Fifty rules, each as heavy as one may be, kept the operator for more than half a second at each test.
    thirty = f"[{', '.join('1' * 30)}]"
    heavy = f"{thirty}.all(a, {thirty}.all(b, {thirty}.all(c, a + b + c == 3)))"
    answer = document({})
    evaluated: list[bool] = []
    with pytest.raises(EvaluationError, match="together with the expressions before it"):
        evaluated.extend(holds(compile_expression(heavy + " " * number), answer) for number in range(50))
    assert 4 <= len(evaluated) <= 10
    assert holds(compile_expression("response.status == 200"), answer), "what costs little still fits"


def test_what_people_write_fits_a_large_answer() -> None:
    # 64 KiB: a list of 400 things, each with a list of its own.
    things = [
        {"id": n, "name": f"thing {n}", "tags": ["a", "b", "c"], "owner": {"mail": "x@example.com", "note": "n" * 40}}
        for n in range(400)
    ]  # fmt: skip
    answer = document({"items": things, "total": 400})
    for text in (
        "response.json.items.size() == response.json.total",
        "response.json.items.all(i, i.id >= 0 && i.name.startsWith('thing') && i.owner.mail.contains('@'))",
        "response.json.items.exists(i, i.tags.exists(t, t == 'c'))",
        "response.json.items.exists_one(i, i.id == 399)",
        "response.text.matches('(?i)THING 399')",
    ):
        assert holds(compile_expression(text), answer), text
    # What makes a list needs more room.
    hundred = document({"items": things[:100]})
    for text in (
        "response.json.items.filter(i, i.id == 99)[0].owner.mail == 'x@example.com'",
        "response.json.items.map(i, i.id)[99] == 99",
    ):
        assert holds(compile_expression(text), hundred), text


# Whatever is written

PIECES = """config config.a timestamp( duration(
response .json .status .headers .text .a [0] ['a'] a b 1 2.5 'x' true null + == && || ? : in < ! - ( ) [ ] { } , \\ " é
.all(a, .map(a, .filter(b, .exists(a, has( size( .size() .matches('a+') string(
"""
WORDS = st.sampled_from(PIECES.split())
SCALARS = st.one_of(st.integers(-5, 5), st.booleans(), st.none(), st.text("ab", max_size=3), st.floats(0, 1))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.one_of(
        st.lists(WORDS, max_size=14).map("".join),
        st.lists(WORDS, max_size=14).map(" ".join),
        st.text(max_size=30),
    ),
    JSON,
)
def test_any_text_is_refused_or_evaluated(text: str, body: Any) -> None:
    try:
        value = compile_expression(text).evaluate(document(body))
    except (ExpressionError, EvaluationError) as error:
        assert "\n" not in str(error)  # noqa: PT017  # both are fine; what they say is checked
        return
    assert value is None or isinstance(value, bool | int | float | str | datetime)


EXPRESSIONS = st.recursive(
    st.sampled_from([J, f"{J}.a", f"{J}.b", f"{J}[0]", "x", "'ab'", "1", "[1, 'b']", "response.text", "true"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]}, {pair[1]}]"),
        st.tuples(inner, inner).map(lambda pair: f"{{'a': {pair[0]}, 'b': {pair[1]}}}"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} == {parts[1]} ? {parts[2]} : {parts[0]})"),
        st.tuples(inner, st.sampled_from([".a", "['b']", "[0]", "[1]", "[x]"])).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}.map(x{len(pair[1])}, {pair[1]})"),
        inner.map(lambda one: f"{one}.map(y, [y, y])"),
        inner.map(lambda one: f"{one}.filter(y, y != 1)"),
        inner.map(lambda one: f"string({one})"),
    ),
    max_leaves=5,
)  # fmt: skip


@example("string(response.json)", -1.5e-300)
@given(EXPRESSIONS, JSON)
def test_no_result_is_heavier_than_its_bound(text: str, body: Any) -> None:
    try:
        expression = compile_expression(f"[0].map(x, {text})")
    except ExpressionError as error:
        assert re.search("is taken|brackets|too many steps", str(error))  # noqa: PT017
        return
    answer = document(body)
    try:
        (result,) = expression._program.execute(answer.context)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError):
        return
    _, bound = budget._bound(expression._reading.tree, answer.shape)
    weights = budget.Weights([result])
    assert weights.of(result) <= bound.item().weight


@given(st.text("ab'\"\\nxu0419{}é \n", max_size=8), st.sampled_from(["'", '"', "r'", 'R"']))
def test_both_readers_read_the_same_text(inner: str, begin: str) -> None:
    text = f"{begin}{inner}{begin[-1]}"
    try:
        tree = reader.read(text, lambda _: True).tree
    except ExpressionError:
        return
    if isinstance(tree, reader.Literal):
        try:
            assert compile_expression(text).evaluate(ANSWER) == tree.value
        except ExpressionError as error:
            assert "cannot be read" in str(error)  # noqa: PT017
