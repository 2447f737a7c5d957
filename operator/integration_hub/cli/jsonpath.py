r"""kubectl's JSONPath templates: text around `{...}`, `range` and `end`, quoted text. A library evaluates the paths.

After https://kubernetes.io/docs/reference/kubectl/jsonpath/. Its dialect differs from RFC 9535 in that `$` and `@` may
be left out, dots in names are escaped (`.labels.app\.kubernetes\.io/name`), also within `['...']`, and names may hold
'-' and '/'. What it has and we do not is refused with a word on what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpath
import jsonpath.exceptions


class TemplateError(ValueError):
    """A template that cannot be understood. The message says what and where."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    path: jsonpath.JSONPath | jsonpath.CompoundJSONPath


@dataclass(frozen=True, slots=True)
class _Range:
    path: jsonpath.JSONPath | jsonpath.CompoundJSONPath
    body: Sequence[_Text | _Path | _Range]


_Node = _Text | _Path | _Range

_ACTION = re.compile(r"""\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}""")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_FIELD = re.compile(r"((?:\\.|[^\s.,\[\]$@{}])+)")
_INDEX = re.compile(r"-?\d+(?:\s*,\s*-?\d+)*|-?\d*:-?\d*(?::-?\d+)?|\*")
_IN_FILTER = re.compile(r"""@((?:\.(?:\\.|[^\s.,\[\]$@{}=<>!()])+|\[[^\]]*\])*)""")


class Template:
    """A template, read once. TemplateError where it cannot be."""

    def __init__(self, text: str) -> None:
        """Read it."""
        if "{" not in text:
            raise TemplateError(f"the template '{text}' has no path in it: write it as '{{{_dotted(text)}}}'")
        nodes = _pieces(text)
        self._nodes = _block(nodes, inside=False)

    def render(self, data: Any) -> str:
        """Return the text that the template makes of an object; what the object does not have is left out."""
        return "".join(_rendered(self._nodes, data))


def _dotted(text: str) -> str:
    return text if text.startswith((".", "[")) else f".{text}"


def _pieces(text: str) -> Iterator[str | tuple[str]]:
    """Yield literal texts as they are, and what stands in braces in a tuple."""
    at = 0
    for match in _ACTION.finditer(text):
        yield from _literal(text[at : match.start()], at)
        yield (match[1].strip(),)
        at = match.end()
    yield from _literal(text[at:], at)


def _literal(text: str, at: int) -> Iterator[str]:
    if found := re.search(r"[{}]", text):
        raise TemplateError(
            f"the template has a '{found[0]}' without its partner, at character {at + found.start() + 1}"
        )
    if text:
        yield text


def _block(pieces: Iterator[str | tuple[str]], *, inside: bool) -> list[_Node]:
    nodes: list[_Node] = []
    for piece in pieces:
        if isinstance(piece, str):
            nodes.append(_Text(piece))
            continue
        action = piece[0]
        if action == "end":
            if not inside:
                raise TemplateError("the template has an '{end}' without a '{range ...}' before it")
            return nodes
        if action.startswith("range") and action[5:6] in {" ", ".", "$", "@", ""}:
            nodes.append(_Range(_compiled(action[5:].strip()), _block(pieces, inside=True)))
        elif _QUOTED.fullmatch(action):
            nodes.append(_Text(_unquoted(action)))
        else:
            nodes.append(_Path(_compiled(action)))
    if inside:
        raise TemplateError("the template has a '{range ...}' without an '{end}'")
    return nodes


def _unquoted(text: str) -> str:
    """Return what is quoted, with Go's escapes read."""
    inner = text[1:-1] if text[0] == '"' else text[1:-1].replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError:
        raise TemplateError(
            f'the quoted text {text} has an escape that is none; there are \\n, \\t and \\"'
        ) from None


