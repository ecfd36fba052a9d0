"""Names of blobs."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Slice
from shared.core.state import layout
from tests.fakes import HOUR, NOW


def test_a_part_is_named_by_its_hour_its_bounds_and_its_pass() -> None:
    """Hive partitions, then stamps that sort by time."""
    piece = Slice.fresh(
        (NOW + 300_000, NOW + 600_001), pass_name="sweep-2h", direction="asc", limit=5000
    )

    assert layout.part_name("all", piece) == (
        "scan=all/date=2026-11-23/hour=12/20261123T120500000Z-20261123T121000001Z.sweep-2h.jsonl.gz"
    )


def test_an_hour_s_parts_have_one_prefix() -> None:
    """From its first to its last millisecond."""
    prefixes = {layout.hour_prefix("all", at) for at in (NOW, NOW + 1, NOW + HOUR - 1)}

    assert prefixes == {"scan=all/date=2026-11-23/hour=12/"}


def test_manifests_sort_by_number() -> None:
    """Eleven digits last for three hundred thousand years."""
    assert layout.manifest_name("all", 412) == "scan=all/00000000412.json"


def test_no_scan_s_names_begin_with_another_s() -> None:
    """`all` and `all-2` share containers."""
    assert not layout.parts_prefix("all-2").startswith(layout.parts_prefix("all"))


LATEST = 4_102_444_800_000
"""The year 2100."""

instants = st.integers(0, LATEST)


@given(one=instants, other=instants)
def test_stamps_sort_as_their_instants(one: int, other: int) -> None:
    """To the millisecond, in one width, without characters that need escaping."""
    first, second = layout.stamp(one), layout.stamp(other)

    assert (first < second) == (one < other)
    assert len(first) == len("20261123T050500000Z")
    assert first.isalnum()


@given(instants)
def test_a_stamp_is_utc(instant: int) -> None:
    """Whatever the zone of the machine; the last three digits are milliseconds."""
    told = datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y%m%dT%H%M%S")

    assert layout.stamp(instant) == f"{told}{instant % 1000:03}Z"


@given(
    start=instants, length=st.integers(1, HOUR), pass_name=st.sampled_from(["first", "sweep-8d"])
)
def test_a_part_s_name_tells_its_bounds(start: int, length: int, pass_name: str) -> None:
    """A lost ledger is made again from them."""
    piece = Slice.fresh((start, start + length), pass_name=pass_name, direction="asc", limit=5000)

    assert layout.bounds_in(layout.part_name("all", piece)) == (start, start + length)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "report.csv",
        "scan=all/date=2026-11-23/hour=12/.first.jsonl.gz",
        "scan=all/20261123T120500000Z.first.jsonl.gz",
        "scan=all/20261323T120500000Z-20261323T121000000Z.first.jsonl.gz",
        "scan=all/20261123T120500000Z-20261123T1210.first.jsonl.gz",
    ],
)
def test_what_is_no_part_s_name_has_no_bounds(name: str) -> None:
    """Somebody else's blob in the container is told apart."""
    with pytest.raises(ValueError, match=r"."):
        layout.bounds_in(name)


def test_the_state_container_s_names_begin_with_the_scan() -> None:
    """Ledger, the day's run log, and the answers in quarantine."""
    assert layout.ledger_name("all") == "scan=all/ledger.json"
    assert layout.runs_name("all", NOW + 12 * HOUR) == "scan=all/runs/2026-11-24.jsonl"
    assert layout.runs_name("all", NOW, 2) == "scan=all/runs/2026-11-23.more-02.jsonl"
    assert layout.quarantine_name("all", 7) == "scan=all/quarantine/07"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("scan=all/00000000412.json", 412),
        ("scan=all/99999999999.json", 99_999_999_999),
        ("scan=all/100000000000.json", 100_000_000_000),
        ("scan=all/00000000000.json", None),
        ("scan=all/000000000412.json", None),
        ("scan=all/412.json", None),
        ("scan=all/0000000041٢.json", None),
        ("scan=all/00000000412.json.copy", None),
        ("scan=all/older/00000000412.json", None),
        ("scan=all-2/00000000412.json", None),
    ],
)
def test_a_manifest_s_number_is_read_from_its_exact_name(name: str, number: int | None) -> None:
    """A copy beside the chain is not part of it."""
    assert layout.manifest_number("all", name) == number


@given(
    start=instants, length=st.integers(1, HOUR), pass_name=st.sampled_from(["first", "sweep-2h"])
)
def test_a_part_s_name_says_what_it_was_made_from(start: int, length: int, pass_name: str) -> None:
    """So that nothing depends on metadata."""
    bounds = (start, start + length)
    piece = Slice.fresh(bounds, pass_name=pass_name, direction="asc", limit=5000)

    said = layout.read_part_name("all", layout.part_name("all", piece))

    assert said == layout.PartName(start=start, end=start + length, look=pass_name)
    assert layout.read_part_name("other", layout.part_name("all", piece)) is None


