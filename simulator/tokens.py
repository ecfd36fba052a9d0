"""Tokens of the simulated identity platform: JWT-shaped, signed with a well-known key.

The signature only shows whether a token was issued here and is unaltered.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

# The application id of the API as every tenant knows it, and its role that may list activities.
AUDIENCE = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
ROLE = "investigation.read"

# The audience of a managed identity's token that vouches for an app registration.
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"

_KEY = b"not a secret: the key of the simulated identity platform"
_HEADER = {"typ": "JWT", "alg": "HS256", "kid": "simulator"}


def issue(claims: dict[str, Any]) -> str:
    """Return a token with these claims."""
    body = f"{_encoded(_HEADER)}.{_encoded(claims)}"
    return f"{body}.{_signature(body)}"


def read(token: str) -> dict[str, Any] | None:
    """Return the claims of a token that was issued here, or None for any other text."""
    body, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(body).encode(), signature.encode()):
        return None
    claims = json.loads(_decoded(body.partition(".")[2]))
    return claims if isinstance(claims, dict) else None


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(body: str) -> str:
    return _base64(hmac.digest(_KEY, body.encode(), "sha256"))
