"""What `hub test` says in other words than the operator: about its own flags and its own machine. Tables only."""

from __future__ import annotations

import re

from integration_hub.model.reasons import Reason

_FLAGS = (
    (r"request\.path", "--path"),
    (r"request\.method", "--method"),
    (r"request\.query\b", "--query"),
    (r"request\.headers\b", "--header"),
    (r"request\.body\b", "--body"),
    (r"expect\.status(\[\d+\])?", "--expect"),
    (r"expect\.assertions\[\d+\]\.rule", "--assert"),
    (r"identity", "--identity"),
    (r"name", "--save"),
)
"""Which flag has made which field of an entry of spec.tests."""

_HERE: dict[str, str] = {
    Reason.ADDRESS_NOT_ALLOWED: "add --allow-cidr with its network; the operator needs the same flag.",
    Reason.PLAIN_HTTP_NOT_ALLOWED: "add --allow-http; the operator needs the same flag.",
}
_FOR_DRAFTS: dict[str, str] = {
    Reason.SECRET_NOT_FOUND: "add the Secret to the file; what is in it is not applied.",
    Reason.DEFINITION_NOT_FOUND: "add the definition to the file, or correct the name.",
}


def in_flags(words: str, index: int) -> str:
    """Return words about an entry of spec.tests with the flags that have made its fields."""
    for field, flag in _FLAGS:
        words = re.sub(rf"spec\.tests\[{index}\]\.{field}", flag, words)
    return words.replace(f"spec.tests[{index}].", "")


def hint_here(reason: str, *, is_draft: bool) -> str | None:
    """Return what else helps where a person tests by hand; None where nothing does."""
    return (_HERE | _FOR_DRAFTS if is_draft else _HERE).get(reason)
