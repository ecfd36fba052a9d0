"""How to reach the API and storage; secrets are in a type that does not show them."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

SCOPE = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default"
"""The scope of tokens: the application "Microsoft Cloud App Security", the same in every tenant."""

AUTHORITY = "AZURE_AUTHORITY_HOST"
"""Says in which cloud app registrations sign in. The Azure SDK reads it from the environment."""

AuthMode = Literal["managed-identity", "default", "client-secret", "federated", "api-token"]
AUTH_MODES: tuple[AuthMode, ...] = (
    "managed-identity",
    "default",
    "client-secret",
    "federated",
    "api-token",
)


class Secret:
    """A string that `repr`, `str` and f-strings do not show."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the value."""
        self._value = value

    def reveal(self) -> str:
        """Return the value; call this only to pass it to its receiver."""
        return self._value

    def __repr__(self) -> str:
        """Return a text without the value."""
        return "<secret>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How to reach the Activities API.

    Attributes:
        url: URL of the activities endpoint, with its trailing slash.
        auth: how to sign in.
        tenant_id: tenant of the app registration (`client-secret`, `federated`).
        client_id: client id of the app registration (`client-secret`, `federated`).
        client_secret: secret of the app registration (`client-secret`).
        api_token: the legacy token (`api-token`).
        identity_client_id: client id of a user-assigned managed identity; None for the
            system-assigned one.
        authority: host or address that signs app registrations in; None for the public cloud's.
        unresolved: one sentence for each of these secrets that the platform could not resolve.
            Nobody can sign in then.
    """

    url: str
    auth: AuthMode
    tenant_id: str | None
    client_id: str | None
    client_secret: Secret | None
    api_token: Secret | None
    identity_client_id: str | None
    authority: str | None
    unresolved: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Host and port, written in one way: the API counts the requests to it together."""
        url = urlsplit(self.url)
        return f"{url.hostname}:{url.port or (80 if url.scheme == 'http' else 443)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where ledger, manifests and parts are stored.

    Attributes:
        account_url: the account, to which the identity signs in; None if there is a connection
            string.
        connection_string: for local use; None if there is an account URL.
        data: name of the container of the parts.
        manifests: name of the container of the manifests.
        state: name of the container of ledger, run log and quarantine.
    """

    account_url: str | None
    connection_string: Secret | None
    data: str
    manifests: str
    state: str
