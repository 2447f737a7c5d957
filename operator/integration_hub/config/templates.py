"""Templates in a definition's strings: '{{ config.x }}' and nothing else.

There is one function for every place in which a rendered text may land, because each place has its own
way of being broken out of. The literal part of a template is the definition's owner's and is trusted as
far as its syntax goes; a value is whatever an instance's owner wrote. A value can therefore never
change which host is called, leave its path segment, add a query parameter, or end a header: it is
encoded where the place has an encoding, else refused.

A template error shows the field's name and what the place needs. It never shows the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote

from integration_hub.config.hosts import (
    HostError,
    checked_host,
    checked_label,
    checked_port,
    checked_wildcard,
)
from integration_hub.config.values import did_you_mean, in_words

Config: TypeAlias = Mapping[str, Any]


class TemplateError(ValueError):
    """A template that cannot be rendered. `field` is '' when the template itself is wrong."""

    def __init__(self, message: str, field: str = "") -> None:
        """Keep the field, so that the caller can report by its path in spec.config."""
        super().__init__(message)
        self.field = field


class Field(NamedTuple):
    """A place in a template that a field of the configuration fills."""

    name: str

    def __str__(self) -> str:
        return f"{{{{ config.{self.name} }}}}"


Part: TypeAlias = str | Field
"""A template is a sequence of literal texts and fields."""

_OPEN: Final = re.compile(r"\{\{")
_FIELD: Final = re.compile(r"\{\{[ \t]*config\.([A-Za-z][A-Za-z0-9_]*)[ \t]*\}\}", re.ASCII)
_MAX_SHOWN: Final = 60


def fields_in(text: str) -> frozenset[str]:
    """Return the names of the fields that the template uses. A text with a syntax error uses none."""
    try:
        return frozenset(part.name for part in _parsed(text) if isinstance(part, Field))
    except TemplateError:
        return frozenset()


def field_alone(path: str) -> str | None:
    """Return the name of the field that a path's template is made of, but for slashes; None where more stands in it."""
    try:
        parts = [part for part in _parsed(path) if isinstance(part, Field) or part.strip("/")]
    except TemplateError:
        return None
    return parts[0].name if len(parts) == 1 and isinstance(parts[0], Field) else None


def fields_without_value(text: str, config: Config) -> frozenset[str]:
    """Return the names of the fields that the template uses and the configuration says nothing of."""
    return frozenset(name for name in fields_in(text) if config.get(name) in (None, ""))


def is_left_out(template: str, config: Config) -> bool:
    """Tell whether a header or parameter of this text is not sent: it is nothing but fields, and none has a value."""
    parts = _parsed(template.strip())
    unset = fields_without_value(template, config)
    return bool(parts) and all(isinstance(part, Field) and part.name in unset for part in parts)


def template_fault(text: str) -> str | None:
    """Return what is wrong in the template's syntax."""
    try:
        _parsed(text)
    except TemplateError as error:
        return str(error)
    return None


def template_problem(text: str, known: Collection[str], secret: Collection[str]) -> str | None:
    """Return what is wrong whatever the configuration is: syntax, an unknown field, a secret one."""
    try:
        parts = _parsed(text)
    except TemplateError as error:
        return str(error)
    for part in parts:
        if not isinstance(part, Field):
            continue
        if part.name in secret:
            return (
                f"'{part}' is a secret field (x-hub-secret) and cannot stand in a template;"
                " the auth method takes it from the Secret"
            )
        if part.name not in known:
            return f"'{part}' is not a field of configSchema{did_you_mean(part.name, known)}"
    return None


def render_base_url(template: str, config: Config) -> str:
    """Return the absolute URL below which every request goes, without '/' at its end.

    Where a field may stand decides what it may hold:

    - 'https://{{ config.sub }}.example.com': part of one label of the host name;
    - 'https://{{ config.host }}' and 'https://api.{{ config.site }}': a whole host, respectively the end of
      its name;
    - 'https://example.com:{{ config.port }}': a port;
    - 'https://example.com/{{ config.version }}': one path segment;
    - '{{ config.server }}/api': an absolute http(s) URL, whose path is kept.
    """
    parts = _parsed(template.strip())
    if parts and isinstance(parts[0], Field):
        field, rest = parts[0], parts[1:]
        if rest and not (isinstance(rest[0], str) and rest[0].startswith("/")):
            raise TemplateError(
                f"after '{field}' at the start, a path or nothing must follow",
                field.name,
            )
        return _from_url_value(field, config) + _path(rest, config).rstrip("/")
    scheme, rest = _after_scheme(parts)
    authority, path = _split(rest, "/")
    return f"{scheme}://{_authority(authority, config)}{_path(path, config).rstrip('/')}"


