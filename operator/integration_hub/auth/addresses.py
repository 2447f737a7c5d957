"""What is wrong with an address in a method's settings, whatever the configuration is, and what to do about it."""

from __future__ import annotations

from integration_hub.config.renderable import base_url_problem


def address_problem(text: str, *, parameters: str = "") -> str | None:
    """Return why this address cannot be asked; `parameters` names the setting for what would be its query."""
    if text != text.strip():
        return "begins or ends with a space or line break"
    if parameters and "?" in text:
        return f"cannot have '?'; put what is behind it into '{parameters}'"
    return base_url_problem(text)
