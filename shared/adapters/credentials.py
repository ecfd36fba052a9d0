"""Signing in: for the Activities API and for storage.

`docs/authentication.md` explains which way to choose. azure-identity caches tokens and
renews them before they expire. No token is ever logged (`Secret`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import TokenCredential
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from shared.access import SCOPE, ApiSettings, Secret
from shared.adapters.patience import (
    Hook,
    IdentityRefused,
    IdentityUnavailable,
    PatientCredential,
    first_line,
)
from shared.core.errors import SourceRefused
from shared.ports import Authorization, Clock, SignInUnavailable

ONCE: dict[str, Any] = {
    "retry_total": 0,
    "connection_timeout": 3,
    "read_timeout": 5,
}
"""Options for one attempt; `PatientCredential` makes several."""

EXCHANGE = "api://AzureADTokenExchange"
"""The audience that an app registration expects in a managed identity's token."""

EXCHANGES = {
    "login.microsoftonline.us": f"{EXCHANGE}USGov",
    "login.chinacloudapi.cn": f"{EXCHANGE}China",
    "login.partner.microsoftonline.cn": f"{EXCHANGE}China",
}
"""The audience in other clouds than the public one, by the host that signs in.

Source: Microsoft Entra, "Configure an application to trust a managed identity"."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A legacy API token, which a user created in the portal."""

    token: Secret

    def header(self) -> str:
        """Return `Token <token>`; the scheme is case-sensitive."""
        return f"Token {self.token.reveal()}"

    def renew(self) -> bool:
        """Return False: there is nothing to renew."""
        return False


@dataclass(frozen=True, slots=True)
class NoToken:
    """No sign-in at all, because a secret is not at hand."""

    problems: tuple[str, ...]

    def header(self) -> str:
        """Refuse, and say what is wrong."""
        raise SourceRefused(f"signing in for the Activities API failed: {'; '.join(self.problems)}")

    def renew(self) -> bool:
        """Return False: the platform resolves references when it starts the app."""
        return False


class EntraToken:
    """A bearer token of Microsoft Entra, from the credential that `make` returns."""

    def __init__(self, make: Callable[[], TokenCredential], mode: str) -> None:
        """Create the credential; `mode` names it in errors."""
        self._make = make
        self._mode = mode
        self._credential = make()

    def header(self) -> str:
        """Return `Bearer <token>`."""
        try:
            return f"Bearer {self._credential.get_token(SCOPE).token}"
        except IdentityRefused as error:
            raise SourceRefused(
                f"signing in for the Activities API failed (MDA_AUTH={self._mode}): "
                f"{first_line(error)}. Check the identity, MDA_TENANT_ID and MDA_CLIENT_ID"
            ) from error
        except IdentityUnavailable as error:
            raise SignInUnavailable(first_line(error)) from error

    def renew(self) -> bool:
        """Create the credential again, because a new object begins with an empty token cache."""
        self._credential = self._make()
        return True


def authorization(api: ApiSettings, clock: Clock) -> Authorization:
    """Return how to sign in for the API, as the settings say. Nothing is requested yet."""
    if api.unresolved:
        return NoToken(api.unresolved)
    if api.auth == "api-token" and api.api_token:
        return FixedToken(api.api_token)
    return EntraToken(lambda: api_credential(api, clock), api.auth)


def api_credential(api: ApiSettings, clock: Clock) -> TokenCredential:
    """Return the Entra credential for the API."""
    tenant, client = api.tenant_id or "", api.client_id or ""
    identity = api.identity_client_id
    if api.auth == "client-secret" and api.client_secret:
        secret = api.client_secret.reveal()
        return PatientCredential(
            lambda hook: ClientSecretCredential(tenant, client, secret, **_options(hook)), clock
        )
    if api.auth == "federated":
        voucher, audience = managed_identity(identity, clock), exchange_audience(api.authority)
        return PatientCredential(
            lambda hook: ClientAssertionCredential(
                tenant,
                client,
                lambda: voucher.get_token(f"{audience}/.default").token,
                **_options(hook),
            ),
            clock,
        )
    if api.auth == "managed-identity":
        return managed_identity(identity, clock)
    return default_credential(identity, clock)


def exchange_audience(authority: str | None) -> str:
    """Return the audience of tokens that vouch for an app registration, in this authority's cloud.

    Args:
        authority: its host or address; None for the public cloud's.
    """
    host = (authority or "").removeprefix("https://").strip("/").lower()
    return EXCHANGES.get(host, EXCHANGE)


def managed_identity(client_id: str | None, clock: Clock) -> TokenCredential:
    """Return the user-assigned identity with this client id, or the system-assigned one."""
    return PatientCredential(
        lambda hook: ManagedIdentityCredential(client_id=client_id or None, **_options(hook)), clock
    )


def default_credential(client_id: str | None, clock: Clock) -> TokenCredential:
    """Return azure-identity's chain: environment, managed identity, then developer tools."""
    return PatientCredential(
        lambda hook: DefaultAzureCredential(managed_identity_client_id=client_id, **_options(hook)),
        clock,
    )


def storage_credential(client_id: str | None, clock: Clock, *, in_azure: bool) -> TokenCredential:
    """Return what signs in for storage: the managed identity in Azure, the chain elsewhere."""
    return managed_identity(client_id, clock) if in_azure else default_credential(client_id, clock)


def _options(hook: Hook) -> dict[str, Any]:
    return {**ONCE, "raw_response_hook": hook}
