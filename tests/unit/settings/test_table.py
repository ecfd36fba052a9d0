"""The table of settings agrees with itself; `test_docs.py` compares it with the page."""

import pytest

from shared.access import Secret
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
    """These settings are identity, storage account, schedule and time."""
    whole = {"identity_client_id", "account_url", "allow_any_host", "schedule", "time_budget"}

    assert not whole & set(PER_SCAN)
    assert len(PER_SCAN) == sum(it.per_scan for it in SETTINGS)


@pytest.mark.parametrize(
    ("name", "secret", "is_name"),
    [
        ("MDA_CLIENT_SECRET_CONTOSO", None, True),
        ("MDA_API_TOKEN_7", table.MDA_API_TOKEN, True),
        ("MDA_API_TOKEN_7", table.MDA_CLIENT_SECRET, False),
        ("MDA_API_TOKEN", None, False),
        ("MDA_API_TOKEN_contoso", None, False),
        ("9f86d081884c7d659a2feaa0c55ad015", None, False),
    ],
)
def test_a_secret_of_one_scan_is_known_by_its_name(
    name: str, secret: Setting[Secret] | None, *, is_name: bool
) -> None:
    """It begins like the app's secret, so that no secret passes for a name."""
    assert table.is_secret_of_a_scan(name, secret) is is_name
