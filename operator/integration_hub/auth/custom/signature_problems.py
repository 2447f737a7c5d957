"""What is wrong in the settings of the scheme `hmac` beyond its schema: places that are none, settings that clash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from integration_hub.auth.api_key import header_name_problems
from integration_hub.auth.custom.placeholders import Placeholder, placeholders_in
from integration_hub.auth.custom.sent_form import NEVER_AS_GIVEN
from integration_hub.auth.custom.signing import (
    IN_PARTS,
    key_id_name,
    names_used,
    signing_key_name,
    texts,
    used,
)
from integration_hub.config.values import choices, did_you_mean

_WITH_ARGUMENT: Final[Mapping[str, str]] = {"header": "{header:Content-Type}", "secret": "{secret:apiKey}"}
"""Places that need something after a ':', with an example."""

_SERVES: Final[Mapping[str, str]] = {
    "timestampFormat": "timestamp",
    "nonceFormat": "nonce",
    "bodyHashAlgorithm": "bodyHash",
    "bodyHashEncoding": "bodyHash",
    "keyIdKey": "keyId",
}
"""Settings that mean nothing without a place, and the place."""


def signature_problems(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (path, message) pairs of settings that satisfy the schema."""
    found = [(path, message) for path, holds, message in _RULES if holds(settings)]
    found += (
        (path, "has '\\n' as two characters; for a line break write it in double quotes")
        for path, text in _signed_texts(settings)
        if "\\n" in text
    )
    found += header_name_problems([entry["name"] for entry in settings["headers"]])
    for path, text, known in texts(settings):
        found += ((path, problem) for place in placeholders_in(text) if (problem := _problem(place, known)))
    found += (
        (f"headers[{index}].prefix", "has a meaning only with 'valueEncoding'; put it into 'value'")
        for index, entry in enumerate(settings["headers"])
        if "prefix" in entry and "valueEncoding" not in entry
    )
    found += (
        (setting, f"has no use: neither parts nor headers have '{{{name}}}'")
        for setting, name in _SERVES.items()
        if setting in settings and name not in names_used(settings)
    )
    return found


def _signed_texts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "separator", settings.get("separator", "")
    yield from ((f"parts[{index}]", part) for index, part in enumerate(settings["parts"]))


def _problem(place: Placeholder, known: Mapping[str, Any]) -> str | None:
    return next((message(place, known) for holds, message in _PLACE_RULES if holds(place, known)), None)


_SHA1: Final = (
    "is a hash function that new systems do not use; choose another if the external system offers one, else add"
    " 'allowSha1: true' to say that this is on purpose"
)

_RULES: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], bool], str], ...]] = (
    ("algorithm", lambda of: of.get("algorithm") == "sha1" and of.get("allowSha1") is not True, _SHA1),
    (
        "allowSha1",
        lambda of: "allowSha1" in of and of.get("algorithm") != "sha1",
        "has a meaning only with 'algorithm: sha1'",
    ),
    (
        "headers",
        lambda of: "signature" not in names_used(of),
        "has no '{signature}', so nothing proves who asks",
    ),
    (
        "parts",
        lambda of: not any(placeholders_in(part) for part in of["parts"]),
        "have no place like '{body}' or '{timestamp}', so every request has the same signature",
    ),
    (
        "keyIdKey",
        lambda of: "keyId" in names_used(of) and key_id_name(of) == signing_key_name(of),
        "is the key of the signing key, too; each needs a key of its own",
    ),
    (
        "secretKey",
        lambda of: Placeholder("secret", signing_key_name(of)) in used(of),
        "is the signing key, which signs and never goes anywhere itself: '{secret:...}' cannot name it",
    ),
)
"""(path, what is wrong, message)."""

_PLACE_RULES: Final[
    tuple[
        tuple[
            Callable[[Placeholder, Mapping[str, Any]], bool], Callable[[Placeholder, Mapping[str, Any]], str]
        ],
        ...,
    ]
] = (
    (
        lambda place, known: place.name == "signature" and place.name not in known,
        lambda *_: "cannot have '{signature}', which is made of the parts",
    ),
    (
        lambda place, known: place.name in IN_PARTS and place.name not in known,
        lambda place, _: f"cannot have '{place}' in a header; only in parts",
    ),
    (
        lambda place, known: place.name not in known,
        lambda place, known: (
            f"has '{{{place.name}}}', which is nothing that can be filled in"
            f"{did_you_mean(place.name, known)}; known: {choices(sorted(known))}"
        ),
    ),
    (
        lambda place, _: place.name in _WITH_ARGUMENT and not place.argument,
        lambda place, _: f"has '{place}', which needs a name, like '{_WITH_ARGUMENT[place.name]}'",
    ),
    (
        lambda place, _: place.name not in _WITH_ARGUMENT and bool(place.argument),
        lambda place, _: f"has '{place}', and '{place.name}' takes nothing after a ':'",
    ),
    (
        lambda place, _: place.name == "header" and place.argument.lower() in NEVER_AS_GIVEN,
        lambda place, _: (
            f"has '{place}', a header that is not sent as it is given"
            + ("; use '{host}'" if place.argument.lower() == "host" else "")
        ),
    ),
)
"""(what is wrong, message): the first that holds is reported."""
