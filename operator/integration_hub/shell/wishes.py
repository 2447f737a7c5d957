"""Wishes: annotations of an instance by which a person asks the operator for something, once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from integration_hub.model.names import REQUEST_ANNOTATION


def new_request() -> str:
    """Return the value of an annotation that nobody has used."""
    return f"{int(time.time())}-{secrets.token_hex(4)}"


def is_handled(instance: Mapping[str, Any], request: str) -> bool:
    """Tell whether the operator has made the tests that it was asked for by this request, or by a later one.

    Somebody else may have asked since: what was done for them was done for the first, too.
    """
    wish = (instance["metadata"].get("annotations") or {}).get(REQUEST_ANNOTATION, request)
    return bool((instance.get("status") or {}).get("lastHandledRequest") == wish)
