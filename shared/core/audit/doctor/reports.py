"""The result of an examination, as it is stored in `doctor.json` and shown."""

from typing import Literal

import msgspec

from shared.core.audit.doctor.words import Facts

VERSION = 1

CheckResult = Literal["passed", "failed", "could not tell"]


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that must work for the scan to work.

    Attributes:
        name: what was tried.
        result: how it went.
        reason: what was found, and what to do about it.
    """

    name: str
    result: CheckResult
    reason: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact beside what this program assumes.

    Attributes:
        fact: its name.
        measured: what was measured.
        assumed: what this program assumes.
        result: whether they agree.
        meaning: what it means for the scan.
    """

    fact: str
    measured: str
    assumed: str
    result: Literal["as assumed", "differs", "could not tell"]
    meaning: str


class Examination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What doctor found.

    Attributes:
        version: version of this format.
        program: version of the program.
        label: value of `SCAN_DOCTOR` that asked for it; empty on a command line.
        scan: the scan whose settings were judged.
        made: when it began, epoch ms.
        requests: number of requests sent to the API.
        checks: what must work.
        findings: what was measured.
        settings: settings to paste.
        facts: the same measurements as values.
    """

    version: int = VERSION
    program: str
    label: str = ""
    scan: str
    made: int
    requests: int
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    settings: dict[str, str]
    facts: Facts

    @property
    def is_sound(self) -> bool:
        """Whether no check failed."""
        return all(it.result != "failed" for it in self.checks)


def encode(examination: Examination) -> bytes:
    """Return an examination as JSON."""
    return msgspec.json.encode(examination)


def decode(content: bytes) -> Examination | None:
    """Return an examination; None unless it is one of this version."""
    try:
        found = _decoder.decode(content)
    except ValueError:  # Such as bytes that are not UTF-8. No deep nesting is ever read.
        return None
    return found if found.version == VERSION else None


_decoder = msgspec.json.Decoder(Examination)
