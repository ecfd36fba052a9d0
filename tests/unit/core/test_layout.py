"""Names of blobs."""

import pytest

from shared.core import layout
from shared.core.cursor import fresh_slice
from tests.fakes import HOUR, NOW


def test_a_part_is_named_by_its_hour_its_bounds_and_its_pass() -> None:
    """Hive partitions, then stamps that sort by time."""
    piece = fresh_slice(
        (NOW + 300_000, NOW + 600_001), pass_name="sweep-2h", direction="asc", limit=5000
    )

    assert layout.part_name("all", piece) == (
        "scan=all/date=2026-11-23/hour=12/20261123T120500000Z-20261123T121000001Z.sweep-2h.jsonl.gz"
    )


def test_an_hour_s_parts_have_one_prefix() -> None:
    """From its first to its last millisecond."""
    prefixes = {layout.hour_prefix("all", at) for at in (NOW, NOW + 1, NOW + HOUR - 1)}

    assert prefixes == {"scan=all/date=2026-11-23/hour=12/"}


def test_manifests_sort_by_number() -> None:
    """Eleven digits last for three hundred thousand years."""
    assert layout.manifest_name("all", 412) == "scan=all/00000000412.json"


@pytest.mark.parametrize(("epoch", "number"), [(1, 0), (99_999_999, 999_999)])
def test_block_ids_have_one_width(epoch: int, number: int) -> None:
    """As the service demands of one blob's blocks."""
    assert len(layout.block_id(epoch, number, "f" * 64)) == 32


def test_no_scan_s_names_begin_with_another_s() -> None:
    """`all` and `all-2` share containers."""
    assert not layout.parts_prefix("all-2").startswith(layout.parts_prefix("all"))
