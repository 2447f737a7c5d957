"""Reading the YAML of what is shipped, quickly. What people write is read by `shell.draft`, with every mistake.

YAML is read as Kubernetes does: a date is text.
"""

from __future__ import annotations

from typing import Any

import yaml

Raw = dict[str, Any]

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C takes a tenth of the time, where PyYAML was built with it."""


class _Loader(_Base):  # type: ignore[misc]  # chosen at run time
    """YAML without dates."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for sign, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class NotOneObjectError(ValueError):
    """A text is no YAML, or not one object. The message continues a sentence that starts with the file's name."""


def read_object(text: str) -> Raw:
    """Return the one object that a text holds.

    Raises:
        NotOneObjectError: it holds something else.

    """
    try:
        documents = [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise NotOneObjectError(f"is not valid YAML{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise NotOneObjectError("is not valid YAML") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise NotOneObjectError("does not hold just one object")
    return documents[0]
