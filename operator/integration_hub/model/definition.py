"""IntegrationDefinition: a catalog entry. Says what an external system needs to know and how a connection is proved."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from integration_hub.model.base import Model, ObjectMeta
from integration_hub.model.conditions import Condition
from integration_hub.model.schema import (
    Description,
    DisplayName,
    EntryName,
    HttpsURL,
    JsonObject,
    SecretKeyName,
    atomic_list,
    cel,
    every_rule,
    list_map,
)
from integration_hub.model.testing import ConnectionTest, FailureRule, TextValue

AllowedHost = Annotated[
    str,
    Field(
        min_length=1,
        max_length=300,
        json_schema_extra=cel(
            (
                "self.matches('^(http://)?([*][.])?"
                "([A-Za-z0-9.-]|\\\\{\\\\{ *config[.][A-Za-z0-9_]+ *\\\\}\\\\})+(:[0-9]+)?$')",
                "must be a host, like 'api.example.com', 'api.example.com:8443', '*.example.com' or"
                " '{{ config.host }}'; no path, no https:// prefix (http:// marks a host that may be reached in clear)",
            )
        ),
    ),
]


BaseURL = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        json_schema_extra=cel(
            (
                "self.matches('^(https?://[^/]|\\\\{\\\\{ *config[.][A-Za-z0-9_]+ *\\\\}\\\\})')",
                "must start with https:// or be a configured address, like 'https://api.example.com' or"
                " '{{ config.server }}'",
            ),
            (
                "!self.matches('^https?://[^/]*@')",
                "must not hold a user name or password: credentials come from the Secret that the instance names",
            ),
            (
                "!self.contains('?') && !self.contains('#')",
                "must not have a query (?...) or fragment (#...): parameters go into the tests' requests",
            ),
        ),
    ),
]
"""An address below which requests go. Whether it may be reached in clear, `DefinitionSpec` decides by its hosts."""

_MAY_BE_IN_CLEAR = "self.allowedHosts.exists(h, h.startsWith('http://'))"
_NOT_IN_CLEAR = (
    "must start with https://, unless allowedHosts marks a host that may be reached in clear,"
    " like 'http://localhost:8080'"
)


class CredentialHelp(Model):
    """What a person needs to know of one key of the Secret that an auth method reads."""

    key: SecretKeyName
    """Key of the Secret that this is about, like 'clientSecret'; the method must read it."""
    display_name: DisplayName | None = None
    """Words that the external system's own pages have for it, like 'Consumer key'."""
    description: Description | None = None
    """Where a person finds it, or has it made."""
    example: Annotated[str, Field(max_length=200)] | None = None
    """What it looks like, shortened, like 'xoxb-…'; never a real one."""


class AuthMethod(Model):
    """One way to authenticate that the external system offers."""

    name: EntryName
    """Name that instances choose in `spec.auth.method`, like 'api-key'."""
    type: Annotated[str, Field(min_length=1, max_length=40)]
    """Type of authentication, like 'apiKey' or 'basicAuth'. The operator's documentation lists all types."""
    display_name: DisplayName | None = None
    """Words that a person choosing a method reads."""
    description: Description | None = None
    """What this method needs and where the external system hands it out."""
    settings: JsonObject = {}
    """Settings of this type, checked by the operator; what is wrong shows in the definition's Ready condition."""
    test: EntryName | None = None
    """Name of the definition's test that proves this method, where the default one cannot. It then takes the default
    test's part for the instances that use this method: they all make it, and it decides first if they are Ready."""
    base_url: Annotated[BaseURL | None, Field(alias="baseURL")] = None
    """Address below which requests go with this method, where it is not the definition's `baseURL`. Its host must be
    among `allowedHosts`, too."""
    headers: Annotated[dict[str, TextValue], Field(max_length=50)] = {}
    """Headers of every test's request that is made with this method; a test's own header of the same name wins.
    Values may use '{{ config.field }}'; a secret never stands here."""
    credentials: Annotated[list[CredentialHelp], Field(json_schema_extra=list_map("key", max_items=20))] = []
    """What people need to know of the keys that the method reads from the Secret."""
    failures: Annotated[list[FailureRule], Field(json_schema_extra=atomic_list(max_items=30))] = []
    """Refusals of this method's requests for tokens that are recognised by their answer; the first that holds is told.
    `reason` is one that a request for a token can end with, like 'CredentialsExpired'."""


class ConfigTemplate(Model):
    """A named preset of configuration, like 'sandbox'. An instance's own config wins over it, field by field."""

    name: EntryName
    """Name that instances choose in `spec.template`."""
    display_name: DisplayName | None = None
    """Words that a person choosing a template reads."""
    description: Description | None = None
    """When to choose this template."""
    config: JsonObject = {}
    """Values of configSchema's fields that this template presets."""


