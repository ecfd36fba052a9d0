"""`scans check`: a list of scans beside the one in use, and the containers that it needs.

Only storage is asked, and nothing is written.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from shared.core.errors import SettingsError
from shared.settings import ScanSettings, Settings
from shared.settings.elements import list_of
from shared.settings.reader import Reader
from shared.settings.table import SCAN_NAME

CONTAINERS = {
    "dataContainer": "data",
    "manifestContainer": "manifests",
    "stateContainer": "state",
}
"""By key of an entry of the parameter `scanContainers`: the field of a scan's storage."""

Entry = dict[str, Any]
"""One scan in the parameter `scanContainers`."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a scan that is in both lists.

    Attributes:
        scan: the scan's name.
        key: as in the list.
        before: its value in the list in use; null if the app's setting counts.
        after: its value in the new list; null if the app's setting counts.
    """

    scan: str
    key: str
    before: Any
    after: Any


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A list of scans beside the one in use.

    Attributes:
        added: scans that are new.
        removed: scans that are not in the list any more.
        changed: what differs in the others.
        refused: changes that would break a scan which has data, each with the reason.
        missing: containers that do not exist yet.
        containers: the value of the parameter `scanContainers`.
        replaces_scans: whether SCANS is set now, and has to be removed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    refused: tuple[str, ...]
    missing: tuple[str, ...]
    containers: tuple[Entry, ...]
    replaces_scans: bool = False


def elements_of(environ: Mapping[str, str]) -> dict[str, Entry]:
    """Return the elements of valid settings, by the name of their scan."""
    reader = Reader(source=environ)
    given = reader.value(list_of(reader)) or [{}]
    found = [{key.lower(): value for key, value in it.items()} for it in given]
    return {str(it.get("name") or reader.value(SCAN_NAME)): it for it in found}


def changes(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Iterator[Change]:
    """Yield what differs in the scans that both lists have.

    Args:
        before: elements of the list in use, by name.
        after: elements of the new list, by name.
    """
    for scan in after:
        if scan not in before:
            continue
        old, new = before[scan], after[scan]
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield Change(scan=scan, key=key, before=old.get(key), after=new.get(key))


def refusals(
    before: Settings, after: Settings, has_data: Callable[[ScanSettings], bool]
) -> Iterator[str]:
    """Yield the changes that would break a scan, each with the reason.

    Args:
        before: the scans in use.
        after: the new ones.
        has_data: whether a scan has a ledger, a manifest or a part where it is now.
    """
    known = {it.policy.scan: it for it in before.scans}
    for new in after.scans:
        old = known.get(new.policy.scan)
        reasons = [] if old is None else list(_reasons(old, new))
        if old and reasons and has_data(old):
            yield from (f"{new.policy.scan}: {it}" for it in reasons)


def _reasons(old: ScanSettings, new: ScanSettings) -> Iterator[str]:
    for field in CONTAINERS.values():
        here, there = getattr(old.storage, field), getattr(new.storage, field)
        if here != there:
            yield (
                f"its {field} are in the container {here}, and would not be found in {there}: keep "
                "the container, or give the scan a new name"
            )
    if old.policy.axis != new.policy.axis:
        yield "the sort field of a scan that has data cannot change: give the scan a new name"
    elif new.policy.fingerprint not in {old.policy.fingerprint, new.policy.accept}:
        yield (
            "the next run would refuse the changed filters: give the scan a new name, or accept "
            f'them with "accept_filters": "{new.policy.fingerprint}"'
        )


def containers_of(settings: Settings, deployed: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the value of the parameter `scanContainers`.

    Args:
        settings: the scans of the new list.
        deployed: the value that was deployed last. Its entries of other scans stay, so that the
            rules still apply to what those have stored; and so does whatever else it says about a
            scan, such as `readers`.
    """
    kept = {it["name"]: it for it in deployed}
    found: list[Entry] = []
    for scan in settings.scans:
        old = kept.pop(scan.policy.scan, {})
        others = {key: value for key, value in old.items() if key not in CONTAINERS}
        found.append({"name": scan.policy.scan, **_own(scan, settings), **others})
    return (*found, *kept.values())


def _own(scan: ScanSettings, settings: Settings) -> dict[str, str]:
    """Return the containers of a scan that are not the app's."""
    named = {key: getattr(scan.storage, field) for key, field in CONTAINERS.items()}
    app = {getattr(settings.storage, field) for field in CONTAINERS.values()}
    return {key: name for key, name in named.items() if name not in app}


def read_containers(text: str) -> list[Entry]:
    """Return a value of the parameter `scanContainers`.

    Raises:
        SettingsError: it is not one.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError([f"--containers is not JSON: {error}"]) from error
    if not isinstance(value, list) or not all(
        isinstance(it, dict) and isinstance(it.get("name"), str) for it in value
    ):
        raise SettingsError(["--containers is not an array of objects that have a name"])
    return value


def lines_of(found: Comparison) -> Iterator[str]:
    """Yield a comparison as lines of text."""
    yield from (f"+ {scan}: new" for scan in found.added)
    yield from (
        f"- {scan}: removed; what it has stored stays, and can be verified"
        for scan in found.removed
    )
    for it in found.changed:
        yield f"~ {it.scan}: {it.key}: {_shown(it.before)} -> {_shown(it.after)}"
    yield from (f"! refused: {it}" for it in found.refused)
    if found.missing:
        names = ", ".join(found.missing)
        yield f"to create before the list is uploaded (scanContainers): {names}"
    if found.replaces_scans:
        yield "SCANS is set: remove it (`scans` of the deployment) when you upload the list"
    if not (found.added or found.removed or found.changed):
        yield "nothing changes"


def _shown(value: object) -> str:
    return "the app's" if value is None else json.dumps(value, ensure_ascii=False)
