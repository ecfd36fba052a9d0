"""Valid settings, and the result of changing some of them."""

import pytest

from shared.core.errors import SettingsError
from shared.core.model import Policy
from shared.settings import read_settings

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
    (policy,) = read_settings({**GOOD, **settings}).scans
    return policy
