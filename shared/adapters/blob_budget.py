"""The request budget of an API host as one block blob, guarded by its ETag."""

from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient, ContentSettings

from shared.adapters.blob_storage import read_with_date, unchanged_since
from shared.adapters.storage_errors import concerns_blob, explained
from shared.core.errors import StoreUnavailable
from shared.core.state.layout import budget_name
from shared.ports import SavedBudget

JSON = ContentSettings(content_type="application/json")


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
        try:
            saved = self._blob.upload_blob(
                content, overwrite=True, content_settings=JSON, **unchanged_since(etag)
            )
        except AzureError as error:
            if not concerns_blob(error):
                raise explained(error, "save", self._blob.url) from error
            return self._own_save(content, etag, error)
        return str(saved["etag"])

    def _own_save(self, content: bytes, etag: str | None, refusal: AzureError) -> str | None:
        """Return the stored ETag if what is stored is what was sent: our own save, answered late.

        If the version to be replaced is still there, storage refuses every write to this blob.
        """
        stored = self.load()
        if stored.content == content:
            return stored.etag
        if stored.etag == etag:
            raise explained(refusal, "save", self._blob.url) from refusal
        return None
