"""YAML that people write, as Kubernetes reads it, and within bounds: a few bytes can stand for billions of values.

A date is text, and no field stands twice. Messages never repeat what stands there: it may be a secret.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

MAX_VALUES = 1_000_000
"""In a text. What an API server takes has far fewer."""

_MERGE = "tag:yaml.org,2002:merge"
_TOO_MANY = f"holds more than {MAX_VALUES} values; an alias there may repeat too much"


class NoYamlError(ValueError):
    """A text is no YAML, or too much of it. The message continues a sentence that begins with where it stands."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        """Keep the line, which is counted from 1."""
        super().__init__(problem)
        self.line = line

    def at(self, source: str) -> str:
        """Return the whole sentence, without its full stop."""
        return f"{source}{f', line {self.line}' if self.line else ''}: {self}"


class _TooManyError(Exception):
    """Merges come to more values than a text may hold."""


class _Rules(Composer, SafeConstructor, Resolver):
    """What is read of the parts of a text. In Python, whose stack is guarded: the composer in C overruns its own."""

    _merged = 0

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse what would silently be the last of two values."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, "a field stands there twice", key.start_mark
                )
            seen.add(str(key.value))
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Count what '<<' writes out before it does: merges of merges grow with each."""
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(part, yaml.MappingNode):
                    self.flatten_mapping(part)
                    self._merged += len(part.value)
                if self._merged > MAX_VALUES:
                    raise _TooManyError
        super().flatten_mapping(node)


_Rules.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for sign, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Loader(_Rules, yaml.SafeLoader):
    """The parser in Python, which says best what is wrong."""


_LOADERS: list[Any] = [_Loader]

if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # its list of names is of the loaders

    class _QuickLoader(_Rules, CParser):
        """The parser in C, which takes a tenth of the time."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    _LOADERS.insert(0, _QuickLoader)


def read_documents(text: str) -> list[Any]:
    """Return the documents of a text; None for one that says nothing.

    Raises:
        NoYamlError: it is no YAML, or too much.

    """
    for loader in _LOADERS:
        try:
            found = list(yaml.load_all(text, Loader=loader))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            wrong = NoYamlError(f"is not valid YAML: {_safe(error.problem)}", line)
        except RecursionError:
            raise NoYamlError("is nested too deep to be read") from None
        except _TooManyError:
            raise NoYamlError(_TOO_MANY) from None
        # The last two: what PyYAML says of a value that does not fit the type that is written before it.
        except (yaml.YAMLError, ValueError, LookupError, AttributeError):
            wrong = NoYamlError("is not valid YAML")
        else:
            if _weight(found) > MAX_VALUES:
                raise NoYamlError(_TOO_MANY)
            return found
    raise wrong from None


def _weight(documents: list[Any]) -> int:
    """Count the values up to the limit, as if each alias were written out: a few lines can stand for billions."""
    count, waiting = 0, list[Any]([documents])
    while waiting and count <= MAX_VALUES:
        value: Any = waiting.pop()
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += 1 + len(below)
        waiting += [entry for entry in below if isinstance(entry, dict | list)]
    return count


def _safe(problem: str | None) -> str:
    """Return the parser's words without those that it has found, which may be part of a secret."""
    words = problem or "it cannot be read"
    if r"'\t'" in words:
        return "there is a tab; YAML is indented with spaces"
    if "twice" in words:
        return words
    return (
        re.sub(r"'[^']{2,}'", "'…'", words)
        + "; look at the indentation, the quotes and the brackets up to there"
    )
