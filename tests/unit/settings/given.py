"""Valid settings, and the result of changing some of them."""

import json
from typing import Any

import pytest

from shared.core.errors import SettingsError
from shared.core.model import Policy
from shared.settings import ScanSettings, read_settings

GOOD = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
}


def problems(environ: dict[str, str]) -> str:
    """Return the error that these settings cause."""
    with pytest.raises(SettingsError) as refused:
        read_settings(environ)
    return str(refused.value)


def policy_of(**settings: str) -> Policy:
    """Return the only policy of these settings."""
    (scan,) = read_settings({**GOOD, **settings}).scans
    return scan.policy


def scans_of(elements: list[dict[str, Any]], **settings: str) -> tuple[ScanSettings, ...]:
    """Return the scans of these elements of SCANS."""
    return read_settings({**GOOD, **settings, "SCANS": json.dumps(elements)}).scans
