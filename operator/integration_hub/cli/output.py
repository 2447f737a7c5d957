"""What `-o` asks for, and objects written so, in the order and with the parts that kubectl writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import click

from integration_hub.cli.terminal import Screen

Raw = dict[str, Any]

TABLE: Final = "table"
KINDS: Final = (TABLE, "wide", "json", "yaml", "name")
_JSONPATH: Final = "jsonpath"
"""A form of every command that has JSON."""
_KUBECTLS: Final = (
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
    "jsonpath-file",
)


class Form(NamedTuple):
    """A way to print. `template` is that of jsonpath."""

    kind: str
    template: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it is for people."""
        return self.kind in {TABLE, "wide"}


class FormType(click.ParamType[Form]):
    """`-o` of a command that knows these kinds."""

    name = "form"

    def __init__(self, kinds: Sequence[str] = KINDS) -> None:
        """`kinds` are those that the command has, jsonpath apart."""
        self.kinds = (*kinds, *([_JSONPATH] if "json" in kinds else []))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the choices as help shows them."""
        return "|".join(
            f"{kind}=TEMPLATE" if kind == _JSONPATH else kind for kind in self.kinds if kind != TABLE
        )

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        """Return the form; a mistake in the flag with what there is."""
        if isinstance(value, Form):
            return value
        kind, separator, template = str(value).partition("=")
        if kind not in self.kinds or (separator and kind != _JSONPATH):
            known = ", ".join(f"'{kind}'" for kind in self.kinds if kind != TABLE)
            elsewhere = " 'kubectl get' has it." if kind in _KUBECTLS else ""
            self.fail(f"'{value}' is no form to print here; there are {known}.{elsewhere}", param, ctx)
        if kind == _JSONPATH:
            self._check(template, param, ctx)
        return Form(kind, template)

    def _check(self, template: str, param: click.Parameter | None, ctx: click.Context | None) -> None:
        # Here, since few ask for it.
        from integration_hub.cli.jsonpath import Template, TemplateError  # noqa: PLC0415

        if not template:
            self.fail("jsonpath needs a template, like -o jsonpath='{.metadata.name}'", param, ctx)
        try:
            Template(template)
        except TemplateError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Return the kinds that begin so."""
        words = (f"{kind}=" if kind == _JSONPATH else kind for kind in self.kinds if kind != TABLE)
        return [click.shell_completion.CompletionItem(word) for word in words if word.startswith(incomplete)]


class TextFormType(FormType):
    """`-o` of a command that has always had 'text', for what is printed without it."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        """Return the form."""
        return super().convert(TABLE if value == "text" else value, param, ctx)


def as_list(objects: Sequence[Mapping[str, Any]]) -> Raw:
    """Return several objects as the one that kubectl makes of them."""
    return {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}


def as_items(found: Iterable[Any]) -> Raw:
    """Return several things that are no Kubernetes objects, so that '{.items[*]}' finds them as it finds those."""
    return {"items": list(found)}


def without_bookkeeping(obj: Mapping[str, Any]) -> Raw:
    """Return an object without metadata.managedFields, which kubectl does not show either."""
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def write(screen: Screen, form: Form, data: Any) -> None:
    """Print data in a form that is not a table."""
    _WRITERS[form.kind](screen, form, data)


def write_another(screen: Screen, form: Form, data: Any) -> None:
    """Print data in a form that is not a table, one of several that come one after another, as kubectl ends them."""
    if form.kind == "yaml":
        screen.say("---")
    write(screen, form, data)
    if form.kind == _JSONPATH:
        screen.say()


def as_json(data: Any) -> str:
    """Return JSON as kubectl writes it."""
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False)


def as_yaml(data: Any) -> str:
    """Return YAML: fields in order of their names as kubectl has them, long texts on one line."""
    import yaml  # noqa: PLC0415 - JSON and tables need none of it

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(data, Dumper=dumper, sort_keys=True, allow_unicode=True, width=2**31 - 1))


def _json(screen: Screen, _form: Form, data: Any) -> None:
    screen.data(as_json(data))


def _yaml(screen: Screen, _form: Form, data: Any) -> None:
    screen.data(as_yaml(data), nl=False)


def _jsonpath(screen: Screen, form: Form, data: Any) -> None:
    from integration_hub.cli.jsonpath import Template  # noqa: PLC0415 - few ask for it

    screen.data(Template(form.template).render(data), nl=False)


def _name(screen: Screen, _form: Form, data: Any) -> None:
    for obj in data["items"] if data.get("kind") == "List" else [data]:
        group = obj["apiVersion"].rpartition("/")[0]
        kind = obj["kind"].lower()
        screen.say(
            f"{kind}.{group}/{obj['metadata']['name']}" if group else f"{kind}/{obj['metadata']['name']}"
        )


_WRITERS: Mapping[str, Callable[[Screen, Form, Any], None]] = {
    "json": _json,
    "yaml": _yaml,
    "name": _name,
    _JSONPATH: _jsonpath,
}
