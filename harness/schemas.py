"""Makes the JSON Schemas and tables of the formats from the types that read and write them.

    python -m harness.schemas --write

A test checks that the files in `docs/` are up to date.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from shared.core import model
from shared.core.audit import attention, history, overview, pace, status, strip, week
from shared.core.audit.doctor import reports, transcripts, words
from shared.core.state import host_budget, manifest

DOCS = Path(__file__).resolve().parent.parent / "docs"

FORMATS: dict[str, type[msgspec.Struct]] = {
    "budget-1": host_budget.HostBudget,
    "doctor-1": reports.Examination,
    "transcript-1": transcripts.Transcript,
    "history-1": history.History,
    "ledger-1": model.Ledger,
    "manifest-1": manifest.Manifest,
    "overview-1": overview.Overview,
    "status-1": status.Status,
}
"""Each version of a format, and its type."""

TABLES: dict[str, type[msgspec.Struct]] = {
    "manifest": manifest.Manifest,
    "requests": manifest.Requests,
    "part": manifest.Part,
    "block": model.Block,
    "counts": model.Counts,
    "doubt": model.Doubt,
    "loss": model.Loss,
    "ledger": model.Ledger,
    "slice": model.Slice,
    "dense": model.Dense,
    "seen": model.Seen,
    "commit": model.Commit,
    "head": model.Head,
    "ended": model.Ended,
    "pacing": model.Pacing,
    "load": model.Load,
    "totals": model.Totals,
    "api_clock": model.ApiClock,
    "accepted": model.Accepted,
    "pause": model.Pause,
    "decision": model.Decision,
    "api-facts": model.ApiFacts,
    "host-budget": host_budget.HostBudget,
    "history": history.History,
    "hour": history.Hour,
    "look": history.Look,
    "status": status.Status,
    "attention": attention.Attention,
    "budget": pace.Budget,
    "cell": strip.Cell,
    "week-hour": week.WeekHour,
    "usual": week.Usual,
    "ran": pace.Ran,
    "open-slice": status.OpenSlice,
    "overview": overview.Overview,
    "glance": overview.Glance,
    "doctor": reports.Examination,
    "check": reports.Check,
    "finding": reports.Finding,
    "transcript": transcripts.Transcript,
    "exchange": words.Exchange,
    "facts": words.Facts,
    "lag": words.Lag,
}
"""Each marked table of `docs/formats.md` with the type whose fields it lists."""

PLACES = (
    model,
    manifest,
    host_budget,
    history,
    status,
    overview,
    attention,
    pace,
    strip,
    week,
    reports,
    transcripts,
    words,
)
"""Where the types are."""

_ATTRIBUTE = re.compile(r"(\w+): (.*)")


def main() -> int:
    """Write the files or compare them; return 1 if one differs."""
    parser = argparse.ArgumentParser(prog="python -m harness.schemas", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what differs")
    write = parser.parse_args().write
    differing = [path for path, text in wanted().items() if not _is(path, text)]
    for path in differing:
        sys.stdout.write(f"{'writing' if write else 'differs:'} {path.relative_to(DOCS.parent)}\n")
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted()[path], encoding="utf-8")
    return 1 if differing and not write else 0


def wanted() -> dict[Path, str]:
    """Return every file that is made from the types, and its content."""
    files = {DOCS / f"schemas/{name}.schema.json": schema(kind) for name, kind in FORMATS.items()}
    page = DOCS / "formats.md"
    return {**files, page: with_tables(page.read_text(encoding="utf-8"))}


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def schema(kind: type[msgspec.Struct]) -> str:
    """Return the JSON Schema of a format, with the descriptions from the docstrings."""
    made = msgspec.json.schema(kind)
    for name, definition in made["$defs"].items():
        described = _type_named(name)
        definition["description"] = _summary(described)
        for field, text in descriptions(described).items():
            if field in definition.get("properties", {}):
                definition["properties"][field]["description"] = text
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


def with_tables(page: str) -> str:
    """Return a page with the text between each pair of table markers replaced."""
    for name, kind in TABLES.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        page = before + begin + table(kind) + end + after
    return page


def table(kind: type[msgspec.Struct]) -> str:
    """Return a type's fields as a Markdown table."""
    rows = [f"| `{name}` | {text} |\n" for name, text in descriptions(kind).items()]
    return "| field | what it is |\n|---|---|\n" + "".join(rows)


def descriptions(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the description of each field from the docstring, by its name in the format."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    told = dict(_attributes(inspect.getdoc(kind) or ""))
    return {names[name]: told[name] for name in names}


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    section = docstring.partition("Attributes:\n")[2]
    name, text = "", ""
    for line in section.splitlines():
        found = _ATTRIBUTE.fullmatch(line.removeprefix("    "))
        if found and not line.startswith("     "):
            yield from [(name, text)] if name else []
            name, text = found[1], found[2]
        else:
            text += " " + line.strip()
    yield name, text


def _summary(kind: type[msgspec.Struct]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _type_named(name: str) -> type[msgspec.Struct]:
    found: Any = next(it for place in PLACES if (it := getattr(place, name, None)))
    kind: type[msgspec.Struct] = found
    return kind


if __name__ == "__main__":
    sys.exit(main())
