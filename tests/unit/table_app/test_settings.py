"""The settings of the table's app: the collector's, where they say what to follow, and its own."""

import json

import pytest

from shared.core.errors import SettingsError
from shared.settings import table
from shared.settings.table import Setting
from shared.table_app import settings as own
from shared.table_app.settings import SETTINGS, SHARED, read_table_settings

GIVEN = {"STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net"}


def problems(**given: str) -> str:
    """Return what is wrong with settings."""
    with pytest.raises(SettingsError) as refused:
        read_table_settings(GIVEN | given)
    return str(refused.value)


def test_only_the_account_must_be_given() -> None:
    """Everything else has a default."""
    settings = read_table_settings(GIVEN)

    ((scan, storage),) = settings.scans
    assert (scan, storage.data, storage.manifests) == ("all", "activities", "manifests")
    assert (settings.container, settings.identity_client_id) == ("table", None)
    assert (settings.time_budget, settings.behind_alert) == (480_000, 3_600_000)
    assert settings.delete_after is None


def test_every_setting_reaches_the_program() -> None:
    """With other values than the defaults."""
    settings = read_table_settings(
        GIVEN
        | {
            "IDENTITY_CLIENT_ID": "client",
            "TABLE_BEHIND_ALERT": "2h",
            "TABLE_CONTAINER": "lake",
            "TABLE_DELETE_AFTER_DAYS": "400",
            "TABLE_SCHEDULE": "0 0 * * * *",
            "TABLE_TIME_BUDGET": "90s",
        }
    )

    assert (settings.container, settings.identity_client_id) == ("lake", "client")
    assert (settings.time_budget, settings.behind_alert) == (90_000, 7_200_000)
    assert settings.delete_after == 400


def test_the_scans_are_the_collector_s() -> None:
    """Each with its containers; what concerns the API is none of the table's business."""
    scans = [
        {"name": "sign-ins", "filters": {"x": 1}, "auth": "api-token"},
        {"name": "fabrikam", "data_container": "parts-2", "manifest_container": "chain-2"},
    ]

    settings = read_table_settings(
        GIVEN | {"SCANS": json.dumps(scans), "STORAGE_DATA_CONTAINER": "parts", "MDA_X": "no"}
    )

    found = [(name, it.data, it.manifests) for name, it in settings.scans]
    assert found == [("sign-ins", "parts", "manifests"), ("fabrikam", "parts-2", "chain-2")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"STORAGE_ACCOUNT_URL": ""}, "STORAGE_ACCOUNT_URL is not set"),
        ({"TABLE_CONTAINERS": "x"}, "TABLE_CONTAINERS is not a setting"),
        ({"TABLE_CONTAINER": "X"}, "TABLE_CONTAINER is 'X'"),
        ({"TABLE_CONTAINER": "manifests"}, "give the table a container of its own"),
        ({"TABLE_TIME_BUDGET": "10m"}, "TABLE_TIME_BUDGET is '10m'"),
        ({"TABLE_BEHIND_ALERT": "soon"}, "TABLE_BEHIND_ALERT is 'soon'"),
        ({"TABLE_DELETE_AFTER_DAYS": "-1"}, "0 lets all days stay"),
        ({"SCAN_NAME": "A B"}, "SCAN_NAME is 'A B'"),
        ({"SCANS": "[1]"}, "SCANS is invalid"),
        ({"SCANS": '[{"name": "a"}, {"name": "a"}]'}, "SCANS names a scan twice (a, a)"),
    ],
)
def test_an_invalid_setting_is_named(given: dict[str, str], said: str) -> None:
    """With what to write instead."""
    assert said in problems(**given)


def test_all_problems_are_reported_together() -> None:
    """Whoever deploys corrects them at once."""
    said = problems(TABLE_CONTAINER="X", TABLE_TIME_BUDGET="1d")

    assert "TABLE_CONTAINER" in said
    assert "TABLE_TIME_BUDGET" in said


def test_the_table_lists_every_setting_that_is_defined() -> None:
    """Those that it shares are the collector's."""
    defined = [it for it in vars(own).values() if isinstance(it, Setting)]

    assert sorted(it.name for it in SETTINGS) == sorted(it.name for it in defined)
    assert {it.name for it in SHARED} <= set(table.NAMES)


@pytest.mark.parametrize("setting", [it for it in SETTINGS if it.default], ids=lambda it: it.name)
def test_every_default_is_valid_and_every_setting_has_a_hint(setting: Setting[object]) -> None:
    """The default stands in for an invalid value."""
    setting.parse(setting.default or "")

    assert setting.hint
