"""What a signature covers is what is sent: seen by the adapter that sends it, and by a server at the other end."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import OWN_HEADERS, HttpClient, _target
from integration_hub.auth.custom.sent_form import NEVER_AS_GIVEN, sent_form, sorted_query
from integration_hub.model.http import HttpRequest
from support.fault_server import FaultServer, answering, response

LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]), allow_http=True)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
hosts = st.sampled_from(
    ["Api.Example", "api.example:443", "api.example.:8443", "192.0.2.1:80", "[2001:DB8::1]:9000"]
)
paths = st.lists(texts.map(lambda text: quote(text, safe="!$&'()*+,;=:@ \u00e4%"))).map("/".join)


@given(hosts, paths, st.none() | texts.map(quote), st.lists(st.tuples(texts, texts), max_size=3))
def test_it_is_what_the_adapter_makes_of_a_request(
    host: str, path: str, query: str | None, parameters: list[tuple[str, str]]
) -> None:
    url = f"https://{host}/{path}" + ("" if query is None else f"?{query}")
    request = HttpRequest("get", url, query=tuple(parameters))
    rules = [
        HostRule.parse(rule)
        for rule in ("api.example", "api.example:8443", "192.0.2.1:80", "[2001:db8::1]:9000")
    ]
    sent = _target(request, rules, EgressPolicy(()))
    assert isinstance(sent, URL)
    form = sent_form(request)
    assert (form.scheme, form.host, form.target) == (
        sent.scheme,
        sent.host_port_subcomponent,
        sent.raw_path_qs,
    )


async def test_it_is_what_a_server_receives() -> None:
    parameters = (("q", "a b&c=d+e/\u00e4~"), ("empty", ""), ("q", "A"))
    client = HttpClient(LOOPBACK)
    try:
        async with FaultServer(answering(response(b"{}"))) as server:
            request = HttpRequest("get", server.url("/a$b/c%2Fd/\u00e4 e;f=g/./x"), query=parameters)
            outcome = await client.send(
                request, allowed_hosts=[HostRule.parse(f"http://127.0.0.1:{server.port}")]
            )
    finally:
        await client.close()
    assert outcome.response is not None, outcome.failure
    form = sent_form(request)
    line, *headers = server.requests[0].decode("latin-1").split("\r\n")
    assert line == f"{form.method} {form.target} HTTP/1.1"
    assert f"host: {form.host}" in [header.lower() for header in headers]


def test_every_header_that_the_adapter_replaces_is_known_here() -> None:
    assert OWN_HEADERS | {"user-agent"} == NEVER_AS_GIVEN


def test_a_query_is_sorted_by_name_then_value_and_encoded_in_the_one_way() -> None:
    assert sorted_query("b=2&a=%7e%2f&b=1&c&&a=%C3%A4 /") == "a=%C3%A4%20%2F&a=~%2F&b=1&b=2&c="
    assert sorted_query("") == ""


def test_a_url_that_names_no_host_is_no_crash() -> None:
    assert sent_form(HttpRequest("GET", "https://a_b..c:99999/x")).path == "/x"
