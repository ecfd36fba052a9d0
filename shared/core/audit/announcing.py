"""The notification that Event Grid sends about a part, recreated from the part's manifest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal

from shared.core.state.layout import bounds_in
from shared.core.state.manifest import Manifest

EventSchema = Literal["EventGridSchema", "CloudEventSchemaV1_0"]
EVENT_SCHEMAS: tuple[EventSchema, ...] = ("EventGridSchema", "CloudEventSchemaV1_0")

BLOB_CREATED = "Microsoft.Storage.BlobCreated"

CONTENT_TYPE = "application/x-gzip"
"""The content type of every part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the parts are, as messages name it.

    Attributes:
        topic: resource id of the storage account.
        container: the data container's name.
        url: URL of the data container, without a slash at the end.
        schema: the schema of the deployed subscription's messages.
    """

    topic: str
    container: str
    url: str
    schema: EventSchema


def concerns(manifest: Manifest, start: int | None, end: int | None) -> bool:
    """Say whether a manifest has a part with activities of this time (epoch ms, half-open)."""
    if manifest.part is None:
        return False
    first, last = bounds_in(manifest.part.name)
    return (end is None or first < end) and (start is None or start < last)


def message(manifest: Manifest, place: Place) -> dict[str, Any]:
    """Return the message about a manifest's part.

    The same part always gives the same message, so that a reader can recognise a repetition.
    It lacks what only the service knew: the ids of the requests that wrote the part, and its ETag.
    """
    part = manifest.part
    if part is None:
        raise ValueError(f"manifest {manifest.number} has no part")
    url = f"{place.url}/{part.name}"
    subject = f"/blobServices/default/containers/{place.container}/blobs/{part.name}"
    data = {
        "api": "PutBlockList",
        "contentType": CONTENT_TYPE,
        "contentLength": part.size,
        "blobType": "BlockBlob",
        "url": url,
        "sequencer": f"{manifest.number:048X}",
    }
    time = _written(manifest.requests.last or manifest.made)
    name = _named(url)
    if place.schema == "CloudEventSchemaV1_0":
        return {
            "specversion": "1.0",
            "id": name,
            "source": place.topic,
            "type": BLOB_CREATED,
            "subject": subject,
            "time": time,
            "data": data,
        }
    return {
        "topic": place.topic,
        "subject": subject,
        "eventType": BLOB_CREATED,
        "id": name,
        "data": data,
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": time,
    }


def _named(url: str) -> str:
    """Return an id that looks like the service's own, and is always the same for a part."""
    digits = sha256(url.encode()).hexdigest()
    return "-".join(digits[start:end] for start, end in pairwise((0, 8, 12, 16, 20, 32)))


def _written(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
