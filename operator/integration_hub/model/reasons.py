"""Every reason that a condition or an Event can carry: one enum, one table. docs/conditions.md comes from it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from integration_hub.model import conditions as c


class Course(StrEnum):
    """What happens next, which is what kstatus, retries and the phase need to know of a reason."""

    GOOD = "good"
    """Nothing to do."""
    WAITING = "waiting"
    """Something that others provide is missing; the operator goes on by itself when it appears."""
    RETRYING = "retrying"
    """May pass by itself; the operator tries again with growing pauses."""
    STALLED = "stalled"
    """A person must change something first; nothing is retried quickly."""
    PAUSED = "paused"
    """Held by a person's wish."""


class Reason(StrEnum):
    """Why a condition has its status. The value is what users see, in CamelCase."""

    # Good
    RESOLVED = "Resolved"
    VALID = "Valid"
    FOUND = "Found"
    RESPONDED = "Responded"
    ACCEPTED = "Accepted"
    PASSED = "Passed"
    CONNECTED = "Connected"

    # Held
    SUSPENDED = "Suspended"
    NOT_YET_KNOWN = "NotYetKnown"

    # Definition
    DEFINITION_NOT_FOUND = "DefinitionNotFound"
    DEFINITION_INVALID = "DefinitionInvalid"

    # Configuration
    CONFIG_INVALID = "ConfigInvalid"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    DISPLAY_NAME_TAKEN = "DisplayNameTaken"
    SPEC_INVALID = "SpecInvalid"

    # Credentials
    AUTH_METHOD_NOT_FOUND = "AuthMethodNotFound"
    SECRET_REF_MISSING = "SecretRefMissing"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_FORBIDDEN = "SecretForbidden"
    SECRET_KEY_MISSING = "SecretKeyMissing"
    SECRET_KEY_EMPTY = "SecretKeyEmpty"
    SECRET_VALUE_INVALID = "SecretValueInvalid"

    # Reaching the external system
    HOST_NOT_ALLOWED = "HostNotAllowed"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    TRUST_INVALID = "TrustInvalid"
    HOST_NOT_FOUND = "HostNotFound"
    DNS_FAILED = "DNSFailed"
    CONNECTION_REFUSED = "ConnectionRefused"
    HOST_UNREACHABLE = "HostUnreachable"
    CONNECT_TIMEOUT = "ConnectTimeout"
    TLS_UNTRUSTED = "TLSUntrusted"
    TLS_HOST_MISMATCH = "TLSHostMismatch"
    TLS_EXPIRED = "TLSExpired"
    TLS_FAILED = "TLSFailed"
    RESPONSE_TIMEOUT = "ResponseTimeout"
    CONNECTION_LOST = "ConnectionLost"
    RESPONSE_TOO_LARGE = "ResponseTooLarge"

    # What the external system answered
    CREDENTIALS_REJECTED = "CredentialsRejected"
    PERMISSION_DENIED = "PermissionDenied"
    NOT_FOUND = "NotFound"
    RATE_LIMITED = "RateLimited"
    REDIRECTED = "Redirected"
    SERVER_ERROR = "ServerError"
    UNEXPECTED_STATUS = "UnexpectedStatus"
    IDENTITY_MISSING = "IdentityMissing"

    # Ourselves
    RETRYING = "Retrying"
    INTERNAL_ERROR = "InternalError"


class ReasonInfo(NamedTuple):
    """What a reason means. `conditions` are the types that carry it, before Ready repeats it."""

    course: Course
    conditions: tuple[str, ...]
    meaning: str
    remedy: str = ""


_G, _W, _R, _S, _P = Course.GOOD, Course.WAITING, Course.RETRYING, Course.STALLED, Course.PAUSED