def render_path(template: str, config: Config) -> str:
    """Return the path with every value percent-encoded as (a part of) one segment; '' stays ''."""
    return _path(_parsed(template), config)


def render_query_value(template: str, config: Config) -> str:
    """Return plain text: the HTTP layer encodes it, so that it is encoded exactly once."""
    return _plain(template, config)


def render_header(template: str, config: Config) -> str:
    """Return a header's value, without control characters and what latin-1 lacks (RFC 9110 section 5.5)."""

    def checked(field: Field) -> str:
        text = _value(field, config)
        if _NOT_IN_HEADER.search(text):
            raise TemplateError(
                f"config.{field.name} cannot stand in a header: it has a line break, another control"
                " character, or a character outside of latin-1",
                field.name,
            )
        return text

    rendered = _joined(_parsed(template), checked).strip(" ")
    if _NOT_IN_HEADER.search(rendered):
        raise TemplateError(
            "a header cannot have line breaks, control characters, or characters outside of latin-1"
        )
    return rendered


def render_allowed_host(template: str, config: Config) -> str:
    """Return an allowed-host rule, like 'api.example.com', '*.example.com' or 'http://127.0.0.1:80'.

    Where one field is the whole entry, its value may be a URL, whose host and port are taken:
    'https://h:6443/x' gives 'h:6443', 'https://h' gives 'h:443', and 'http://h' gives 'http://h:80', which
    keeps the mark of plain HTTP. Only the definition can say '*.': a value that has it is refused.
    """
    parts = _parsed(template.strip())
    match parts:
        case [Field() as field]:
            return _allowed_from_value(field, config)
        case [str(first), *rest]:
            scheme, wild, host = _rule_parts(first)
            authority = _authority([*([host] if host else []), *rest], config)
            if wild:
                blamed = next((part for part in rest if isinstance(part, Field)), None)
                _checked(checked_wildcard, _host_and_port([authority])[0][0], blamed)
            return f"{scheme}{wild}{authority}"
        case _:
            return _authority(parts, config)


def render_text(template: str, config: Config) -> str:
    """Return the text as it is, for instance a PEM certificate; an absent optional field gives ''."""
    return _joined(
        _parsed(template), lambda field: "" if config.get(field.name) is None else _value(field, config)
    )


def render_json(value: Any, config: Config) -> Any:
    """Return the JSON value with every string in it rendered as plain text, names of fields excepted."""
    match value:
        case str():
            return _plain(value, config)
        case Mapping():
            return {name: render_json(entry, config) for name, entry in value.items()}
        case list() | tuple():
            return [render_json(entry, config) for entry in value]
        case _:
            return value


def _rule_parts(text: str) -> tuple[str, str, str]:
    """Split the marks of a rule from its host: 'http://' ('https://' is what goes without saying) and '*.'."""
    scheme = "http://" if text.startswith("http://") else ""
    host = text.removeprefix("http://").removeprefix("https://")
    bare = host.removeprefix("*.")
    return scheme, host[: len(host) - len(bare)], bare


# -- Parts -----------------------------------------------------------------------------------------


def _parsed(text: str) -> list[Part]:
    parts: list[Part] = []
    at = 0
    while (opening := _OPEN.search(text, at)) is not None:
        match = _FIELD.match(text, opening.start())
        if match is None:
            raise TemplateError(_syntax_fault(text[opening.start() :]))
        if opening.start() > at:
            parts.append(text[at : opening.start()])
        parts.append(Field(match.group(1)))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return parts


def _syntax_fault(tail: str) -> str:
    end = tail.find("}}")
    if end < 0:
        return "'{{' is never closed by '}}'"
    shown = "".join(char if char.isprintable() else " " for char in tail[: min(end + 2, _MAX_SHOWN)])
    return f"only '{{{{ config.<field> }}}}' can stand between '{{{{' and '}}}}', not {shown}"


def _split(parts: Sequence[Part], separator: str) -> tuple[list[Part], list[Part]]:
    """Return the parts before, and from, the first occurrence of the separator in a literal text."""
    for index, part in enumerate(parts):
        if isinstance(part, str) and separator in part:
            at = part.index(separator)
            before = [*parts[:index], part[:at]] if at else list(parts[:index])
            return before, [part[at:], *parts[index + 1 :]]
    return list(parts), []


def _joined(parts: Sequence[Part], filled: Callable[[Field], str]) -> str:
    return "".join(part if isinstance(part, str) else filled(part) for part in parts)


def _plain(template: str, config: Config) -> str:
    return _joined(_parsed(template), lambda field: _value(field, config))


