"""Filling '{{ config.x }}' in a method's settings. The method says where that may stand, and where each text lands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from integration_hub.auth.custom.placeholders import makes_places
from integration_hub.auth.flow import AuthMethodType, Place
from integration_hub.config.templates import (
    TemplateError,
    fields_in,
    render_base_url,
    render_header,
    render_text,
    template_fault,
    template_problem,
)
from integration_hub.config.violation import Violation, joined

Config = Mapping[str, Any]


def render_settings(method: AuthMethodType, settings: Mapping[str, Any], config: Config) -> Mapping[str, Any]:
    """Return the settings with every template filled in.

    A text that is empty once it is filled in is left out, so that an optional field of the configuration can switch a
    setting off. TemplateError where a value cannot stand where it would land.
    """
    if not method.templates:
        return settings
    rendered: Mapping[str, Any] = _rendered(method.templates, settings, config, "")
    return rendered


def possible_settings(settings: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the settings as they stand, and with every text left out that a configuration may leave empty.

    Between these two is what any configuration makes of them, as far as it matters which keys of the Secret are read.
    """
    return settings, _without_templates(settings)


def _without_templates(value: Any) -> Any:
    match value:
        case Mapping():
            return {
                name: _without_templates(below)
                for name, below in value.items()
                if not (isinstance(below, str) and fields_in(below))
            }
        case list():
            return [_without_templates(below) for below in value]
        case _:
            return value


def template_violations(
    method: AuthMethodType, settings: Mapping[str, Any], *, known: Collection[str], secret: Collection[str]
) -> Iterator[Violation]:
    """Yield what is wrong in the templates of settings, whatever the configuration is."""
    for path, pattern, text in _texts(method.templates, settings, "settings", ""):
        if pattern not in method.templates:
            if "{{" in text and (template_fault(text) or fields_in(text)):
                yield Violation(path, "is taken as it is: '{{ config.x }}' cannot stand here")
            continue
        problem = template_problem(text, known, secret)
        if problem:
            yield Violation(path, problem)


def asked_addresses(method: AuthMethodType, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and text of each address that the method asks wherever it is set."""
    for path, pattern, text in _texts(method.templates, settings, "settings", ""):
        if method.templates.get(pattern) is Place.ASKED_URL:
            yield path, text


def _url(text: str, config: Config) -> str:
    # The slash at the end of a base URL means nothing; at the end of a whole address it can mean another page, or
    # another issuer. Within a path a value is one segment, whose slashes are encoded.
    is_one_field = text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1
    ends = render_text(text, config) if is_one_field else text
    return render_base_url(text, config) + ("/" if ends.endswith("/") else "")


Render = Callable[[str, Config], str]


def _without_places(render: Render) -> Render:
    """Refuse a value that would be read as a place, and so have another key of the Secret sent or signed."""

    def rendered(text: str, config: Config) -> str:
        found = render(text, config)
        if makes_places(text, found):
            names = sorted(fields_in(text), key=lambda name: ("{" not in str(config.get(name)), name))
            raise TemplateError(
                f"config.{names[0]} cannot stand here with a word in braces, like '{{body}}': the definition has those",
                names[0],
            )
        return found

    return rendered


_RENDER: Mapping[Place, Render] = {
    Place.URL: _url,
    Place.ASKED_URL: _url,
    Place.TEXT: render_text,
    Place.HEADER: render_header,
    Place.SIGNED: _without_places(render_text),
    Place.SIGNED_HEADER: _without_places(render_header),
}


def _rendered(places: Mapping[str, Place], value: Any, config: Config, pattern: str) -> Any:
    match value:
        case str():
            place = places.get(pattern)
            return value if place is None or "{{" not in value else _RENDER[place](value, config)
        case Mapping():
            found = {
                name: _rendered(places, below, config, _below(places, pattern, name))
                for name, below in value.items()
            }
            return {name: below for name, below in found.items() if below != "" or value[name] == ""}
        case list():
            return [_rendered(places, below, config, f"{pattern}[]") for below in value]
        case _:
            return value


def _below(places: Mapping[str, Place], pattern: str, name: str) -> str:
    """Return the pattern of a member: by its name, or '*' where the method gives all members the same place."""
    stem = f"{pattern}." if pattern else ""
    return f"{stem}*" if f"{stem}*" in places else f"{stem}{name}"  # a key may be a number, in YAML


def _texts(
    places: Mapping[str, Place], value: Any, path: str, pattern: str
) -> Iterator[tuple[str, str, str]]:
    """Yield path, pattern and text of every string."""
    match value:
        case str():
            yield path, pattern, value
        case Mapping():
            for name, below in value.items():
                yield from _texts(places, below, joined(path, name), _below(places, pattern, name))
        case list():
            for index, below in enumerate(value):
                yield from _texts(places, below, f"{path}[{index}]", f"{pattern}[]")
