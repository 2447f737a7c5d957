"""What a form asks, in which words and which order; one definition with everything that a form can have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_hub.forms.interview import Interview
from integration_hub.forms.manifests import (
    answers_of,
    edited,
    instance_manifest,
    secret_changes,
    secret_manifest,
)
from integration_hub.forms.naming import free_name, object_name
from integration_hub.forms.question import (
    AnswerError,
    Answers,
    Choice,
    Kind,
    Page,
    Question,
    about,
    problem_of,
    read_answer,
    shown,
    typed,
)
from integration_hub.forms.surroundings import Current, SecretSeen
from integration_hub.reconcile.definition import check_definition
from support.certificates import Authority
from support.form_schemas import connection, interview_of

SPEC: dict[str, Any] = {
    "displayName": "Acme",
    "configSchema": {
        "type": "object",
        "required": ["subdomain", "apiToken"],
        "properties": {
            "subdomain": {
                "type": "string",
                "title": "Subdomain",
                "description": "The part before .example.com.",
                "pattern": "^[a-z0-9-]+$",
                "x-hub-pattern-message": "must be lower-case letters, digits and '-', like 'acme'",
                "examples": ["acme"],
                "x-hub-order": 1,
            },
            "region": {"type": "string", "enum": ["eu", "us"], "default": "eu"},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 443},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2},
            "verify": {"type": "boolean"},
            "caCertificate": {
                "type": "string",
                "title": "Certificate authority (PEM)",
                "x-hub-multiline": True,
            },
            "apiToken": {"type": "string", "title": "API token", "x-hub-secret": True},
            "proxy": {
                "type": "object",
                "title": "Proxy",
                "required": ["host"],
                "properties": {
                    "host": {"type": "string", "format": "hostname"},
                    "port": {"type": "integer", "default": 3128},
                },
            },
            "hosting": {
                "title": "Where does it run?",
                "oneOf": [
                    {
                        "type": "object",
                        "title": "In the vendor's cloud",
                        "required": ["type"],
                        "properties": {"type": {"type": "string", "const": "cloud"}},
                    },
                    {
                        "type": "object",
                        "title": "On your own server",
                        "required": ["type", "address"],
                        "properties": {
                            "type": {"type": "string", "const": "server"},
                            "address": {"type": "string", "format": "uri"},
                        },
                    },
                ],
            },
        },
    },
    "baseURL": "https://api.example.com",
    "allowedHosts": ["api.example.com"],
    "authMethods": [
        {
            "name": "token",
            "type": "apiKey",
            "displayName": "API token",
            "description": "Settings > API > New token.",
            "settings": {"secretKey": "apiToken"},
        },
        {"name": "password", "type": "basicAuth", "settings": {"passwordRequired": False}},
        {"name": "certificate", "type": "custom", "settings": {"mtls": {}}},
        {
            "name": "consent",
            "type": "oauth2",
            "settings": {
                "authorizationURL": "https://api.example.com/auth",
                "tokenURL": "https://api.example.com/token",
            },
        },
    ],
    "tests": [{"name": "t", "default": True, "request": {"path": "/"}}],
    "templates": [{"name": "us", "displayName": "United States", "config": {"region": "us", "port": 8443}}],
    "wizard": {
        "steps": [
            {"title": "Which account?", "help": "Ask your administrator.", "fields": ["subdomain", "region"]},
            {"title": "Where is it?", "fields": ["hosting", "subdomain"]},
        ]
    },
}


def interview(current: Current | None = None, **around: Any) -> Interview:
    return interview_of(check_definition({"metadata": {"name": "acme"}, "spec": SPEC}), current, **around)


def asked(of: Interview, answers: Answers) -> list[str]:
    return [question.key for question in of.questions(answers) if question.is_asked]


def question(key: str, **answers: Any) -> Question:
    found = interview().question(key, Answers({name.replace("__", "."): v for name, v in answers.items()}))
    assert found is not None
    return found


def test_the_order_is_that_of_the_wizard_and_then_of_the_schema_each_field_once() -> None:
    assert asked(interview(), Answers()) == [
        "template",
        "config.subdomain",
        "config.region",
        "config.hosting",
        "config.port",
        "config.tags",
        "config.verify",
        "config.caCertificate",
        "config.proxy",
        "auth.method",
        "displayName",
        "name",
        "secret.key.apiToken",
        "scope.type",
        "roles",
    ]


def test_a_question_has_the_words_of_the_definition() -> None:
    found = question("config.subdomain")
    assert (found.title, found.help, found.examples) == (
        "Subdomain",
        "The part before .example.com.",
        ("acme",),
    )
    assert (found.page.title, found.page.help) == ("Which account?", "Ask your administrator.")
    assert found.must_be_answered
    assert question("config.tags").page.title == "Further settings"


def test_what_the_template_answers_is_not_asked_and_can_be_changed() -> None:
    answers = Answers({"template": "us"})
    assert {"config.region", "config.port"}.isdisjoint(asked(interview(), answers))
    port = interview().question("config.port", answers)
    assert port is not None
    assert (port.fallback, port.answered_by) == (8443, "template 'us'")


def test_of_a_choice_between_groups_only_the_selected_one_is_asked_and_both_keep_their_answers() -> None:
    form = interview()
    cloud, server = Answers({"config.hosting": "cloud"}), Answers({"config.hosting": "server"})
    assert "config.hosting(server).address" not in asked(form, cloud)
    assert "config.hosting(server).address" in asked(form, server)
    titles = [choice.title for choice in question("config.hosting").choices]
    assert titles == ["In the vendor's cloud", "On your own server"]
    answers = server.with_answer("config.hosting(server).address", "https://acme.example.com")
    there_and_back = answers.with_answer("config.hosting", "cloud").with_answer("config.hosting", "server")
    assert (
        form.form(there_and_back).written(there_and_back)["hosting"]["address"] == "https://acme.example.com"
    )
    elsewhere = answers.with_answer("config.hosting", "cloud")
    assert form.form(elsewhere).written(elsewhere)["hosting"] == {"type": "cloud"}


def test_an_optional_group_is_asked_for_first_and_then_its_members() -> None:
    form = interview()
    assert "config.proxy.host" not in asked(form, Answers({"config.proxy": False}))
    assert {"config.proxy.host", "config.proxy.port"} <= set(asked(form, Answers({"config.proxy": True})))


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("config.subdomain", "ACME", "must be lower-case letters, digits and '-', like 'acme'"),
        ("config.subdomain", " ", "is required"),
        ("config.port", "http", "must be a whole number, not text"),
        ("config.port", "0", "must be at least 1"),
        ("config.region", "ue", "must be one of: eu, us"),
        ("config.verify", "maybe", "must be true or false, not text"),
        ("config.tags", "a, abcde", "entry 2 must have at most 4 characters (it has 5)"),
        ("config.tags", "a,b,c", "must have at most 2 entries (it has 3)"),
        ("config.tags", '"a', "has a '\"' that does not end; write one within an entry twice"),
        ("name", "My Acme", "must be lower-case letters, digits, '-' and '.', like 'salesforce-production'"),
        (
            "secret.key.apiToken",
            "abc\n",
            "ends with a line break, which 'echo' adds; write it with 'printf %s'",
        ),
        ("secret.key.apiToken", " abc", "begins or ends with a space or tab"),
        ("secret.key.apiToken", "  ", "begins or ends with a space or tab"),
        ("secret.key.apiToken", "", "is required"),
    ],
)
def test_a_wrong_answer_is_told_in_the_operators_words(key: str, text: str, words: str) -> None:
    assert problem_of(question(key), text) == words


CHOICE = Question(
    "auth",
    "How does it authenticate?",
    page=Page(""),
    kind=Kind.CHOICE,
    has_names=True,
    required=True,
    choices=(
        Choice("basic", "User name"),
        Choice("bearer", "Bearer token"),
        Choice("open", "Without a credential"),
    ),
)


@pytest.mark.parametrize("text", ["Bearer", "bear", "bearer token", "BEARER", "2"])
def test_a_choice_is_taken_by_its_number_its_name_or_a_beginning_that_is_no_others(text: str) -> None:
    assert read_answer(CHOICE, text) == "bearer"


def test_a_wrong_choice_is_told_with_what_the_list_shows() -> None:
    known = "must be one of: User name (basic), Bearer token (bearer), Without a credential (open)"
    assert problem_of(CHOICE, "digest") == known
    assert problem_of(CHOICE, "b") == known  # begins two of them
    bare = replace(CHOICE, has_names=False)
    assert problem_of(bare, "digest") == "must be one of: User name, Bearer token, Without a credential"


def test_a_flag_chooses_by_the_whole_name_alone() -> None:
    assert read_answer(CHOICE, "bearer", is_flag=True) == "bearer"
    for text in ("bear", "2"):
        with pytest.raises(AnswerError, match=r"^must be one of: basic, bearer, open"):
            read_answer(CHOICE, text, is_flag=True)


def test_what_was_chosen_is_typed_as_the_list_has_it_unless_that_means_another() -> None:
    assert typed(CHOICE, "bearer") == "Bearer token"
    crossed = replace(CHOICE, choices=(Choice("a", "b"), Choice("b", "a")))
    assert [read_answer(crossed, typed(crossed, value)) for value in "ab"] == ["a", "b"]


def test_what_is_wrong_is_a_sentence_for_questions_and_for_names_of_fields() -> None:
    assert about("Which customer?", "is required") == "The answer to 'Which customer?' is required"
    assert about("Port", "is required") == "Port is required"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("config.port", " 8443 ", 8443),
        ("config.port", "", None),
        ("config.region", "US", "us"),
        ("config.region", "2", "us"),
        ("config.verify", "Yes", True),
        ("config.verify", "no", False),
        ("config.tags", 'a, "b,"', ["a", "b,"]),
        ("config.tags", '["a", "b"]', ["a", "b"]),
        ("config.tags", "a\nb\n", ["a", "b"]),
        ("config.hosting", "on your own server", "server"),
        ("config.caCertificate", "-----BEGIN\nx\n", "-----BEGIN\nx\n"),
        ("template", "United States", "us"),
    ],
)
def test_a_typed_answer_becomes_a_value_of_the_schemas_type(key: str, text: str, value: Any) -> None:
    assert read_answer(question(key), text) == value


def test_a_required_list_may_be_empty_unless_the_schema_says_otherwise() -> None:
    several = Question("k", "Tags", page=question("config.tags").page, kind=Kind.LIST, required=True)
    assert read_answer(several, "") == []
    with pytest.raises(AnswerError, match="is required"):
        read_answer(question("config.subdomain"), "")


def test_the_secret_holds_the_methods_keys_and_the_schemas_secret_fields() -> None:
    form = interview()
    assert [needed.title for needed in form.keys(Answers())] == ["API token"]
    password = form.keys(Answers({"auth.method": "password"}))
    assert [(needed.key.name, needed.title, needed.key.required) for needed in password] == [
        ("username", "User name", True),
        ("password", "Password", False),
    ]
    certificate = form.keys(Answers({"auth.method": "certificate"}))
    assert [(needed.key.name, needed.key.multiline) for needed in certificate] == [
        ("tls.crt", True),
        ("tls.key", True),
    ]


def test_values_that_can_never_be_sent_together_are_told_before_anything_is_sent() -> None:
    answers = Answers(
        {
            "config.subdomain": "acme",
            "auth.method": "password",
            "secret.key.username": "jane:doe",
            "secret.key.password": "p",
        }
    )
    (problem,) = interview().problems(answers)
    assert problem.together == (problem.key,) == ("secret.key.username",)
    assert problem.sentence.startswith(
        "The value of the key 'username' is a user name, which cannot contain ':'"
    )
    assert problem.sentence.endswith(".")
    assert not problem.sentence.endswith("..")
    assert "jane" not in problem.message


def test_values_that_do_not_belong_together_are_all_to_be_entered_again() -> None:
    shown, other = (Authority("Acme").issue("hub", for_server=False) for _ in range(2))
    answers = Answers(
        {
            "config.subdomain": "acme",
            "auth.method": "certificate",
            "secret.key.tls.crt": shown.chain,
            "secret.key.tls.key": other.key,
        }
    )
    (problem,) = interview().problems(answers)
    assert problem.together == ("secret.key.tls.crt", "secret.key.tls.key")
    assert problem.remedy == ("The private key in 'tls.key' does not belong to the certificate in 'tls.crt'.")


def test_only_secrets_that_fit_are_offered() -> None:
    secrets = {
        seen.name: seen
        for seen in (
            SecretSeen("fits", frozenset({"apiToken", "other"})),
            SecretSeen("lacks-it", frozenset({"token"})),
            SecretSeen("helm", frozenset({"apiToken"}), type="helm.sh/release.v1"),
            SecretSeen("of-a-binding", frozenset({"apiToken"}), is_made=True),
        )
    }
    form = interview(secrets=secrets)
    found = form.question("secret.use", Answers())
    assert found is not None
    assert [choice.value for choice in found.choices] == ["new Secret", "fits"]
    answers = Answers({"config.subdomain": "acme", "secret.use": "fits"})
    assert form.problems(answers) == []
    assert secret_manifest(form, answers) is None
    assert secret_changes(form, answers) is None
    assert instance_manifest(form, answers)["spec"]["auth"]["secretRef"] == {"name": "fits"}


def test_a_secret_or_connection_that_exists_is_never_proposed_nor_taken() -> None:
    form = interview(
        names={"acme": "Acme"}, secrets={"acme-2-credentials": SecretSeen("acme-2-credentials", frozenset())}
    )
    assert form.name(Answers()) == "acme-2"
    assert form.display_name(Answers()) == "Acme 2"
    assert form.secret_name(Answers()) == "acme-2-credentials-2"
    for key, text, words in (
        ("name", "acme", "is taken: there is an IntegrationInstance 'acme'"),
        ("displayName", "Acme", "is the name of the connection 'acme' already"),
        ("secret.name", "acme-2-credentials", "it is not overwritten"),
    ):
        found = form.question(key, Answers())
        assert found is not None
        assert words in str(problem_of(found, text))


def test_everything_that_is_missing_is_listed_at_once_with_its_flag() -> None:
    missing = interview().problems(Answers({"config.hosting": "server", "scope.type": "client"}))
    assert [(problem.title, problem.flag) for problem in missing] == [
        ("Subdomain", "--set subdomain=..."),
        ("address", "--set hosting.address=..."),
        ("API token", "--secret-from-file apiToken=FILE or --secret-from-env apiToken=VARIABLE"),
        ("Which customer?", "--scope-id ..."),
    ]


def test_the_manifest_says_only_what_template_and_defaults_do_not() -> None:
    answers = Answers(
        {
            "template": "us",
            "config.subdomain": "acme",
            "config.port": 443,
            "config.region": "us",
            "config.hosting": "cloud",
            "secret.key.apiToken": "a-token",
            "scope.type": "user",
            "scope.id": "jane",
            "roles": ["admin"],
        }
    )
    form = interview()
    assert instance_manifest(form, answers) == {
        "apiVersion": "integrationhub.dev/v1alpha1",
        "kind": "IntegrationInstance",
        "metadata": {"name": "acme-united-states", "namespace": "shop"},
        "spec": {
            "displayName": "Acme - United States",
            "definitionRef": {"name": "acme"},
            "template": "us",
            "config": {"subdomain": "acme", "port": 443, "hosting": {"type": "cloud"}},
            "auth": {"method": "token", "secretRef": {"name": "acme-united-states-credentials"}},
            "scope": {"type": "user", "id": "jane"},
            "permissions": {"roles": ["admin"]},
        },
    }
    secret = secret_manifest(form, answers)
    assert secret is not None
    assert secret["data"] == {"apiToken": "YS10b2tlbg=="}
    assert "ownerReferences" not in secret["metadata"]


STORED = SecretSeen("stored", frozenset({"username", "password"}), changed="2026-11-01")


def editing(**spec: Any) -> tuple[Interview, Answers]:
    whole = {
        "definitionRef": {"name": "acme"},
        "config": {"subdomain": "acme", "port": 443},
        "auth": {"method": "password", "secretRef": {"name": "stored"}},
        "monitor": {"interval": "1h"},
    }
    current = connection(whole | spec, secret=STORED)
    form = interview(current, secrets={"stored": STORED}, names={"mine": "mine"})
    return form, answers_of(form, current)


def test_an_edit_shows_what_is_stored_and_never_a_value_of_it() -> None:
    form, answers = editing()
    found = form.question("secret.do.username", answers)
    assert found is not None
    assert found.help == "Stored, changed 2026-11-01."
    assert [choice.value for choice in found.choices] == ["keep", "replace"]
    optional = form.question("secret.do.password", answers)
    assert optional is not None
    assert [choice.value for choice in optional.choices] == ["keep", "replace", "remove"]
    assert not [key for key in answers if key.startswith("secret.key.")]
    assert "secret.key.username" not in asked(form, answers)


def test_who_replaces_a_value_is_told_whom_else_that_concerns() -> None:
    kept = SecretSeen("stored", frozenset({"username"}), keeper="External Secrets (ExternalSecret 'e')")
    current = connection(
        {"definitionRef": {"name": "acme"}, "auth": {"method": "password", "secretRef": {"name": "stored"}}},
        secret=kept,
    )
    form = interview(current, users={"stored": ("mine", "reporting")})
    found = form.question("secret.do.username", answers_of(form, current))
    assert found is not None
    assert found.help == (
        "Stored. What is changed here is changed for others, too: reporting. External Secrets (ExternalSecret 'e')"
        " keeps the Secret: what is replaced here alone does not last."
    )


def test_secrets_that_are_kept_are_neither_cleared_nor_written() -> None:
    form, before = editing()
    answers = before.with_answer("config.port", 8443)
    assert secret_changes(form, answers) is None
    assert edited(form, before, answers)["auth"] == {"method": "password", "secretRef": {"name": "stored"}}
    replaced = answers.with_answer("secret.do.username", "replace").with_answer("secret.key.username", "jane")
    assert secret_changes(form, replaced) == {"data": {"username": "amFuZQ=="}}
    removed = answers.with_answer("secret.do.password", "remove")
    assert secret_changes(form, removed) == {"data": {"password": None}}
    # What was typed before somebody decides to keep the stored value is not written.
    kept = replaced.with_answer("secret.do.username", "keep")
    assert secret_changes(form, kept) is None


def test_a_field_that_the_definition_does_not_have_goes_only_when_that_was_answered() -> None:
    form, before = editing(config={"subdomain": "acme", "prot": 1})
    assert edited(form, before, before)["config"] == {"subdomain": "acme", "prot": 1}
    assert "drop.prot" in asked(form, before)
    assert edited(form, before, before.with_answer("drop.prot", None))["config"] == {"subdomain": "acme"}


MODES: dict[str, Any] = {
    "title": "How does it run?",
    "oneOf": [
        {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"const": kind, "type": "string"}, "host": {"type": "string"}},
        }
        for kind in "abc"
    ],
}
WITH_MODES: dict[str, Any] = {
    **SPEC,
    "configSchema": {
        "type": "object",
        "required": ["mode"],
        "properties": {
            "mode": MODES,
            "proxy": {"type": "object", "properties": {"host": {"type": "string"}}},
        },
    },
    "authMethods": [{"name": "key", "type": "apiKey"}],
    "templates": [
        {"name": "b-preset", "config": {"mode": {"kind": "b", "host": "from-b"}, "proxy": {}}},
        {"name": "c-preset", "config": {"mode": {"kind": "c"}}},
        {"name": "nothing-preset", "config": {}},
    ],
    "wizard": None,
}


@pytest.mark.parametrize("template", ["c-preset", "nothing-preset", None])
@pytest.mark.parametrize(
    ("stands", "answered", "written"),
    [
        ({}, {"config.mode": "b"}, {"mode": {"kind": "b"}}),
        (
            {"mode": {"host": "mine"}},
            {"config.mode": "b"},
            {"mode": {"kind": "b", "host": "mine"}},
        ),
        (
            {"mode": {"kind": None, "host": "mine"}},
            {"config.mode": "b"},
            {"mode": {"kind": "b", "host": "mine"}},
        ),
        (
            {"mode": {"kind": "b"}},
            {"config.proxy": True},
            {"mode": {"kind": "b"}, "proxy": {}},
        ),
    ],
    ids=["a branch", "a branch of what stands there", "a branch beside a null", "a group without members"],
)
def test_what_the_former_template_said_is_written_where_it_is_answered_and_the_new_one_does_not_say_it(
    template: str | None, stands: dict[str, Any], answered: dict[str, Any], written: dict[str, Any]
) -> None:
    current = connection(
        {
            "definitionRef": {"name": "acme"},
            "template": "b-preset",
            "config": stands,
            "auth": {"method": "key", "secretRef": {"name": "stored"}},
        },
        secret=STORED,
    )
    form = interview_of(check_definition({"metadata": {"name": "acme"}, "spec": WITH_MODES}), current)
    before = answers_of(form, current)
    answers = Answers({**before, **answered, "template": template})
    assert edited(form, before, answers)["config"] == written


def test_a_number_is_written_where_yes_stood_though_python_takes_one_for_the_other() -> None:
    branches = [
        {
            "type": "object",
            "required": ["kind", "limit"],
            "properties": {"kind": {"type": "string", "const": kind}, "limit": {"type": of}},
        }
        for kind, of in (("a", "boolean"), ("b", "integer"))
    ]
    schema = {"type": "object", "properties": {"mode": {"oneOf": branches}}}
    spec = {**WITH_MODES, "configSchema": schema, "templates": []}
    current = connection({"config": {"mode": {"kind": "a", "limit": True}}, "auth": {"method": "key"}})
    form = interview_of(check_definition({"metadata": {"name": "acme"}, "spec": spec}), current)
    before = answers_of(form, current)
    answers = Answers({**before, "config.mode": "b", "config.mode(b).limit": 1})
    assert repr(edited(form, before, answers)["config"]["mode"]["limit"]) == "1"


def test_a_summary_shows_no_secret_and_of_a_long_text_only_where_it_begins() -> None:
    assert shown(question("secret.key.apiToken"), "hidden") == "(entered, not shown)"
    pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
    assert shown(question("config.caCertificate"), pem) == "-----BEGIN CERTIFICATE----- (and 2 more lines)"
    assert shown(question("config.hosting"), "server") == "On your own server"


def test_names_are_made_from_words() -> None:
    assert object_name("Größe - Prod (EU)") == "grosse-prod-eu".replace("grosse", "groe")
    assert object_name("日本") == "connection"
    assert free_name("Acme", ["ACME", "acme 2"], separator=" ") == "Acme 3"
