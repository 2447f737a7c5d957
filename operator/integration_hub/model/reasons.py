"""Every reason that a condition or an Event can carry: one enum, one table.

docs/conditions.md and docs/troubleshooting.md come from it.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from integration_hub.model import names as c


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


NEXT: dict[Course, str] = {
    Course.GOOD: "Nothing to do.",
    Course.WAITING: "Waits: goes on by itself when what is missing appears.",
    Course.RETRYING: "Retries: the operator tries again with growing pauses, up to the interval.",
    Course.STALLED: "Stalled: a person must change something. A change of the instance, its Secret or definition is"
    " acted upon at once, any other is seen at the next test.",
    Course.PAUSED: "Paused: held by a person's wish.",
}
"""What happens next, for people."""


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
    NOT_NEEDED = "NotNeeded"

    # Held
    SUSPENDED = "Suspended"
    NOT_YET_KNOWN = "NotYetKnown"
    TEST_PENDING = "TestPending"

    # Definition
    DEFINITION_NOT_FOUND = "DefinitionNotFound"
    DEFINITION_INVALID = "DefinitionInvalid"

    # Configuration
    CONFIG_INVALID = "ConfigInvalid"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    DISPLAY_NAME_TAKEN = "DisplayNameTaken"
    TESTS_INVALID = "TestsInvalid"
    SPEC_INVALID = "SpecInvalid"

    # Credentials
    AUTH_METHOD_NOT_FOUND = "AuthMethodNotFound"
    SECRET_REF_MISSING = "SecretRefMissing"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_FORBIDDEN = "SecretForbidden"
    SECRET_KEY_MISSING = "SecretKeyMissing"
    SECRET_KEY_EMPTY = "SecretKeyEmpty"
    SECRET_LINE_BREAK = "SecretLineBreak"
    SECRET_WHITESPACE = "SecretWhitespace"
    SECRET_VALUE_INVALID = "SecretValueInvalid"
    SECRET_TYPE_WRONG = "SecretTypeWrong"
    AUTHORIZATION_REQUIRED = "AuthorizationRequired"
    AUTHORIZATION_DENIED = "AuthorizationDenied"
    AUTHORIZATION_FAILED = "AuthorizationFailed"
    AUTHORIZATION_UNAVAILABLE = "AuthorizationUnavailable"
    REAUTHENTICATION_REQUIRED = "ReauthenticationRequired"
    CREDENTIAL_UNREADABLE = "CredentialUnreadable"
    KEYRING_UNAVAILABLE = "KeyringUnavailable"
    CREDENTIAL_NOT_STORED = "CredentialNotStored"

    # Delivery to workloads
    DELIVERED = "Delivered"
    BINDING_NAME_TAKEN = "BindingNameTaken"
    BINDING_FORBIDDEN = "BindingForbidden"
    BINDING_NOT_WRITTEN = "BindingNotWritten"
    BINDING_WITHDRAWN = "BindingWithdrawn"

    # Events of credentials
    CREDENTIAL_EXPIRES_SOON = "CredentialExpiresSoon"
    CREDENTIAL_REVOKED = "CredentialRevoked"
    REVOCATION_GIVEN_UP = "RevocationGivenUp"

    # Reaching the external system
    HOST_NOT_ALLOWED = "HostNotAllowed"
    PLAIN_HTTP_NOT_ALLOWED = "PlainHTTPNotAllowed"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    TRUST_INVALID = "TrustInvalid"
    HOST_UNAVAILABLE = "HostUnavailable"
    WAITING_FOR_QUOTA = "WaitingForQuota"
    HOST_NOT_FOUND = "HostNotFound"
    DNS_TIMEOUT = "DNSTimeout"
    DNS_FAILED = "DNSFailed"
    CONNECTION_REFUSED = "ConnectionRefused"
    HOST_UNREACHABLE = "HostUnreachable"
    CONNECT_TIMEOUT = "ConnectTimeout"
    TLS_UNTRUSTED = "TLSUntrusted"
    TLS_INCOMPLETE_CHAIN = "TLSIncompleteChain"
    TLS_SELF_SIGNED = "TLSSelfSigned"
    TLS_HOST_MISMATCH = "TLSHostMismatch"
    TLS_EXPIRED = "TLSExpired"
    TLS_NOT_YET_VALID = "TLSNotYetValid"
    TLS_TOO_OLD = "TLSTooOld"
    CLIENT_CERTIFICATE_REQUIRED = "ClientCertificateRequired"
    TLS_NOT_SPOKEN = "TLSNotSpoken"
    TLS_TIMEOUT = "TLSTimeout"
    TLS_FAILED = "TLSFailed"
    RESPONSE_TIMEOUT = "ResponseTimeout"
    CONNECTION_LOST = "ConnectionLost"
    NOT_HTTP = "NotHTTP"
    PROXY_AUTHENTICATION_REQUIRED = "ProxyAuthenticationRequired"
    CAPTIVE_PAGE = "CaptivePage"

    # Whether the external system accepts the credentials
    CREDENTIALS_REJECTED = "CredentialsRejected"
    CREDENTIALS_EXPIRED = "CredentialsExpired"
    CREDENTIAL_UNPROVEN = "CredentialUnproven"
    PROOF_PENDING = "ProofPending"
    AUTH_SCHEME_WRONG = "AuthSchemeWrong"
    SECRET_PLACEHOLDER = "SecretPlaceholder"
    SECRET_QUOTED = "SecretQuoted"
    SECRET_PREFIXED = "SecretPrefixed"
    SECRET_STRUCTURED = "SecretStructured"
    SECRET_ENCODED_TWICE = "SecretEncodedTwice"
    CLOCK_SKEW = "ClockSkew"
    ACCOUNT_LOCKED = "AccountLocked"
    INSUFFICIENT_SCOPE = "InsufficientScope"
    CLIENT_ADDRESS_BLOCKED = "ClientAddressBlocked"
    PERMISSION_DENIED = "PermissionDenied"
    TOKEN_CLIENT_REJECTED = "TokenClientRejected"
    TOKEN_GRANT_REJECTED = "TokenGrantRejected"
    TOKEN_SCOPE_REJECTED = "TokenScopeRejected"
    TOKEN_REQUEST_REJECTED = "TokenRequestRejected"
    TOKEN_ENDPOINT_NOT_FOUND = "TokenEndpointNotFound"
    TOKEN_ENDPOINT_BUSY = "TokenEndpointBusy"
    TOKEN_ENDPOINT_UNAVAILABLE = "TokenEndpointUnavailable"
    TOKEN_ANSWER_INVALID = "TokenAnswerInvalid"

    # What the external system answered
    RESPONSE_TRUNCATED = "ResponseTruncated"
    RESPONSE_TOO_LARGE = "ResponseTooLarge"
    DECOMPRESSION_BOMB = "DecompressionBomb"
    ENCODING_INVALID = "EncodingInvalid"
    REDIRECTED_TO_LOGIN = "RedirectedToLogin"
    WRONG_REGION = "WrongRegion"
    REDIRECTED = "Redirected"
    LOGIN_PAGE = "LoginPage"
    ANSWER_IS_HTML = "AnswerIsHTML"
    REQUEST_INVALID = "RequestInvalid"
    PAYMENT_REQUIRED = "PaymentRequired"
    ENDPOINT_NOT_FOUND = "EndpointNotFound"
    OBJECT_NOT_FOUND = "ObjectNotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    MEDIA_TYPE_NOT_SUPPORTED = "MediaTypeNotSupported"
    REQUEST_TIMEOUT = "RequestTimeout"
    CONFLICT = "Conflict"
    ENDPOINT_RETIRED = "EndpointRetired"
    REQUEST_TOO_LARGE = "RequestTooLarge"
    UPGRADE_REQUIRED = "UpgradeRequired"
    LEGALLY_BLOCKED = "LegallyBlocked"
    RATE_LIMITED = "RateLimited"
    TOO_MANY_REQUESTS = "TooManyRequests"
    QUOTA_EXCEEDED = "QuotaExceeded"
    SERVER_ERROR = "ServerError"
    GATEWAY_ERROR = "GatewayError"
    MAINTENANCE = "Maintenance"
    SERVICE_UNAVAILABLE = "ServiceUnavailable"
    UNEXPECTED_STATUS = "UnexpectedStatus"
    ANSWER_EMPTY = "AnswerEmpty"
    JSON_TRUNCATED = "JSONTruncated"
    ANSWER_NOT_JSON = "AnswerNotJSON"
    GRAPHQL_ERRORS = "GraphQLErrors"
    ANSWER_NOT_OK = "AnswerNotOK"
    ASSERTION_FAILED = "AssertionFailed"
    ASSERTION_UNDECIDABLE = "AssertionUndecidable"
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
    Reason.NOT_NEEDED: ReasonInfo(
        _G,
        (c.CREDENTIALS_AVAILABLE, c.AUTHENTICATED),
        "The auth method sends no credential, so there is none to look for, or to be accepted.",
    ),
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
    Reason.TEST_PENDING: ReasonInfo(
        _W,
        (c.READY,),
        "The test waits for its turn: many connections share the external host, which is asked only so often.",
        "Nothing: status.nextTestTime says when it is made.",
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
    Reason.TESTS_INVALID: ReasonInfo(
        _S,
        (c.CONFIG_VALID,),
        "A test in spec.tests has mistakes, so no test is made.",
        "Correct the paths that the message names in spec.tests; 'hub test --draft -f FILE' tries a manifest out.",
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
        "Allow the operator's service account to get Secrets in this namespace, as deploy/rbac.yaml does. It is"
        " tried again after the operator's interval; to try at once, ask for a test ('hub test NAME').",
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
    Reason.SECRET_LINE_BREAK: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "A value in the Secret has a line break in it, usually at its end, where 'echo' and editors add one.",
        "Store the value again without it: 'printf %s VALUE' and 'kubectl create secret generic"
        " --from-literal' add none.",
    ),
    Reason.SECRET_WHITESPACE: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "A value in the Secret begins or ends with a space or tab, as copying from a web page leaves it.",
        "Store the value again without the space; the message names the key.",
    ),
    Reason.SECRET_VALUE_INVALID: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "A value in the Secret cannot be sent: it is no text, or has characters in it that no"
        " credential has.",
        "Store the value again without the fault that the message names; 'printf %s' adds nothing of"
        " its own.",
    ),
    Reason.SECRET_TYPE_WRONG: ReasonInfo(
        _W,
        (c.CREDENTIALS_AVAILABLE,),
        "The Secret is of a type that cannot hold these credentials.",
        "Create a Secret of the type that the message names (a Secret's type cannot be changed), or correct"
        " spec.auth.secretRef.",
    ),
    Reason.AUTHORIZATION_REQUIRED: ReasonInfo(
        _W,
        (c.CREDENTIALS_AVAILABLE,),
        "A person must sign in to the external system and consent to the connection.",
        "Run 'hub authorize NAME', or open the link in status.authorization.url; the operator goes on by itself"
        " as soon as that is done.",
    ),
    Reason.AUTHORIZATION_DENIED: ReasonInfo(
        _W,
        (c.CREDENTIALS_AVAILABLE,),
        "The person who was asked, or the external system's administrator, did not consent.",
        "Run 'hub authorize NAME' to try again with an account that may consent; status.authorization.url is a new"
        " link.",
    ),
    Reason.AUTHORIZATION_FAILED: ReasonInfo(
        _W,
        (c.CREDENTIALS_AVAILABLE,),
        "The external system did not complete the consent, or what it has granted does not work.",
        "Put right what the message names: in the Secret, in spec.auth.scopes, in the definition, or at the external"
        " system (the client's redirect URL, scopes and kind). Then run 'hub authorize NAME' to try again.",
    ),
    Reason.AUTHORIZATION_UNAVAILABLE: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "No link for consent can be made: the operator has no address to which a browser could come back.",
        "Start the operator with --callback-url, the address at which people's browsers reach its callback"
        " server, and register that address at the external system.",
    ),
    Reason.REAUTHENTICATION_REQUIRED: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "The consent of before is of no use any more: it has expired, was revoked, or was used up.",
        "Run 'hub authorize NAME', or open the link in status.authorization.url, and consent anew; where the Secret"
        " holds a refresh token, there is no link: store a new one in it.",
    ),
    Reason.CREDENTIAL_UNREADABLE: ReasonInfo(
        _S,
        (c.CREDENTIALS_AVAILABLE,),
        "What the operator had obtained for this connection cannot be opened.",
        "Where the message names a key, bring that back; or delete the Secret that it names: the operator then starts"
        " anew, and asks for consent where that is needed. docs/keys.md tells more.",
    ),
    Reason.KEYRING_UNAVAILABLE: ReasonInfo(
        _R,
        (c.CREDENTIALS_AVAILABLE,),
        "The operator has no keys to seal with what it obtains.",
        "The message says what is missing; docs/keys.md explains where keys come from.",
    ),
    Reason.CREDENTIAL_NOT_STORED: ReasonInfo(
        _R,
        (c.CREDENTIALS_AVAILABLE,),
        "The operator cannot store what it obtains, and does not use what it has not stored.",
        "Allow the operator's service account to create and update Secrets in this namespace.",
    ),
    Reason.DELIVERED: ReasonInfo(
        _G, (c.DELIVERED,), "The Secret for workloads has the credentials that were last proven."
    ),
    Reason.BINDING_NAME_TAKEN: ReasonInfo(
        _S,
        (c.DELIVERED,),
        "There is a Secret of the name in spec.binding.secretName already that is not this connection's.",
        "Choose another name in spec.binding.secretName, or delete that Secret if nothing needs it.",
    ),
    Reason.BINDING_FORBIDDEN: ReasonInfo(
        _R,
        (c.DELIVERED,),
        "The operator may not write the Secret for workloads.",
        "Allow the operator's service account to create and update Secrets in this namespace.",
    ),
    Reason.BINDING_NOT_WRITTEN: ReasonInfo(
        _R,
        (c.DELIVERED,),
        "The Secret for workloads could not be written.",
        "Nothing, if it passes; the message has what the API server says, such as a quota or a policy that refuses it.",
    ),
    Reason.BINDING_WITHDRAWN: ReasonInfo(
        _W,
        (c.DELIVERED,),
        "There are no credentials that workloads could use, so the Secret for them has none.",
        "See the Ready condition for the cause.",
    ),
    Reason.CREDENTIAL_EXPIRES_SOON: ReasonInfo(
        _G,
        (c.CREDENTIALS_AVAILABLE,),
        "The credential ends soon, and the operator cannot renew it: before then, store a new one in the Secret; a"
        " connection that a person has consented to is authorised anew with 'hub authorize NAME --again'.",
    ),
    Reason.CREDENTIAL_REVOKED: ReasonInfo(
        _G, (c.CREDENTIALS_AVAILABLE,), "The tokens were given back to the external system."
    ),
    Reason.REVOCATION_GIVEN_UP: ReasonInfo(
        _G,
        (c.CREDENTIALS_AVAILABLE,),
        "The tokens could not be given back in time, and the object is deleted all the same: revoke the connection's"
        " access at the external system by hand.",
    ),
    Reason.HOST_NOT_ALLOWED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The address is not among the hosts that the definition allows credentials to be sent to.",
        "Correct the address in spec.config, or ask the definition's owner to add the host to allowedHosts.",
    ),
    Reason.PLAIN_HTTP_NOT_ALLOWED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The address begins with http://, over which credentials could be read by anybody on the way.",
        "Write the address with https:// in spec.config. For a system in development, the definition"
        " must list 'http://HOST' in allowedHosts and the operator must run with --allow-http.",
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
        "Paste the whole certificate into spec.config, from '-----BEGIN CERTIFICATE-----' to"
        " '-----END CERTIFICATE-----'.",
    ),
    Reason.HOST_UNAVAILABLE: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "Nothing was sent: the host failed several times in a row, for this or for other instances,"
        " so only one request at a time finds out whether it is back.",
        "Nothing, if it passes; else see the other instances of this system, or its status page. All"
        " are tested again when one request succeeds.",
    ),
    Reason.WAITING_FOR_QUOTA: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "Nothing was sent: the host has asked for fewer requests, and the pause is not over.",
        "Nothing, if it passes; else raise spec.monitor.interval, or the quota at the external system.",
    ),
    Reason.HOST_NOT_FOUND: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host's name does not exist in DNS.",
        "Check the spelling of the address in spec.config. A name that only the company's own DNS"
        " knows must be known to the cluster's too.",
    ),
    Reason.DNS_TIMEOUT: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The name servers did not answer in time, so the host's name could not be looked up.",
        "Check the cluster's DNS, and that network policies let the operator ask it (port 53); the"
        " operator tries again by itself.",
    ),
    Reason.DNS_FAILED: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host's name could not be looked up: the name servers report a fault.",
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
        "The network knows no way to the host, or forbids the connection.",
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
        "If the system uses a private authority, put its certificate into spec.config, where the"
        " definition has a field for it; else find out who intercepts the traffic.",
    ),
    Reason.TLS_INCOMPLETE_CHAIN: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host sends its own certificate without the one of the authority between it and a trusted"
        " one. Browsers often fill the gap; programs do not.",
        "Ask whoever runs the host to send the whole chain; until then, put the missing certificate"
        " into spec.config, where the definition has a field for it.",
    ),
    Reason.TLS_SELF_SIGNED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate is signed by nobody but itself, so it proves nothing.",
        "If it is the system's own, put that certificate into spec.config, where the definition has a"
        " field for it; else the traffic may be intercepted, so ask the network's owner.",
    ),
    Reason.TLS_HOST_MISMATCH: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate is for another name.",
        "Use a name that the certificate is for ('hub test' shows its names), or have the external system's certificate"
        " corrected.",
    ),
    Reason.TLS_EXPIRED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host's certificate has expired.",
        "Have the external system's certificate renewed by whoever runs it, and check the clock of"
        " the cluster's nodes.",
    ),
    Reason.TLS_NOT_YET_VALID: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host's certificate is valid only from a later time on.",
        "Check the clock of the cluster's nodes; if it is right, the external system's certificate"
        " was made too early, and the test passes when its time comes.",
    ),
    Reason.TLS_TOO_OLD: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host speaks only versions of TLS, or uses keys, that are no longer safe.",
        "Ask whoever runs the host to enable TLS 1.2 or later, with keys and ciphers of today.",
    ),
    Reason.CLIENT_CERTIFICATE_REQUIRED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The host speaks only to clients that show a certificate of their own.",
        "Use another address of the system, if it has one for API keys or tokens, or ask the"
        " definition's owner for a method with client certificates.",
    ),
    Reason.TLS_NOT_SPOKEN: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "What answers on that port does not speak TLS, so it is no HTTPS.",
        "Check the port in spec.config: HTTPS is usually 443; the plain port of the same system is"
        " often 80 or 8080.",
    ),
    Reason.TLS_TIMEOUT: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The host took the connection and then did not finish the TLS handshake.",
        "Often an overloaded host, or a firewall that lets the connection through and its content"
        " not: allow HTTPS from the cluster to the host.",
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
        "Check the external system's health; the operator tries again by itself.",
    ),
    Reason.CONNECTION_LOST: ReasonInfo(
        _R,
        (c.REACHABLE,),
        "The connection ended before the answer began.",
        "Check the external system's health; a proxy or firewall in between may cut connections.",
    ),
    Reason.NOT_HTTP: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "What answers on that port does not speak HTTP.",
        "Check the address and port in spec.config: another service answers there.",
    ),
    Reason.PROXY_AUTHENTICATION_REQUIRED: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "A proxy on the way wants credentials of its own (HTTP 407); the external system was not reached.",
        "Ask the network's owner to let the cluster reach the host without the proxy.",
    ),
    Reason.CAPTIVE_PAGE: ReasonInfo(
        _S,
        (c.REACHABLE,),
        "The network itself answered in place of the external system (HTTP 511): it wants somebody to"
        " sign in first.",
        "Ask the network's owner to let the cluster reach the host without a sign-in page.",
    ),
    Reason.CREDENTIALS_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system does not accept the credentials.",
        "Get a new credential from the external system and store it in the Secret; it is tested as"
        " soon as the Secret changes.",
    ),
    Reason.CREDENTIALS_EXPIRED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system knows the credentials and says that their time is over, or that somebody"
        " revoked them.",
        "Make a new credential at the external system and store it in the Secret; it is tested as"
        " soon as the Secret changes. Choose a longer life for it, where that can be chosen.",
    ),
    Reason.CREDENTIAL_UNPROVEN: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system answers the same request without a credential just as well, so nothing shows that the"
        " credential is good.",
        "Have the system protected. Where it is open on purpose, choose the definition's auth method that sends no"
        " credential; the condition names it, and where there is none, the definition's author can add one ('custom'"
        " with 'anonymous'). Where the system is protected, let the test ask for what only those get who have a"
        " credential: by the field of spec.config that the condition names, else the test's author has to.",
    ),
    Reason.PROOF_PENDING: ReasonInfo(
        _R,
        (c.AUTHENTICATED,),
        "The request has succeeded, and whether it would succeed without a credential, too, could not be found out.",
        "The operator tries again by itself. Where it stays so, 'hub test NAME' shows how the request without the"
        " credential ends.",
    ),
    Reason.AUTH_SCHEME_WRONG: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system wants credentials in another form than the one that was sent.",
        "Choose another auth method of the definition in spec.auth.method; if there is none, tell the"
        " definition's owner which form the message names.",
    ),
    Reason.SECRET_PLACEHOLDER: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the value in the Secret is the placeholder of an"
        " example or a template.",
        "Store the real value under the key that the message names. If a tool should have replaced"
        " the placeholder, see why it did not.",
    ),
    Reason.SECRET_QUOTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the value in the Secret has quotation marks around"
        " it, which are sent too.",
        "Store the value under the key that the message names again, without the quotation marks.",
    ),
    Reason.SECRET_PREFIXED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the value in the Secret begins with a word like"
        " 'Bearer', which the auth method adds itself.",
        "Store the value under the key that the message names again, without that first word.",
    ),
    Reason.SECRET_STRUCTURED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the value in the Secret is a piece of JSON, YAML or"
        " an env file rather than one value.",
        "Store just the credential itself under the key that the message names.",
    ),
    Reason.SECRET_ENCODED_TWICE: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the value in the Secret looks like base64 of the"
        " credential: it was encoded once more than Kubernetes does itself.",
        "Store the value again as it is: under 'stringData', or by 'kubectl create secret', both of"
        " which encode by themselves.",
    ),
    Reason.CLOCK_SKEW: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials were not accepted, and the clocks of the external system and of the operator"
        " differ by more than five minutes; signatures and tokens are then seen as expired or not yet"
        " valid.",
        "Check the clock of the cluster's nodes (NTP). If it is right, tell whoever runs the external"
        " system.",
    ),
    Reason.ACCOUNT_LOCKED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The account that the credentials belong to is locked, suspended or switched off at the"
        " external system.",
        "Ask an administrator of the external system to unlock the account, and ask for a test ('hub test"
        " NAME'), or use another account.",
    ),
    Reason.INSUFFICIENT_SCOPE: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The credentials are valid, but were made without a scope (a permission of the token) that"
        " this request needs.",
        "Have the external system permit the scope to the client or the account. Where the operator obtains the"
        " tokens, correct spec.auth.scopes, or run 'hub authorize NAME --again'; else store a new token in the"
        " Secret, since an existing one usually cannot be given more.",
    ),
    Reason.CLIENT_ADDRESS_BLOCKED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system accepts the credentials only from addresses that its administrator has"
        " listed, and the cluster's is not among them.",
        "Ask an administrator of the external system to add the address that the cluster's traffic"
        " comes from to its list of allowed addresses.",
    ),
    Reason.PERMISSION_DENIED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The external system knows the credentials but refuses this request.",
        "Grant the credential the permission that the definition's documentation names and ask for a"
        " test ('hub test NAME'), or use another credential.",
    ),
    Reason.TOKEN_CLIENT_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The token URL does not know the client, or not with this client secret.",
        "Compare the client ID and the client secret (or the private key) in the Secret with those at the external"
        " system; a secret that was made anew there ends the old one.",
    ),
    Reason.TOKEN_GRANT_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The token URL knows the client but refuses what it shows: a grant, refresh token, user name"
        " or assertion that is wrong, expired or revoked.",
        "Authorise the connection anew, or store new credentials in the Secret.",
    ),
    Reason.TOKEN_SCOPE_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The token URL refuses the scopes that were asked for.",
        "Correct spec.auth.scopes; or have the external system's administrator permit the client these scopes, and"
        " ask for a test ('hub test NAME'); or tell the definition's owner to ask for others.",
    ),
    Reason.TOKEN_REQUEST_REJECTED: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The token URL refuses the request for a token for another cause.",
        "Check that the client is of the kind that the definition's documentation describes; the"
        " external system's error code, if any, stands in the message.",
    ),
    Reason.TOKEN_ENDPOINT_NOT_FOUND: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "There is no token URL, or no issuer's metadata, at the address that was asked.",
        "Check the address in spec.config; the name of a tenant, a realm or a region is often part of it. If"
        " it is right, ask the definition's owner to correct the issuer or the token URL.",
    ),
    Reason.TOKEN_ENDPOINT_BUSY: ReasonInfo(
        _R,
        (c.AUTHENTICATED,),
        "The token URL asks for fewer requests.",
        "Nothing, if it passes; else see which other programs use the same client.",
    ),
    Reason.TOKEN_ENDPOINT_UNAVAILABLE: ReasonInfo(
        _R,
        (c.AUTHENTICATED,),
        "The token URL reports a fault of its own.",
        "Look at the external system's status page; the operator tries again by itself.",
    ),
    Reason.TOKEN_ANSWER_INVALID: ReasonInfo(
        _S,
        (c.AUTHENTICATED,),
        "The token URL answered with success, but without a token that can be used.",
        "Check the address in spec.config; a login page or a proxy often answers so. If it is right,"
        " tell the definition's owner.",
    ),
    Reason.RESPONSE_TRUNCATED: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The connection ended in the middle of the answer.",
        "Nothing, if it passes; else a proxy or firewall in between cuts answers, or the external"
        " system breaks off.",
    ),
    Reason.RESPONSE_TOO_LARGE: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is larger than a test may read.",
        "Ask the definition's owner to choose a request with a small answer.",
    ),
    Reason.DECOMPRESSION_BOMB: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is compressed, though nothing compressed was asked for, and becomes larger than a"
        " test may read.",
        "Check the address in spec.config. If it is right, tell whoever runs the external system; a"
        " small answer that unpacks to a huge one is often an attack.",
    ),
    Reason.ENCODING_INVALID: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer says that it is compressed, and cannot be unpacked.",
        "Check the address in spec.config; a proxy in between may have damaged the answer.",
    ),
    Reason.REDIRECTED_TO_LOGIN: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system sent us to a page where people sign in: the address is one for browsers,"
        " or the credentials were not recognised.",
        "Use the address of the system's API in spec.config, which often has 'api' in it, and check"
        " the credentials.",
    ),
    Reason.WRONG_REGION: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system sent us to another of its own hosts: the account lives in another region"
        " or data centre.",
        "Set the region, site or address in spec.config to the one where your account lives; the"
        " address bar shows it when you sign in with a browser.",
    ),
    Reason.REDIRECTED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system sent us to another address (HTTP 3xx); the operator never follows, to"
        " keep credentials where they belong.",
        "Put the address that it points to into spec.config; 'hub test NAME' shows it.",
    ),
    Reason.LOGIN_PAGE: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is a page where people sign in, in place of data.",
        "Use the address of the system's API in spec.config, and check the credentials; single"
        " sign-on in front of the system must let API requests through.",
    ),
    Reason.ANSWER_IS_HTML: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is a web page in place of data: a proxy, a firewall or the system's website"
        " answered, not its API.",
        "Use the address of the system's API in spec.config. If it is right, open it from inside the"
        " cluster to see which page answers. A test that wants a page says so with the header 'Accept: text/html'.",
    ),
    Reason.REQUEST_INVALID: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system could not make sense of the request (HTTP 400 or 422).",
        "Check the values in spec.config, which are part of the request; if they are right, ask the"
        " definition's owner to correct the test.",
    ),
    Reason.PAYMENT_REQUIRED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system wants to be paid (HTTP 402): a bill is open, or the plan does not include this.",
        "Ask whoever pays for the external system to check the account's plan and bills.",
    ),
    Reason.ENDPOINT_NOT_FOUND: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "There is no API at the address that was asked (HTTP 404, without the words of an API): the"
        " base address or the path is wrong.",
        "Check the address in spec.config; a missing or doubled part of the path, a tenant's name or"
        " a region is often the cause.",
    ),
    Reason.OBJECT_NOT_FOUND: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The API answers, but does not have what was asked for (HTTP 404). Many systems say so too"
        " where a credential may not see it.",
        "Check names and identifiers in spec.config, and that the credential may see them.",
    ),
    Reason.METHOD_NOT_ALLOWED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "What is at the address does not take this kind of request (HTTP 405).",
        "Check the address in spec.config; if it is right, ask the definition's owner to correct the"
        " test's method.",
    ),
    Reason.MEDIA_TYPE_NOT_SUPPORTED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system does not take or give the form of data that the test uses (HTTP 406 or 415).",
        "Ask the definition's owner to correct the test's Accept or Content-Type header.",
    ),
    Reason.REQUEST_TIMEOUT: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system waited in vain for the rest of our request (HTTP 408).",
        "Nothing, if it passes; else the network between the cluster and the external system is slow"
        " or cuts requests.",
    ),
    Reason.CONFLICT: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The request contradicts the present state of the external system (HTTP 409).",
        "Nothing, if it passes; else ask the definition's owner to choose a request that changes nothing.",
    ),
    Reason.ENDPOINT_RETIRED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system has switched off what was asked for (HTTP 410), usually an old version"
        " of its API.",
        "Ask the definition's owner to move to the present version of the API.",
    ),
    Reason.REQUEST_TOO_LARGE: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The request is larger than the external system takes (HTTP 413, 414 or 431).",
        "Check for a very long value in spec.config and in the Secret; else ask the definition's"
        " owner to make the request smaller.",
    ),
    Reason.UPGRADE_REQUIRED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system wants another protocol or a newer version of the client (HTTP 426).",
        "Ask the definition's owner to move to the present version of the API.",
    ),
    Reason.LEGALLY_BLOCKED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The external system refuses for legal reasons (HTTP 451), usually because of the country"
        " that the request comes from.",
        "Ask the external system's provider; requests from another region may be allowed.",
    ),
    Reason.RATE_LIMITED: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system asks for fewer requests and says when the next one is welcome.",
        "Nothing, if it passes; else raise spec.monitor.interval, or the quota at the external system.",
    ),
    Reason.TOO_MANY_REQUESTS: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system asks for fewer requests and does not say for how long.",
        "Nothing, if it passes; else raise spec.monitor.interval, or the quota at the external system.",
    ),
    Reason.QUOTA_EXCEEDED: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The account has used up what it may ask of the external system in this hour, day or month.",
        "Wait for the next period, or raise the quota at the external system; see which other"
        " programs use the same account.",
    ),
    Reason.SERVER_ERROR: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system reports a fault of its own (HTTP 5xx).",
        "Look at the external system's status page; the operator tries again by itself.",
    ),
    Reason.GATEWAY_ERROR: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "A gateway in front of the external system gets no proper answer from it (HTTP 502 or 504).",
        "Look at the external system's status page; the operator tries again by itself. If the"
        " gateway is your company's own, ask its owner.",
    ),
    Reason.MAINTENANCE: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system is out of service for a while and says when it will be back (HTTP 503"
        " with Retry-After).",
        "Nothing: it is tested again when that time has come.",
    ),
    Reason.SERVICE_UNAVAILABLE: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The external system is overloaded or out of service (HTTP 503).",
        "Look at the external system's status page; the operator tries again by itself.",
    ),
    Reason.UNEXPECTED_STATUS: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer's HTTP status is not one that the test expects.",
        "Check the configuration; if it is right, ask the definition's owner to correct the test.",
    ),
    Reason.ANSWER_EMPTY: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer has no content, and the test has to read some.",
        "Check the address in spec.config; if it is right, ask the definition's owner to correct the test.",
    ),
    Reason.JSON_TRUNCATED: ReasonInfo(
        _R,
        (c.HEALTHY,),
        "The answer begins as JSON and ends in the middle of it.",
        "Nothing, if it passes; else a proxy in between cuts answers, or the external system breaks off.",
    ),
    Reason.ANSWER_NOT_JSON: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer is no JSON, and the test has to read JSON.",
        "Check the address in spec.config: something else than the API may answer. If it is right,"
        " ask the definition's owner to correct the test.",
    ),
    Reason.GRAPHQL_ERRORS: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The API answered with HTTP success, and with errors in place of data, as GraphQL does.",
        "See the error code in the message, if there is one; a missing permission is the most"
        " frequent cause. Else ask the definition's owner to correct the query.",
    ),
    Reason.ANSWER_NOT_OK: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The API answered with HTTP success, and says in the answer itself that the request failed.",
        "See the error code in the message, if there is one, in the external system's documentation;"
        " check the credentials' permissions.",
    ),
    Reason.ASSERTION_FAILED: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer came, but something that the test demands of it does not hold.",
        "The message says what was demanded. Change it at the external system, or, if the demand is"
        " wrong, in the test.",
    ),
    Reason.ASSERTION_UNDECIDABLE: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer does not have what one of the test's rules reads, so the rule cannot be decided.",
        "Check the address in spec.config: something else than the API may answer. If it is right,"
        " ask the test's owner to correct the rule.",
    ),
    Reason.IDENTITY_MISSING: ReasonInfo(
        _S,
        (c.HEALTHY,),
        "The answer does not say who we are connected as, so it may come from something else than the"
        " external system.",
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


_TEST_CONDITIONS = frozenset({c.REACHABLE, c.AUTHENTICATED, c.HEALTHY})

SELECTABLE: frozenset[Reason] = frozenset(
    reason
    for reason, row in REASONS.items()
    if set(row.conditions) <= _TEST_CONDITIONS and row.course is not Course.GOOD
)
"""What a test can end with, and so what a definition's `failures[]` may name. Each stands at one condition."""

