"""How to reach the API and storage, as values; secrets in a type that does not show them."""

from dataclasses import dataclass
from typing import Literal

SCOPE = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"
"""What tokens are asked for: the application "Microsoft Cloud App Security" in every tenant."""

AuthMode = Literal["managed-identity", "default", "client-secret", "federated", "api-token"]
AUTH_MODES: tuple[AuthMode, ...] = (
    "managed-identity",
    "default",
    "client-secret",
    "federated",
    "api-token",
)


class Secret:
    """A string that shows itself only when asked; `repr`, `str` and f-strings say nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value; call this only where it is handed to its receiver."""
        return self._value

    def __repr__(self) -> str:
        """Return a text without the value."""
        return "<secret>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How to reach the Activities API.

    Attributes:
        url: of the activities endpoint, with its trailing slash.
        auth: how to sign in.
        tenant_id: of the app registration (`client-secret`, `federated`).
        client_id: of the app registration (`client-secret`, `federated`).
        client_secret: of the app registration (`client-secret`).
        api_token: the legacy token (`api-token`).
        identity_client_id: of a user-assigned managed identity; None for the system's own.
    """

    url: str
    auth: AuthMode
    tenant_id: str | None
    client_id: str | None
    client_secret: Secret | None
    api_token: Secret | None
    identity_client_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where ledger, manifests and parts are.

    Attributes:
        account_url: reached with the identity; None when there is a connection string.
        connection_string: for local use; None when there is an account URL.
        data: container of the parts.
        manifests: container of the manifests.
        state: container of ledger, run log and quarantine.
    """

    account_url: str | None
    connection_string: Secret | None
    data: str
    manifests: str
    state: str
