"""Texts of a definition that no configuration can make usable: found before any instance stumbles over them.

A template is rendered with one value of each sort that a field may hold. Where all of them fail, the fault lies in what
the definition's owner wrote. Where one succeeds, whether an instance's own value does is for that instance to be told.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from integration_hub.config.templates import (
    TemplateError,
    fields_in,
    render_allowed_host,
    render_base_url,
    render_header,
    render_path,
    template_fault,
)

_SAMPLES: Final = ("x", "a.example", "1", "https://a.example")
"""A word, a host, a port, an address."""
_MAX_FIELDS: Final = 3
"""With more fields in one text, every field gets the same sample, and failures say nothing."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)

Render = Callable[[str, Mapping[str, Any]], str]


def base_url_problem(text: str) -> str | None:
    """Return why no request can be sent to this base URL."""
    return _problem(render_base_url, text)


def path_problem(text: str) -> str | None:
    """Return why no request can have this path."""
    return _problem(render_path, text)


def allowed_host_problem(text: str) -> str | None:
    """Return why this rule allows no host, or too many."""
    return _problem(render_allowed_host, text)


def header_problem(text: str) -> str | None:
    """Return why no request can have a header of this value."""
    return _problem(render_header, text)


def header_name_problem(name: str) -> str | None:
    """Return why no header can have this name: it is no `token` of RFC 9110 section 5.6.2."""
    if _HEADER_NAME.fullmatch(name):
        return None
    return "is not the name of a header: it may have letters, digits and any of !#$%&'*+-.^_`|~ only"


def _problem(render: Render, text: str) -> str | None:
    if template_fault(text) is not None:
        return None  # told where all templates are checked
    fields = sorted(fields_in(text))
    if len(fields) > _MAX_FIELDS:
        return None
    faults: list[TemplateError] = []
    for values in itertools.product(_SAMPLES, repeat=len(fields)):
        try:
            render(text, dict(zip(fields, values, strict=True)))
        except TemplateError as error:
            faults.append(error)
        else:
            return None
    # A fault that blames no field is the template's own, and said best so.
    return str(next((fault for fault in faults if not fault.field), faults[0]))