# -- Values ----------------------------------------------------------------------------------------

_NOT_IN_HEADER: Final = re.compile(r"[^\x20-\x7e\xa0-\xff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EXACT_INTEGERS: Final = 2**53


def _value(field: Field, config: Config) -> str:
    """Return the field's value as text: numbers and booleans as JSON has them."""
    value = config.get(field.name)
    match value:
        case None:
            raise TemplateError(f"config.{field.name} is not set, and it is needed here", field.name)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT_INTEGERS else repr(value)
        case str() if _SURROGATE.search(value) is None:
            return value
        case str():
            raise TemplateError(f"config.{field.name} has half of a character (a lone surrogate)", field.name)
        case float():
            raise TemplateError(f"config.{field.name} is not a finite number", field.name)
        case _:
            raise TemplateError(
                f"config.{field.name} is {in_words(value)}; only text, numbers, true and false can be here",
                field.name,
            )


def _some(field: Field, config: Config) -> str:
    """Return the value of a field that must not be empty."""
    value = _value(field, config)
    if not value:
        raise TemplateError(f"config.{field.name} is empty, and it is needed here", field.name)
    return value


# -- Hosts -----------------------------------------------------------------------------------------

_SCHEME: Final = re.compile(r"(https?)://", re.IGNORECASE)
_URL_VALUE: Final = re.compile(r"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORT: Final = {"http": 80, "https": 443}
_IN_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)


def _after_scheme(parts: Sequence[Part]) -> tuple[str, list[Part]]:
    first = parts[0] if parts else ""
    match = _SCHEME.match(first) if isinstance(first, str) else None
    if match is None:
        raise TemplateError(
            "must start with https:// (or http://), or with one field that holds a whole address"
        )
    literal = str(first)[match.end() :]
    return match.group(1).lower(), ([literal] if literal else []) + list(parts[1:])


def _authority(parts: Sequence[Part], config: Config) -> str:
    """Return 'host' or 'host:port' from the parts between '//' and the path."""
    host, port = _host_and_port(parts)
    rendered = _host(host, config)
    match port:
        case None:
            return rendered
        case [Field() as field]:
            return f"{rendered}:{_checked(checked_port, _value(field, config), field)}"
        case _:
            text = _joined(port, lambda field: _value(field, config))
            return f"{rendered}:{_checked(checked_port, text, None)}"


def _host_and_port(parts: Sequence[Part]) -> tuple[list[Part], list[Part] | None]:
    """Split at the ':' that stands outside of '[...]'."""
    if len(parts) == 1 and isinstance(parts[0], str) and parts[0].startswith("["):
        address, closing, port = parts[0].partition("]")
        return [address + closing], [port[1:]] if port.startswith(":") else None
    if parts and isinstance(parts[0], str) and parts[0].startswith("[") and "]:" in parts[0]:
        address, _, port = parts[0].partition("]:")
        return [address + "]"], [*([port] if port else []), *parts[1:]]
    host, port_parts = _split(parts, ":")
    if not port_parts:
        return host, None
    first = str(port_parts[0])[1:]
    return host, [*([first] if first else []), *port_parts[1:]]


def _host(parts: Sequence[Part], config: Config) -> str:
    match parts:
        case [Field() as field]:
            return _checked(checked_host, _some(field, config), field)
        case [*_, Field() as last] if isinstance(parts[-2], str) and parts[-2].endswith("."):
            # The end of the name decides whose host it is, so one label or several makes no difference here.
            tail = _name_tail(last, config)
            return _checked(
                checked_host, _joined(parts[:-1], lambda field: _label_part(field, config)) + tail, last
            )
        case _:
            fields = [part for part in parts if isinstance(part, Field)]
            rendered = _joined(parts, lambda field: _label_part(field, config))
            return _checked(checked_host, rendered, fields[0] if fields else None)


def _name_tail(field: Field, config: Config) -> str:
    text = _some(field, config)
    for label in text.split("."):
        _checked(checked_label, label, field)
    return text


def _label_part(field: Field, config: Config) -> str:
    """Return a value that stands inside of one label: no dot, and nothing else that could end the label."""
    text = _some(field, config)
    if not _IN_LABEL.fullmatch(text):
        raise TemplateError(
            f"config.{field.name} must be one part of a host name, like 'acme': letters, digits and '-'",
            field.name,
        )
    return text


def _checked(check: Callable[[str], Any], text: object, field: Field | None) -> str:
    try:
        return str(check(str(text)))
    except HostError as error:
        if field is None:
            raise TemplateError(f"the host or port in the template {error}") from None
        raise TemplateError(f"config.{field.name} {error}", field.name) from None


def _url_parts(field: Field, config: Config) -> tuple[str, str, str] | None:
    """Return scheme, authority and path of a URL value; None when the value does not look like a URL."""
    text = _some(field, config)
    match = _URL_VALUE.fullmatch(text)
    if match is None:
        return None
    scheme, authority, path = match.groups()
    if path[:1] in {"?", "#"} or "?" in path or "#" in path:
        raise TemplateError(f"config.{field.name} must be an address without '?' and '#'", field.name)
    if "@" in authority:
        raise TemplateError(
            f"config.{field.name} must not hold a user name or password: credentials belong into the Secret",
            field.name,
        )
    return scheme.lower(), _literal_authority(authority, field), _literal_path(path, field)


def _literal_authority(text: str, field: Field) -> str:
    if text.count(":") > 1 and "[" not in text:
        raise TemplateError(
            f"config.{field.name} must have its IPv6 address in brackets, like '[::1]'", field.name
        )
    host, port = _host_and_port([text] if text else [])
    rendered = _checked(checked_host, "".join(map(str, host)), field)
    if text.startswith("[") and not text.endswith("]") and port is None:
        raise TemplateError(f"config.{field.name} has text after the ']' of its address", field.name)
    return (
        rendered if port is None else f"{rendered}:{_checked(checked_port, ''.join(map(str, port)), field)}"
    )


def _from_url_value(field: Field, config: Config) -> str:
    found = _url_parts(field, config)
    if found is None:
        raise TemplateError(
            f"config.{field.name} must be an absolute address that starts with https://, like 'https://api.example.com'",
            field.name,
        )
    scheme, authority, path = found
    return f"{scheme}://{authority}{path.rstrip('/')}"


def _allowed_from_value(field: Field, config: Config) -> str:
    found = _url_parts(field, config)
    if found is None:
        text = _some(field, config)
        whole = text.count(":") > 1 and "[" not in text  # an IPv6 address without brackets has no port
        return _checked(checked_host, text, field) if whole else _literal_authority(text, field)
    scheme, authority, _ = found
    has_port = re.search(r":[0-9]+$", authority) is not None
    rule = authority if has_port else f"{authority}:{_DEFAULT_PORT[scheme]}"
    return f"http://{rule}" if scheme == "http" else rule


# -- Paths -----------------------------------------------------------------------------------------

_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SAFE: Final = "/%!$&'()*+,;=:@~-._"


def _path(parts: Sequence[Part], config: Config) -> str:
    """Return the encoded path. Checked as a whole at the end, because '.' and '.' in two fields make '..'."""
    rendered = _joined(
        [_literal(part) if isinstance(part, str) else part for part in parts], lambda f: _segment(f, config)
    )
    if rendered and not rendered.startswith("/"):
        raise TemplateError("a path must start with '/'", _first_field(parts))
    fault = _path_fault(rendered)
    if fault is not None:
        raise TemplateError(f"the path {fault}", _first_field(parts))
    return rendered


def _literal(text: str) -> str:
    if "?" in text or "#" in text:
        raise TemplateError("a path cannot have '?' or '#'; put parameters into 'query'")
    if "\\" in text or _CONTROL.search(text) or _BAD_PERCENT.search(text):
        raise TemplateError(
            "a path cannot have '\\', control characters, or a '%' without two hexadecimal digits"
        )
    return quote(text, safe=_PATH_SAFE)


def _segment(field: Field, config: Config) -> str:
    text = _some(field, config)
    if _CONTROL.search(text):
        raise TemplateError(f"config.{field.name} has a line break or another control character", field.name)
    return quote(text, safe="")


def _literal_path(text: str, field: Field) -> str:
    """Return the path of a URL value, which must already be encoded: it may have several segments."""
    if _BAD_PERCENT.search(text) or not re.fullmatch(r"[A-Za-z0-9/%!$&'()*+,;=:@~._-]*", text):
        raise TemplateError(
            f"config.{field.name} has a character in its path that no address has, like a space or '\\'",
            field.name,
        )
    fault = _path_fault(text)
    if fault is not None:
        raise TemplateError(f"config.{field.name}: its path {fault}", field.name)
    return text


def _path_fault(path: str) -> str | None:
    """Return what would let a server read another path, also one that decodes '%2F' too early."""
    segments = path.split("/")[1:]
    if any(not segment for segment in segments[:-1]):
        return "has an empty segment ('//')"
    if any(part in {".", ".."} for segment in segments for part in re.split(r"[/\\]", unquote(segment))):
        return "has '.' or '..' as a segment, which servers read as another path"
    return None


def _first_field(parts: Sequence[Part]) -> str:
    return next((part.name for part in parts if isinstance(part, Field)), "")
