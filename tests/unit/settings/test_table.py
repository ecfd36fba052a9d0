"""The table of settings agrees with itself; `test_docs.py` compares it with the page."""

import pytest

from shared.settings import table
from shared.settings.table import NAMES, PER_SCAN, SETTINGS, Setting


def test_the_table_lists_every_setting_that_is_defined() -> None:
    """It lists each of them once."""
    defined = [it.name for it in vars(table).values() if isinstance(it, Setting)]

    assert sorted(NAMES) == sorted(defined)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("setting", [it for it in SETTINGS if it.default], ids=lambda it: it.name)
def test_every_default_is_valid_and_every_setting_has_a_hint(setting: Setting[object]) -> None:
    """The default stands in for an invalid value."""
    setting.parse(setting.default or "")

    assert setting.hint


def test_what_belongs_to_the_whole_app_cannot_be_set_for_one_scan() -> None:
    """These settings are address, storage, schedule and time."""
    assert set(PER_SCAN) < {name for name in NAMES if name.startswith("SCAN_")}
    assert not {"SCAN_SCHEDULE", "SCAN_TIME_BUDGET"} & set(PER_SCAN)
