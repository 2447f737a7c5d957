"""Templates: what a value may do in each place, and that no value gets out of its place."""

# ruff: noqa: E501, RUF001 - one case is one line; confusable characters are what is tested

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from integration_hub.adapters.egress import HostRule
from integration_hub.config.templates import (
    TemplateError,
    fields_in,
    render_allowed_host,
    render_base_url,
    render_header,
    render_json,
    render_path,
    render_query_value,
    render_text,
    template_problem,
)

HOSTILE = [
    "evil.com@good", "a@b", "a#", "a?", "a/b", "a\\b", "a\\@b", "a b", " a", "a\n", "a\t", "a\x00b", "..", ".", "a.",
    "a..b", "a%2eb", "a%2Fb", "%61", "a\u3002b", "a\uff0eb", "a\uff0fb", "ⓐ", "ａ", "é", "\u2100", "\u200b", "a:80",
    "[::1", "::1]", "[::1]x", "fe80::1%eth0", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "1.2.3.4.5", "-a", "a-",
    "a" * 64, "*", "*.a.com", "https://a@b", "https://a\\b", "https://a?b", "https://a#b", "https:a", "//a", "javascript:a",
    "https://a/../b", "https://a/%2e%2e/b", "https://a/..%2fb", "https://a//b", "https://a:0", "https://a:99999", "https://",
    "https://a:80:80", "https://[::1]a", "https://a.b/\ud800", "\ud800", "http://a b", "https://a/ b", "xn--", "a,b", "{{",
]  # fmt: skip
"""Values that have made one parser or another see a different host or path."""

values = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.text(alphabet="ab.:/@\\#?%[]2eF0x-_*～。", max_size=16),
    st.tuples(
        st.sampled_from(["https://", "http://", "HTTPS://", ""]), st.text("ab.:/@\\#?%[]2e-", max_size=14)
    ).map("".join),
    st.integers(-10, 70_000),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), max_size=1),
)


def host_of(url: str) -> tuple[str, int]:
    """Return the host and port on which two independent parsers agree, and which the text shows to a human, too."""
    ours, theirs = urlsplit(url), URL(url)
    assert ours.hostname
    assert theirs.host
    # One writes '::ffff:0:0', the other '::ffff:0.0.0.0' for the same address.
    assert same_host(ours.hostname, theirs.host)
    port = ours.port or {"https": 443, "http": 80}[ours.scheme]
    assert theirs.port == port
    assert ours.username is None
    assert theirs.user is None
    assert not ours.query
    assert not ours.fragment
    assert re.fullmatch(r"https?://[a-z0-9._\[\]:-]+(/[!-~]*)?", url)
    return ours.hostname, port


