"""Connecting to blob storage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineResponse
from azure.storage.blob import (
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    LinearRetry,
)

from shared.access import StorageSettings
from shared.adapters.storage_errors import concerns_blob, error_code, explained, is_absent
from shared.core.api.answers import read_http_date

JSON = ContentSettings(content_type="application/json")

CONNECT_SECONDS = 5
READ_SECONDS = 10
"""Both are for one attempt. Inside a region, a block of a few MB takes well under a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """The three containers, named by what they hold."""

    data: ContainerClient
    manifests: ContainerClient
    state: ContainerClient


def open_containers(
    storage: StorageSettings, credential: Callable[[], TokenCredential]
) -> Containers:
    """Return clients for the containers; nothing is requested yet.

    Args:
        storage: where they are.
        credential: returns the credential to sign in with if there is no connection string.
    """
    return containers_of(open_account(storage, credential), storage)


def containers_of(account: BlobServiceClient, storage: StorageSettings) -> Containers:
    """Return clients for the containers that the settings name; they share the account's."""
    return Containers(
        data=account.get_container_client(storage.data),
        manifests=account.get_container_client(storage.manifests),
        state=account.get_container_client(storage.state),
    )


def open_account(
    storage: StorageSettings, credential: Callable[[], TokenCredential]
) -> BlobServiceClient:
    """Return a client for the account; nothing is requested yet."""
    options: dict[str, Any] = {
        "retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=2),
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }
    if storage.connection_string:
        connection = storage.connection_string.reveal()
        return BlobServiceClient.from_connection_string(connection, **options)
    return BlobServiceClient(storage.account_url or "", credential=credential(), **options)


def content_of(blob: BlobClient, *, version: str | None = None) -> bytes | None:
    """Return a blob's bytes, or those of one of its versions; None if it does not exist.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    try:
        content: bytes = blob.download_blob(version_id=version).readall()
    except AzureError as error:
        if is_absent(error):
            return None
        raise explained(error, "read a version of" if version else "read", blob.url) from error
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A blob as it was read.

    Attributes:
        content: its bytes; None if it does not exist.
        etag: its ETag; None if it does not exist.
        modified: when it was saved, epoch ms by the storage service's clock; 0 if it does not
            exist.
        date: the storage service's clock at the read, epoch ms; None if the answer does not say it.
    """

    content: bytes | None
    etag: str | None
    modified: int
    date: int | None


def read_with_date(blob: BlobClient) -> Reading:
    """Return a blob with the time that the service's answer states.

    The library shows nobody the answer to a request that it has repeated after a lost connection.
    So a blob that came without a time is read again, once.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    reading = _read(blob)
    return reading if reading.date is not None else _read(blob)


def _read(blob: BlobClient) -> Reading:
    dates: list[int | None] = [None]
    try:
        found = blob.download_blob(raw_response_hook=lambda it: dates.append(_date_of(it)))
        content: bytes = found.readall()
    except AzureError as error:
        if not is_absent(error):
            raise explained(error, "read", blob.url) from error
        return Reading(content=None, etag=None, modified=0, date=dates[-1])
    properties = found.properties
    modified = round(properties.last_modified.timestamp() * 1000)
    # The last answer is the blob's; those before it were errors.
    return Reading(content=content, etag=properties.etag, modified=modified, date=dates[-1])


def unchanged_since(etag: str | None) -> dict[str, Any]:
    """Return the condition that a blob still has the version with this ETag; None: is absent."""
    if etag is None:
        return {"match_condition": MatchConditions.IfMissing}
    return {"match_condition": MatchConditions.IfNotModified, "etag": etag}


def replace_version(blob: BlobClient, content: bytes, *, etag: str | None) -> str | None:
    """Replace the version of a blob with this ETag, or create the blob; return the new ETag.

    It returns None if another version was saved since. A save that succeeded and whose answer was
    late is recognised: what is stored then is what was sent.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses. It refuses every write to this blob
            if the version to be replaced is still there.
    """
    try:
        saved = blob.upload_blob(
            content, overwrite=True, content_settings=JSON, **unchanged_since(etag)
        )
    except AzureError as error:
        stored = read_with_date(blob) if concerns_blob(error) else None
        if stored and stored.content == content:
            return stored.etag
        if stored is None or stored.etag == etag:
            raise explained(error, "save", blob.url) from error
        return None
    return str(saved["etag"])


def _date_of(response: PipelineResponse[Any, Any]) -> int | None:
    """Return the `Date` of an answer, epoch ms; None if it does not say it."""
    return read_http_date(response.http_response.headers.get("Date"))


def exists(container: ContainerClient) -> bool:
    """Say whether a container exists.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    try:
        return bool(container.exists())
    except AzureError as error:
        raise explained(error, "look for container", container.url) from error


def make_missing(containers: Containers) -> None:
    """Create the containers that do not exist: no template creates them in local storage.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    for container in (containers.data, containers.manifests, containers.state):
        make_container(container)


def make_container(container: ContainerClient) -> None:
    """Create a container unless it exists.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    try:
        container.create_container()
    except AzureError as error:
        if error_code(error) != "ContainerAlreadyExists":
            raise explained(error, "create container", container.url) from error