class WizardStep(Model):
    """One page of the guided form that asks for the configuration."""

    title: DisplayName
    """Heading of the page."""
    help: Description | None = None
    """Guidance shown below the heading."""
    fields: Annotated[
        list[Annotated[str, Field(max_length=100)]], Field(json_schema_extra=atomic_list(max_items=50))
    ] = []
    """Names of the configSchema's fields that this page asks for, in order."""


class Wizard(Model):
    """The guided form for people who would rather not write YAML."""

    steps: Annotated[list[WizardStep], Field(json_schema_extra=atomic_list(max_items=20))] = []
    """Pages of the form, in order."""


class TrustSettings(Model):
    """Which certificates the external system may show."""

    ca_bundle: Annotated[str, Field(max_length=100_000)] | None = None
    """PEM certificates to trust instead of the system's own, like '{{ config.caCertificate }}'. Empty: the system's."""


class DefinitionSpec(Model):
    """What an external system needs to know and how a connection to it is proved."""

    model_config = ConfigDict(
        json_schema_extra=every_rule(
            cel(
                (f"!self.baseURL.startsWith('http://') || {_MAY_BE_IN_CLEAR}", _NOT_IN_CLEAR),
                path=".baseURL",
            ),
            cel(
                (
                    "self.authMethods.all(m, !has(m.baseURL) || !m.baseURL.startsWith('http://'))"
                    f" || {_MAY_BE_IN_CLEAR}",
                    f"each baseURL {_NOT_IN_CLEAR}",
                ),
                path=".authMethods",
            ),
        )
    )

    display_name: DisplayName
    """Name of the external system as people know it, like 'Salesforce'."""
    description: Description | None = None
    """What the external system is and what a connection to it gives."""
    vendor: Annotated[str, Field(max_length=100)] | None = None
    """Who makes the external system."""
    categories: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=40)]],
        Field(json_schema_extra=atomic_list(max_items=10)),
    ] = []
    """Categories that the catalog sorts by, like 'crm' or 'payments'."""
    icon: Annotated[str, Field(max_length=2000)] | None = None
    """Monogram of one to three letters, or an https:// URL of an image."""
    documentation_url: Annotated[HttpsURL | None, Field(alias="documentationURL")] = None
    """Where the external system documents its API and credentials."""
    version: Annotated[str, Field(max_length=40)] | None = None
    """Version of this definition (not of the external system), like '1.2.0'."""
    config_schema: JsonObject = {}
    """JSON Schema (2020-12, the profile in the documentation) of an instance's `spec.config`."""
    base_url: Annotated[BaseURL, Field(alias="baseURL")]
    """Address below which every request goes, like 'https://{{ config.subdomain }}.example.com/api'."""
    allowed_hosts: Annotated[
        list[AllowedHost], Field(min_length=1, json_schema_extra=atomic_list(max_items=20))
    ]
    """Hosts that credentials may be sent to; whoever owns the definition decides this, not the instance."""
    trust: TrustSettings | None = None
    """Which certificates the external system may show. The system's trusted authorities when absent."""
    auth_methods: Annotated[
        list[AuthMethod], Field(min_length=1, json_schema_extra=list_map("name", max_items=20))
    ]
    """Ways to authenticate, the recommended one first."""
    tests: Annotated[
        list[ConnectionTest],
        Field(
            min_length=1,
            json_schema_extra={
                **list_map("name", max_items=30),
                **cel(
                    (
                        "self.filter(t, has(t.default) && t.default).size() == 1",
                        "exactly one test must have 'default: true': the one that decides if an instance is Ready",
                    )
                ),
            },
        ),
    ]
    """Requests that tell whether a connection works."""
    templates: Annotated[list[ConfigTemplate], Field(json_schema_extra=list_map("name", max_items=30))] = []
    """Named presets of configuration."""
    wizard: Wizard | None = None
    """The guided form."""

    @property
    def default_test(self) -> ConnectionTest:
        """The test that decides if an instance is Ready (the CRD's rules make it exactly one)."""
        return next(test for test in self.tests if test.default)

    def test_of(self, method: AuthMethod | None) -> ConnectionTest:
        """Return the test that decides if an instance which uses this method is Ready.

        Without a method, and where the method names none that there is, it is the default one.
        """
        named = method.test if method is not None else None
        return next((test for test in self.tests if test.name == named), self.default_test)

    def base_url_of(self, method: AuthMethod | None) -> str:
        """Return the address below which requests go with this method, with its templates."""
        return (method.base_url if method is not None else None) or self.base_url


class DefinitionStatus(Model):
    """What the operator found in the definition."""

    observed_generation: int | None = None
    """The metadata.generation that this status is about."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type", max_items=20))] = []
    """Ready, with what is wrong in the definition, by path."""


class IntegrationDefinition(Model):
    """A catalog entry: an external system that instances can connect to."""

    metadata: ObjectMeta
    spec: DefinitionSpec
    status: DefinitionStatus = DefinitionStatus()