def same_host(one: str, other: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    return one == other


@given(values)
@example("acme")
def test_a_value_within_a_host_fills_one_label(value: Any) -> None:
    with suppress(TemplateError):
        host, port = host_of(render_base_url("https://{{ config.x }}.example.com:8443/api/", {"x": value}))
        label, _, rest = host.partition(".")
        assert (rest, port) == ("example.com", 8443)
        assert label == str(value).lower() or isinstance(value, (bool, float))


@given(values)
@example("h.example.com")
@example("::1")
@example("[::1]")
@example("10.0.0.1")
def test_a_value_that_is_the_host_is_the_whole_host(value: Any) -> None:
    with suppress(TemplateError):
        host, port = host_of(render_base_url("https://{{ config.x }}:8443/api", {"x": value}))
        assert port == 8443
        assert same_host(host, str(value).lower().strip("[]")) or isinstance(value, (bool, float))


@given(values)
@example("eu.example.com")
def test_a_value_that_ends_the_host_adds_only_labels(value: Any) -> None:
    with suppress(TemplateError):
        host, port = host_of(render_base_url("https://api.{{ config.x }}", {"x": value}))
        assert host.startswith("api.")
        assert port == 443
        assert host == f"api.{value}".lower() or isinstance(value, (bool, float))


@given(values)
@example(8443)
@example("8443")
def test_a_value_that_is_the_port_changes_nothing_else(value: Any) -> None:
    with suppress(TemplateError):
        host, port = host_of(render_base_url("https://h.example.com:{{ config.x }}/api", {"x": value}))
        assert host == "h.example.com"
        assert port == int(value)


@given(values)
@example("https://h.example.com:6443/base/")
@example("http://[::1]:8080")
def test_a_value_that_is_the_address_keeps_its_host_and_path_and_nothing_else(value: Any) -> None:
    with suppress(TemplateError):
        url = render_base_url("{{ config.x }}/api", {"x": value})
        host, _ = host_of(url)
        assert isinstance(value, str)
        assert same_host(host, urlsplit(value).hostname or "")
        assert urlsplit(url).path == urlsplit(value).path.rstrip("/") + "/api"
        assert urlsplit(url).scheme == urlsplit(value).scheme


@given(values)
@example("a/../b")
def test_a_value_in_a_path_stays_in_its_segment(value: Any) -> None:
    for template in (
        "/v1/{{ config.x }}/end",
        "/v1/pre-{{ config.x }}/end",
        "/v1/{{ config.x }}.{{ config.x }}/end",
    ):
        with suppress(TemplateError):
            path = render_path(template, {"x": value})
            assert re.fullmatch(r"/v1/[A-Za-z0-9%._~-]+/end", path)
            # Whether '%2F' is decoded early or late, no dot segment appears.
            assert not {".", ".."} & set(re.split(r"[/\\]", unquote(path)))
            assert str(URL("https://h" + path, encoded=True).raw_path) == path
            if isinstance(value, str):
                assert unquote(path) == template.replace("{{ config.x }}", value)


@given(st.lists(st.sampled_from([".", "..", "%2e", "a", "/", "%"]), min_size=2, max_size=2))
def test_two_values_do_not_make_a_dot_segment_together(pair: list[str]) -> None:
    with suppress(TemplateError):
        path = render_path("/a/{{ config.x }}{{ config.y }}", {"x": pair[0], "y": pair[1]})
        assert path.split("/")[-1] not in {".", ".."}


@given(values)
def test_a_header_is_one_line_of_latin_1(value: Any) -> None:
    with suppress(TemplateError):
        header = render_header("v={{ config.x }}", {"x": value})
        assert header.encode("latin-1")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", header)


@given(values)
def test_whatever_rule_is_rendered_the_one_who_sends_can_read_it(value: Any) -> None:
    for template in (
        "{{ config.x }}",
        "*.{{ config.x }}",
        "http://{{ config.x }}",
        "a.{{ config.x }}:{{ config.x }}",
    ):
        with suppress(TemplateError):
            HostRule.parse(render_allowed_host(template, {"x": value}))


@given(values)
@example("https://h:6443/x")
def test_an_allowed_host_is_a_host_with_an_optional_port_and_never_a_wildcard_of_the_value(
    value: Any,
) -> None:
    for template in (
        "{{ config.x }}",
        "*.{{ config.x }}",
        "{{ config.x }}.example.com",
        "http://{{ config.x }}:80",
    ):
        with suppress(TemplateError):
            rule = render_allowed_host(template, {"x": value})
            assert re.fullmatch(r"(http://)?(\*\.)?([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", rule)
            assert rule.count("*") == template.count("*")
            if template.endswith("example.com"):
                assert rule.endswith(".example.com")


@given(values)
def test_what_is_allowed_is_what_is_called(value: Any) -> None:
    """With the same field as address and allowed host, the base URL's host is the allowed one."""
    config = {"x": value}
    with suppress(TemplateError):
        host, port = host_of(render_base_url("{{ config.x }}", config))
        rule = urlsplit("//" + render_allowed_host("{{ config.x }}", config).removeprefix("http://"))
        assert rule.hostname
        assert same_host(rule.hostname, host)
        assert rule.port == port


RENDERED = [
    (render_base_url, "https://{{ config.sub }}.example.com/", {"sub": "Acme"}, "https://acme.example.com"),
    (render_base_url, "https://{{config.h}}:{{ config.p }}/x", {"h": "::1", "p": 8443}, "https://[::1]:8443/x"),
    (render_base_url, "https://{{ config.h }}", {"h": "[2001:DB8::1]"}, "https://[2001:db8::1]"),
    (render_base_url, "{{ config.s }}/api", {"s": "https://h:6443/base/"}, "https://h:6443/base/api"),
    (render_base_url, "{{ config.s }}", {"s": "HTTP://H.example.com"}, "http://h.example.com"),
    (render_base_url, "https://api.{{ config.site }}", {"site": "us3.datadoghq.com"}, "https://api.us3.datadoghq.com"),
    (render_base_url, "https://api.example.com/v{{ config.v }}/", {"v": 3}, "https://api.example.com/v3"),
    (render_base_url, "https://[::1]:{{ config.p }}/x", {"p": "80"}, "https://[::1]:80/x"),
    (render_base_url, "https://{{ config.dc }}.api.mailchimp.com/3.0", {"dc": "us6"}, "https://us6.api.mailchimp.com/3.0"),
    (render_path, "", {}, ""),
    (render_path, "/", {}, "/"),
    (render_path, "/v1/accounts/{{ config.id }}.json", {"id": "a b/ü"}, "/v1/accounts/a%20b%2F%C3%BC.json"),
    (render_path, "/übung/%20", {}, "/%C3%BCbung/%20"),
    (render_path, "/{{ config.on }}/{{ config.n }}/{{ config.f }}", {"on": True, "n": 5, "f": 2.0}, "/true/5/2"),
    (render_query_value, "is:{{ config.q }}", {"q": "a&b=ü"}, "is:a&b=ü"),
    (render_header, "{{ config.v }}", {"v": "2026-11-01 "}, "2026-11-01"),
    (render_allowed_host, "api.example.com", {}, "api.example.com"),
    (render_allowed_host, "*.{{ config.d }}", {"d": "example.com"}, "*.example.com"),
    (render_allowed_host, "http://127.0.0.1:80", {}, "http://127.0.0.1:80"),
    (render_allowed_host, "https://api.example.com", {}, "api.example.com"),
    (render_allowed_host, "http://*.{{ config.d }}:81", {"d": "example.com"}, "http://*.example.com:81"),
    (render_allowed_host, "{{ config.s }}", {"s": "https://h:6443/x"}, "h:6443"),
    (render_allowed_host, "{{ config.s }}", {"s": "https://h"}, "h:443"),
    (render_allowed_host, "{{ config.s }}", {"s": "http://h"}, "http://h:80"),
    (render_allowed_host, "{{ config.s }}", {"s": "H.example.com"}, "h.example.com"),
    (render_allowed_host, "{{ config.s }}", {"s": "h:8080"}, "h:8080"),
    (render_allowed_host, "{{ config.s }}", {"s": "2001:db8::1"}, "[2001:db8::1]"),
    (render_allowed_host, "{{ config.h }}:{{ config.p }}", {"h": "10.0.0.1", "p": 5}, "10.0.0.1:5"),
    (render_text, "{{ config.ca }}", {"ca": "-----BEGIN\nx\n"}, "-----BEGIN\nx\n"),
    (render_text, "{{ config.ca }}", {}, ""),
    (render_json, {"a": ["{{ config.n }}", 5, None], "{{ x }}": True}, {"n": 7}, {"a": ["7", 5, None], "{{ x }}": True}),
]  # fmt: skip


@pytest.mark.parametrize(("render", "template", "config", "expected"), RENDERED)
def test_rendered(render: Any, template: Any, config: dict[str, Any], expected: Any) -> None:
    assert render(template, config) == expected


REFUSED = [
    (render_base_url, "https://{{ config.x }}.example.com", {"x": "a.b"}, "x", "one part of a host name"),
    (render_base_url, "https://{{ config.x }}.example.com", {}, "x", "is not set"),
    (render_base_url, "https://{{ config.x }}.example.com", {"x": ""}, "x", "is empty"),
    (render_base_url, "https://{{ config.x }}", {"x": "bücher.example"}, "x", "xn--"),
    (render_base_url, "https://{{ config.x }}", {"x": "a." * 130 + "com"}, "x", "longer than 253"),
    (render_base_url, "https://h:{{ config.x }}", {"x": 0}, "x", "between 1 and 65535"),
    (render_base_url, "https://h:{{ config.x }}", {"x": True}, "x", "between 1 and 65535"),
    (render_base_url, "https://h:", {}, "", "between 1 and 65535"),
    (render_base_url, "{{ config.x }}/api", {"x": "https://user:pw@h"}, "x", "user name or password"),
    (render_base_url, "{{ config.x }}/api", {"x": "h.example.com"}, "x", "absolute address"),
    (render_base_url, "{{ config.x }}/api", {"x": "https://h/?a"}, "x", "without '?'"),
    (render_base_url, "{{ config.x }}/api", {"x": "https://h/a b"}, "x", "in its path"),
    (render_base_url, "{{ config.x }}.example.com", {"x": "https://h"}, "x", "a path or nothing must follow"),
    (render_base_url, "{{ config.x }}://h", {"x": "https"}, "x", "a path or nothing must follow"),
    (render_base_url, "ftp://h", {}, "", "must start with https://"),
    (render_base_url, "https://user@h", {}, "", "the host or port in the template"),
    (render_path, "v1", {}, "", "must start with '/'"),
    (render_path, "/a?b", {}, "", "into 'query'"),
    (render_path, "/a/%2{{ config.x }}", {"x": "e"}, "", "hexadecimal"),
    (render_path, "//h/{{ config.x }}", {"x": "e"}, "x", "empty segment"),
    (render_path, "/{{ config.x }}/b", {"x": ""}, "x", "is empty"),
    (render_path, "/{{ config.x }}/b", {"x": "a\nb"}, "x", "line break"),
    (render_path, "/{{ config.x }}/b", {"x": ["a"]}, "x", "is a list"),
    (render_path, "/{{ config.x }}/b", {"x": float("inf")}, "x", "finite"),
    (render_query_value, "{{ config.x }}", {"x": "\ud800"}, "x", "surrogate"),
    (render_query_value, "{{ config.x }}", {"x": None}, "x", "is not set"),
    (render_header, "{{ config.x }}", {"x": "a\r\nEvil: 1"}, "x", "header"),
    (render_header, "a\x00", {}, "", "control characters"),
    (render_allowed_host, "{{ config.x }}", {"x": "*.example.com"}, "x", "letters"),
    (render_allowed_host, "*.{{ config.x }}", {"x": "com"}, "x", "allows too much"),
    (render_allowed_host, "*.com", {}, "", "allows too much"),
    (render_allowed_host, "*.10.0.0.1", {}, "", "allows too much"),
    (render_json, ["{{ config.x }}"], {"x": {}}, "x", "a group of fields"),
]  # fmt: skip


@pytest.mark.parametrize(("render", "template", "config", "field", "said"), REFUSED)
def test_refused_with_the_field_and_without_the_value(
    render: Any, template: Any, config: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(TemplateError, match=re.escape(said)) as caught:
        render(template, config)
    assert caught.value.field == field
    if field:
        assert field in str(caught.value) or "path" in str(caught.value)
    for value in config.values():
        if isinstance(value, str) and len(value) > 5:
            assert value not in str(caught.value)


def test_fields_are_found_wherever_they_stand() -> None:
    assert fields_in("a{{config.a}}b{{ config.b_2 }}{{\tconfig.a }}") == {"a", "b_2"}
    assert fields_in("{{ broken") == frozenset()


PROBLEMS = [
    ("plain {text} }} is fine", None),
    ("{{ config.host }}", None),
    ("{{ config.host", "never closed"),
    ("{{ config.host | upper }}", "only '{{ config.<field> }}'"),
    ("{{ env.HOME }}", "only '{{ config.<field> }}'"),
    ("{{ config.a.b }}", "only '{{ config.<field> }}'"),
    ("{{ config.hots }}", "did you mean 'host'"),
    ("{{ config.apiKey }}", "secret field"),
]


@pytest.mark.parametrize(("text", "said"), PROBLEMS)
def test_problems_of_a_template_alone(text: str, said: str | None) -> None:
    problem = template_problem(text, ["host", "apiKey"], ["apiKey"])
    assert problem is None if said is None else problem is not None and said in problem
