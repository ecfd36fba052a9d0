"""The table of activities as a Delta table: the only module that knows the library.

What the library does by itself does not make an append safe. It skips no transaction that the table
already has, and a write by address, or with retries, adds its rows on top of whatever another
writer appended meanwhile. So every append goes through the handle by which the last manifest was
read, and is not repeated.

Nor is a compaction safe. It repeats its commit whatever it is told, on top of whatever was
committed meanwhile, and two of them at once both succeed: every row that they merged is then in the
table twice. But the library refuses a compaction if the table's properties have changed since it
was opened. So a compaction first claims the table, by a change of a property that is not repeated,
and continues with the handle of exactly that version. A later claim makes it fail, and a claim that
comes after it sees its result.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from azure.storage.blob import ContainerClient
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from shared.core.errors import TableUnavailable, TableUnusable
from shared.core.model import HOUR_MS
from shared.table.columns import Row
from shared.table.ports import AppendRefused, UpkeepRefused
from shared.table.upkeep import FILE_SIZE, RETENTION_MS, File, Stated

PARTITIONS = ["date"]

STORAGE_SCOPE = "https://storage.azure.com/.default"

_TEXT, _NUMBER, _FLAG = DataType.utf8(), DataType.int64(), DataType.bool()
_INSTANT, _DAY = DataType.timestamp("us", tz="UTC"), DataType.date32()

COLUMNS: dict[str, DataType] = {
    "id": _TEXT,
    "time": _INSTANT,
    "created": _INSTANT,
    "app_id": _NUMBER,
    "app_name": _TEXT,
    "event_type": _TEXT,
    "action": _TEXT,
    "user": _TEXT,
    "ip": _TEXT,
    "country": _TEXT,
    "severity": _TEXT,
    "irregular": _FLAG,
    "scan": _TEXT,
    "pass": _TEXT,
    "manifest": _NUMBER,
    "date": _DAY,
    "record": _TEXT,
}
"""The columns in their order, each with its type."""

SCHEMA = Schema([Field(name, kind) for name, kind in COLUMNS.items()])

WRITER = WriterProperties(
    compression="ZSTD",
    compression_level=3,
    # A record is different from every other, and nobody looks for a range of records.
    column_properties={
        "record": ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
    },
)

PROPERTIES = {
    # Whoever opens the table reads every entry of the log since the last checkpoint.
    "delta.checkpointInterval": "20",
    # Older versions cannot be read anyway: a vacuum removes their files.
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}
"""Properties of a new table. The library writes checkpoints, and removes old entries of the log
with them, by itself."""

CLAIMED, COMPACTED, VACUUMED = (
    "activity-scan.compacting",
    "activity-scan.compacted",
    "activity-scan.vacuumed",
)
"""Properties that state the upkeep: the claim of a compaction, and times in epoch ms."""

UNREPEATED = CommitProperties(max_commit_retries=0)

EPOCH = date(1970, 1, 1)


def storage_options(container: ContainerClient) -> dict[str, str]:
    """Return how the library reaches the account of a container that the storage SDK reaches.

    An identity's token is handed over, and lasts for about an hour: ask again for each commit.
    """
    address, _, sas = container.primary_endpoint.partition("?")
    endpoint = address.removesuffix(f"/{container.container_name}")
    return {
        "azure_storage_account_name": container.account_name or "",
        "azure_storage_endpoint": endpoint,
        "allow_http": str(endpoint.startswith("http:")).lower(),
        **_sign_in(container.credential, sas),
    }


def _sign_in(credential: Any, sas: str) -> dict[str, str]:  # noqa: ANN401 - a key, an identity or none
    if sas:
        return {"azure_storage_sas_key": sas}
    if key := getattr(credential, "account_key", None):
        return {"azure_storage_account_key": key}
    return {"azure_storage_token": credential.get_token(STORAGE_SCOPE).token}


class DeltaActivities:
    """The `Table` of one scan at an address; several scans may share one address."""

    def __init__(self, uri: str, scan: str, options: Callable[[], Mapping[str, str]]) -> None:
        """Use the table at this address.

        Args:
            uri: `az://CONTAINER/FOLDER`, or a folder of this machine.
            scan: the scan that is followed.
            options: returns how to reach the storage and sign in; asked whenever the table is
                opened, so that a token lasts.
        """
        self._uri = uri
        self._application = f"activity-scan/{scan}"
        self._options = options

    def open(self) -> "DeltaHandle":
        """Open or create the table; see the port."""
        return DeltaHandle(self._opened(), self._application)

    def stated(self) -> Stated:
        """Return the files, and the properties that state the upkeep; see the port."""
        table = self._opened()
        actions = table.get_add_actions(flatten=True)
        days, sizes = actions.column("partition.date"), actions.column("size_bytes")
        files = zip(days.to_pylist(), sizes.to_pylist(), strict=True)
        properties = table.metadata().configuration
        return Stated(
            files=[File(None if day is None else (day - EPOCH).days, size) for day, size in files],
            compacted=_instant(properties.get(COMPACTED)),
            vacuumed=_instant(properties.get(VACUUMED)),
        )

    def delete_before(self, day: int) -> int:
        """Drop whole partitions; see the port."""
        table, first = self._opened(), _partition(day)
        with self._upkeep(f"delete days before {first} from"):
            done = table.delete(f"date < '{first}'", commit_properties=UNREPEATED)
        return int(done["num_deleted_rows"])

    def compact(self, day: int | None) -> int:
        """Claim the table, and merge files of a partition; see the port and the module."""
        table, partition = self._opened(), _partition(day)
        before = table.version()
        with self._upkeep(f"merge files of day {partition or 'null'} of"):
            _set(table, CLAIMED, partition)
            if table.version() != before + 1:
                raise UpkeepRefused("another commit followed the claim")
            done = table.optimize.compact(
                partition_filters=[("date", "=", partition)],
                target_size=FILE_SIZE,
                max_concurrent_tasks=1,
                writer_properties=WRITER,
            )
        return int(done["numFilesRemoved"])

    def vacuum(self) -> int:
        """List all files, which also finds those that no commit ever named; see the port."""
        table = self._opened()
        with self._upkeep("remove old files of"):
            removed = table.vacuum(
                retention_hours=RETENTION_MS // HOUR_MS, dry_run=False, full=True
            )
        return len(removed)

    def state_compacted(self, at: int) -> None:
        """Set the property; see the port."""
        self._state(COMPACTED, at)

    def state_vacuumed(self, at: int) -> None:
        """Set the property; see the port."""
        self._state(VACUUMED, at)

    def _state(self, name: str, at: int) -> None:
        table = self._opened()
        with self._upkeep(f"set {name} of"):
            _set(table, name, str(at))

    @contextmanager
    def _upkeep(self, doing: str) -> Iterator[None]:
        """Turn the library's errors into those of the port."""
        try:
            yield
        except CommitFailedError as error:
            raise UpkeepRefused(str(error)) from error
        except (DeltaError, OSError) as error:
            raise TableUnavailable(
                f"cannot {doing} the table at {self._uri}, which has all rows that were appended: "
                f"{error}"
            ) from error

    def _opened(self) -> DeltaTable:
        options = dict(self._options())
        try:
            table = self._existing(options) or self._created(options)
        except (DeltaError, OSError) as error:
            raise TableUnavailable(f"cannot open the table at {self._uri}: {error}") from error
        _require_columns(table, self._uri)
        return table

    def _existing(self, options: dict[str, str]) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri, storage_options=options)
        except TableNotFoundError:
            return None

    def _created(self, options: dict[str, str]) -> DeltaTable:
        try:
            return DeltaTable.create(
                self._uri,
                schema=DeltaSchema.from_arrow(SCHEMA),
                partition_by=PARTITIONS,
                name="activities",
                configuration=PROPERTIES,
                storage_options=options,
            )
        except DeltaError:
            # Another writer may have created it at the same moment.
            table = self._existing(options)
            if table is None:
                raise
            return table


