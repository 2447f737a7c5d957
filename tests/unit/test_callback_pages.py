"""The callback's pages: what they say, that everybody can read it, and that nothing in them can be another's markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import chain
from typing import get_args

import pytest

from integration_hub.model.reasons import Reason
from integration_hub.runtime.callback_url import default_url, url_problem
from integration_hub.runtime.pages import (
    HOME,
    Fault,
    Page,
    consent_page,
    fault_page,
    render,
    style,
    style_hash,
)
from integration_hub.shell.consent import ConsentOutcome, ConsentResult

VOID = {"meta", "link", "br"}
WHERE = {"namespace": "shop", "name": "billing", "display_name": "Billing - Production", "system": "Acme"}


@dataclass
class Element:
    """One element, as a browser would see it."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    words: str = ""

    def all(self) -> Iterator[Element]:
        """Yield this and all below, in the order of the page."""
        yield self
        for child in self.children:
            yield from child.all()

    def text(self) -> str:
        return " ".join(" ".join(element.words for element in self.all()).split())


class Tree(HTMLParser):
    """Builds elements and refuses what is not closed where it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]
        self.declaration = ""
        self.feed(html)
        self.close()
        assert self._open == [self.root], "something is not closed"

    def handle_decl(self, decl: str) -> None:
        self.declaration = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].words += data


def elements(html: str, *tags: str) -> list[Element]:
    return [element for element in Tree(html).root.all() if element.tag in tags]


def outcomes() -> Iterator[ConsentOutcome]:
    """Every result, as told with everything known and with nothing known."""
    for result in get_args(ConsentResult):
        yield ConsentOutcome(result)
        yield ConsentOutcome(
            result, Reason.PERMISSION_DENIED, "It may not read.", **WHERE, identity="ann@acme.example"
        )


def pages() -> list[Page]:
    faults = [fault_page(fault) for fault in get_args(Fault)]
    return [HOME, *faults, *(consent_page(outcome) for outcome in outcomes())]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.heading)
def test_every_page_has_the_structure_that_a_screen_reader_needs(page: Page) -> None:
    html = render(page)
    tree = Tree(html)
    assert tree.declaration == "doctype html"
    (document,) = elements(html, "html")
    assert document.attributes["lang"] == "en"
    assert len(elements(html, "main")) == 1
    (heading,) = elements(html, "h1")
    assert heading.text() == page.heading
    assert {"tabindex": "-1", "autofocus": None}.items() <= heading.attributes.items(), "it is read first"
    (title,) = elements(html, "title")
    assert title.text().startswith(page.heading), "the result comes first in the window's list too"
    (result,) = [element for element in tree.root.all() if "role" in element.attributes]
    assert result.attributes["role"] == ("alert" if page.tone == "bad" else "status")
    assert result.children[0] is not heading
    assert result.children[0].text() == page.heading, "the result is what is announced"
    assert all(sentence in result.text() for sentence in page.happened)
    levels = [int(element.tag[1]) for element in elements(html, "h1", "h2", "h3", "h4")]
    assert levels == [1] + [2] * (len(levels) - 1), "no level is left out"
    identifiers = [element.attributes["id"] for element in tree.root.all() if "id" in element.attributes]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.heading)
def test_no_page_needs_a_script_or_anything_from_elsewhere(page: Page) -> None:
    html = render(page)
    assert elements(html, "script", "link", "img", "iframe", "form", "a", "object", "base") == []
    assert not re.search(r"(?i)\bon[a-z]+=|style=|javascript:|url\(|@import|https?:", html)
    (sheet,) = elements(html, "style")
    digest = base64.b64encode(hashlib.sha256(sheet.words.encode()).digest()).decode()
    assert f"sha256-{digest}" == style_hash(), "the policy's hash is that of what stands in the page"


@pytest.mark.parametrize("outcome", [*outcomes()], ids=lambda outcome: outcome.result)
def test_every_page_says_what_next_and_how_to_see_more(outcome: ConsentOutcome) -> None:
    page = consent_page(outcome)
    assert page.happened
    assert page.next
    commands = " ".join(command for _, command in page.commands)
    named = outcome.name and outcome.result != "unknown-link"
    assert (
        "kubectl get iinst billing -n shop" if named else "kubectl get integrationinstances -A"
    ) in commands
    text = Tree(render(page)).root.text()
    assert "None" not in text
    assert "''" not in text.replace("'.status", ""), "no name that is not known leaves its quotes behind"


@pytest.mark.parametrize(
    ("outcome", "status", "heading", "words"),
    [
        (
            ConsentOutcome("connected", Reason.CONNECTED, **WHERE, identity="ann@acme.example"),
            200,
            "Connected",
            (
                "'Billing - Production' has been tested with Acme and works",
                "ann@acme.example",
                "close this window",
            ),
        ),
        (
            ConsentOutcome("not-connected", Reason.PERMISSION_DENIED, "Acme says 403.", **WHERE),
            200,
            "You have signed in, but the connection does not work",
            (
                "is kept",
                "Acme says 403.",
                "Grant the credential the permission",
                "'hub test billing -n shop'",
                "PermissionDenied",
            ),
        ),
        (
            ConsentOutcome("refused", Reason.AUTHORIZATION_DENIED, **WHERE),
            200,
            "Not authorised",
            ("You, or an administrator of Acme", "no new access was given", "hub authorize billing -n shop"),
        ),
        (
            ConsentOutcome("not-connected", Reason.TEST_PENDING, "It waits for its turn.", **WHERE),
            200,
            "You have signed in, but the connection does not work yet",
            ("is kept", "It waits for its turn."),
        ),
        (
            ConsentOutcome("refused", Reason.CONNECTED, "Connected to acme as ann.", **WHERE),
            200,
            "Not authorised",
            ("Acme gave no new access", "works as before", "hub authorize billing -n shop"),
        ),
        (
            ConsentOutcome("refused", Reason.AUTHORIZATION_FAILED, "Its error is invalid_scope.", **WHERE),
            200,
            "Not authorised",
            ("Acme did not complete the sign-in", "invalid_scope", "redirect URL"),
        ),
        (
            ConsentOutcome("unknown-link"),
            404,
            "This link cannot be used",
            (
                "used before, is too old, gave way to a newer one, or was never given out",
                "or ask whoever gave you the link",
            ),
        ),
        (
            ConsentOutcome("outdated", **WHERE),
            410,
            "This link is out of date",
            ("was not used", "{.status.authorization.url}", "hub authorize billing -n shop"),
        ),
        (
            ConsentOutcome("stored", Reason.CONNECTED, "Connected to acme as ann.", **WHERE),
            200,
            "You have signed in, and the connection is still to be tested",
            ("is kept", "Acme does not answer as it should", "works as before", "need not sign in again"),
        ),
        (
            ConsentOutcome("not-taken", Reason.SECRET_NOT_FOUND, "There is no such Secret.", **WHERE),
            409,
            "Your sign-in could not be used",
            ("There is no such Secret.", "Create it", "load this page again", "SecretNotFound"),
        ),
        (
            ConsentOutcome("pending", **WHERE),
            202,
            "Still working",
            ("You can close this window: that breaks nothing", "load this page again"),
        ),
        (
            ConsentOutcome("busy", **WHERE),
            503,
            "Please try again in a moment",
            ("Your sign-in is still good", "it is starting, or has too much to do"),
        ),
        (
            ConsentOutcome("busy", Reason.KEYRING_UNAVAILABLE, "There is no keyring.", **WHERE),
            503,
            "Please try again in a moment",
            ("There is no keyring.", "Your sign-in is still good"),
        ),
    ],
    ids=lambda value: value.result if isinstance(value, ConsentOutcome) else "",
)
def test_what_each_page_says(
    outcome: ConsentOutcome, status: int, heading: str, words: tuple[str, ...]
) -> None:
    page = consent_page(outcome)
    text = Tree(render(page)).root.text()
    assert (page.status, page.heading) == (status, heading)
    assert [word for word in words if word not in text] == []


def test_names_and_messages_of_others_are_text_and_nothing_else() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=y>{{ 7*7 }}'
    outcome = ConsentOutcome(
        "not-connected", evil, evil, namespace=evil, name=evil, display_name=evil, system=evil, identity=evil
    )
    for result in get_args(ConsentResult):
        html = render(consent_page(ConsentOutcome(result, *_rest(outcome))))
        assert elements(html, "script", "img") == []
        assert "49" not in Tree(html).root.text()


def _rest(outcome: ConsentOutcome) -> Iterator[str]:
    return (
        getattr(outcome, name)
        for name in ("reason", "message", "namespace", "name", "display_name", "system", "identity")
    )


def test_characters_that_nobody_sees_reach_no_page() -> None:
    outcome = ConsentOutcome("connected", display_name="a\u202eb\x00\x1b[31m", system="x\u200by", name="n")
    html = render(consent_page(outcome))
    assert not {"\u202e", "\x00", "\x1b", "\u200b"} & set(html)


def test_a_remedy_names_the_connection_that_the_page_is_about() -> None:
    outcome = ConsentOutcome("refused", Reason.AUTHORIZATION_FAILED, **WHERE)
    text = " ".join(consent_page(outcome).next)
    assert "'hub authorize billing -n shop'" in text
    assert "NAME" not in text


# Colours


def luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_all_colours_can_be_told_apart_by_light_and_by_dark() -> None:
    palettes = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    ]
    assert [len(palette) for palette in palettes] == [8, 8], "light and dark name the same colours"
    for palette in palettes:
        for name in ("text", "muted", "good", "bad", "wait", "plain"):
            assert contrast(palette[name], palette["page"]) >= 4.5, name
        assert contrast(palette["text"], palette["code"]) >= 4.5
    used = set(chain.from_iterable(re.findall(r"var\(--([a-z]+)\)", line) for line in style().splitlines()))
    assert used == set(palettes[0])


# The address


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example.com/oauth/callback",
        "https://hub.example.com:8443/hub/oauth/callback",
        "http://localhost:8081/oauth/callback",
        "http://127.0.0.1:8081/oauth/callback",
        "http://[::1]:8081/oauth/callback",
        "http://hub.localhost:8081/x",
        "https://10.1.2.3/oauth/callback",
    ],
)
def test_an_address_for_browsers(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hub.example.com/oauth/callback", "everybody on the way could read"),
        ("http://10.1.2.3/oauth/callback", "everybody on the way could read"),
        ("http://localhost.example.com/x", "everybody on the way could read"),
        ("http://0.0.0.0:8081/oauth/callback", "everybody on the way could read"),
        ("https://0.0.0.0/oauth/callback", "no browser can open it"),
        ("https://hub.example.com/oauth/callback?x=1", "a query or a fragment"),
        ("https://hub.example.com/oauth/callback?", "a query or a fragment"),
        ("https://hub.example.com/oauth/callback#x", "a query or a fragment"),
        ("https://ann@hub.example.com/oauth/callback", "a user name"),
        ("https://ann:secret@hub.example.com/oauth/callback", "a user name"),
        ("https://hub.example.com", "has no path"),
        ("https://hub.example.com/", "has no path"),
        ("https://hüb.example.com/oauth/callback", "characters that no address has"),
        ("https://hub.example.com/oauth\\callback", "characters that no address has"),
        ("https://hub.example.com/a b", "characters that no address has"),
        ("hub.example.com/oauth/callback", "is no address like"),
        ("ftp://hub.example.com/oauth/callback", "is no address like"),
        ("javascript:alert(1)", "is no address like"),
        ("https:///oauth/callback", "is no address like"),
        ("https://hub.example.com:notaport/oauth/callback", "is no address like"),
        ("https://[::1/oauth/callback", "is no address like"),
        ("", "is no address like"),
    ],
)
def test_what_is_no_address_for_browsers_and_why(url: str, words: str) -> None:
    problem = url_problem(url)
    assert problem is not None
    assert words in problem
    assert "secret" not in problem


def test_where_browsers_come_back_to_by_default() -> None:
    assert default_url("127.0.0.1", 8081) == "http://localhost:8081/oauth/callback"
    assert default_url("::1", 9000) == "http://localhost:9000/oauth/callback"
    assert default_url("localhost", 9000) == "http://localhost:9000/oauth/callback"
    assert default_url("0.0.0.0", 8081) is None, (
        "others are meant to reach it, by a name that nobody has said"
    )
    assert default_url("10.1.2.3", 8081) is None
