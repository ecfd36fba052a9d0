"""Checking parts against their manifests: their bytes, their metadata, and their identities.

This module reads nothing: `shared.operate.verify` passes it the content of parts hour by hour.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from shared.core.api.blocks import stored_records, trailer_of
from shared.core.api.records import Malformed
from shared.core.audit.findings import Finding
from shared.core.state.manifest import Manifest, Part

METADATA = ("scan", "pass", "start", "end", "records", "manifest", "rawSizeBytes")
"""Names of a part's metadata; whoever copies a part may add others."""


def metadata_differences(manifest: Manifest, stated: Mapping[str, str]) -> str:
    """Return where a part's metadata differ from its manifest; empty if they agree."""
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
        return "it has lost its metadata"
    return "; ".join(
        f"`{name}` is {stated[name]!r}, but its manifest says {value!r}"
        if name in stated
        else f"`{name}` is missing, but its manifest says {value!r}"
        for name, value in pairs
        if stated.get(name) != value
    )


class Hour:
    """Takes in the parts of one hour, and finds each identity that comes twice."""

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
            detail = f"it has {len(identities)} records, but its manifest says {part.records}"
            yield Finding(kind="part-altered", subject=part.name, detail=detail)
        before = len(self.identities)
        self.identities.update(identities)
        twice = before + len(identities) - len(self.identities)
        if twice:
            detail = f"the hour's parts contain {twice} of its {len(identities)} records twice"
            yield Finding(kind="duplicate-identity", subject=part.name, detail=detail)


def _altered(part: Part, content: bytes) -> str:
    """Return what is wrong with a part's bytes; empty if they are as its manifest says."""
    if len(content) != part.size:
        return f"it has {len(content)} bytes, but its manifest says {part.size}"
    at = 0
    for number, block in enumerate(part.blocks):
        if sha256(content[at : at + block.size]).hexdigest() != block.sha256:
            return f"block {number} ({block.id}) has other bytes than its manifest says"
        at += block.size
    if not content.endswith(trailer_of(part.blocks[:-1])):
        return "its trailer is not the one that its manifest implies"
    return ""
