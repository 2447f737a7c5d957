"""What a reconcile is decided from, what it may ask for on the way, and what it decides. All of it data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from integration_hub.auth.flow import AuthContext, CredentialProblem, no_randomness
from integration_hub.credentials.record import CredentialRecord
from integration_hub.model.http import HttpRequest, Outcome
from integration_hub.model.instance import InstanceStatus, IntegrationInstance, TestStatus
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.definition import CheckedDefinition


@dataclass(frozen=True, slots=True)
class Timing:
    """How often connections are tested and statuses rewritten."""

    interval: timedelta = timedelta(minutes=10)
    """Between tests of a connection whose instance does not say otherwise."""
    retry_first: timedelta = timedelta(seconds=5)
    """Before the first test again after a failure that may pass by itself; doubles from there to the interval."""
    slow_recheck: timedelta = timedelta(hours=24)
    """Between tests with a credential that was rejected: asking more often can lock an account."""
    status_refresh: timedelta = timedelta(minutes=5)
    """A result that says nothing new is written at most this often."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known when a reconcile of an instance starts."""

    instance: IntegrationInstance
    definition: CheckedDefinition | None
    """None where no definition has the name."""
    secret_version: str | None
    """resourceVersion of the credential Secret as last seen, None where it is not known to exist."""
    name_owner: str | None
    """Name of an older instance in the namespace that has the same display name."""
    now: datetime
    """In UTC."""
    similar_definitions: tuple[str, ...] = ()
    """Names of definitions that are much like the one that does not exist."""
    first_look: bool = False
    """Whether this is the first reconcile of the instance since the operator started."""
    timing: Timing = field(default_factory=Timing)
    random: Callable[[int], bytes] = field(default=no_randomness, repr=False)
    """Returns so many random bytes, fit for secrets."""
    redirect_uri: str = ""
    """Where the callback server is reached from a browser; '' where there is none."""
    record_version: str | None = None
    """resourceVersion of the Secret with what the operator obtained, None where it is not known to exist."""
    binding_version: str | None = None
    """resourceVersion of the Secret in spec.binding, None where it is not known to exist."""
    consent: ConsentAnswer | None = None
    """What a person's browser has brought back, to be acted upon in this reconcile."""
    awaited_at: datetime | None = None
    """When a consent that is under way is looked at next, as the last decision said; None where nobody remembers."""
    fingerprint_key: bytes | None = field(default=None, repr=False)
    """Makes fingerprints of credentials worthless to whoever does not have it. None where none are made."""
    tested_fingerprint: bytes | None = field(default=None, repr=False)
    """Of the credentials that were refused, None where none were or that is not known, as after a restart."""

    @property
    def context(self) -> AuthContext:
        """What auth flows may know besides settings and credentials."""
        scopes = tuple(self.instance.spec.auth.scopes)
        return AuthContext(self.now, self.random, self.redirect_uri, scopes)


@dataclass(frozen=True, slots=True)
class AskTurn:
    """An effect: ask whether a request to that URL's host may be sent now, before anything is read for it.

    The answer is None where it may, Postponed where others come first, and an Outcome where it must not be tried.
    """

    url: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class ReadSecret:
    """An effect: read a Secret in the instance's namespace now. The answer is a SecretAnswer."""

    name: str