def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    if not path:
        raise TemplateError("a '{}' or '{range}' in the template names no path")
    if re.search(r"\s", _QUOTED.sub("", re.sub(r"\[[^\]]*\]", "", path))):
        raise TemplateError(f"'{{{path}}}' holds more than one path: write each in braces of its own")
    translated = translate(path)
    try:
        return jsonpath.compile(translated)
    except jsonpath.exceptions.JSONPathError as error:
        words = str(error).splitlines()[0]
        raise TemplateError(f"the path '{path}' cannot be read: {words}") from None


def translate(path: str) -> str:
    """Return the path of kubectl's dialect in RFC 9535's; TemplateError where it has no such form."""
    rest = path.removeprefix("$") if path.startswith("$") else path.removeprefix("@")
    if not rest:
        return "$"
    if rest[0] not in ".[":
        raise TemplateError(f"the path '{path}' does not begin with a dot: write it as '{{.{rest}}}'")
    return "$" + _steps(rest, path)


def _steps(rest: str, path: str) -> str:
    done: list[str] = []
    while rest:
        if rest[0] == "[":
            inner, rest = _bracketed(rest, path)
            done.append(_selector(inner, path))
            continue
        descends = rest.startswith("..")
        rest = rest.lstrip(".")
        done += [".."] * descends
        if rest.startswith("["):
            continue
        if rest.startswith("*"):
            done.append("[*]")
            rest = rest[1:]
            continue
        field = _FIELD.match(rest)
        if field is None:
            raise TemplateError(f"the path '{path}' ends in the middle, or has a sign that no name has")
        done.append(f"[{_name(field[1])}]")
        rest = rest[field.end() :]
        if rest and rest[0] not in ".[":
            raise TemplateError(f"the path '{path}' has a '{rest[0]}' where a dot or a bracket should be")
    return "".join(done)


def _bracketed(rest: str, path: str) -> tuple[str, str]:
    """Return what stands in the first brackets, and what follows them."""
    depth, at = 0, 0
    while at < len(rest):
        if quoted := _QUOTED.match(rest, at):
            at = quoted.end()
            continue
        depth += {"[": 1, "]": -1}.get(rest[at], 0)
        at += 1
        if depth == 0:
            return rest[1 : at - 1].strip(), rest[at:]
    raise TemplateError(f"the path '{path}' has a '[' without its ']'")


def _selector(inner: str, path: str) -> str:
    if _INDEX.fullmatch(inner):
        return f"[{inner}]"
    if inner.startswith("?"):
        condition = inner[1:].strip()
        if not (condition.startswith("(") and condition.endswith(")")):
            raise TemplateError(f"the filter '[{inner}]' needs parentheses: [?(@.type==\"Ready\")]")
        if "=~" in _QUOTED.sub("", condition):
            raise TemplateError(
                "filters with '=~' are not known here, nor to kubectl: compare with == instead"
            )
        parts = _QUOTED.split(condition)
        # Quoted texts are at odd places; what stands between them holds the paths.
        parts[::2] = (_IN_FILTER.sub(lambda m: "@" + _steps(m[1], path), part) for part in parts[::2])
        return f"[?{''.join(parts)}]"
    names = [name.strip() for name in re.split(r"\s*,\s*", inner)]
    if all(_QUOTED.fullmatch(name) for name in names):
        if len(names) == 1:
            return _steps(f".{names[0][1:-1]}", path)  # kubectl takes ['a.b'] for .a.b
        if any(re.search(r"(?<!\\)\.", name) for name in names):
            raise TemplateError(
                f"'[{inner}]' names paths, which only single names can be here: write each in braces"
            )
        return f"[{', '.join(_name(name[1:-1]) for name in names)}]"
    raise TemplateError(
        f"'[{inner}]' in the path '{path}' is no index, no slice, no name in quotes and no filter"
    )


def _name(field: str) -> str:
    return json.dumps(re.sub(r"\\(.)", r"\1", field), ensure_ascii=False)


def _rendered(nodes: Sequence[_Node], data: Any) -> Iterator[str]:
    for node in nodes:
        match node:
            case _Text(text):
                yield text
            case _Path(path):
                yield " ".join(_shown(value) for value in path.findall(data))
            case _Range(path, body):
                for value in path.findall(data):
                    yield from _rendered(body, value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
