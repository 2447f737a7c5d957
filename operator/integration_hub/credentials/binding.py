"""The Secret for workloads, in the shape of the Service Binding specification: what stands in it, and under which key.

Whoever mounts it finds one file for each key. It holds what a method delivers and nothing else of the credentials:
never a refresh token or a client secret, with which somebody could go on without the operator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

TYPE_PREFIX: Final = "servicebinding.io/"
DEFAULT_PROVIDER: Final = "integration-hub"

_KEY = re.compile(r"(?!\.\.?$|\.\.)[-._a-zA-Z0-9]{1,253}")
"""What the API server takes as a key of a Secret's data: it is to become the name of a file."""

_PORTS: Final = {"https": 443, "http": 80}


def binding_type(type_: str) -> str:
    """Return the type of the Secret; `type_` is the definition's name, by which workloads look for it."""
    return TYPE_PREFIX + type_


def binding_data(*, type_: str, provider: str, uri: str, delivered: Mapping[str, str]) -> dict[str, str]:
    """Return what the Secret holds.

    What the method delivers goes before what follows from the address, since a method may know better. `type` and
    `provider` are the specification's own: workloads choose by them, so nothing takes their place.

    Args:
        type_: the definition's name.
        provider: who makes the external system; '' where that is not known.
        uri: the address below which requests go; '' where there is none.
        delivered: what the method yields for workloads; empty where there are no usable credentials.

    """
    fits = {name: value for name, value in delivered.items() if _KEY.fullmatch(name)}
    own = {"type": type_, "provider": provider or DEFAULT_PROVIDER}
    return {**_address(uri), **fits, **own}


def _address(uri: str) -> dict[str, str]:
    """Return the address whole, and in the parts for clients that want them apart."""
    if not uri:
        return {}
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # like a port above 65535: nobody connects there, and tests say so
        return {"uri": uri}
    found = {"uri": uri, "host": host or "", "port": str(port or "")}
    return {name: value for name, value in found.items() if value}
