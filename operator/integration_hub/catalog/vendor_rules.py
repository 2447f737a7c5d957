"""What a vendor file's models cannot say: names that must be there, and kinds of cases that must not be missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from integration_hub.catalog.placeholders import names_in
from integration_hub.catalog.vendor import Case, Kind, TokenServer, Vendor
from integration_hub.config.values import choices, did_you_mean
from integration_hub.config.violation import Violation, joined

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_OF_EVERY_METHOD = {
    Kind.GOOD: "a good connection",
    Kind.BAD_CREDENTIAL: "a bad credential",
}
_OF_EVERY_VENDOR = {
    Kind.MISSING_SCOPE: "a missing scope or permission",
    Kind.RATE_LIMIT: "a rate limit",
}
_FREE = frozenset(
    {"token", "refreshToken", "scope", "authority", "redirectURI", "now", "expiresAt", "resetsAt"}
)
_PARTS = ("secret.", "config.", "fingerprint.")
"""Placeholders, and how those begin that name a part of the method."""


def read_vendor(raw: Any) -> Vendor | list[Violation]:
    """Return a vendor file as it is meant, or what is wrong in it, by path."""
    try:
        vendor = Vendor.model_validate(raw)
    except ValidationError as error:
        return [_violation(problem) for problem in error.errors(include_url=False, include_input=False)]
    return list(_names(vendor)) or vendor


def gaps(vendor: Vendor, methods: Collection[str], ends: Collection[str] = ()) -> list[Violation]:
    """Return what cases are missing. `methods` are the definition's auth methods.

    `ends` are those of its tests whose answers tell when the credential ends.
    """
    found = list(_gaps(vendor, methods))
    if ends and not any(case.expect.credential_expires_at for case in vendor.cases):
        names = ", ".join(f"'{name}'" for name in ends)
        words = "add one whose answer tells it as the vendor writes it"
        found.append(
            Violation("cases", f"has none with expect.credentialExpiresAt, for the test {names}: {words}")
        )
    return found


def methods_of(vendor: Vendor, case: Case) -> tuple[str, ...]:
    """Return the auth methods that a case is tried with."""
    return tuple(case.methods or vendor.methods)


def _gaps(vendor: Vendor, methods: Collection[str]) -> Iterator[Violation]:
    for name in methods:
        yield from _method_gaps(vendor, name)
    for name in vendor.methods:
        if name not in methods:
            yield Violation(
                f"methods.{name}", f"is no auth method of the definition{did_you_mean(name, methods)}"
            )
    kinds = {case.kind for case in vendor.cases}
    for kind, words in _OF_EVERY_VENDOR.items():
        if kind not in kinds and kind.value not in vendor.leaves_out:
            yield Violation(
                "cases",
                f"has none of kind '{kind}': add one with {words}, or say in leavesOut.{kind} why there is none",
            )
    told = {case.lie for case in vendor.cases if case.kind is Kind.LIE}
    for lie in vendor.lies:
        if lie not in told:
            yield Violation(f"lies.{lie}", f"has no case: add one with 'kind: lie' and 'lie: {lie}'")


def _method_gaps(vendor: Vendor, name: str) -> Iterator[Violation]:
    if name not in vendor.methods:
        yield Violation(
            "methods",
            f"has no '{name}', which is an auth method of the definition: say how its credential arrives",
        )
        return
    tried = {case.kind for case in vendor.cases if name in methods_of(vendor, case)}
    for kind, words in _OF_EVERY_METHOD.items():
        if kind is Kind.BAD_CREDENTIAL and not vendor.methods[name].secret:
            continue  # it sends none
        if kind not in tried:
            yield Violation(
                "cases", f"has none of kind '{kind}' for the auth method '{name}': add one with {words}"
            )


def _names(vendor: Vendor) -> Iterator[Violation]:
    """Yield references to what there is not, and placeholders that nothing fills in."""
    yield from _parts(vendor)
    seen: set[str] = set()
    for index, case in enumerate(vendor.cases):
        where = joined("cases", index)
        if case.name in seen:
            yield Violation(f"{where}.name", "is the same as of a case before it")
        seen.add(case.name)
        yield from _case(where, case, vendor)
    yield from _placeholders(vendor)


def _parts(vendor: Vendor) -> Iterator[Violation]:
    for name, method in vendor.methods.items():
        if method.oauth is not None and method.oauth not in vendor.oauth:
            yield _unknown(f"methods.{name}.oauth", method.oauth, vendor.oauth)
        if (
            method.arrives is None
            and method.secret
            and any(route.arrives is None and not route.is_open for route in vendor.routes.values())
        ):
            yield Violation(f"methods.{name}.arrives", "is required, since not every route has its own")
    for name, server in vendor.oauth.items():
        yield from _server(f"oauth.{name}", server)
    for name, route in vendor.routes.items():
        for method_name in route.by_method:
            if method_name not in vendor.methods:
                yield _unknown(f"routes.{name}.byMethod", method_name, vendor.methods)


def _placeholders(vendor: Vendor) -> Iterator[Violation]:
    for name in sorted(set(names_in(vendor.model_dump(mode="json", by_alias=True)))):
        if name not in _FREE and not name.startswith(_PARTS):
            yield Violation(
                "",
                f"{{{{ {name} }}}} means nothing: there are {choices(sorted(_FREE))}, secret.KEY, config.FIELD and"
                " fingerprint.KEY",
            )


def _server(where: str, server: TokenServer) -> Iterator[Violation]:
    if "authorization_code" in server.grants and server.authorize is None:
        yield Violation(f"{where}.authorize", "is required with the grant authorization_code")
    if DEVICE_CODE in server.grants and server.device is None:
        yield Violation(f"{where}.device", f"is required with the grant {DEVICE_CODE}")
    if "private_key_jwt" in server.client and server.signature is None:
        yield Violation(
            f"{where}.signature", "is required where a client may prove itself by private_key_jwt"
        )


def _case(where: str, case: Case, vendor: Vendor) -> Iterator[Violation]:
    for part, names, known in (
        ("methods", case.methods, vendor.methods),
        ("answers", case.answers, vendor.routes),
        ("openToAll", case.open_to_all, vendor.routes),
        ("refusals", case.refusals, vendor.routes),
        ("lie", [case.lie] if case.lie is not None else [], vendor.lies),
    ):
        for name in names:
            if name not in known:
                yield _unknown(f"{where}.{part}", name, known)
    if (case.kind is Kind.LIE) != (case.lie is not None):
        yield Violation(f"{where}.lie", "goes with 'kind: lie', and names one of lies")
    grants = {grant for server in vendor.oauth.values() for grant in server.grants}
    for grant in case.token_answers:
        if grant not in grants:
            yield _unknown(f"{where}.tokenAnswers", grant, grants)


def _unknown(where: str, name: str, known: Iterable[str]) -> Violation:
    names = sorted(known)
    there = f"there are {choices(names)}" if names else "there are none"
    return Violation(where, f"names '{name}', which there is not{did_you_mean(name, names)}; {there}")


def _violation(problem: Mapping[str, Any]) -> Violation:
    path = joined("", *(part for part in problem["loc"] if part not in _PYDANTICS_OWN)).lstrip(".")
    if problem["type"] == "extra_forbidden":
        return Violation(path, "is no key of a vendor file; docs/catalog-authoring.md lists them")
    if problem["type"] == "missing":
        return Violation(path, "is required")
    message = str(problem["msg"]).removeprefix("Value error, ")
    return Violation(path, message[:1].lower() + message[1:])


_PYDANTICS_OWN = frozenset({"Generated", "str", "constrained-str"})
"""Parts of a location that name a branch of a union, and nothing that stands in the file."""
