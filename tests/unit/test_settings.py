"""Settings: every refused value, all problems at once, and what the defaults are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import SettingsError
from shared.core.model import Policy
from shared.settings import fingerprint, read_query, read_settings
from tests.fakes import DAY, HOUR, MINUTE

GOOD = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
}
ELEMENT = '{"name": "a"}'

REFUSED = [
    ("MDA_API_URL", "", "is not set"),
    ("MDA_API_URL", "contoso", "give an address such as"),
    ("MDA_API_URL", "https://", "give an address such as"),
    ("MDA_API_URL", "https://user@contoso.portal.cloudappsecurity.com", "give an address"),
    ("MDA_API_URL", "https://contoso.portal.cloudappsecurity.com/?a=b", "give an address"),
    ("MDA_API_URL", "https://[contoso", "is no address"),
    ("MDA_API_URL", "https://contoso.portal.cloudappsecurity.com:99999", "is no address"),
    ("MDA_API_URL", "https://example.org\\.portal.cloudappsecurity.com", "is no plain address"),
    ("MDA_API_URL", "https://con toso.portal.cloudappsecurity.com", "is no plain address"),
    ("MDA_API_URL", "https://cont\u00f6so.portal.cloudappsecurity.com", "is no plain address"),
    ("MDA_API_URL", "http://contoso.portal.cloudappsecurity.com", "must begin with https://"),
    ("MDA_API_URL", "https://contoso.example.com", "MDA_ALLOW_ANY_HOST=true"),
    ("MDA_API_URL", "https://portal.cloudappsecurity.com.example.org", "no host of the API"),
    ("MDA_API_URL", "https://security.microsoft.com/cloudapps/activity-log", "no host of the API"),
    ("MDA_API_URL", "https://a.eu2.portal.cloudappsecurity.com/audits", "not of the API"),
    ("MDA_API_URL", "https://portal.cloudappsecurity.com", "not of the API"),
    ("MDA_ALLOW_ANY_HOST", "yes", "neither true nor false"),
    ("MDA_AUTH", "password", "managed-identity or default"),
    ("MDA_API_URL", "@Microsoft.KeyVault(SecretUri=x)", "unresolved Key Vault reference"),
    ("STORAGE_ACCOUNT_URL", "", "is not set"),
    ("STORAGE_ACCOUNT_URL", "http://contoso.blob.core.windows.net", "must begin with https://"),
    ("STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true", "keep one"),
    ("STORAGE_DATA_CONTAINER", "Activities", "3 to 63 lower-case"),
    ("STORAGE_DATA_CONTAINER", "a--b", "3 to 63 lower-case"),
    ("STORAGE_DATA_CONTAINER", "manifests", "name one container twice"),
    ("STORAGE_MANIFEST_CONTAINER", "ab", "3 to 63 lower-case"),
    ("STORAGE_STATE_CONTAINER", "state-", "3 to 63 lower-case"),
    ("SCAN_FILTERS", "{", "give a JSON object"),
    ("SCAN_FILTERS", "[]", "it is no JSON object"),
    ("SCAN_FILTERS", '{"service": {}, "service": {"eq": [2]}}', "'service' comes twice"),
    ("SCAN_FILTERS", '{"created": 5}', "created takes operators"),
    ("SCAN_FILTERS", '{"service": {"eq": [NaN]}}', "NaN is no JSON"),
    ("SCAN_FILTERS", '{"service": {"eq": [1e999]}}', "1e999 is too large"),
    ("SCAN_FILTERS", '{"text": {"eq": "\\ud800"}}', "give a JSON object"),
    ("SCAN_FILTERS", '{"a":' * 3_000 + "1" + "}" * 3_000, "give a JSON object"),
    ("SCAN_FILTERS", '{"a":' * 64 + "1" + "}" * 64, "nested too deeply"),
    ("SCAN_FILTERS", '{"date": {"gte": 1}}', "set SCAN_LOOKBACK"),
    ("SCAN_SORT_FIELD", "timestamp", "date or created"),
    ("SCAN_SORT_DIRECTION", "up", "asc or desc"),
    ("SCAN_LIMIT", "499", "from 500 to 5000"),
    ("SCAN_LIMIT", "5001", "from 500 to 5000"),
    ("SCAN_LIMIT", "1e3", "from 500 to 5000"),
    ("SCAN_NAME", "All", "a-z, 0-9 and -"),
    ("SCAN_NAME", "a" * 41, "at most 40"),
    ("SCAN_NAME", "../x", "no scan name"),
    ("SCAN_TIME_BUDGET", "4s", "between 5 s and 9 min"),
    ("SCAN_TIME_BUDGET", "10m", "between 5 s and 9 min"),
    ("SCAN_LOOKBACK", "soon", "no duration"),
    ("SCAN_LOOKBACK", "0d", "longer than zero"),
    ("SCAN_LOOKBACK", "-5m", "no duration"),
    ("SCAN_LOOKBACK", "P1Y", "no duration"),
    ("SCAN_LOOKBACK", "PT", "no duration"),
    ("SCAN_LOOKBACK", "30d", "not shorter than SCAN_REACH"),
    ("SCAN_SETTLE", "2h", "SCAN_FRESH"),
    ("SCAN_SETTLE", "31d", "not shorter than SCAN_REACH"),
    ("SCAN_FRESH", "5m", "shorter than SCAN_SETTLE"),
    ("SCAN_SLICE", "7m", "divide an hour"),
    ("SCAN_SLICE", "2h", "divide an hour"),
    ("SCAN_SLICE", "500ms", "divide an hour"),
    ("SCAN_SWEEPS", "2h,later", "no duration"),
    ("SCAN_SWEEPS", "5m", "no later than SCAN_SETTLE"),
    ("SCAN_SWEEPS", "2h,30d", "past SCAN_REACH"),
    ("SCAN_SWEEP_BY", "some", "full or created"),
    ("SCAN_REACH", "1000000d", "at most"),
    ("SCAN_CONCURRENCY", "0", "from 1 to 16"),
    ("SCAN_CONCURRENCY", "17", "from 1 to 16"),
    ("SCAN_REQUESTS_PER_MINUTE", "0", "from 1 to 1000"),
    ("SCANS", "{}", "JSON array of objects"),
    ("SCANS", "[1]", "JSON array of objects"),
    ("SCANS", "[", "give a JSON array"),
    ("SCANS", "[" * 3_000 + "]" * 3_000, "give a JSON array"),
    ("SCANS", f"[{ELEMENT}, {ELEMENT}]", "names a scan twice"),
    ("SCANS", '[{"name": "a", "time_budget": "1m"}]', "cannot be set for one scan"),
    ("SCANS", '[{"nam": "a"}]', "cannot be set for one scan"),
    ("SCANS", '[{"name": "a", "limit": 7}]', "SCANS[0]: SCAN_LIMIT"),
    ("SCAN_LIMITS", "5000", "is no setting"),
    ("MDA_TOKEN", "x", "is no setting"),
]


def problems(environ: dict[str, str]) -> str:
    """Return the error that these settings end with."""
    with pytest.raises(SettingsError) as refused:
        read_settings(environ)
    return str(refused.value)


def policy_of(**settings: str) -> Policy:
    """Return the one policy of these settings."""
    (policy,) = read_settings({**GOOD, **settings}).scans
    return policy


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
def test_a_wrong_setting_is_refused_with_its_name_and_what_to_do(
    name: str, value: str, says: str
) -> None:
    """One sentence each."""
    said = problems({**GOOD, name: value})

    assert says in said
    assert name.partition("_")[0] in said


@pytest.mark.parametrize("mode", ["client-secret", "federated"])
@pytest.mark.parametrize("name", ["MDA_TENANT_ID", "MDA_CLIENT_ID"])
def test_an_app_registration_needs_its_ids(mode: str, name: str) -> None:
    """Both ways to sign one in."""
    own = {"MDA_TENANT_ID": "t", "MDA_CLIENT_ID": "c", "MDA_CLIENT_SECRET": "s"}

    said = problems({**GOOD, "MDA_AUTH": mode, **own, name: ""})

    assert f"{name} is not set: MDA_AUTH={mode} signs in with it" in said


@pytest.mark.parametrize(
    ("mode", "name"), [("client-secret", "MDA_CLIENT_SECRET"), ("api-token", "MDA_API_TOKEN")]
)
@pytest.mark.parametrize(
    ("value", "says"), [("", "is not set"), ("@Microsoft.KeyVault(x)", "unresolved")]
)
def test_a_secret_that_is_missing_or_unresolved_is_named(
    mode: str, name: str, value: str, says: str
) -> None:
    """An unresolved reference is not sent as if it were the secret."""
    own = {"MDA_TENANT_ID": "t", "MDA_CLIENT_ID": "c", "MDA_AUTH": mode}

    said = problems({**GOOD, **own, name: value})

    assert f"{name} {says}" in said.replace("is an unresolved", "unresolved")
    assert said.count(name) == 1


def test_a_token_with_strange_characters_is_refused_unseen() -> None:
    """It was copied wrongly; the message does not repeat it."""
    said = problems({**GOOD, "MDA_AUTH": "api-token", "MDA_API_TOKEN": "geheimnis\u00a0x"})

    assert "copy it again" in said
    assert "geheimnis" not in said


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
    """The report line is read by many."""
    said = problems({**GOOD, name: value})

    assert name in said
    assert "geheimnis" not in said


@pytest.mark.parametrize("token", ["geheimnis\nx", "geheimnis x", "geheimnis\t", "\x7fgeheimnis"])
def test_a_token_that_cannot_be_a_header_is_refused_unseen(token: str) -> None:
    """Copied with a line break: the HTTP library would repeat it in its error."""
    given = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": f"a{token}b"}

    said = problems({**GOOD, **given})

    assert "copy it again" in said
    assert "geheimnis" not in said


def test_all_problems_are_told_at_once() -> None:
    """Nobody mends settings one deployment at a time."""
    wrong = {"SCAN_LIMIT": "1", "SCAN_SLICE": "7m", "MDA_AUTH": "x", "SCAN_NAME": "A B"}

    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, **wrong})

    assert [problem.partition(" ")[0] for problem in refused.value.problems] == [
        "MDA_AUTH",
        "SCAN_NAME",
        "SCAN_LIMIT",
        "SCAN_SLICE",
    ]


def test_settings_of_other_programs_do_not_matter() -> None:
    """The environment is full of them."""
    read_settings({**GOOD, "AZURE_CLIENT_ID": "x", "PATH": "/bin", "FUNCTIONS_X": "1"})


def test_empty_settings_are_not_set() -> None:
    """The portal keeps empty values."""
    assert policy_of(SCAN_LIMIT=" ", SCAN_SLICE="") == policy_of()


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
    """However much of it was copied: without the slash the API drops the query."""
    url = read_settings({**GOOD, "MDA_API_URL": given_url}).api.url

    assert url == "https://contoso.eu2.portal.cloudappsecurity.com/api/v1/activities/"


def test_the_address_that_all_tenants_share_is_accepted_with_its_path() -> None:
    """The API is below /cas there."""
    url = read_settings({**GOOD, "MDA_API_URL": "portal.cloudappsecurity.com/cas/api/v1"}).api.url

    assert url == "https://portal.cloudappsecurity.com/cas/api/v1/activities/"


@pytest.mark.parametrize(
    ("url", "accepted"), [("http://127.0.0.1:8080", True), ("ftp://127.0.0.1", False)]
)
def test_any_host_is_reached_by_http_at_most(url: str, accepted: bool) -> None:  # noqa: FBT001
    """A local server needs no certificate; what is no HTTP at all cannot be asked."""
    environ = {**GOOD, "MDA_API_URL": url, "MDA_ALLOW_ANY_HOST": "true"}

    if accepted:
        assert read_settings(environ).api.url == f"{url}/api/v1/activities/"
    else:
        assert "must begin with https://" in problems(environ)


@pytest.mark.parametrize(
    "host", ["contoso.portal.cloudappsecurity.us", "a.b.portal.cloudappsecurity.com"]
)
def test_every_cloud_of_the_api_is_known(host: str) -> None:
    """Commercial and government."""
    assert host in read_settings({**GOOD, "MDA_API_URL": f"https://{host}"}).api.url


def test_in_azure_the_managed_identity_is_the_default() -> None:
    """The platform announces itself by IDENTITY_ENDPOINT."""
    assert read_settings({**GOOD, "IDENTITY_ENDPOINT": "http://x"}).api.auth == "managed-identity"
    assert read_settings(GOOD).api.auth == "default"


def test_what_is_not_set_has_its_documented_default() -> None:
    """Only the addresses of API and storage must be given."""
    settings = read_settings(GOOD)

    (how,) = settings.scans
    assert settings.schedule is None
    assert (how.scan, how.filters, how.accept) == ("all", {}, None)
    assert (how.axis, how.direction, how.limit) == ("date", "asc", 5000)
    assert (how.budget, how.lookback, how.settle) == (4 * MINUTE, 7 * DAY, 10 * MINUTE)
    assert (how.fresh, how.slice_length, how.reach) == (HOUR, 5 * MINUTE, 30 * DAY)
    assert [age for _, age in how.sweeps] == [2 * HOUR, DAY, 8 * DAY]
    assert (how.sweep_by, how.concurrency, how.requests_per_minute) == ("full", 3, 25)
    stored = settings.storage
    assert (stored.data, stored.manifests, stored.state) == (
        "activities",
        "manifests",
        "scan-state",
    )


def test_secrets_show_neither_in_repr_nor_in_text() -> None:
    """Settings may be logged whole."""
    given = {
        "MDA_API_URL": GOOD["MDA_API_URL"],
        "MDA_CLIENT_SECRET": "geheimnis-1",
        "MDA_API_TOKEN": "geheimnis-2",
        "STORAGE_CONNECTION_STRING": "AccountKey=geheimnis-3",
    }

    settings = read_settings(given)

    assert settings.api.api_token
    assert settings.api.api_token.reveal() == "geheimnis-2"
    assert "geheimnis" not in f"{settings!r} {settings} {settings.api.api_token}"


def test_a_scan_s_own_share_of_requests_is_not_divided() -> None:
    """What one element asks for is its own; the others share the rest of the settings."""
    scans = [{"name": "a", "requests_per_minute": 20}, {"name": "b"}]

    first, second = read_settings({**GOOD, "SCANS": json.dumps(scans)}).scans

    assert (first.requests_per_minute, second.requests_per_minute) == (20, 12)


def test_the_problems_of_each_scan_name_its_place() -> None:
    """And what is wrong for all of them is told, too."""
    scans = [{"name": "a", "slice": "7m"}, {"name": "B"}]

    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, "SCANS": json.dumps(scans), "SCAN_TIME_BUDGET": "1s"})

    assert [it.partition(" is ")[0] for it in refused.value.problems] == [
        "SCAN_TIME_BUDGET",
        "SCANS[0]: SCAN_SLICE",
        "SCANS[1]: SCAN_NAME",
    ]


def test_several_scans_share_what_they_do_not_set() -> None:
    """Budgets of time and requests are divided among them."""
    only = {"service": {"eq": [1]}}
    scans = [{"name": "a", "limit": 700}, {"name": "b", "filters": only}]
    shared = {"SCAN_LOOKBACK": "2d", "SCAN_TIME_BUDGET": "4m"}

    first, second = read_settings({**GOOD, **shared, "SCANS": json.dumps(scans)}).scans

    assert (first.scan, first.limit, first.lookback) == ("a", 700, 2 * DAY)
    assert (second.scan, second.limit, second.filters) == ("b", 5000, only)
    assert (first.budget, first.requests_per_minute) == (2 * MINUTE, 12)


def test_more_scans_than_the_time_budget_carries_are_refused() -> None:
    """Each needs five seconds of a run."""
    scans = json.dumps([{"name": f"s{n}"} for n in range(9)])

    said = problems({**GOOD, "SCANS": scans, "SCAN_TIME_BUDGET": "30s"})

    assert "SCANS" in said
    assert "5 s" in said


def test_one_query_needs_no_storage_and_takes_any_filter() -> None:
    """Filters on the sort field included."""
    environ = {"MDA_API_URL": GOOD["MDA_API_URL"], "SCAN_FILTERS": '{"date": {"gte_ndays": 1}}'}

    assert read_query(environ).filters == {"date": {"gte_ndays": 1}}


def test_a_query_s_wrong_settings_are_told_at_once() -> None:
    """Those of the scan's run are not its business."""
    with pytest.raises(SettingsError) as refused:
        read_query({"SCAN_LIMIT": "1", "SCAN_SORT_FIELD": "x", "SCAN_SLICE": "7m"})

    assert [it.partition(" ")[0] for it in refused.value.problems] == [
        "MDA_API_URL",
        "SCAN_SORT_FIELD",
        "SCAN_LIMIT",
    ]


