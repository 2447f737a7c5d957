"""JSON from an API server, read so that no object in it can break the reader.

Whoever may create an object decides how deep its open fields nest, and the API server takes ten thousand levels. No
parser here does, and one object must not keep the operator from reading all others: what lies deeper than anything
meaningful is replaced, and the checks then refuse what is left of it like any other value of a wrong type.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

MAX_DEPTH = 100
"""Levels that are kept where a document is too deep; those of a list and of an object around a field count too."""
REPLACEMENT = b'"(nested too deeply)"'

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def parsed(content: bytes) -> Any:
    """Return the JSON value, without what is nested too deeply. ValueError where the content is no JSON at all."""
    try:
        value = orjson.loads(content)
        orjson.dumps(value)  # writes fewer levels than it reads, and all that is kept is written again
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return orjson.loads(_cut(content))
    return value


def _cut(content: bytes) -> bytes:
    """Return the document with everything below MAX_DEPTH replaced. One pass and no recursion."""
    kept: list[bytes] = []
    depth = at = 0
    for token in _TOKEN.finditer(content):
        match token.group()[:1]:
            case b"[" | b"{":
                depth += 1
                if depth == MAX_DEPTH + 1:
                    kept += (content[at : token.start()], REPLACEMENT)
            case b"]" | b"}":
                if depth == MAX_DEPTH + 1:
                    at = token.end()
                depth -= 1
    if depth > MAX_DEPTH:
        return content  # ends in the middle: no JSON
    return b"".join((*kept, content[at:]))