IN_ITS_HOUR = "scan=all/date=2026-11-23/hour=12/20261123T12"


def test_a_part_s_name_is_exactly_what_its_scan_gives() -> None:
    """The folder is that of its start, and its bounds are not empty."""

    def is_a_part(name: str) -> bool:
        return layout.read_part_name("all", name) is not None

    assert is_a_part(f"{IN_ITS_HOUR}0500000Z-20261123T120500001Z.first.jsonl.gz")
    assert not is_a_part(f"{IN_ITS_HOUR}0500000Z-20261123T120500000Z.first.jsonl.gz")
    assert not is_a_part("20261123T120500000Z-20261123T120500001Z.first.jsonl.gz")
    assert not is_a_part(
        "scan=all/date=2026-11-23/hour=13/20261123T120500000Z-20261123T120500001Z.first.jsonl.gz"
    )


@pytest.fixture
def far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a test on a machine whose zone is not UTC."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_west")
def test_the_bounds_in_a_name_are_utc() -> None:
    """Whatever the zone of the machine."""
    name = f"{IN_ITS_HOUR}0000000Z-20261123T120000001Z.first.jsonl.gz"

    assert layout.bounds_in(name) == (NOW, NOW + 1)


def test_a_part_that_closed_early_holds_nothing_of_what_took_over() -> None:
    """Ascending, descending, and halved: only slices of the same pass, wholly within it, count."""
    hour = (NOW, NOW + HOUR)
    middle, third = NOW + HOUR // 2, NOW + HOUR // 4

    def held(
        *bounds: tuple[int, int], own: tuple[int, int] = hour, others: str = "first"
    ) -> tuple[int, int]:
        named = [(own, "first"), *((it, others) for it in bounds)]
        pieces = [Slice.fresh(it, pass_name=name, direction="asc", limit=500) for it, name in named]
        first, *_ = layout.stored_parts("all", [(layout.part_name("all", it), 1) for it in pieces])
        return first.start, first.end

    assert held() == hour
    assert held((middle, hour[1])) == (NOW, middle)
    assert held((NOW, middle)) == (middle, hour[1])
    assert held((third, middle), (middle, hour[1])) == (NOW, third)
    assert held((middle, hour[1]), (third, middle)) == (NOW, third)
    assert held((third, middle)) == hour
    assert held((NOW, middle), own=(third, hour[1])) == (third, hour[1])
    assert held((third, hour[1]), own=(NOW, middle)) == (NOW, middle)
    assert held((middle, hour[1]), others="sweep-2h") == hour
    assert held((NOW, middle), (middle, hour[1])) == hour


def test_history_and_status_stand_beside_the_ledger() -> None:
    """Under the scan's prefix in the state container."""
    assert layout.history_name("all") == "scan=all/history.json"
    assert layout.status_name("all", "html") == "scan=all/status.html"


@pytest.mark.parametrize(
    ("size", "metadata", "name", "folder"),
    [
        (0, {"hdi_isfolder": "true"}, "x", True),
        (0, {"Hdi_IsFolder": "True"}, "x", True),
        (0, {}, "x/", True),
        (0, {}, "scan=all/date=2026-11-23/hour=05", True),
        (0, {}, "scan=all/date=2026-11-23/hour=05/x.jsonl.gz", False),
        (0, {"archived": "true"}, "x", False),
        (0, {"hdi_isfolder": "false"}, "x", False),
        (1, {"hdi_isfolder": "true"}, "x/", False),
    ],
)
def test_an_empty_blob_may_be_a_folder(
    size: int, metadata: dict[str, str], name: str, *, folder: bool
) -> None:
    """Its metadata or its name says so; a blob with content never is one."""
    assert layout.is_folder(name, size, metadata) is folder


@pytest.mark.parametrize("slot", [0, 7, 99])
def test_the_slot_of_a_kept_answer_is_read_from_its_name(slot: int) -> None:
    """Other blobs have none."""
    name = layout.quarantine_name("all", slot)

    assert layout.quarantine_slot("all", name) == slot
    assert layout.quarantine_slot("all", f"{name}.copy") is None
    assert layout.quarantine_slot("other", name) is None


def test_what_is_derived_lies_beside_the_ledger() -> None:
    """One folder of the state container has everything about a scan."""
    names = {layout.ledger_name("all"), layout.history_name("all"), layout.doctor_name("all")}

    assert names == {"scan=all/ledger.json", "scan=all/history.json", "scan=all/doctor.json"}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("contoso.portal.cloudappsecurity.com:443", "contoso.portal.cloudappsecurity.com"),
        ("127.0.0.1:8443", "127.0.0.1_8443"),
    ],
)
def test_a_host_s_budget_is_named_after_it_and_its_port(host: str, name: str) -> None:
    """The usual port is left out, and a colon would need escaping."""
    assert layout.budget_name(host) == f"budgets/{name}.json"
