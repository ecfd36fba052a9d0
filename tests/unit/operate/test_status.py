"""`status` of several scans: what is read, and the overview as text."""

import pytest

from shared.core.audit import history as histories
from shared.core.audit.attention import Attention
from shared.core.audit.overview import Glance, overview_of
from shared.core.audit.status import Status, status_of
from shared.core.errors import LedgerUnreadable, StoreUnavailable
from shared.core.model import Policy
from shared.operate.reading import LANES
from shared.operate.status import FEW, overview_lines, read_all, text_of
from tests.fakes import NOW, policy


def policies(count: int) -> list[Policy]:
    """Return the policies of some scans."""
    return [policy(scan=f"tenant-{number:02}", api=f"{number}.example") for number in range(count)]


def never_run(how: Policy) -> Status:
    """Return the status of a scan that has never run."""
    return status_of(None, histories.empty(how.scan), [], how, now=NOW)


def test_a_scan_that_cannot_be_read_hides_no_other() -> None:
    """It is among the others, with its error; so is one whose ledger is damaged."""

    def read(how: Policy) -> Status:
        if how.scan == "tenant-00":
            raise StoreUnavailable("the container does not exist")
        if how.scan == "tenant-02":
            raise LedgerUnreadable("not JSON")
        return never_run(how)

    steps = list[int]()
    reading = read_all(policies(40), read, now=NOW, step=lambda: steps.append(1))

    assert len(steps) == 40
    assert [it.scan for it in reading.found] == [it.scan for it in policies(40)]
    assert [it.scan for it in reading.statuses()] == [
        it.scan for it in policies(40) if it.scan not in {"tenant-00", "tenant-02"}
    ]
    assert {scan: type(error) for scan, error in reading.errors().items()} == {
        "tenant-00": StoreUnavailable,
        "tenant-02": LedgerUnreadable,
    }


@pytest.mark.parametrize("count", [1, 3, 500])
def test_where_nothing_can_be_read_the_command_fails_without_trying_all(count: int) -> None:
    """Five hundred time-outs would take an hour."""
    tried = list[str]()

    def read(how: Policy) -> Status:
        tried.append(how.scan)
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable, match="no answer"):
        read_all(policies(count), read, now=NOW)

    assert len(tried) <= min(count, 64 + LANES)


def test_a_few_scans_have_their_details_below_the_overview() -> None:
    """One scan has no overview; of many scans, there is nothing else."""
    one, few, many = (
        list(text_of(read_all(policies(count), never_run, now=NOW))) for count in (1, FEW, FEW + 1)
    )

    assert one[0] == "tenant-00: The scan has not run yet."
    assert few[0] == "10 scans: 10 are unusual"
    assert sum(it.endswith(": The scan has not run yet.") for it in few) == FEW
    assert many[0] == "11 scans: 11 are unusual"
    assert not any(it.endswith(": The scan has not run yet.") for it in many)
    assert many[-1] == "--scan NAME shows the details of a scan"


def test_the_overview_is_a_line_for_each_scan_below_what_they_need() -> None:
    """The worst come first; a line has the verdict, the figures, the help and the tenant."""
    behind = Attention(kind="lag", severity=2, text="x", help="docs/runbook.md#behind")
    well = Glance(scan="contoso", api="c.example", tone="good", verdict="Up to date.", delay=600.0)
    late = Glance(
        scan="fab",
        api="f.example",
        tone="warning",
        verdict="5 h behind.",
        attention=(behind,),
        lag_seconds=18_000.0,
    )

    assert list(overview_lines(overview_of([well, late], NOW))) == [
        "2 scans: 1 needs somebody, 1 is well",
        "",
        "1 needs somebody",
        f"  fab      5 h behind. (behind 5 h; severity 2: see {behind.help}; f.example)",
        "",
        "1 is well",
        "  contoso  Up to date. (delay 10 min; c.example)",
    ]