class SecretState(StrEnum):
    """How reading a Secret ended."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True, repr=False)
class SecretAnswer:
    """A Secret's data, decoded. It lives as long as one reconcile, and its repr shows none of it."""

    state: SecretState
    uid: str = ""
    version: str = ""
    type: str = ""
    """Like 'Opaque' or 'kubernetes.io/tls'."""
    data: Mapping[str, bytes] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Leave out the data."""
        return f"SecretAnswer({self.state}, version={self.version!r})"


@dataclass(frozen=True, slots=True)
class Send:
    """An effect: send a request where the definition allows. The answer is an Outcome."""

    request: HttpRequest
    allowed_hosts: tuple[str, ...]
    ca_bundle: str | None
    sensitive: tuple[str, ...] = field(repr=False, default=())
    """Values that must not appear in any log while this request is under way."""
    test: str = ""
    """Name of the test that it is for."""
    urgent: bool = False
    """Whether a person waits for the answer: it goes before what is merely due."""
    fresh: bool = False
    """Whether a person asked for this test: no answer to an earlier request will do."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """An effect: open what the operator has obtained for the instance. The answer is a RecordAnswer."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """An effect: seal and store a record in place of the one that was read. The answer is a RecordAnswer.

    It is stored when the answer comes, and not before. Where somebody else has stored another one meanwhile, the answer
    is theirs and says so, unless theirs is still about the same `attempt`: tokens that were received are never dropped.
    """

    record: CredentialRecord = field(repr=False)
    base: RecordAnswer
    """What was read."""
    attempt: str = ""
    """The intent that this is the result of, if it is of one."""


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """An answer: a record as it is stored, or why it cannot be had."""

    record: CredentialRecord | None = field(default=None, repr=False)
    """None where nothing is stored."""
    uid: str = ""
    version: str = ""
    """resourceVersion; '' where nothing is stored."""
    problem: CredentialProblem | None = None
    conflict: bool = False
    """Whether this is what somebody else has stored, and nothing was written."""


@dataclass(frozen=True, slots=True)
class KeepBinding:
    """An effect: let the Secret for workloads hold exactly this. The answer is a BindingAnswer."""

    name: str
    type: str
    """The Secret's type, like 'servicebinding.io/salesforce'."""
    data: Mapping[str, str] | None = field(repr=False)
    """None: take the Secret away."""


@dataclass(frozen=True, slots=True)
class BindingAnswer:
    """An answer: None of `problem` where the Secret is as it should be."""

    problem: CredentialProblem | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Postponed:
    """An answer: the host's budget is spent; come back in so many seconds."""

    seconds: float


Effect = AskTurn | ReadSecret | Send | ReadRecord | WriteRecord | KeepBinding
Answer = SecretAnswer | Outcome | Postponed | RecordAnswer | BindingAnswer | None


class ConsentResult(StrEnum):
    """What became of an answer that a person's browser has brought."""

    TAKEN = "taken"
    """Tokens were obtained with it and stored, and are in use unless the operator could not store that."""
    STORED = "stored"
    """The same, and they could not be tested yet."""
    REFUSED = "refused"
    """The provider, or the person, has refused."""
    UNKNOWN = "unknown"
    """No link that is waited for has brought it: used already, or never given out."""
    OUTDATED = "outdated"
    """Its link was given out for the connection as it was before a change, or too long ago."""
    BUSY = "busy"
    """Its code could not be sent yet: it may be brought again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event beside the one that tells of a changed reason."""

    reason: Reason
    message: str
    warning: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reconcile decided."""

    status: InstanceStatus
    write: bool
    """Whether the status says something that the one on the API server does not."""
    due: datetime | None
    """When to reconcile again by itself, None where only a change can help."""
    made: tuple[TestStatus, ...]
    """The tests that were made, as they stand now."""
    reason_changed: bool
    """Whether the Ready condition's status or reason is another than before: worth an Event."""
    postponed: bool = False
    """Whether a test was due that could not be made yet, since others come first at its host."""
    fingerprint: bytes | None = field(default=None, repr=False)
    """Of the credentials, where the tests that were made refuse them. To be remembered, and never shown."""
    consent: ConsentResult | None = None
    """What became of `Inputs.consent`; None where there was none, or it could not be looked at."""
    links: tuple[str, ...] | None = field(default=None, repr=False)
    """The states of all links that may still come back; None where that was not looked at."""
    awaited_at: datetime | None = None
    """When a consent that is under way is looked at next: a code that nobody has typed yet, tokens that could not be
    tested. To be remembered, since neither status nor record has it."""
    renewal: str | None = None
    """How renewing tokens went: renewed, refused or unanswered; None where none was tried."""
    notices: tuple[Notice, ...] = ()