REASONS: dict[Reason, ReasonInfo] = {
    Reason.RESOLVED: ReasonInfo(_G, (c.DEFINITION_RESOLVED,), "The definition exists and is valid."),
    Reason.VALID: ReasonInfo(
        _G,
        (c.CONFIG_VALID,),
        "The configuration satisfies the definition's configSchema; of a definition: it can be used.",
    ),
    Reason.FOUND: ReasonInfo(
        _G, (c.CREDENTIALS_AVAILABLE,), "The Secret exists and has every key that the auth method needs."
    ),
    Reason.RESPONDED: ReasonInfo(
        _G, (c.REACHABLE,), "The external system answered over a connection that could be trusted."
    ),
    Reason.ACCEPTED: ReasonInfo(_G, (c.AUTHENTICATED,), "The external system accepted the credentials."),
    Reason.PASSED: ReasonInfo(_G, (c.HEALTHY,), "The answer is what the test expects."),
    Reason.CONNECTED: ReasonInfo(_G, (c.READY,), "The connection works."),
    Reason.SUSPENDED: ReasonInfo(
        _P,
        (c.READY,),
        "Tests are suspended by spec.suspend.",
        "Set spec.suspend to false to resume; a test follows at once.",
    ),
    Reason.NOT_YET_KNOWN: ReasonInfo(
        _W,
        c.DOMAIN_CONDITIONS,
        "Not decided, because an earlier condition is not True.",
        "See the Ready condition for the cause.",
    ),
    Reason.DEFINITION_NOT_FOUND: ReasonInfo(
        _W,
        (c.DEFINITION_RESOLVED,),
        "No IntegrationDefinition has the name in spec.definitionRef.",
        "Install the definition, or correct the name: 'kubectl get integrationdefinitions' lists what there is.",
    ),
    Reason.DEFINITION_INVALID: ReasonInfo(
        _S,
        (c.DEFINITION_RESOLVED,),
        "The definition has mistakes, so no instance of it can be tested.",
        "Ask the definition's owner to correct the paths that its Ready condition names.",
    ),
    Reason.CONFIG_INVALID: ReasonInfo(
        _S,
        (c.CONFIG_VALID,),
        "spec.config does not satisfy the definition's configSchema.",
        "Correct the fields that the message names in spec.config.",
    ),
    Reason.TEMPLATE_NOT_FOUND: ReasonInfo(
        _S,
        (c.CONFIG_VALID,),
        "The definition has no template of the name in spec.template.",
        "Use one of the names in the message, or leave spec.template out.",
    ),
    Reason.DISPLAY_NAME_TAKEN: ReasonInfo(
        _S,
        (c.CONFIG_VALID,),
        "An older instance in this namespace has the same display name.",
        "Choose another spec.displayName, so that people can tell the two apart.",
    ),
    Reason.SPEC_INVALID: ReasonInfo(
        _S,
        (c.CONFIG_VALID,),
        "The object holds a value that this version of the operator cannot read.",
        "Correct the field that the message names, or upgrade the operator to the version of its CRDs.",
    ),
    Reason.AUTH_METHOD_NOT_FOUND: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "spec.auth.method names no auth method of the definition, or names none where there are several.",
        "Set spec.auth.method to one of the names in the message.",
    ),
    Reason.SECRET_REF_MISSING: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "The auth method needs credentials and spec.auth.secretRef names no Secret.",
        "Create a Secret with the keys in the message and name it in spec.auth.secretRef.name.",
    ),
    Reason.SECRET_NOT_FOUND: ReasonInfo(
        _W,
        (c.CREDENTIALS_AVAILABLE,),
        "The Secret does not exist in the instance's namespace.",
        "Create it; the connection is tested within seconds of its creation.",
    ),
    Reason.SECRET_FORBIDDEN: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "The operator may not read the Secret.",
        "Allow the operator's service account to get Secrets in this namespace (a RoleBinding of the chart does this).",
    ),
    Reason.SECRET_KEY_MISSING: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "The Secret lacks a key that the auth method needs.",
        "Add the key that the message names.",
    ),
    Reason.SECRET_KEY_EMPTY: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "A key that the auth method needs is empty.",
        "Give the key that the message names a value.",
    ),
    Reason.SECRET_VALUE_INVALID: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "A value in the Secret cannot be used, for instance because of a line break at its end.",
        "Store the value again without the fault that the message names; 'printf %s' adds no line break.",
    ),
    Reason.HOST_NOT_ALLOWED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The address is not among the hosts that the definition allows credentials to be sent to.",
        "Correct the address in spec.config, or ask the definition's owner to add the host to allowedHosts.",
    ),
    Reason.ADDRESS_NOT_ALLOWED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host resolves to a private or otherwise special address, which the operator refuses to reach.",
        "If the system really is internal, start the operator with --allow-cidr for its network.",
    ),
    Reason.TRUST_INVALID: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The configured certificate authority is not one or more whole PEM certificates.",
        "Paste the whole certificate, from '-----BEGIN CERTIFICATE-----' to '-----END CERTIFICATE-----'.",
    ),
    Reason.HOST_NOT_FOUND: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host's name does not exist in DNS.",
        "Check the spelling of the address in spec.config.",
    ),
    Reason.DNS_FAILED: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host's name could not be looked up.",
        "Check the cluster's DNS; the operator tries again by itself.",
    ),
    Reason.CONNECTION_REFUSED: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host refused the connection: nothing listens on that port, or a firewall rejects it.",
        "Check the address and port, and that the external system is up.",
    ),
    Reason.HOST_UNREACHABLE: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "There is no way to the host's network.",
        "Check routing, VPN and network policies between the cluster and the external system.",
    ),
    Reason.CONNECT_TIMEOUT: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host did not answer the attempt to connect.",
        "Often a firewall or network policy: allow traffic from the cluster to the address in the message.",
    ),
    Reason.TLS_UNTRUSTED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate is not signed by a trusted authority.",
        "If the system uses a private authority, put its certificate into the configuration;"
        " else find out who intercepts the traffic.",
    ),
    Reason.TLS_HOST_MISMATCH: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate is for another name.",
        "Use the name that the certificate is for, or have the external system's certificate corrected.",
    ),
    Reason.TLS_EXPIRED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate is expired or not yet valid.",
        "Have the external system's certificate renewed, and check the clock of the cluster's nodes.",
    ),
    Reason.TLS_FAILED: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The secure connection could not be set up.",
        "Check that the port speaks HTTPS and supports TLS 1.2 or later.",
    ),
    Reason.RESPONSE_TIMEOUT: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host accepted the connection and then did not answer in time.",
        "Check the external system's health.",
    ),
    Reason.CONNECTION_LOST: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The connection ended before the answer was complete, or the answer was not HTTP.",
        "Check that the port speaks HTTPS; a proxy in between may cut connections.",
    ),
    Reason.RESPONSE_TOO_LARGE: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is larger than a test may read.",
        "Ask the definition's owner to choose a request with a small answer.",
    ),
    Reason.CREDENTIALS_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system does not accept the credentials (HTTP 401).",
        "Get a new credential from the external system and store it in the Secret;"
        " it is tested as soon as the Secret changes.",
    ),
    Reason.PERMISSION_DENIED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system knows the credentials but refuses this request (HTTP 403).",
        "Grant the credential the permission that the definition's documentation names, or use another credential.",
    ),
    Reason.NOT_FOUND: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "There is nothing at the address that was asked (HTTP 404).",
        "Check the address in spec.config; a path or a region is often the cause.",
    ),
    Reason.RATE_LIMITED: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system asks for fewer requests (HTTP 429).",
        "Nothing, if it passes; else raise spec.monitor.interval or the quota at the external system.",
    ),
    Reason.REDIRECTED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system sent us to another address (HTTP 3xx);"
        " the operator never follows, to keep credentials where they belong.",
        "Configure the final address; a redirect to a login page means that the address is not an API's.",
    ),
    Reason.SERVER_ERROR: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system reports a fault of its own (HTTP 5xx).",
        "Look at the external system's status page; the operator tries again by itself.",
    ),
    Reason.UNEXPECTED_STATUS: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer's HTTP status is not one that the test expects.",
        "Check the configuration; if it is right, ask the definition's owner to correct the test.",
    ),
    Reason.IDENTITY_MISSING: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer does not say who we are connected as, so it may come from something else than the external system.",
        "Check the address in spec.config; a login page or a proxy often answers so.",
    ),
    Reason.RETRYING: ReasonInfo(
        _R, (c.RECONCILING,), "The operator tries again by itself; status.nextTestTime says when."
    ),
    Reason.INTERNAL_ERROR: ReasonInfo(
        _R,
        (c.READY,),
        "The operator met a mistake of its own.",
        "Report it with the operator's log; the operator tries again with growing pauses.",
    ),
}


def info(reason: str) -> ReasonInfo:
    """Return what the table says of a reason."""
    return REASONS[Reason(reason)]
