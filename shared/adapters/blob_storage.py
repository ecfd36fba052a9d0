"""Connecting to blob storage, and saying what went wrong there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobServiceClient, ContainerClient, LinearRetry

from shared.core.access import StorageSettings
from shared.core.errors import StoreUnavailable

CONNECT_SECONDS = 5
READ_SECONDS = 10
"""For one attempt; a block of a few MB takes well under a second inside a region."""

HTTP_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """The three containers, by what is in them."""

    data: ContainerClient
    manifests: ContainerClient
    state: ContainerClient


def open_containers(
    storage: StorageSettings, credential: Callable[[], TokenCredential]
) -> Containers:
    """Return clients for the containers; nothing is requested yet.

    Args:
        storage: where they are.
        credential: makes what signs in, where there is no connection string.
    """
    service = _service(storage, credential)
    return Containers(
        data=service.get_container_client(storage.data),
        manifests=service.get_container_client(storage.manifests),
        state=service.get_container_client(storage.state),
    )


def _service(
    storage: StorageSettings, credential: Callable[[], TokenCredential]
) -> BlobServiceClient:
    options: dict[str, Any] = {
        "retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=2),
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }
    if storage.connection_string:
        connection = storage.connection_string.reveal()
        return BlobServiceClient.from_connection_string(connection, **options)
    return BlobServiceClient(storage.account_url or "", credential=credential(), **options)


def make_missing(containers: Containers) -> None:
    """Create containers that do not exist; for local storage, where no template does it.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    for container in (containers.data, containers.manifests, containers.state):
        try:
            container.create_container()
        except ResourceExistsError:
            continue
        except AzureError as error:
            raise explained(error, "create container", container.url) from error


def explained(error: AzureError, action: str, url: str) -> StoreUnavailable:
    """Return the error for people: what failed, on what, why, and what to do."""
    place = url.partition("?")[0]
    said = _reason(error)
    return StoreUnavailable(f"could not {action} {place}: {said}. {_remedy(error)}")


def error_code(error: AzureError) -> str | None:
    """Return the service's own name for what is wrong, such as `BlobNotFound`."""
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code)  # The SDK gives a text or an enum, by the kind of error.


def _reason(error: AzureError) -> str:
    if isinstance(error, HttpResponseError):
        return f"HTTP {error.status_code} {error_code(error) or error.reason}"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _remedy(error: AzureError) -> str:
    if isinstance(error, ResourceNotFoundError):
        return "Check the STORAGE_*_CONTAINER settings, or create the container"
    if isinstance(error, ClientAuthenticationError) or (
        isinstance(error, HttpResponseError) and error.status_code == HTTP_FORBIDDEN
    ):
        return (
            "Give this identity the role Storage Blob Data Contributor on the container (a new "
            "grant takes some minutes), and check the account's network rules"
        )
    return "Check STORAGE_ACCOUNT_URL and the network; the next run tries again"