def test_sweeps_are_named_by_their_age_whatever_its_form() -> None:
    """The name of a pass does not change when the setting is written otherwise."""
    same = policy_of(SCAN_SWEEPS="PT2H, 1440m,P8D")

    assert same.sweeps == policy_of(SCAN_SWEEPS="2h,24h,8d").sweeps
    assert [name for name, _ in same.sweeps] == ["sweep-2h", "sweep-24h", "sweep-8d"]
    assert policy_of(SCAN_SWEEPS="none").sweeps == ()


UNITS = {"s": 1000, "m": MINUTE, "h": HOUR, "d": DAY}


@given(number=st.integers(1, 28), unit=st.sampled_from(["m", "h", "d"]))
def test_both_forms_of_a_duration_mean_the_same(number: int, unit: str) -> None:
    """`5m` and `PT5M`."""
    iso = f"P{number}D" if unit == "d" else f"PT{number}{unit.upper()}"
    reach = {"SCAN_REACH": "30d"}

    short = policy_of(SCAN_LOOKBACK=f"{number}{unit}", **reach).lookback

    assert short == policy_of(SCAN_LOOKBACK=iso, **reach).lookback == number * UNITS[unit]


@given(length=st.integers(1, 2 * DAY))
def test_a_duration_is_kept_to_the_millisecond(length: int) -> None:
    """In the shortest unit, and in ISO 8601 to the second."""
    seconds = length // 1000 + 1
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60

    assert policy_of(SCAN_LOOKBACK=f"{length}ms").lookback == length
    assert policy_of(SCAN_LOOKBACK=f"PT{hours}H{minutes}M{rest}S").lookback == seconds * 1000


filters = st.dictionaries(
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.integers()), max_size=3),
    max_size=4,
)


@given(value=filters)
def test_the_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    """The same filters, written otherwise, are no changed scope."""
    turned = {name: dict(reversed(it.items())) for name, it in reversed(value.items())}

    assert fingerprint(value, "date") == fingerprint(turned, "date")
    assert fingerprint(value, "date") != fingerprint(value, "created")


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
def test_an_account_s_address_is_taken_in_every_form_that_works(given: str, used: str) -> None:
    """With a port or a slash at its end; an emulator names the account in the path."""
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
def test_an_address_that_is_not_the_account_s_is_refused_with_what_to_give(
    given: str, instead: str
) -> None:
    """A secret in it is not repeated."""
    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, "STORAGE_ACCOUNT_URL": given})

    assert any(instead in it for it in refused.value.problems), refused.value.problems
    assert "geheimnis" not in str(refused.value)
