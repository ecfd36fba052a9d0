"""A whole scan on fakes: a world that runs the scan and returns what its readers see."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from harness.at_once import workers
from shared.core.audit.attention import attention_to
from shared.core.model import Policy
from shared.core.state.report import Outcome, Tally
from shared.ports import ActivitySource, Ports
from shared.scan import scan_once
from tests.fakes import (
    NOW,
    Effects,
    FakeApi,
    FakeClock,
    InMemoryLedger,
    InMemoryResults,
    activity,
    policy,
)
from tests.parts import lines_of


class World:
    """API, storage and clock of one scan.

    Attributes:
        source: receives the requests; the fake API, unless a test replaces it.
        tally: the tally of the last run.
    """

    def __init__(self, truth: Sequence[int], *, page: int = 10, now: int = NOW) -> None:
        self.clock = FakeClock(now)
        self.api = FakeApi(truth, clock=self.clock, page=page)
        self.source: ActivitySource = self.api
        self.ledgers = InMemoryLedger()
        self.results = InMemoryResults()
        self.tally = Tally(scan="all", run="")
        self.runs = 0

    def run(self, how: Policy | None = None) -> Outcome:
        """Run once as a new process would."""
        self.runs += 1
        self.tally = Tally(scan="all", run=f"run-{self.runs}")
        ports = Ports(
            source=self.source, ledgers=self.ledgers, results=self.results, clock=self.clock
        )
        return scan_once(ports, how or policy(), self.tally, workers=workers)

    def run_until_idle(self, how: Policy | None = None, most: int = 60) -> int:
        """Repeat runs five minutes apart until nothing is due; return how many."""
        for number in range(1, most + 1):
            if self.run(how) == "idle":
                return number
            self.clock.advance(300_000)
        raise AssertionError(f"not idle after {most} runs: {self.ledgers.value()}")

    def attention(self, how: Policy | None = None) -> dict[str, str]:
        """Return what needs a person after the last run: the text by kind."""
        assert self.tally.ledger
        found = attention_to(self.tally.ledger, how or policy(), self.tally.now)
        return {it.kind: it.text for it in found}

    def share(self, effects: Effects) -> None:
        """Number the effects of all fakes in one sequence."""
        self.api.effects = self.ledgers.effects = self.results.effects = effects

    def followed(self) -> list[dict[str, Any]]:
        """Return every record as a reader of the feed sees it, and check the chain meanwhile."""
        records: list[dict[str, Any]] = []
        previous, number = None, 1
        while (content := self.results.manifests.get(number)) is not None:
            manifest = json.loads(content)
            assert (manifest["number"], manifest["previous"]) == (number, previous)
            records += self._records(manifest["part"])
            previous, number = sha256(content).hexdigest(), number + 1
        assert len(self.results.manifests) == number - 1
        return records

    def _records(self, part: dict[str, Any] | None) -> list[dict[str, Any]]:
        if part is None:
            return []
        stored = self.results.parts[part["name"]]
        assert len(stored) == part["size"]
        lines = lines_of(stored)
        assert len(lines) == part["records"]
        return [json.loads(line) for line in lines]

    def expected(self, start: int, end: int) -> list[dict[str, Any]]:
        """Return the truth of `[start, end)` as records, in order."""
        records, copies = [], dict[int, int]()
        for at in self.api.truth:
            copies[at] = copies.get(at, 0) + 1
            if start <= at < end:
                records.append(activity(at, copies[at]))
        return records

    def assert_complete(
        self, start: int, end: int, *, excused: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Assert that the feed holds exactly the truth of `[start, end)`, each record once.

        Only activities in an excused interval may be missing.
        """
        seen, expected = self.followed(), self.expected(start, end)
        places = {_order(it) for it in seen}
        missing = [it for it in expected if _order(it) not in places]
        assert sorted(expected, key=_order) == sorted([*seen, *missing], key=_order)
        assert all(any(a <= it["timestamp"] < b for a, b in excused) for it in missing)
        in_parts = set(self.results.parts)
        listed = {
            json.loads(content)["part"]["name"]
            for content in self.results.manifests.values()
            if json.loads(content)["part"]
        }
        assert listed == in_parts


def _order(record: dict[str, Any]) -> tuple[int, int]:
    return record["timestamp"], record["n"]
