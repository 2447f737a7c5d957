"""Where systems put their error codes, and what is made of what else there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.probe.answer_codes import codes_in, words_in, xml_error

DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'


class TestJSON:
    def test_the_number_that_microsoft_explains_goes_before_the_word_that_it_shares_with_many(self) -> None:
        refusal = {
            "error": "invalid_client",
            "error_description": "AADSTS7000222: The provided client secret keys for app are expired.",
            "error_codes": [7000222],
        }
        assert list(codes_in(refusal)) == ["7000222", "invalid_client"]


class TestXML:
    @pytest.mark.parametrize(
        ("text", "code", "words", "whose"),
        [
            (
                DECLARED + "<Error><Code>SignatureDoesNotMatch</Code><Message>It does not.</Message>"
                "<Key>a</Key></Error>",
                "SignatureDoesNotMatch",
                "it does not.",
                "S3",
            ),
            (
                '<ErrorResponse xmlns="https://sts.example/doc/"><Error><Code>InvalidClientTokenId</Code></Error>',
                "InvalidClientTokenId",
                "",
                "STS and IAM",
            ),
            (
                DECLARED + "<Response><Errors><Error><Code>AuthFailure</Code><Message>No.</Message></Error>"
                "</Errors></Response>",
                "AuthFailure",
                "no.",
                "EC2",
            ),
            (
                "\ufeff"
                + DECLARED
                + "<Error><Code>AuthenticationFailed</Code><Message>No.\nTime: now</Message>"
                "</Error>",
                "AuthenticationFailed",
                "no.\ntime: now",
                "Azure Storage, with a byte order mark",
            ),
        ],
    )
    def test_an_error_is_read_as_if_it_were_json(self, text: str, code: str, words: str, whose: str) -> None:
        document = xml_error(text.encode())
        assert list(codes_in(document)) == [code], whose
        assert words_in(document) == words, whose

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "nothing"),
            ("<html><body><Code>AccessDenied</Code></body></html>", "a web page"),
            (DECLARED + "<ListAllMyBucketsResult><Code>x</Code></ListAllMyBucketsResult>", "an answer"),
            ("AccessDenied <Error><Code>AccessDenied</Code></Error>", "words before it"),
            ("<Errors><Code>AccessDenied</Code></Errors>", "another root"),
        ],
    )
    def test_anything_else_is_none(self, text: str, reason: str) -> None:
        assert xml_error(text.encode()) is None, reason

    @pytest.mark.parametrize(
        "inside",
        [
            "",
            "<Code></Code>",
            "<Code><b>x</b></Code>",
            "<Code>x</Message>",
            f"{'x' * 10_000}<Code>late</Code>",
        ],
    )
    def test_an_error_without_a_readable_code_has_none(self, inside: str) -> None:
        assert list(codes_in(xml_error(f"<Error>{inside}</Error>".encode()))) == []

    @given(st.binary(max_size=200) | st.text("<?xml>ErroCd/ &;", max_size=200).map(str.encode))
    def test_nothing_that_comes_does_any_harm(self, body: bytes) -> None:
        document = xml_error(body)
        assert words_in(document) == "" or document is not None
