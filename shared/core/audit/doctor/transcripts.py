"""The anonymised account of an examination, from which the simulator can be started."""

from collections.abc import Iterable

import msgspec

from shared.core.audit.doctor.looking import Seen
from shared.core.audit.doctor.measuring import measured
from shared.core.audit.doctor.probing import Probing
from shared.core.audit.doctor.words import FIELDS, Exchange, Facts, Field, Type

VERSION = 1


class Transcript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked and answered, without anything that an activity or a tenant says.

    Attributes:
        version: version of this format.
        program: version of the program.
        exchanges: every question with its answer, in order.
        fields: JSON types of the documented fields of an activity, by name.
        undocumented: the most fields of one activity that the documentation does not show.
        facts: what was measured from it.
    """

    version: int = VERSION
    program: str
    exchanges: tuple[Exchange, ...]
    fields: dict[Field, tuple[Type, ...]]
    undocumented: int
    facts: Facts


def transcript(probing: Probing, program: str) -> Transcript:
    """Return the account of what was asked and answered so far."""
    return Transcript(
        program=program,
        exchanges=tuple(seen.exchange for seen in probing.seen),
        fields=_fields(probing.seen),
        undocumented=max((it.undocumented for it in probing.seen), default=0),
        facts=measured(probing),
    )


def _fields(seen: Iterable[Seen]) -> dict[Field, tuple[Type, ...]]:
    found: dict[Field, frozenset[Type]] = {}
    for it in seen:
        for name, types in it.types.items():
            found[name] = found.get(name, frozenset()) | types
    return {name: tuple(sorted(found[name])) for name in FIELDS if name in found}


def encode(account: Transcript) -> bytes:
    """Return a transcript as JSON that a person can read before it is sent to anybody."""
    return msgspec.json.format(msgspec.json.encode(account), indent=2) + b"\n"
