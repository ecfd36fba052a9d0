r"""Turns a record with placeholders into bytes: the form is written once, then only filled in.

As with real sources, forms differ in the order of keys, in raw UTF-8 or `\uXXXX`, and in `/` or
`\/`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator import chance
from simulator.shapes import SHAPES, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.shapes import Record

# Fields to remove, in this order, until a record is as small as requested.
_DISPENSABLE = (
    "entityData", "mainInfo", "rawDataJson", "resolvedActor", "userAgent", "eventRouting",
    "collected", "description_metadata", "internals", "location", "aadTenantId", "genericEventType",
)  # fmt: skip

# The size of the keys of the padding.
_PADDING_ROOM = 90

# Real records average about 4.1 KB, with single ones between 3 and 6 KB.
_SIZES = (3_100, 3_300, 3_500, 3_700, 3_800, 3_900, 4_000, 4_100, 4_300, 4_600, 5_100, 5_700)

_ID_FORMS = {
    "sharepoint": ("audit",),
    "exchange": ("audit",),
    "teams": ("audit",),
    "sign-in": ("digest",),
    "third-party": ("epoch", "object"),
}


@dataclass(frozen=True, slots=True)
class Style:
    r"""How strings are written: with `\uXXXX` escapes or as UTF-8, and with `\/` or `/`."""

    ascii_only: bool
    escaped_slashes: bool

    def text(self, value: object) -> str:
        """Write a value as minified JSON in this style."""
        text = json.dumps(value, ensure_ascii=self.ascii_only, separators=(",", ":"))
        return text.replace("/", "\\/") if self.escaped_slashes else text

    def inside(self, value: str) -> bytes:
        """Write a string in this style, without its quotes."""
        return self.text(value)[1:-1].encode()


STYLES = tuple(
    Style(ascii_only, slashes) for ascii_only in (True, False) for slashes in (True, False)
)


@dataclass(frozen=True, slots=True)
class Template:
    """The form of a record: bytes with `%(name)b` as placeholders for its values."""

    form: bytes
    style: Style
    id_form: str
    app: int
    target_bytes: int

    def fill(self, values: Mapping[bytes, bytes]) -> bytes:
        """Return the record; `values` must have every placeholder of the form."""
        return self.form % values


def build(
    variant: Variant, *, size: int | None, omit: Sequence[str], sample: Mapping[bytes, bytes]
) -> Template:
    """Build a variant's form.

    Args:
        variant: The variant, with its source.
        size: The size of a record in bytes, as nearly as its essential fields allow; None chooses a
            natural size for the variant.
        omit: Top-level fields to leave out.
        sample: Values of an ordinary record, for measuring its size.

    """
    style = variant.pick("style", STYLES)
    record = SHAPES[variant.shape](variant)
    app = record["appId"]
    if size is not None:
        _slim(record, style, size, sample)
    _add_padding(record)
    for name in omit:
        record.pop(name, None)
    form = _form(_disordered(record, variant), style)
    id_form = variant.pick("id", _ID_FORMS[variant.shape])
    natural = _SIZES[(variant.number * 5 + len(variant.shape)) % len(_SIZES)]
    return Template(form, style, id_form, app, size or natural)


def _slim(record: Record, style: Style, size: int, sample: Mapping[bytes, bytes]) -> None:
    room = size - _PADDING_ROOM
    for name in _DISPENSABLE:
        if len(_form(record, style) % sample) <= room:
            return
        record.pop(name, None)


def _add_padding(record: Record) -> None:
    padded = record.setdefault("rawDataJson", {})
    padded["ExtendedProperties"] = [{"Name": "AdditionalDetails", "Value": "@@pad@@"}]


def _form(record: Record, style: Style) -> bytes:
    text = style.text(record).encode().replace(b"%", b"%%")
    text = re.sub(rb'"@@#(\w+)@@"', rb"%(\1)b", text)
    return re.sub(rb"@@#?(\w+)@@", rb"%(\1)b", text)


def _disordered(record: Record, variant: Variant) -> dict[str, Any]:
    """Put the keys of the record and of its raw data in an order chosen by the variant."""
    label = f"order/{variant.shape}/{variant.number}"
    mixed = dict(chance.shuffled(record.items(), variant.seed, label))
    if "rawDataJson" in mixed:
        raw = mixed["rawDataJson"]
        mixed["rawDataJson"] = dict(chance.shuffled(raw.items(), variant.seed, label))
    return mixed
