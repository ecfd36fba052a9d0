"""The contract of `BudgetStore`, on the fake and on Azurite."""

from dataclasses import dataclass

import pytest
from azure.storage.blob import ContainerClient

from shared.adapters.blob_budget import BlobBudgetStore
from shared.core.errors import StoreUnavailable
from shared.core.state.layout import budget_name
from shared.ports import BudgetStore
from tests.contracts.proxies import Losing, through
from tests.contracts.storage import opened
from tests.fakes import DAY, InMemoryBudget

HOST = "contoso.eu2.portal.cloudappsecurity.com:443"


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and the storage behind it."""

    store: BudgetStore
    container: ContainerClient | None = None

    def another(self) -> BudgetStore:
        """Return the same budget as another process opens it."""
        return BlobBudgetStore(self.container, HOST) if self.container else self.store

    def put(self, content: bytes) -> None:
        """Write the budget behind the store's back."""
        if self.container is None:
            assert isinstance(self.store, InMemoryBudget)
            self.store.put(content)
        else:
            self.container.upload_blob(budget_name(HOST), content, overwrite=True)


def without_date(_: bytes, answer: bytes) -> bytes:
    """Return an answer as a proxy may pass it on."""
    return answer.replace(b"Date: ", b"Gone: ", 1)


@pytest.fixture(params=["fake", "azurite"])
def place(request: pytest.FixtureRequest) -> Place:
    """Provide a store without a budget."""
    if request.param == "fake":
        return Place(InMemoryBudget())
    state = request.getfixturevalue("containers").state
    return Place(BlobBudgetStore(state, HOST), state)


def test_the_absence_of_a_budget_is_a_value_with_the_time(place: Place) -> None:
    """The first claim needs the service's clock, too."""
    saved = place.store.load()

    assert (saved.content, saved.etag, saved.modified) == (None, None, 0)
    assert saved.date >= 1_000 * DAY


def test_a_budget_is_loaded_as_it_was_saved(place: Place) -> None:
    """With its version, and when it was saved, by the clock of the read."""
    etag = place.store.save(b"one", etag=None)

    saved = place.another().load()

    assert (saved.content, saved.etag) == (b"one", etag)
    assert 0 <= saved.date - saved.modified < 60_000


def test_times_are_whole_seconds(place: Place) -> None:
    """So whoever reads them must round."""
    place.store.save(b"one", etag=None)

    saved = place.store.load()

    assert (saved.date % 1000, saved.modified % 1000) == (0, 0)


def test_of_two_creations_one_is_refused(place: Place) -> None:
    """Two invocations begin at once where no budget exists yet."""
    first = place.store.save(b"one", etag=None)

    assert place.another().save(b"two", etag=None) is None
    assert (place.store.load().content, place.store.load().etag) == (b"one", first)


def test_a_save_replaces_the_version_that_was_read(place: Place) -> None:
    """Its ETag is valid for the next save."""
    first = place.store.save(b"one", etag=None)
    second = place.store.save(b"two", etag=first)
    third = place.store.save(b"three", etag=second)

    assert place.store.load().etag == third
    assert place.store.load().content == b"three"
    assert len({first, second, third}) == 3


def test_a_save_against_an_older_version_is_refused(place: Place) -> None:
    """Nothing is written."""
    first = place.store.save(b"one", etag=None)
    place.another().save(b"two", etag=first)

    assert place.store.save(b"three", etag=first) is None
    assert place.store.load().content == b"two"


def test_a_save_whose_answer_was_lost_succeeds_when_repeated(place: Place) -> None:
    """A refused save whose bytes are stored must have been this one."""
    first = place.store.save(b"one", etag=None)
    second = place.store.save(b"two", etag=first)

    assert place.store.save(b"two", etag=first) == second


def test_a_creation_whose_answer_was_lost_succeeds_when_repeated(place: Place) -> None:
    """The first claim on a host may lose its answer."""
    first = place.store.save(b"one", etag=None)

    assert place.store.save(b"one", etag=None) == first


def test_a_budget_that_others_wrote_has_a_version(place: Place) -> None:
    """It can be replaced, whatever it holds."""
    place.put(b"\xff")
    etag = place.store.load().etag

    assert place.store.save(b"one", etag=etag) is not None


def test_a_service_that_does_not_say_the_time_is_of_no_use(
    storage_settings: dict[str, str],
) -> None:
    """No other clock may take its place."""
    opened(storage_settings)
    with through(storage_settings, change=without_date) as there:
        store = BlobBudgetStore(opened(there, make=False).state, HOST)

        with pytest.raises(StoreUnavailable, match="did not say what time it is"):
            store.load()


def test_a_budget_whose_answer_is_lost_on_the_way_is_read_with_the_time(
    storage_settings: dict[str, str],
) -> None:
    """The SDK repeats the request, and does not show its answer."""
    opened(storage_settings)
    losing = Losing(lose="^GET .*/budgets/")
    with through(storage_settings, change=losing) as there:
        saved = BlobBudgetStore(opened(there, make=False).state, HOST).load()

    assert losing.lost
    assert saved.content is None
    assert saved.date >= 1_000 * DAY


def test_a_save_is_answered_late_only_once(storage_settings: dict[str, str]) -> None:
    """The SDK sends it again, is refused, and finds its own bytes."""
    opened(storage_settings)
    losing = Losing(lose="^PUT .*/budgets/")
    with through(storage_settings, change=losing) as there:
        store = BlobBudgetStore(opened(there, make=False).state, HOST)

        etag = store.save(b"one", etag=None)
        saved = store.load()

    assert losing.lost
    assert (saved.content, saved.etag) == (b"one", etag)


def test_a_missing_container_is_an_error_that_names_it(storage_settings: dict[str, str]) -> None:
    """Nothing may be sent if the budget cannot be kept."""
    missing = ContainerClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"], "there-is-no-such-container"
    )
    store = BlobBudgetStore(missing, HOST)

    with pytest.raises(StoreUnavailable, match="ContainerNotFound"):
        store.load()
    with pytest.raises(StoreUnavailable, match="ContainerNotFound"):
        store.save(b"one", etag=None)
