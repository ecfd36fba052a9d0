"""The store of a scan as a released version left it: written once, and read by every later one.

`python -m tests.released store-N` writes a new one into `tests/golden`. A store that belongs to a
release is never written again.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.core.audit import history as histories
from shared.core.model import Answer
from shared.core.state import levers
from shared.core.state import manifest as manifests
from tests.fakes import HOUR, MINUTE, NOW, Reply, page_of, policy, status
from tests.pulling import pull
from tests.world import World

GOLDEN = Path(__file__).parent / "golden"
STORES = ("store-1",)

ORIGIN = NOW - 3 * HOUR
EARLIER = NOW - 5 * HOUR
HOW = policy(lookback=3 * HOUR, sweeps=(("sweep-2h", 2 * HOUR),), fresh=HOUR)
TRUTH = [EARLIER + 97_000 * n for n in range(300)]
LATE = [NOW - 2 * HOUR + 11_000 * n for n in range(1, 9)]
"""Activities that the API does not show at first."""

PAGE = 5

CONTRADICTION = Answer(status=200, body=b'{"data":[],"hasNext":false,"total":5}')


def lived() -> World:
    """Return a scan with all that a ledger may hold in the middle of its life.

    It has swept, found late activities, contradicted itself, been paused, and met faults. A rescan
    and a backfill are ordered, and some slices are half read.
    """
    world = World(TRUTH, page=PAGE)
    world.api.always = troubled
    world.api.replies = {9: page_of({})}
    world.run_until_idle(HOW)
    world.api.truth = sorted([*TRUTH, *LATE])
    world.clock.advance(2 * HOUR)
    world.run_until_idle(HOW)
    pull(world, lambda it, order: levers.paused(it, order, until=None), HOW)
    world.clock.advance(HOUR)
    world.run(HOW)
    pull(world, levers.resumed, HOW)
    pull(world, lambda it, order: levers.backfilled(it, order, HOW, to=EARLIER), HOW)
    world.api.latency = 3_000
    world.run(replace(HOW, budget=60_000))
    bounds = (ORIGIN, ORIGIN + HOUR)
    pull(world, lambda it, order: levers.rescanned(it, order, HOW, bounds=bounds), HOW)
    return world


def troubled(body: dict[str, Any]) -> Reply | None:
    """Fail for some time, and contradict itself about other time."""
    asked = body["filters"]["date"]["gte"]
    if NOW + 30 * MINUTE <= asked < NOW + 40 * MINUTE:
        return CONTRADICTION
    return status(503) if NOW + 140 * MINUTE <= asked < NOW + 160 * MINUTE else None


def files_of(world: World) -> Iterator[tuple[str, bytes]]:
    """Yield what is stored of a scan, by the name of its file; staged blocks are readable, too."""
    yield "truth.json", json.dumps(world.api.truth).encode() + b"\n"
    yield "state/ledger.json", world.ledgers.content or b""
    yield "state/history.json", histories.encode(folded(world.results.manifests.values()))
    yield "metadata.json", json.dumps(world.results.metadata).encode() + b"\n"
    for number, content in world.results.manifests.items():
        yield f"manifests/{number:011}.json", content
    for name, content in world.results.parts.items():
        yield f"activities/{name}", content
    for name, blocks in world.results.staged.items():
        for block, content in blocks.items():
            yield f"staged/{name}/{block}", content


def folded(contents: Iterable[bytes]) -> histories.History:
    """Return the history of manifests."""
    history = histories.empty("all")
    for content in contents:
        history = histories.taken(history, manifests.decode(content), content)
    return history


def stored(name: str) -> World:
    """Return the scan of a store, five minutes after its last run."""
    root = GOLDEN / name
    world = World(json.loads((root / "truth.json").read_bytes()), page=PAGE)
    world.ledgers.content = (root / "state" / "ledger.json").read_bytes()
    world.results.metadata = json.loads((root / "metadata.json").read_bytes())
    for path in sorted((root / "manifests").iterdir()):
        world.results.manifests[int(path.stem)] = path.read_bytes()
    for part in _parts(world.results.manifests.values()):
        blocks = [(it["id"], it["size"]) for it in part["blocks"]]
        world.results.parts[part["name"]] = (root / "activities" / part["name"]).read_bytes()
        world.results.lists[part["name"]] = blocks
    for path in sorted((root / "staged").rglob("*")):
        if path.is_file():
            part_name = path.parent.relative_to(root / "staged").as_posix()
            world.results.staged.setdefault(part_name, {})[path.name] = path.read_bytes()
    ended = world.ledgers.value()["runs"][-1][0]
    world.clock.advance(ended - world.clock.now() + 5 * MINUTE)
    return world


def _parts(contents: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for content in contents:
        part = json.loads(content)["part"]
        if part:
            yield part


def main() -> None:
    """Write a store that does not exist yet."""
    parser = argparse.ArgumentParser(prog="python -m tests.released", description=__doc__)
    parser.add_argument("name", help="such as store-2")
    root = GOLDEN / parser.parse_args().name
    root.mkdir()
    for name, content in files_of(lived()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