TOKEN_SELECTABLE: frozenset[Reason] = frozenset(
    {
        Reason.TOKEN_CLIENT_REJECTED,
        Reason.TOKEN_GRANT_REJECTED,
        Reason.TOKEN_SCOPE_REJECTED,
        Reason.TOKEN_REQUEST_REJECTED,
        Reason.TOKEN_ENDPOINT_NOT_FOUND,
        Reason.TOKEN_ENDPOINT_BUSY,
        Reason.TOKEN_ENDPOINT_UNAVAILABLE,
        Reason.TOKEN_ANSWER_INVALID,
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_EXPIRED,
        Reason.AUTH_SCHEME_WRONG,
        Reason.CLOCK_SKEW,
        Reason.ACCOUNT_LOCKED,
        Reason.INSUFFICIENT_SCOPE,
        Reason.CLIENT_ADDRESS_BLOCKED,
        Reason.PERMISSION_DENIED,
    }
)
"""What a refused request for a token can mean, and so what the `failures[]` of an auth method may name. All of it
stands at Authenticated: nothing was asked of the system itself."""

COULD_NOT_TELL: frozenset[Reason] = frozenset(
    {
        Reason.HOST_UNAVAILABLE,
        Reason.WAITING_FOR_QUOTA,
        Reason.DNS_TIMEOUT,
        Reason.DNS_FAILED,
        Reason.PROOF_PENDING,
        Reason.TOKEN_ENDPOINT_BUSY,
        Reason.RATE_LIMITED,
        Reason.TOO_MANY_REQUESTS,
        Reason.QUOTA_EXCEEDED,
        Reason.MAINTENANCE,
    }
)
"""Reasons that say nothing of the connection: a test that ends with one is Unknown, every other one is a Failure."""

