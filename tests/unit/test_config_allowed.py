"""Addresses that a definition names and does not allow."""

from __future__ import annotations

import pytest

from integration_hub.config.allowed import missing_host

CASES: list[tuple[str, list[str], str | None]] = [
    ("https://a.example/token", ["a.example"], None),
    ("https://A.example:443/token", ["a.example"], None),
    ("https://b.a.example/{{ config.x }}", ["*.a.example"], None),
    ("https://a.example", ["*.a.example"], "a.example"),
    ("https://evil-a.example/token", ["*.a.example", "a.example"], "evil-a.example"),
    ("https://a.example:8443/token", ["a.example"], "a.example:8443"),
    ("https://a.example:8443/token", ["a.example:8443"], None),
    ("https://[::1]:8443/token", ["a.example"], "[::1]:8443"),
    ("https://[::1]:8443/token", ["[::1]:8443"], None),
    ("http://a.example/token", ["a.example"], "http://a.example"),
    ("http://127.0.0.1:80/token", ["http://127.0.0.1"], None),
    ("https://a.example/{{ config.x }}", ["b.example"], "a.example"),
    # What only a configuration decides is told where there is one.
    ("{{ config.server }}/token", ["b.example"], None),
    ("https://{{ config.host }}/token", ["b.example"], None),
    ("https://a.{{ config.host }}/token", ["b.example"], None),
    ("https://a.example:{{ config.port }}/token", ["b.example"], None),
    ("https://a.example/token", ["{{ config.host }}"], None),
    # What is no address, or no rule, is told by another check.
    ("a.example/token", ["b.example"], None),
    ("https://-/token", ["b.example"], None),
    ("https://a.example/token", ["not a host"], None),
]


@pytest.mark.parametrize(("address", "allowed", "missing"), CASES)
def test_the_entry_that_is_missing_is_named_where_that_is_certain(
    address: str, allowed: list[str], missing: str | None
) -> None:
    assert missing_host(address, allowed) == missing
