"""A storage queue, into which messages are put as Event Grid would put them."""

from collections.abc import Callable
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import LinearRetry, QueueClient, TextBase64EncodePolicy

from shared.access import StorageSettings
from shared.adapters.storage_errors import reason
from shared.core.errors import SettingsError, StoreUnavailable

KEPT_SECONDS = 7 * 24 * 3600
"""How long a message is kept: as long as those of the deployed subscription."""


class StorageQueue:
    """Puts messages into a queue that exists; it needs only the right to send."""

    def __init__(self, client: QueueClient) -> None:
        """Use this queue."""
        self._client = client

    def send(self, text: str) -> None:
        """Put one message into the queue, base64-encoded.

        Raises:
            StoreUnavailable: the queue cannot be reached or refuses; it may have the message.
        """
        try:
            self._client.send_message(text, time_to_live=KEPT_SECONDS)
        except AzureError as error:
            raise StoreUnavailable(_explained(error, self._client.url)) from error


def open_queue(
    storage: StorageSettings, name: str, credential: Callable[[], TokenCredential]
) -> StorageQueue:
    """Return a queue of the account that has the parts, or the one at an address.

    Raises:
        SettingsError: the address of the queue does not follow from the settings.
    """
    options: dict[str, Any] = {
        "message_encode_policy": TextBase64EncodePolicy(),
        # As for blobs. By default, the library would wait for more than a minute.
        "retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=2),
    }
    if name.startswith("https://"):
        client = QueueClient.from_queue_url(name, credential=credential(), **options)
        return StorageQueue(client)
    if storage.connection_string:
        text = storage.connection_string.reveal()
        client = QueueClient.from_connection_string(text, name, **options)
        return StorageQueue(client)
    account = (storage.account_url or "").replace(".blob.", ".queue.", 1)
    if ".queue." not in account:
        raise SettingsError(
            [f"the queue {name!r} cannot be found from STORAGE_ACCOUNT_URL: give its whole address"]
        )
    client = QueueClient(account, name, credential=credential(), **options)
    return StorageQueue(client)


def _explained(error: AzureError, url: str) -> str:
    place = url.partition("?")[0]
    if isinstance(error, ResourceNotFoundError):
        return f"there is no queue {place}: check --queue; this command does not create queues"
    return (
        f"could not send to {place}: {reason(error)}. Sending needs the role Storage Queue Data "
        "Message Sender on the queue (a new grant takes some minutes)"
    )