DEAD_CREDENTIALS: frozenset[Reason] = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_EXPIRED,
        Reason.AUTH_SCHEME_WRONG,
        Reason.SECRET_PLACEHOLDER,
        Reason.SECRET_QUOTED,
        Reason.SECRET_PREFIXED,
        Reason.SECRET_STRUCTURED,
        Reason.SECRET_ENCODED_TWICE,
        Reason.ACCOUNT_LOCKED,
        Reason.INSUFFICIENT_SCOPE,
        Reason.PERMISSION_DENIED,
        Reason.TOKEN_CLIENT_REJECTED,
        Reason.TOKEN_GRANT_REJECTED,
        Reason.TOKEN_SCOPE_REJECTED,
    }
)
"""After these, asking again with the same credential changes nothing and may lock the account."""


SPARED = (
    "Meanwhile the credential is tried no more than once a day, lest the account be locked; `hub test NAME` asks for a"
    " test now."
)
"""What else happens next after one of those."""


def info(reason: str) -> ReasonInfo:
    """Return what the table says of a reason."""
    return REASONS[Reason(reason)]


def reason_problem(name: str) -> str | None:
    """Return why a failure rule cannot name this reason, with the nearest one that it can; None when it can."""
    if name in SELECTABLE:
        return None
    if name in set(Reason):
        return f"'{name}' is no reason that a test can end with; docs/troubleshooting.md lists those"
    near = get_close_matches(name, sorted(SELECTABLE), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "; docs/troubleshooting.md lists those there are"
    return f"'{name}' is no reason{hint}"


def token_reason_problem(name: str) -> str | None:
    """Return why a rule about refused token requests cannot name this reason, with those that it can."""
    if name in TOKEN_SELECTABLE:
        return None
    names = ", ".join(sorted(TOKEN_SELECTABLE))
    if name in set(Reason):
        return f"'{name}' is no reason that a request for a token can end with; there are {names}"
    near = get_close_matches(name, sorted(TOKEN_SELECTABLE), n=1)
    return (
        f"'{name}' is no reason; did you mean '{near[0]}'?"
        if near
        else f"'{name}' is no reason; there are {names}"
    )
