"""Signing in: for the Activities API and for storage.

`docs/authentication.md` tells which way suits whom. Tokens are cached and renewed before they
expire by azure-identity; nothing of them is ever logged (`Secret`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from shared.core.access import SCOPE, ApiSettings, Secret
from shared.core.errors import SourceRefused
from shared.ports import Authorization, SignInUnavailable

RETRIES: dict[str, Any] = {
    "retry_total": 1,
    "retry_backoff_factor": 0.4,
    "retry_backoff_max": 2,
    "connection_timeout": 3,
    "read_timeout": 5,
}
"""A few seconds in all: waiting for longer is the ledger's business, not the SDK's."""

EXCHANGE = "api://AzureADTokenExchange/.default"
"""The audience by which an app registration trusts a managed identity's token."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """The legacy API token, which a user of the portal made."""

    token: Secret

    def header(self) -> str:
        """Return `Token <token>`; the scheme is case-sensitive."""
        return f"Token {self.token.reveal()}"

    def renew(self) -> bool:
        """Return False: there is nothing to renew."""
        return False


class EntraToken:
    """A bearer token of Microsoft Entra, from whatever credential `make` makes."""

    def __init__(self, make: Callable[[], TokenCredential], mode: str) -> None:
        """Make the credential; `mode` names it in errors."""
        self._make = make
        self._mode = mode
        self._credential = make()

    def header(self) -> str:
        """Return `Bearer <token>`."""
        try:
            return f"Bearer {self._credential.get_token(SCOPE).token}"
        except (ClientAuthenticationError, CredentialUnavailableError) as error:
            # azure-identity calls every failure of msal one of authentication, an outage included.
            if isinstance(error.__cause__, (ServiceRequestError, ServiceResponseError)):
                raise SignInUnavailable(_first_line(error)) from error
            raise SourceRefused(
                f"signing in for the Activities API failed (MDA_AUTH={self._mode}): "
                f"{_first_line(error)}. Check the identity, MDA_TENANT_ID and MDA_CLIENT_ID"
            ) from error
        except AzureError as error:
            raise SignInUnavailable(_first_line(error)) from error

    def renew(self) -> bool:
        """Begin with an empty token cache: a new credential object has one."""
        self._credential = self._make()
        return True


def authorization(api: ApiSettings) -> Authorization:
    """Return how to sign in for the API, as the settings say. Nothing is requested yet."""
    if api.auth == "api-token" and api.api_token:
        return FixedToken(api.api_token)
    return EntraToken(lambda: api_credential(api), api.auth)


def api_credential(api: ApiSettings) -> TokenCredential:
    """Return the Entra credential for the API."""
    tenant, client = api.tenant_id or "", api.client_id or ""
    if api.auth == "client-secret" and api.client_secret:
        secret = api.client_secret.reveal()
        return ClientSecretCredential(tenant, client, secret, **RETRIES)
    if api.auth == "federated":
        identity = managed_identity(api.identity_client_id)
        return ClientAssertionCredential(
            tenant, client, lambda: identity.get_token(EXCHANGE).token, **RETRIES
        )
    if api.auth == "managed-identity":
        return managed_identity(api.identity_client_id)
    return default_credential(api.identity_client_id)


def managed_identity(client_id: str | None) -> TokenCredential:
    """Return the user-assigned identity with this client id, or the system-assigned one."""
    if client_id:
        return ManagedIdentityCredential(client_id=client_id, **RETRIES)
    return ManagedIdentityCredential(**RETRIES)


def default_credential(client_id: str | None) -> TokenCredential:
    """Return azure-identity's chain: environment, identity, then a person's developer tools."""
    return DefaultAzureCredential(managed_identity_client_id=client_id, **RETRIES)


def storage_credential(client_id: str | None, *, in_azure: bool) -> TokenCredential:
    """Return what signs in for storage: the managed identity in Azure, the chain elsewhere."""
    return managed_identity(client_id) if in_azure else default_credential(client_id)


def _first_line(error: Exception) -> str:
    """Return what failed, without the troubleshooting paragraphs that follow."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line[:300].rstrip(". ")
