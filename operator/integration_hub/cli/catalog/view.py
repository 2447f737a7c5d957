"""What `hub catalog` prints: lists, what a definition needs, and files for Git. No cluster is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from integration_hub.adapters import shipped
from integration_hub.catalog.index import Entry, has_words
from integration_hub.catalog.index import search as search_index
from integration_hub.cli.catalog.named import definition, entries
from integration_hub.cli.errors import Exit, HubError, NotFoundError
from integration_hub.cli.output import Form, Raw, as_items, write
from integration_hub.cli.table import Table
from integration_hub.cli.terminal import Screen
from integration_hub.config.plain_text import clean
from integration_hub.config.values import choices, did_you_mean
from integration_hub.model.names import API_VERSION

KIND = "IntegrationDefinition"


def list_all(category: str | None, form: Form, *, headers: bool) -> None:
    """Print all definitions, or those of a category."""
    known = entries()
    categories = sorted({one for entry in known for one in entry.categories})
    if category is not None and category not in categories:
        raise NotFoundError(
            f"There is no category '{category}'{did_you_mean(category, categories)}."
            f" There are {', '.join(categories)}."
        )
    _print(
        [entry for entry in known if category is None or category in entry.categories], form, headers=headers
    )


def find(words: str, form: Form, *, headers: bool) -> None:
    """Print the definitions that fit, the best first."""
    if not has_words(words):
        raise HubError(
            f"There is no word to search for in '{words}': a word has letters or digits.",
            todo="Type a word, as in 'hub catalog search payments'; 'hub catalog list' lists all.",
            code=Exit.USAGE,
        )
    hits = search_index(entries(), words)
    if not hits:
        if not form.is_table:
            _print([], form, headers=headers)  # which a program can read as any other answer
        raise HubError(
            f"Nothing in the catalog fits '{words}'.",
            todo="Try fewer words; 'hub catalog list' lists all. A definition of your own is a file"
            " (docs/catalog-authoring.md).",
            code=Exit.FAILED,
        )
    _print([hit.entry for hit in hits], form, headers=headers)


def _print(found: Sequence[Entry], form: Form, *, headers: bool) -> None:
    screen = Screen.current()
    if form.is_table:
        rows = [
            (entry.name, entry.display_name, ", ".join(entry.categories), entry.description)
            for entry in found
        ]
        Table(("NAME", "SYSTEM", "CATEGORIES", "DESCRIPTION"), list(rows)).show(screen, headers=headers)
    elif form.kind == "name":
        write(screen, form, {"kind": "List", "items": [_object(entry.name) for entry in found]})
    else:
        write(screen, form, as_items(_data(entry) for entry in found))


def _object(name: str) -> Raw:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}}


def _data(entry: Entry) -> Raw:
    return {
        "name": entry.name,
        "displayName": entry.display_name,
        "vendor": entry.vendor,
        "categories": list(entry.categories),
        "description": entry.description,
        "version": entry.version,
    }


def chosen(names: Sequence[str]) -> list[Raw]:
    """Return the definitions that are named, each once; all where none is."""
    return [definition(name) for name in dict.fromkeys(names or shipped.definition_ids())]


def show(name: str, form: Form) -> None:
    """Print what a connection needs, or the definition itself."""
    raw, screen = definition(name), Screen.current()
    if not form.is_table:
        write(screen, form, raw)
        return
    for line in _lines(raw, screen):
        screen.say(line)


def _lines(raw: Raw, screen: Screen) -> Iterator[str]:
    # Here, since a list reads no definition.
    from integration_hub.catalog.lint.subject import SELF_HOSTED  # noqa: PLC0415
    from integration_hub.catalog.lint.unverified import unverified  # noqa: PLC0415

    spec, name = raw["spec"], raw["metadata"]["name"]
    annotations = raw["metadata"].get("annotations") or {}
    yield screen.strong(f"{spec['displayName']} ({name} {spec.get('version', '')})")
    yield from _text(spec.get("description", ""), screen)
    yield f"Documentation: {spec.get('documentationURL', '')}"
    if annotations.get(SELF_HOSTED) == "true":
        yield from _text(
            "You run this system yourselves: your configuration says where credentials go.", screen
        )
    yield ""
    yield from _fields(spec, screen)
    yield screen.strong("How to sign in")
    for method in spec["authMethods"]:
        yield from _method(method, screen)
    yield from _presets(spec, screen)
    yield screen.strong("Tests")
    default = next(test["name"] for test in spec["tests"] if test.get("default"))
    for test in spec["tests"]:
        mark = " (always)" if test["name"] == default else ""
        yield f"  {test['name']}{mark}: {test.get('displayName', '')}"
    yield ""
    yield from _unverified(unverified(raw), screen)
    yield f"Install it: hub catalog install {name}"


def _fields(spec: Raw, screen: Screen) -> Iterator[str]:
    properties = (spec.get("configSchema") or {}).get("properties") or {}
    yield screen.strong("Configuration")
    if not properties:
        yield "  none"
    needed = set((spec.get("configSchema") or {}).get("required") or ())
    for name, field in properties.items():
        if field.get("x-hub-secret"):
            continue
        yield f"  {name}: {field.get('title', '')}, {'required' if name in needed else 'optional'}"
        yield from _text(field.get("description", ""), screen, "    ")
        if "enum" in field:
            yield f"    One of: {choices(field['enum'])}"
        if "default" in field:
            yield f"    Default: {choices([field['default']])}"
        if field.get("examples"):
            yield f"    Example: {choices(field['examples'][:1])}"
    yield ""


def _method(method: Raw, screen: Screen) -> Iterator[str]:
    settings = method.get("settings") or {}
    yield f"  {method['name']}: {method.get('displayName', '')}"
    yield from _text(method.get("description", ""), screen, "    ")
    for entry in method.get("credentials") or ():
        yield f"    Secret key '{entry['key']}': {entry.get('displayName', '')}"
        yield from _text(entry.get("description", ""), screen, "      ")
        if entry.get("example"):
            yield f"      Looks like: {entry['example']}"
    scopes = settings.get("scopes") or ()
    if scopes:
        yield from _text(f"Asks for these scopes: {', '.join(scopes)}", screen, "    ")
    yield ""


def _presets(spec: Raw, screen: Screen) -> Iterator[str]:
    if not spec.get("templates"):
        return
    yield screen.strong("Templates")
    for template in spec["templates"]:
        yield f"  {template['name']}: {template.get('displayName', '')}"
        yield from _text(template.get("description", ""), screen, "    ")
    yield ""


def _unverified(places: Sequence[tuple[str, str]], screen: Screen) -> Iterator[str]:
    if not places:
        return
    yield screen.strong("Not checked against a page of the vendor")
    for path, words in places:
        yield from _text(f"{words} ({path})", screen, "  ")
    yield ""


def _text(text: str, screen: Screen, indent: str = "") -> Iterator[str]:
    words = clean(" ".join(text.split()))
    return screen.folded(words, indent) if words else iter(())


def export(folder: Path, names: Sequence[str]) -> None:
    """Write definitions into a folder, and name them in its list."""
    # Here, since a search writes nothing and reads no YAML.
    from integration_hub.cli.folder_files import write_files  # noqa: PLC0415
    from integration_hub.shell.kustomization import listing_of  # noqa: PLC0415

    screen, raws = Screen.current(), chosen(names)
    wanted = [raw["metadata"]["name"] for raw in raws]
    files = {f"{name}.yaml": shipped.definition_text(name) or "" for name in wanted}
    listing = listing_of(folder)
    files[listing.name] = listing.naming(tuple(files))
    # A list is only added to.
    replaced = [name for name in write_files(folder, files) if name != listing.name]
    for name in files:
        screen.say(str(folder / name))
    if replaced:
        screen.note(f"Replaced, since they were not as the catalog has them: {', '.join(replaced)}.")
