"""Makes the identity and the record of an activity from its number and its times.

No record is stored, so even a tenant with several hundred thousand activities needs only a few
bytes for each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from simulator import chance
from simulator.people import guid, people, places
from simulator.shapes import WHOLE_SECOND_SHAPES, Variant
from simulator.templates import STYLES, Style, Template, build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.people import Person, Place

# The mixture of sources: each value of a byte stands for one of them.
_MIXTURE = (
    ("sharepoint",) * 90
    + ("exchange",) * 50
    + ("teams",) * 30
    + ("sign-in",) * 50
    + ("third-party",) * 36
)
UNUSABLE = 5
"""The number of ways in which a time can be unusable: missing, null, text, fraction, boolean."""

_VARIANTS = 24
_PADDING_BYTES = 1 << 16
_ALPHABET = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,:;=()  eeeeaatnni"


# A source, a variant of it, the fields to leave out, and the requested size.
_TemplateKey: TypeAlias = tuple[str, int, tuple[str, ...], int | None]


@dataclass(frozen=True, slots=True)
class Seedling:
    """What decides one record: its number, its times (epoch ms), and any special requests."""

    number: int
    timestamp: int
    created: int
    omit: tuple[str, ...] = ()
    size: int | None = None
    id: str | None = None


class Forge:
    """Makes the records of one tenant, the same ones every time.

    Args:
        seed: Decides everything that the caller does not.
        record_size: The size of records in bytes, as nearly as their essential fields (about 1 KB)
            allow; None makes the natural mixture of 3 to 6 KB.

    """

    def __init__(self, seed: int, record_size: int | None) -> None:
        self.seed = seed
        self.tenant = 10_000_000 + chance.below(89_999_999, seed, "tenant", 0)
        self._record_size = record_size
        self._people = people(seed)
        self._places = places()
        self._padding = self._pad_pool()
        self._templates: dict[_TemplateKey, Template] = {}
        self._persons_as = lru_cache(maxsize=None)(self._person_values)
        self._places_as = lru_cache(maxsize=None)(self._place_values)

    def is_whole_second(self, number: int) -> bool:
        """Return whether the times of record `number` are whole seconds."""
        return _MIXTURE[chance.digest(self.seed, "record", number)[0]] in WHOLE_SECOND_SHAPES

    def identify(self, seedling: Seedling) -> str:
        """Return the `_id` of a record."""
        if seedling.id is not None:
            return seedling.id
        entropy = chance.digest(self.seed, "record", seedling.number)
        return self._id(self._template(seedling, entropy), seedling, entropy)

    def record(self, seedling: Seedling) -> bytes:
        """Return a record's bytes: minified JSON on one line."""
        entropy = chance.digest(self.seed, "record", seedling.number)
        template = self._template(seedling, entropy)
        values = self._values(template, seedling, entropy)
        bare = len(template.fill(values))
        jitter = 1.0 if self._wish(seedling) else 0.92 + 0.16 * entropy[58] / 255
        room = max(0, round(template.target_bytes * jitter) - bare)
        values[b"pad"] = self._pad(int.from_bytes(entropy[54:58], "big"), room)
        return template.fill(values)

    def _wish(self, seedling: Seedling) -> int | None:
        return self._record_size if seedling.size is None else seedling.size

    def _template(self, seedling: Seedling, entropy: bytes) -> Template:
        shape = _MIXTURE[entropy[0]]
        if seedling.timestamp % 1000 and shape in WHOLE_SECOND_SHAPES:
            shape = "sign-in"
        number = entropy[1] % _VARIANTS
        key = (shape, number, seedling.omit, self._wish(seedling))
        if key not in self._templates:
            self._templates[key] = self._build(key)
        return self._templates[key]

    def _build(self, key: _TemplateKey) -> Template:
        shape, number, omit, size = key
        sample = self._sample_values(STYLES[0])
        variant = Variant(self.seed, shape, number, self.tenant)
        return build(variant, size=size, omit=omit, sample=sample)

    def _id(self, template: Template, seedling: Seedling, entropy: bytes) -> str:
        if template.id_form == "digest":
            return entropy[:32].hex()
        if template.id_form == "object":
            return entropy[:12].hex()
        if template.id_form == "epoch":
            return f"{seedling.timestamp}_{guid(entropy[6:22])}"
        return f"{self.tenant}_{template.app}_{guid(entropy[6:22])}"

    def _sample_values(self, style: Style) -> dict[bytes, bytes]:
        entropy = chance.digest(self.seed, "sample", 0)
        sample = Seedling(0, 1_700_000_000_000, 1_700_000_200_000, id="0" * 58)
        return self._values(Template(b"", style, "", 0, 0), sample, entropy)

    def _values(self, template: Template, seedling: Seedling, entropy: bytes) -> dict[bytes, bytes]:
        style = template.style
        identity = seedling.id or self._id(template, seedling, entropy)
        person = int.from_bytes(entropy[2:4], "big") % len(self._people)
        place = int.from_bytes(entropy[4:6], "big") % len(self._places)
        built = max(seedling.timestamp, seedling.created - 900 - 8 * entropy[59])
        return {
            **self._persons_as(person, style),
            **self._places_as(place, style),
            b"id": style.inside(identity),
            b"ts": b"%d" % seedling.timestamp,
            b"inst": b"%d" % min(built, seedling.created),
            b"created": b"%d" % seedling.created,
            b"iso": _iso(seedling.timestamp),
            b"guid": guid(entropy[6:22]).encode(),
            b"corr": guid(entropy[22:38]).encode(),
            b"link": b"%d" % int.from_bytes(entropy[38:42], "big", signed=True),
            # Without its top bit the value is a positive 64-bit integer, mostly beyond 2**53.
            b"big": b"%d" % (int.from_bytes(entropy[42:50], "big") >> 1),
            b"n": b"%d" % int.from_bytes(entropy[50:53], "big"),
            b"ratio": b"%d.%03d00000" % (entropy[53], entropy[60]),
            b"pad": b"",
        }

    def _person_values(self, number: int, style: Style) -> dict[bytes, bytes]:
        person: Person = self._people[number]
        return {
            b"name": style.inside(person.name),
            b"upn": style.inside(person.upn),
            b"oid": person.guid.encode(),
            b"tag": chance.digest(self.seed, "group", number % 5, 12).hex().encode(),
        }

    def _place_values(self, number: int, style: Style) -> dict[bytes, bytes]:
        place: Place = self._places[number]
        known = {
            "countryCode": place.country,
            "city": place.city,
            "region": place.region,
            "organizationSearchable": place.organization,
            "anonymousProxy": False,
            "category": number % 6 + 1,
            "categoryValue": "null",
            "ipTags": [],
        }
        coordinates = f',"latitude":{place.latitude},"longitude":{place.longitude}}}'
        located = style.text(known)[:-1] + coordinates
        return {
            b"ip": place.ip.encode(),
            b"country": place.country.encode(),
            b"place": located.encode(),
        }

    def _pad_pool(self) -> bytes:
        blocks = (
            chance.digest(self.seed, "padding", number) for number in range(_PADDING_BYTES // 64)
        )
        return b"".join(blocks).translate(
            bytes(_ALPHABET[value % len(_ALPHABET)] for value in range(256))
        )

    def _pad(self, offset: int, length: int) -> bytes:
        start = offset % len(self._padding)
        found = self._padding[start : start + length]
        while len(found) < length:
            found += self._padding[: length - len(found)]
        return found


@lru_cache(maxsize=8)
def forge(seed: int, record_size: int | None) -> Forge:
    """Return the forge of all tenants with this seed: its forms take longer than most histories."""
    return Forge(seed, record_size)


def omitted(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of fields to leave out, sorted so that equal requests share a form."""
    return tuple(sorted(set(names)))


def unplaced(record: bytes, name: str, kind: int) -> bytes:
    """Return a record in which one time is unusable, in one of the `UNUSABLE` ways."""
    fields = json.loads(record)
    at = fields.pop(name, 0)
    unusable = ({}, *({name: it} for it in (None, str(at), at + 0.5, True)))[kind]
    fields.pop(f"{name}Raw", None)
    return json.dumps({**fields, **unusable}, ensure_ascii=False, separators=(",", ":")).encode()


def _iso(epoch_ms: int) -> bytes:
    """Write a time as audit logs do: UTC with seven decimals."""
    try:
        moment = datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return b"0001-01-01T00:00:00.0000000Z"
    # `strftime` takes more than twice as long, which shows in every page.
    return f"{moment.isoformat()[:19]}.{epoch_ms % 1000:03}0000Z".encode()
