"""The list of scans: which version of the file is in use, and what is said about a wrong one."""

import json

import pytest

from shared.core.errors import SettingsError, StoreUnavailable
from shared.scan_list import Known, ListReader, ScanList
from shared.settings import LIST, read_settings
from tests.fakes import NOW, InMemoryScanList
from tests.unit.settings.given import GOOD

SCANS = {"SCANS": '[{"name": "of-the-settings"}]'}


def listed(*names: str, **more: str) -> bytes:
    """Return a file that lists scans of these names."""
    return json.dumps([{"name": name, **more} for name in names]).encode()


def names(found: ScanList) -> list[str]:
    """Return the names of the scans in use."""
    return [it.policy.scan for it in read_settings(found.environ).scans]


class Process:
    """A process that runs the scans again and again, with what it remembers between its runs."""

    def __init__(self, store: InMemoryScanList, **settings: str) -> None:
        self.store = store
        self.known = Known()
        self.settings = {**GOOD, **settings}

    def read(self, *, keeps: bool = True) -> ScanList:
        """Read the list, as one run does."""
        return ListReader(self.store, self.known).read(self.settings, keeps=keeps)


def test_the_file_lists_the_scans() -> None:
    """The settings beside it apply to all of them."""
    found = Process(InMemoryScanList(listed("a", "b")), SCAN_NAME="alone").read()

    assert names(found) == ["a", "b"]
    assert found.wrong is None


def test_without_a_file_the_settings_say_which_scans_there_are() -> None:
    """So it is in most deployments."""
    assert names(Process(InMemoryScanList()).read()) == ["all"]
    assert names(Process(InMemoryScanList(), **SCANS).read()) == ["of-the-settings"]


def test_a_list_in_the_settings_beside_the_file_is_refused() -> None:
    """Nobody could tell which of them is meant, and the copy that was kept does not decide it."""
    store = InMemoryScanList(listed("a"))
    store.in_use = listed("a", "b")

    with pytest.raises(
        SettingsError, match=r"SCANS is set although .* has a scans\.json"
    ) as refused:
        Process(store, **SCANS).read()

    assert len(refused.value.problems) == 1


def test_an_unchanged_file_is_not_read_again() -> None:
    """Each run asks for another version than the one that it knows."""
    process = Process(InMemoryScanList(listed("a")))
    process.read()

    assert names(process.read()) == ["a"]
    assert process.store.asked == [None, "1"]


def test_a_changed_file_counts_from_the_next_run_on() -> None:
    """No deployment and no restart is needed."""
    process = Process(InMemoryScanList(listed("a")))
    process.read()

    process.store.put(listed("a", "b"))

    assert names(process.read()) == ["a", "b"]


def test_a_wrong_file_leaves_the_last_valid_list_in_use() -> None:
    """What is wrong is said, and since when."""
    process = Process(InMemoryScanList(listed("a")))
    process.read()

    process.store.put(listed("a", "b", limit="1"))
    found = process.read()

    assert names(found) == ["a"]
    assert found.wrong is not None
    assert found.wrong.since == NOW + 2
    assert [it.partition(":")[0] for it in found.wrong.problems] == [
        "scans.json[0] (a)",
        "scans.json[1] (b)",
    ]


def test_a_restart_does_not_lose_the_last_valid_list() -> None:
    """It is kept in storage, where a new process finds it."""
    store = InMemoryScanList(listed("a"))
    Process(store).read()
    store.put(b"[{")

    found = Process(store).read()

    assert names(found) == ["a"]
    assert found.wrong


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b"[{", b"{}", b"\xff\xfe[", b'[{"name": "a", "name": "b"}]']
)
def test_a_first_file_that_is_wrong_stops_everything(wrong: bytes) -> None:
    """There is no list to fall back on, and the settings' own scan is not meant."""
    with pytest.raises(SettingsError, match=r"scans\.json"):
        Process(InMemoryScanList(wrong)).read()


def test_settings_that_make_every_version_wrong_are_reported_as_such() -> None:
    """The earlier version would be no better."""
    store = InMemoryScanList(listed("a"))
    Process(store).read()
    store.put(listed("a", "b"))

    with pytest.raises(SettingsError, match="SCAN_LIMIT"):
        Process(store, SCAN_LIMIT="1").read()


def test_a_file_that_is_gone_leaves_its_scans_in_use() -> None:
    """Otherwise the scan of the settings would begin, which nobody wants."""
    process = Process(InMemoryScanList(listed("a")))
    process.read()

    process.store.put(None)

    for found in (process.read(), Process(process.store).read()):
        assert names(found) == ["a"]
        assert found.wrong is not None
        assert "scans.json is gone" in found.wrong.problems[0]


def test_a_list_in_the_settings_takes_the_place_of_a_file_that_is_gone() -> None:
    """So there is a way back from the file."""
    store = InMemoryScanList(listed("a"))
    Process(store).read()
    store.put(None)

    found = Process(store, **SCANS).read()

    assert (names(found), found.wrong) == (["of-the-settings"], None)


def test_who_only_looks_keeps_nothing() -> None:
    """A command may have no right to write."""
    process = Process(InMemoryScanList(listed("a")))

    process.read(keeps=False)

    assert process.store.in_use is None


def test_a_version_is_kept_once() -> None:
    """A restart finds that it is kept already."""
    store = InMemoryScanList(listed("a"))
    for _ in range(2):
        process = Process(store)
        process.read()
        process.read()

    assert store.effects.done == ["keep the list"]


def test_while_storage_is_away_the_known_list_stays_in_use() -> None:
    """The scans themselves say what is wrong with storage."""
    process = Process(InMemoryScanList(listed("a")))
    process.read()
    process.store.failing = True

    assert names(process.read()) == ["a"]


def test_without_storage_a_new_process_does_not_guess() -> None:
    """Unless the settings list the scans."""
    store = InMemoryScanList(listed("a"))
    store.failing = True

    with pytest.raises(StoreUnavailable):
        Process(store).read()
    assert names(Process(store, **SCANS).read()) == ["of-the-settings"]


def test_a_file_may_begin_with_a_mark() -> None:
    """Editors on Windows put it there."""
    assert names(Process(InMemoryScanList(b"\xef\xbb\xbf" + listed("a"))).read()) == ["a"]


def test_whoever_reads_the_list_may_adapt_it() -> None:
    """A person signs in differently from the app; what is kept is the file as it is."""
    store = InMemoryScanList(listed("a"))
    reader = ListReader(store, Known(), adapt=lambda text: text.replace("a", "b", 1))

    with pytest.raises(SettingsError, match="bme"):
        reader.read(GOOD)
    found = ListReader(store, Known(), adapt=lambda _: '[{"name": "c"}]').read(GOOD, keeps=True)

    assert names(found) == ["c"]
    assert store.in_use == listed("a")
    assert LIST == "scans.json"
