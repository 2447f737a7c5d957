"""OAuth 2.0 (RFC 6749): how tokens are asked for, and what the answers mean. One idea a file; nothing is sent here."""

from integration_hub.auth.oauth2.method import OAuth2 as OAuth2
