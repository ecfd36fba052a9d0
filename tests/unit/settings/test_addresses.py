"""The addresses of API and storage: which are accepted, and what to write instead."""

import pytest

from shared.core.errors import SettingsError
from shared.settings import read_settings
from tests.unit.settings.given import GOOD, problems


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORAGE_ACCOUNT_URL", "DefaultEndpointsProtocol=https;AccountKey=geheimnis=="),
        ("STORAGE_ACCOUNT_URL", "http://contoso.blob.core.windows.net?sig=geheimnis"),
        ("MDA_API_URL", "https://user:geheimnis@contoso.portal.cloudappsecurity.com"),
        ("MDA_API_URL", "https://:geheimnis@contoso.portal.cloudappsecurity.com"),
    ],
)
def test_a_secret_that_was_put_into_an_address_is_not_repeated(name: str, value: str) -> None:
    """Many people can read the report line."""
    said = problems({**GOOD, name: value})

    assert name in said
    assert "geheimnis" not in said


@pytest.mark.parametrize(
    "given_url",
    [
        "https://contoso.eu2.portal.cloudappsecurity.com",
        "https://contoso.eu2.portal.cloudappsecurity.com/",
        "https://contoso.eu2.portal.cloudappsecurity.com/api/v1",
        "https://contoso.eu2.portal.cloudappsecurity.com/api/v1/activities/",
        "https://contoso.eu2.portal.cloudappsecurity.com/api/v1/activities",
        "https://contoso.eu2.portal.cloudappsecurity.com/api",
        "https://contoso.eu2.portal.cloudappsecurity.com/api/",
        "contoso.eu2.portal.cloudappsecurity.com",
        "contoso.eu2.portal.cloudappsecurity.com/api/v1/",
    ],
)
def test_the_address_of_the_endpoint_ends_with_its_slash(given_url: str) -> None:
    """It may be copied in part: without the slash the API drops the query."""
    url = read_settings({**GOOD, "MDA_API_URL": given_url}).scans[0].api.url

    assert url == "https://contoso.eu2.portal.cloudappsecurity.com/api/v1/activities/"


def test_the_address_that_all_tenants_share_is_accepted_with_its_path() -> None:
    """On that host the API is below /cas."""
    url = (
        read_settings({**GOOD, "MDA_API_URL": "portal.cloudappsecurity.com/cas/api/v1"})
        .scans[0]
        .api.url
    )

    assert url == "https://portal.cloudappsecurity.com/cas/api/v1/activities/"


@pytest.mark.parametrize(
    ("url", "accepted"), [("http://127.0.0.1:8080", True), ("ftp://127.0.0.1", False)]
)
def test_any_host_is_allowed_over_http_but_not_without_it(url: str, accepted: bool) -> None:  # noqa: FBT001
    """A local server needs no certificate, but other schemes cannot work."""
    environ = {**GOOD, "MDA_API_URL": url, "MDA_ALLOW_ANY_HOST": "true"}

    if accepted:
        assert read_settings(environ).scans[0].api.url == f"{url}/api/v1/activities/"
    else:
        assert "must begin with https://" in problems(environ)


@pytest.mark.parametrize(
    "host", ["contoso.portal.cloudappsecurity.us", "a.b.portal.cloudappsecurity.com"]
)
def test_every_cloud_of_the_api_is_known(host: str) -> None:
    """They are the commercial and the government clouds."""
    assert host in read_settings({**GOOD, "MDA_API_URL": f"https://{host}"}).scans[0].api.url


