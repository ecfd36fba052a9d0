"""Checking parts against their manifests: their bytes, their metadata, and their identities.

Nothing here reads anything: `shared.operate.verify` hands over the content of parts hour by hour.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from shared.core.api.blocks import stored_records, trailer_of
from shared.core.api.records import Malformed
from shared.core.audit.findings import Finding
from shared.core.state.manifest import Manifest, Part

METADATA = ("scan", "pass", "start", "end", "records", "manifest", "rawSizeBytes")
"""Names of a part's metadata; others may be added by whoever copies it."""


def metadata_differences(manifest: Manifest, stated: Mapping[str, str]) -> str:
    """Return what a part's metadata say otherwise than its manifest, nothing when they agree."""
    part = manifest.part
    if part is None:
        return ""
    expected = (
        manifest.scan,
        manifest.pass_name,
        manifest.start,
        manifest.end,
        part.records,
        manifest.number,
        sum(block.raw for block in part.blocks),
    )
    pairs = [(name, str(value)) for name, value in zip(METADATA, expected, strict=True)]
    if not any(name in stated for name in METADATA):
        return "it has no metadata, although its manifest states some"
    return "; ".join(
        f"`{name}` is {stated[name]!r}, and its manifest says {value!r}"
        if name in stated
        else f"`{name}` is missing, and its manifest says {value!r}"
        for name, value in pairs
        if stated.get(name) != value
    )


class Hour:
    """Takes in the parts of one hour, so that no identity in it comes twice unnoticed."""

    def __init__(self) -> None:
        """Begin with no identity known."""
        self.identities: set[str] = set()
        self.records = 0

    def take(self, part: Part, content: bytes) -> Iterator[Finding]:
        """Take in a part; yield what is wrong with it."""
        wrong = _altered(part, content)
        if wrong:
            yield Finding(kind="part-altered", subject=part.name, detail=wrong)
            return
        try:
            identities = [record.identity for record in stored_records(content)]
        except Malformed as error:
            yield Finding(kind="part-altered", subject=part.name, detail=str(error))
            return
        self.records += len(identities)
        if len(identities) != part.records:
            detail = f"it has {len(identities)} records, and its manifest says {part.records}"
            yield Finding(kind="part-altered", subject=part.name, detail=detail)
        before = len(self.identities)
        self.identities.update(identities)
        twice = before + len(identities) - len(self.identities)
        if twice:
            detail = f"{twice} of its {len(identities)} records are in the hour's parts twice"
            yield Finding(kind="duplicate-identity", subject=part.name, detail=detail)


def _altered(part: Part, content: bytes) -> str:
    """Return what is wrong with a part's bytes, nothing when they are as its manifest says."""
    if len(content) != part.size:
        return f"it has {len(content)} bytes, and its manifest says {part.size}"
    at = 0
    for number, block in enumerate(part.blocks):
        if sha256(content[at : at + block.size]).hexdigest() != block.sha256:
            return f"block {number} ({block.id}) has other bytes than its manifest says"
        at += block.size
    if not content.endswith(trailer_of(part.blocks[:-1])):
        return "its end does not hold the checksum and the length that its manifest says"
    return ""
