"""The request budget of an API host as one block blob, guarded by its ETag."""

from azure.storage.blob import ContainerClient

from shared.adapters.blob_storage import read_with_date, replace_version
from shared.core.errors import StoreUnavailable
from shared.core.state.layout import budget_name
from shared.ports import SavedBudget


class BlobBudgetStore:
    """The `BudgetStore` in the app's state container."""

    def __init__(self, container: ContainerClient, host: str) -> None:
        """Use the app's state container for the budget of this API host."""
        self._blob = container.get_blob_client(budget_name(host))

    def load(self) -> SavedBudget:
        """Read the budget; see the port."""
        found = read_with_date(self._blob)
        if found.date is None:
            place = self._blob.url.partition("?")[0]
            raise StoreUnavailable(
                f"storage did not say what time it is when {place} was read, so the requests to "
                "this API host cannot be counted: check that no proxy removes the header Date"
            )
        return SavedBudget(
            content=found.content, etag=found.etag, modified=found.modified, date=found.date
        )

    def save(self, content: bytes, *, etag: str | None) -> str | None:
        """Replace or create the budget; see the port."""
        return replace_version(self._blob, content, etag=etag)