ACCOUNT = "https://contoso.blob.core.windows.net"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (ACCOUNT, ACCOUNT),
        (f"{ACCOUNT}/", ACCOUNT),
        ("HTTPS://contoso.blob.core.windows.net", ACCOUNT),
        (f"{ACCOUNT}:443", f"{ACCOUNT}:443"),
        ("https://dfs.blob.core.windows.net", "https://dfs.blob.core.windows.net"),
        (
            "https://contoso.z01.blob.storage.azure.net",
            "https://contoso.z01.blob.storage.azure.net",
        ),
        ("https://blob.storage.azure.net", "https://blob.storage.azure.net"),
        ("https://blobs.contoso.com", "https://blobs.contoso.com"),
        ("https://127.0.0.1:10000/devstoreaccount1", "https://127.0.0.1:10000/devstoreaccount1"),
        ("https://127.0.0.1:10000/devstoreaccount1/", "https://127.0.0.1:10000/devstoreaccount1"),
        ("https://localhost:10000/devstoreaccount1", "https://localhost:10000/devstoreaccount1"),
        ("https://azurite:10000/devstoreaccount1", "https://azurite:10000/devstoreaccount1"),
        ("https://azurite.test:10000/account", "https://azurite.test:10000/account"),
        ("https://[::1]:10000/devstoreaccount1", "https://[::1]:10000/devstoreaccount1"),
    ],
)
def test_an_account_s_address_is_accepted_in_every_form_that_works(given: str, used: str) -> None:
    """It may have a port or a final slash; an emulator has the account in its path."""
    assert read_settings({**GOOD, "STORAGE_ACCOUNT_URL": given}).storage.account_url == used


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ("https://contoso.dfs.core.windows.net", f"give {ACCOUNT}"),
        ("https://contoso.dfs.core.windows.net/", f"give {ACCOUNT}"),
        ("https://Contoso.DFS.core.windows.net", "give https://Contoso.blob.core.windows.net"),
        ("https://contoso.dfs.core.windows.net/activities", f"give {ACCOUNT};"),
        ("https://contoso.z01.dfs.storage.azure.net", "https://contoso.z01.blob.storage.azure.net"),
        ("https://contoso.queue.core.windows.net", f"give {ACCOUNT}"),
        ("https://contoso.z6.web.core.windows.net", f"give {ACCOUNT}"),
        (f"{ACCOUNT}/activities", f"has a path: give {ACCOUNT};"),
        (f"{ACCOUNT}/activities/scan=all", f"has a path: give {ACCOUNT};"),
        (f"{ACCOUNT}:443/activities", f"has a path: give {ACCOUNT}:443;"),
        ("https://blobs.contoso.com/activities", "has a path: give https://blobs.contoso.com;"),
        (f"{ACCOUNT}?sv=2026&sig=geheimnis", f"give {ACCOUNT},"),
        (f"{ACCOUNT}/?sig=geheimnis", f"give {ACCOUNT},"),
        (f"{ACCOUNT}/activities?sig=geheimnis", f"give {ACCOUNT};"),
        (f"{ACCOUNT}/#geheimnis", f"give {ACCOUNT},"),
        ("https://me:geheimnis@contoso.blob.core.windows.net", f"give {ACCOUNT},"),
        (
            "https://127.0.0.1:10000/devstoreaccount1/activities",
            "give https://127.0.0.1:10000/devstoreaccount1;",
        ),
        ("http://contoso.blob.core.windows.net", "must begin with https://"),
        ("http://127.0.0.1:10000/devstoreaccount1", "set STORAGE_CONNECTION_STRING instead"),
        ("contoso.blob.core.windows.net", "must begin with https://"),
        ("abfss://activities@contoso.dfs.core.windows.net/", "must begin with https://"),
        ("https://contoso.blob.core.windows.net:x", "is not an address"),
        ("https://contoso.blob.core.windows.net:99999", "is not an address"),
        ("https://con toso.blob.core.windows.net", "is not an address"),
        ("https://", "is not an address"),
        ("https://[::1", "is not an address"),
    ],
)
def test_an_address_that_is_not_an_account_s_is_refused(given: str, instead: str) -> None:
    """The error says what to give, and does not repeat a secret."""
    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, "STORAGE_ACCOUNT_URL": given})

    assert any(instead in it for it in refused.value.problems), refused.value.problems
    assert "geheimnis" not in str(refused.value)
