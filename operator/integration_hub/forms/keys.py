"""Keys of the questions about a connection, and answers that are words of ours. Fields have the keys of `config.py`."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = "template"
METHOD: Final = "auth.method"
SCOPES: Final = "auth.scopes"
DISPLAY_NAME: Final = "displayName"
NAME: Final = "name"
SECRET_USE: Final = "secret.use"
SECRET_NAME: Final = "secret.name"
SECRET_DO: Final = "secret.do."
SECRET_KEY: Final = "secret.key."
SCOPE_TYPE: Final = "scope.type"
SCOPE_ID: Final = "scope.id"
ROLES: Final = "roles"
DROP: Final = "drop."

NEW_SECRET: Final = "new Secret"
"""No Secret can be called so."""
KEEP: Final = "keep"
REPLACE: Final = "replace"
REMOVE: Final = "remove"