class DeltaHandle:
    """The `TableHandle`: a table at one of its versions."""

    def __init__(self, table: DeltaTable, application: str) -> None:
        """Append to this table under this name of an application."""
        self._table = table
        self._application = application

    @property
    def through(self) -> int:
        """Ask the table's own record of transactions; see the port."""
        return self._table.transaction_version(self._application) or 0

    def append(self, batches: Iterable[Sequence[Row]], *, first: int, through: int) -> None:
        """Write the files of one commit, then the commit; see the port."""
        rows = _Stream(batches)
        commit = CommitProperties(
            app_transactions=[Transaction(self._application, through)],
            max_commit_retries=0,
            custom_metadata={"manifests": f"{first}-{through}"},
        )
        try:
            write_deltalake(
                self._table,
                RecordBatchReader.from_batches(SCHEMA, rows.batches()),
                mode="append",
                schema_mode="merge",
                writer_properties=WRITER,
                commit_properties=commit,
            )
        except CommitFailedError as error:
            raise AppendRefused(str(error)) from error
        except (DeltaError, OSError) as error:
            if rows.failure is not None:
                raise rows.failure from None
            place = self._table.table_uri
            raise TableUnavailable(f"cannot append to the table at {place}: {error}") from error


class _Stream:
    """Batches of rows as Arrow takes them; keeps what they raise, since the library would not."""

    def __init__(self, batches: Iterable[Sequence[Row]]) -> None:
        self._batches = batches
        self.failure: Exception | None = None

    def batches(self) -> Iterator[RecordBatch]:
        try:
            for rows in self._batches:
                yield _batch(rows)
        except Exception as error:
            self.failure = error
            raise


