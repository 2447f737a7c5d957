"""Where requests may go: rules about hosts, and the policy about addresses."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.adapters.egress import (
    AddressRefusedError,
    CheckedResolver,
    Detour,
    EgressPolicy,
    HostRule,
    checked_socket,
    normalise_host,
    parse_cidrs,
    parse_detours,
)

NOTHING_LISTED = EgressPolicy()
NAT64 = IPv6Network("64:ff9b::/96")
addresses = st.ip_addresses()


class TestPolicy:
    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("10.0.0.1", "a private address"),
            ("172.16.0.1", "a private address"),
            ("192.168.255.255", "a private address"),
            ("127.0.0.1", "a loopback address"),
            ("0.0.0.0", "an unspecified address"),
            ("169.254.1.1", "a link-local address"),
            ("169.254.169.254", "the address of the cloud's metadata service"),
            ("168.63.129.16", "the address of the cloud's platform service"),
            ("100.64.0.1", "a carrier-grade NAT address"),
            ("100.100.100.200", "a carrier-grade NAT address"),
            ("224.0.0.1", "a multicast address"),
            ("255.255.255.255", "a reserved address"),
            ("198.18.0.1", "a benchmarking address"),
            ("::", "the unspecified address"),
            ("::1", "a loopback address"),
            ("::7f00:1", "a reserved address"),
            ("::ffff:127.0.0.1", "an IPv4-mapped address"),
            ("::ffff:8.8.8.8", "an IPv4-mapped address"),
            ("64:ff9b::7f00:1", "a loopback address"),
            ("64:ff9b::a9fe:a9fe", "the address of the cloud's metadata service"),
            ("64:ff9b:1::808:808", "a local NAT64 address"),
            ("2002:7f00:1::", "a 6to4 address"),
            ("2002:808:808::", "a 6to4 address"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "a Teredo address"),
            ("fd00:ec2::254", "a unique local address"),
            ("fe80::1", "a link-local address"),
            ("fec0::1", "a reserved address"),
            ("ff02::1", "a multicast address"),
            ("5f00::1", "a reserved address"),
            ("2001:db8::1", "a documentation address"),
        ],
    )
    def test_what_is_not_public_is_refused_by_name(self, address: str, words: str) -> None:
        parsed = ip_address(address)
        assert NOTHING_LISTED.refusal(parsed) == f"{parsed} is {words}"

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
    def test_what_is_public_may_be_reached(self, address: str) -> None:
        assert NOTHING_LISTED.refusal(ip_address(address)) is None

    @pytest.mark.parametrize(
        ("listed", "address", "allowed"),
        [
            ("10.0.0.0/8", "10.1.2.3", True),
            ("10.0.0.0/8", "172.16.0.1", False),
            ("10.0.0.0/8", "::ffff:10.1.2.3", True),
            ("10.0.0.0/8", "64:ff9b::a01:203", True),
            ("10.0.0.0/8", "64:ff9b::7f00:1", False),
            ("10.0.0.0/8", "2002:a01:203::", False),
            ("127.0.0.0/8", "::1", False),
            ("fd00::/8", "fd00::1", True),
            ("fd00::/8", "fc00::1", False),
            ("::/0", "127.0.0.1", False),
            ("169.254.169.254/32", "169.254.169.254", True),
        ],
    )
    def test_listing_a_network_opens_that_and_no_more(self, listed: str, address: str, allowed: bool) -> None:
        refusal = EgressPolicy(parse_cidrs([listed])).refusal(ip_address(address))
        assert (refusal is None) == allowed

    def test_an_address_with_a_zone_is_refused_even_if_listed(self) -> None:
        policy = EgressPolicy(parse_cidrs(["fe80::/10"]))
        assert policy.refusal(ip_address("fe80::1")) is None
        assert policy.refusal(ip_address("fe80::1%eth0")) == "fe80::1%eth0 has a zone"

    @given(addresses)
    def test_whatever_python_calls_not_global_is_refused(self, address: IPv4Address | IPv6Address) -> None:
        if not address.is_global:
            assert NOTHING_LISTED.refusal(address) is not None

    @given(addresses, st.integers(0, 32))
    def test_whatever_is_listed_may_be_reached(self, address: IPv4Address | IPv6Address, prefix: int) -> None:
        assert EgressPolicy((ip_network(f"{address}/{prefix}", strict=False),)).refusal(address) is None

    @given(st.ip_addresses(v=4))
    def test_a_nat64_address_fares_like_what_it_embeds(self, address: IPv4Address) -> None:
        embedding = NAT64[int(address)]
        assert (NOTHING_LISTED.refusal(address) is None) == (NOTHING_LISTED.refusal(embedding) is None)

    def test_no_socket_is_made_for_a_forbidden_address(self) -> None:
        info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 1))
        with pytest.raises(AddressRefusedError, match=r"^127\.0\.0\.1 is a loopback address$"):
            checked_socket(NOTHING_LISTED, info)
        with checked_socket(EgressPolicy(parse_cidrs(["127.0.0.1"])), info) as made:
            assert made.family == socket.AF_INET

    @pytest.mark.parametrize(
        ("address", "port", "allowed"),
        [
            ("127.0.0.1", 8443, True),
            ("127.0.0.1", 443, False),
            ("127.0.0.2", 8443, False),
            ("8.8.8.8", 8443, False),
            ("::ffff:127.0.0.1", 8443, False),
            ("64:ff9b::7f00:1", 8443, False),
        ],
    )
    def test_where_only_detours_count_no_socket_is_made_for_anything_else(
        self, address: str, port: int, allowed: bool
    ) -> None:
        policy = EgressPolicy(
            parse_cidrs(["127.0.0.1"]),
            detours=parse_detours(["a.example:443=127.0.0.1:8443"]),
            only_detours=True,
        )
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        info = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
        if allowed:
            checked_socket(policy, info).close()
        else:
            with pytest.raises(AddressRefusedError):
                checked_socket(policy, info)


class TestKnownAddresses:
    async def test_are_those_of_the_last_lookup(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers: dict[str, list[str] | OSError] = {"a.example": ["8.8.8.8", "8.8.8.8", "8.8.4.4"]}

        def look_up(host: str, port: int, *_: object) -> list[object]:
            answer = answers[host]
            if isinstance(answer, OSError):
                raise answer
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

        monkeypatch.setattr(CheckedResolver, "KNOWN", 2)
        resolver = CheckedResolver(NOTHING_LISTED, getaddrinfo=look_up)
        assert resolver.known("a.example") == ()
        await resolver.resolve("a.example", 443)
        assert resolver.known("a.example") == ("8.8.8.8", "8.8.4.4")

        answers["b.example"] = ["8.8.8.8", "10.0.0.1"]
        with pytest.raises(AddressRefusedError):
            await resolver.resolve("b.example", 443)
        assert resolver.known("b.example") == ("8.8.8.8", "10.0.0.1"), "what was refused can be told"

        answers["b.example"] = socket.gaierror(socket.EAI_NONAME, "no such name")
        with pytest.raises(socket.gaierror):
            await resolver.resolve("b.example", 443)
        assert resolver.known("b.example") == ()

        for name in ("c.example", "d.example"):
            answers[name] = ["8.8.8.8"]
            await resolver.resolve(name, 443)
        assert resolver.known("a.example") == (), "the oldest gives way"
        assert resolver.known("d.example") == ("8.8.8.8",)
        assert resolver.known("127.0.0.1") == ("127.0.0.1",)
        await resolver.close()


class TestCidrs:
    def test_networks_and_addresses_are_read(self) -> None:
        assert parse_cidrs([" 10.0.0.0/8", "fd00::/8", "192.168.1.1"]) == (
            IPv4Network("10.0.0.0/8"),
            IPv6Network("fd00::/8"),
            IPv4Network("192.168.1.1/32"),
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("10.0.0.1/8", "'10.0.0.1/8' has bits set below its prefix: write '10.0.0.0/8'"),
            ("10.0.0.0/33", "'10.0.0.0/33' is not a network"),
            (
                "10.0.0.0",
                "'10.0.0.0' is one address, and looks like a network .* '10.0.0.0/24', or '10.0.0.0/32'",
            ),
            ("fd00::", "'fd00::' is one address, and looks like a network .* 'fd00::/64', or 'fd00::/128'"),
            ("internal", "'internal' is not a network"),
            ("", "'' is not a network"),
        ],
    )
    def test_a_mistake_is_explained(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            parse_cidrs(["10.0.0.0/8", text])


class TestHosts:
    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("API.Example.COM", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("bücher。example", "xn--bcher-kva.example"),
            ("a_b.example", "a_b.example"),
            ("1.2.3.4.", "1.2.3.4"),
            ("[2001:DB8:0::1]", "2001:db8::1"),
            ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
            ("\uff11\uff12\uff17.0.0.\uff11", "127.0.0.1"),
        ],
    )
    def test_every_host_has_one_spelling(self, text: str, host: str) -> None:
        # Newer versions of Python write mapped addresses with dots; both are one address.
        assert normalise_host(text) in {host, host.replace("::ffff:7f00:1", "::ffff:127.0.0.1")}

    @pytest.mark.parametrize(
        "text",
        [
            "2130706433", "127.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.01", "127.0.0.0x1", "a.0x",
            "1.2.3.4.5", "256.0.0.1", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "[1.2.3.4]", "::1",
            "", ".", "a..b", "-a.example", "a-.example", "a b", "a\n", "a%2eb", "a\\b",
            "a@b", "a/b", "a:1", "a" * 64, ".".join(["a" * 60] * 5), "\u2100.example",
        ],
    )  # fmt: skip
    def test_what_is_no_host_or_an_unusual_spelling_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError):
            normalise_host(text)

    @given(st.text(st.sampled_from("0123456789abcdefx.\u0663\uff11"), max_size=20))
    def test_nothing_but_the_usual_spelling_passes_for_an_address(self, text: str) -> None:
        try:
            host = normalise_host(text)
        except ValueError:
            return
        try:
            read = socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            return
        assert read == host

    @given(st.text(max_size=30))
    def test_the_one_spelling_stays_as_it_is(self, text: str) -> None:
        try:
            host = normalise_host(text)
        except ValueError:
            return
        assert host.isascii()
        assert host == host.lower()
        assert normalise_host(f"[{host}]" if ":" in host else host) == host


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "scheme", "host", "port", "allowed"),
        [
            ("api.example.com", "https", "api.example.com", 443, True),
            ("api.example.com", "https", "API.example.com.", 443, True),
            ("API.EXAMPLE.com.", "https", "api.example.com", 443, True),
            ("api.example.com", "https", "api.example.com", 8443, False),
            ("api.example.com", "http", "api.example.com", 80, False),
            ("api.example.com", "http", "api.example.com", 443, False),
            ("api.example.com", "https", "example.com", 443, False),
            ("api.example.com", "https", "api.example.com.evil.example", 443, False),
            ("api.example.com", "https", "x.api.example.com", 443, False),
            ("api.example.com", "https", "xapi.example.com", 443, False),
            ("api.example.com", "https", "not a host", 443, False),
            ("https://api.example.com", "https", "api.example.com", 443, True),
            ("api.example.com:8443", "https", "api.example.com", 8443, True),
            ("api.example.com:8443", "https", "api.example.com", 443, False),
            ("*.example.com", "https", "api.example.com", 443, True),
            ("*.example.com", "https", "a.b.example.com", 443, True),
            ("*.example.com", "https", "example.com", 443, False),
            ("*.example.com", "https", "badexample.com", 443, False),
            ("*.example.com:8443", "https", "a.example.com", 8443, True),
            ("http://127.0.0.1:8080", "http", "127.0.0.1", 8080, True),
            ("http://127.0.0.1:8080", "https", "127.0.0.1", 8080, False),
            ("http://127.0.0.1:8080", "http", "127.1", 8080, False),
            ("http://localhost", "http", "localhost", 80, True),
            ("[::1]:8443", "https", "::1", 8443, True),
            ("[::1]:8443", "https", "[::1]", 8443, True),
            ("[0:0::1]", "https", "::1", 443, True),
            ("bücher.example", "https", "xn--bcher-kva.example", 443, True),
            ("xn--bcher-kva.example", "https", "BÜCHER.example", 443, True),
        ],
    )
    def test_a_rule_allows_what_it_names(
        self, rule: str, scheme: str, host: str, port: int, allowed: bool
    ) -> None:
        assert HostRule.parse(rule).allows(scheme, host, port) == allowed

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is not a host"),
            ("*", "is not a host"),
            ("ftp://example.com", "is not a host"),
            ("https://user@example.com", "is not a host"),
            ("example.com/path", "is not a host"),
            ("example.com?x", "is not a host"),
            ("api.*.example.com", "is not a host"),
            ("**.example.com", "is not a host"),
            ("example.com:", "is not a host"),
            ("example.com:port", "is not a host"),
            ("a b.example.com", "is not a host"),
            ("example.com\n", "is not a host"),
            ("::1", "is not a host"),
            ("example.com:0", "has no port between 1 and 65535"),
            ("example.com:65536", "has no port between 1 and 65535"),
            ("127.1", "in its usual spelling"),
            ("[fe80::1%eth0]", "in its usual spelling"),
            ("*.com", "allows too much"),
            ("*.0.0.1", "in its usual spelling"),
            ("*.127.0.0.1", "allows too much"),
        ],
    )
    def test_a_mistake_is_explained(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            HostRule.parse(text)

    labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
    names = st.lists(labels, min_size=2, max_size=4).map(".".join)

    @given(names, st.integers(1, 65535), names, st.integers(1, 65535))
    def test_a_rule_allows_its_own_host_and_port_alone(
        self, host: str, port: int, other: str, other_port: int
    ) -> None:
        rule = HostRule.parse(f"{host}:{port}")
        assert rule.allows("https", host, port)
        assert rule.allows("https", f"{host.upper()}.", port)
        assert rule.allows("https", other, other_port) == ((other, other_port) == (host, port))

    @given(names, names)
    def test_a_wildcard_allows_what_is_below_it_alone(self, domain: str, other: str) -> None:
        rule = HostRule.parse(f"*.{domain}")
        labels = domain.split(".")
        for host in (domain, other, f"{other}.{domain}", f"{other}{domain}", f"{domain}.{other}"):
            found = host.split(".")
            is_below = len(found) > len(labels) and found[-len(labels) :] == labels
            assert rule.allows("https", host, 443) == is_below

    @given(st.text(max_size=30))
    def test_any_text_is_either_a_rule_or_a_mistake(self, text: str) -> None:
        try:
            HostRule.parse(text)
        except ValueError:
            return


class TestDetour:
    def test_it_is_for_one_host_and_one_port(self) -> None:
        detour = Detour.parse("API.example.com:443=127.0.0.1:8443")
        assert detour == Detour("api.example.com", 443, "127.0.0.1", 8443)
        assert detour.applies("api.example.com", 443)
        assert not detour.applies("api.example.com", 8443)
        assert not detour.applies("www.api.example.com", 443)

    def test_a_wildcard_is_for_all_below(self) -> None:
        detour = Detour.parse("*.example.com:443=[::1]:8443")
        assert (detour.address, detour.address_port, detour.below) == ("::1", 8443, True)
        assert detour.applies("a.b.example.com", 443)
        assert not detour.applies("example.com", 443)
        assert not detour.applies("badexample.com", 443)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("api.example.com=127.0.0.1:8443", "HOST:PORT=ADDRESS:PORT"),
            ("api.example.com:443", "HOST:PORT=ADDRESS:PORT"),
            ("api.example.com:443=127.0.0.1", "HOST:PORT=ADDRESS:PORT"),
            ("https://api.example.com:443=127.0.0.1:8443", "HOST:PORT=ADDRESS:PORT"),
            ("10.0.0.1:443=127.0.0.1:8443", "begins with an address"),
            ("api.example.com:443=localhost:8443", "leads to a name"),
            ("api.example.com:0=127.0.0.1:8443", "no port between 1 and 65535"),
            ("api.example.com:443=127.0.0.1:99999", "no port between 1 and 65535"),
            ("api.example.com:443=127.1:8443", "usual spelling"),
        ],
    )
    def test_what_is_none_is_refused_in_words(self, text: str, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            parse_detours([text])

    async def test_the_resolver_looks_no_name_up_and_gives_the_other_port(self) -> None:
        def look_up(*_: object) -> list[object]:
            raise AssertionError("nothing is looked up")

        policy = EgressPolicy(
            parse_cidrs(["127.0.0.0/8"]), detours=parse_detours(["a.example:443=127.0.0.1:8443"])
        )
        resolver = CheckedResolver(policy, getaddrinfo=look_up)
        (found,) = await resolver.resolve("a.example", 443)
        assert (found["hostname"], found["host"], found["port"]) == ("a.example", "127.0.0.1", 8443)
        assert resolver.known("a.example") == ("127.0.0.1",)
        await resolver.close()

    async def test_the_policy_judges_its_address_like_any_other(self) -> None:
        policy = EgressPolicy(detours=parse_detours(["a.example:443=10.0.0.7:443"]))
        resolver = CheckedResolver(policy)
        with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.7 is a private address"):
            await resolver.resolve("a.example", 443)
        await resolver.close()
