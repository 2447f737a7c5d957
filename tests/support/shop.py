"""The shop whose connections the pages of the documentation show."""

from __future__ import annotations

from typing import Any

from support.instances import Object, Reached, definition


def acme(name: str, target: Reached, **spec: Any) -> Object:
    """A definition with a wizard, and fields that people read of; `spec` is laid over it."""
    schema = {
        "type": "object",
        "required": ["account"],
        "properties": {
            "account": {
                "type": "string",
                "title": "Account",
                "description": "The name in your address at Acme.",
                "pattern": "^[a-z0-9-]+$",
                "x-hub-pattern-message": "must be lower-case letters, digits and '-'",
                "examples": ["my-shop"],
            },
            "region": {"type": "string", "title": "Region", "enum": ["eu", "us"], "default": "eu"},
        },
    }
    methods = [
        {
            "name": "key",
            "type": "apiKey",
            "displayName": "API key",
            "description": "In Acme: Settings > API keys > Create.",
            "settings": {"prefix": "Bearer"},
            "credentials": [
                {"key": "apiKey", "displayName": "Secret key", "description": "Acme shows it once."}
            ],
        }
    ]
    wizard = {"steps": [{"title": "Your account at Acme", "fields": ["account", "region"]}]}
    whole = {
        "description": "Orders and invoices of a shop.",
        "documentationURL": "https://acme.example/docs",
        "configSchema": schema,
        "baseURL": target.url,
        "allowedHosts": [target.url.removeprefix("https://")],
        "trust": {"caBundle": target.ca},
        "authMethods": methods,
        "wizard": wizard,
    }
    return definition(name, target, **(whole | spec))