def _batch(rows: Sequence[Row]) -> RecordBatch:
    fields = zip(COLUMNS.items(), Row.__struct_fields__, strict=True)
    columns = [_column([getattr(it, field) for it in rows], kind) for (_, kind), field in fields]
    return RecordBatch.from_arrays(columns, schema=SCHEMA)


def _column(values: list[Any], kind: DataType) -> Array:
    """Return values as a column; times are made of whole numbers."""
    if kind == _INSTANT:
        micros = [None if it is None else it * 1_000 for it in values]
        return Array(micros, _NUMBER).cast(kind)
    if kind == _DAY:
        return Array(values, DataType.int32()).cast(kind)
    return Array(values, kind)


def _partition(day: int | None) -> str:
    """Return the value of the partition as the library's filters write it; null is empty."""
    return "" if day is None else (EPOCH + timedelta(days=day)).isoformat()


def _instant(value: str | None) -> int | None:
    """Return the time in a property; None if somebody wrote something else there."""
    return int(value) if value is not None and value.isdecimal() else None


def _set(table: DeltaTable, name: str, value: str) -> None:
    """Set a property in a commit that fails if another one was faster."""
    table.alter.set_table_properties(
        {name: value}, raise_if_not_exists=False, commit_properties=UNREPEATED
    )


def _require_columns(table: DeltaTable, uri: str) -> None:
    """Raise unless the table is partitioned as ours, and our columns have our types in it."""
    wanted = {it.name: str(it.type) for it in DeltaSchema.from_arrow(SCHEMA).fields}
    found = {it.name: str(it.type) for it in table.schema().fields}
    partitions = table.metadata().partition_columns
    differing = sorted(name for name in wanted if found.get(name, wanted[name]) != wanted[name])
    if partitions != PARTITIONS or differing:
        raise TableUnusable(
            f"there is a table at {uri}, but not one of this program: it is partitioned by "
            f"{partitions}, and these columns have another type: {differing}. Choose another "
            "address, or remove that table"
        )
