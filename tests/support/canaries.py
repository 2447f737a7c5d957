"""Looking for secrets in texts, in whatever form something on their way may have given them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus


def forms(value: str | bytes) -> Iterator[str]:
    """Yield how a secret may look in a text: as it is, escaped, percent-encoded, in hex, in base64 at any position."""
    data = value if isinstance(value, bytes) else value.encode()
    if isinstance(value, str):
        yield from _texts(value)
    else:
        yield repr(value)[2:-1]
        yield data.decode("latin-1")
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            whole = encode(b"\0" * before + data + b"\0" * (-(before + len(data)) % 3)).decode()
            yield whole[-(-before * 8 // 6) : -4]


def _texts(value: str) -> Iterator[str]:
    yield value
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    yield from (quote(value, safe=""), quote(value), quote_plus(value))


def found(places: Mapping[str, str], canaries: Mapping[str, str | bytes]) -> set[tuple[str, str]]:
    """Return in which places which secrets are, by their names."""
    return {
        (place, name)
        for name, canary in canaries.items()
        for form in set(forms(canary))
        for place, text in places.items()
        if form in text
    }
