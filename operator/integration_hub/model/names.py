"""Names that are promised to users: of the API, of annotations, of condition types. Constants only.

They stand apart from the models, so that the command line can name things without the time that loading those takes.
"""

from __future__ import annotations

GROUP = "integrationhub.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

REQUEST_ANNOTATION = f"{GROUP}/request"
"""Written by a person's tool to ask for a test now; echoed in `status.lastHandledRequest`."""

AUTHORIZE_ANNOTATION = f"{GROUP}/authorize"
"""Written by a person's tool to ask for a new consent while the old tokens stay in use; echoed in
`status.lastHandledAuthorize` once the new ones have taken their place, or were refused."""

REVOKE_FINALIZER = f"{GROUP}/revoke"
"""The one finalizer: with `deletionPolicy: Revoke`, until the tokens were given back or the deadline has passed."""

# Types of conditions

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
DEFINITION_RESOLVED = "DefinitionResolved"
CONFIG_VALID = "ConfigValid"
CREDENTIALS_AVAILABLE = "CredentialsAvailable"
REACHABLE = "Reachable"
AUTHENTICATED = "Authenticated"
HEALTHY = "Healthy"

DOMAIN_CONDITIONS = (
    DEFINITION_RESOLVED,
    CONFIG_VALID,
    CREDENTIALS_AVAILABLE,
    REACHABLE,
    AUTHENTICATED,
    HEALTHY,
)
"""In the order in which they are decided: the first that is not True explains Ready."""

DELIVERED = "Delivered"
"""Whether workloads have what they need. Present only where spec.binding asks for it; decided last."""
