"""Every refused value of a setting, all problems at once, and the defaults."""

import pytest

from shared.core.errors import SettingsError
from shared.settings import read_query, read_settings
from tests.fakes import DAY, HOUR, MINUTE
from tests.unit.settings.given import GOOD, policy_of, problems

ELEMENT = '{"name": "a"}'


REFUSED = [
    ("MDA_API_URL", "", "is not set"),
    ("MDA_API_URL", "contoso", "give an address such as"),
    ("MDA_API_URL", "https://", "give an address such as"),
    ("MDA_API_URL", "https://user@contoso.portal.cloudappsecurity.com", "give an address"),
    ("MDA_API_URL", "https://contoso.portal.cloudappsecurity.com/?a=b", "give an address"),
    ("MDA_API_URL", "https://[contoso", "is not an address"),
    ("MDA_API_URL", "https://contoso.portal.cloudappsecurity.com:99999", "is not an address"),
    ("MDA_API_URL", "https://example.org\\.portal.cloudappsecurity.com", "is not a plain address"),
    ("MDA_API_URL", "https://con toso.portal.cloudappsecurity.com", "is not a plain address"),
    ("MDA_API_URL", "https://cont\u00f6so.portal.cloudappsecurity.com", "is not a plain address"),
    ("MDA_API_URL", "http://contoso.portal.cloudappsecurity.com", "must begin with https://"),
    ("MDA_API_URL", "https://contoso.example.com", "MDA_ALLOW_ANY_HOST=true"),
    ("MDA_API_URL", "https://portal.cloudappsecurity.com.example.org", "not a host of the API"),
    (
        "MDA_API_URL",
        "https://security.microsoft.com/cloudapps/activity-log",
        "not a host of the API",
    ),
    ("MDA_API_URL", "https://a.eu2.portal.cloudappsecurity.com/audits", "not of the API"),
    ("MDA_API_URL", "https://portal.cloudappsecurity.com", "not of the API"),
    ("MDA_ALLOW_ANY_HOST", "yes", "neither true nor false"),
    ("MDA_AUTH", "password", "managed-identity or default"),
    ("MDA_API_URL", "@Microsoft.KeyVault(SecretUri=x)", "unresolved Key Vault reference"),
    ("STORAGE_ACCOUNT_URL", "", "is not set"),
    ("STORAGE_ACCOUNT_URL", "http://contoso.blob.core.windows.net", "must begin with https://"),
    ("STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true", "keep only one"),
    ("STORAGE_DATA_CONTAINER", "Activities", "3 to 63 lower-case"),
    ("STORAGE_DATA_CONTAINER", "a--b", "3 to 63 lower-case"),
    ("STORAGE_DATA_CONTAINER", "manifests", "name the same container twice"),
    ("STORAGE_MANIFEST_CONTAINER", "ab", "3 to 63 lower-case"),
    ("STORAGE_STATE_CONTAINER", "state-", "3 to 63 lower-case"),
    ("SCAN_FILTERS", "{", "give a JSON object"),
    ("SCAN_FILTERS", "[]", "it is not a JSON object"),
    ("SCAN_FILTERS", '{"service": {}, "service": {"eq": [2]}}', "the key 'service' twice"),
    ("SCAN_FILTERS", '{"created": 5}', "created takes operators"),
    ("SCAN_FILTERS", '{"service": {"eq": [NaN]}}', "NaN is not JSON"),
    ("SCAN_FILTERS", '{"service": {"eq": [1e999]}}', "1e999 is too large"),
    ("SCAN_FILTERS", '{"text": {"eq": "\\ud800"}}', "give a JSON object"),
    ("SCAN_FILTERS", '{"a":' * 3_000 + "1" + "}" * 3_000, "give a JSON object"),
    ("SCAN_FILTERS", '{"a":' * 64 + "1" + "}" * 64, "nested too deeply"),
    ("SCAN_FILTERS", '{"date": {"gte": 1}}', "SCAN_LOOKBACK sets where"),
    ("SCAN_SORT_FIELD", "timestamp", "date or created"),
    ("SCAN_SORT_DIRECTION", "up", "asc or desc"),
    ("SCAN_LIMIT", "499", "from 500 to 5000"),
    ("SCAN_LIMIT", "5001", "from 500 to 5000"),
    ("SCAN_LIMIT", "1e3", "from 500 to 5000"),
    ("SCAN_NAME", "All", "a-z, 0-9 and -"),
    ("SCAN_NAME", "a" * 41, "at most 40"),
    ("SCAN_NAME", "../x", "not a scan name"),
    ("SCAN_TIME_BUDGET", "4s", "between 5 s and 9 min"),
    ("SCAN_TIME_BUDGET", "10m", "between 5 s and 9 min"),
    ("SCAN_LOOKBACK", "soon", "not a duration"),
    ("SCAN_LOOKBACK", "0d", "longer than zero"),
    ("SCAN_LOOKBACK", "-5m", "not a duration"),
    ("SCAN_LOOKBACK", "P1Y", "not a duration"),
    ("SCAN_LOOKBACK", "PT", "not a duration"),
    ("SCAN_LOOKBACK", "30d", "not shorter than SCAN_REACH"),
    ("SCAN_SETTLE", "2h", "SCAN_FRESH"),
    ("SCAN_SETTLE", "31d", "not shorter than SCAN_REACH"),
    ("SCAN_FRESH", "5m", "shorter than SCAN_SETTLE"),
    ("SCAN_SLICE", "7m", "divide an hour"),
    ("SCAN_SLICE", "2h", "divide an hour"),
    ("SCAN_SLICE", "500ms", "divide an hour"),
    ("SCAN_SWEEPS", "2h,later", "not a duration"),
    ("SCAN_SWEEPS", "5m", "at most SCAN_SETTLE"),
    ("SCAN_SWEEPS", "2h,30d", "SCAN_REACH or more"),
    ("SCAN_SWEEP_BY", "some", "full or created"),
    ("SCAN_REACH", "1000000d", "at most"),
    ("SCAN_CONCURRENCY", "0", "from 1 to 16"),
    ("SCAN_CONCURRENCY", "17", "from 1 to 16"),
    ("SCAN_REQUESTS_PER_MINUTE", "0", "from 1 to 1000"),
    ("SCAN_LAG_ALERT", "0m", "longer than zero"),
    ("SCAN_DOUBT_ALERT", "some", "not a duration"),
    ("SCAN_THROTTLED_ALERT", "0", "from 1 to 99"),
    ("SCAN_THROTTLED_ALERT", "100", "from 1 to 99"),
    ("SCAN_PAUSE_ALERT", "0h", "longer than zero"),
    ("SCANS", "{}", "JSON array of objects"),
    ("SCANS", "[1]", "JSON array of objects"),
    ("SCANS", "[", "give a JSON array"),
    ("SCANS", "[" * 3_000 + "]" * 3_000, "give a JSON array"),
    ("SCANS", f"[{ELEMENT}, {ELEMENT}]", "names a scan twice"),
    ("SCANS", '[{"name": "a", "time_budget": "1m"}]', "cannot be set for one scan"),
    ("SCANS", '[{"nam": "a"}]', "cannot be set for one scan"),
    ("SCANS", '[{"name": "a", "limit": 7}]', "SCANS[0] (a): SCAN_LIMIT"),
    ("SCAN_LIMITS", "5000", "is not a setting"),
    ("MDA_TOKEN", "x", "is not a setting"),
]


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
def test_an_invalid_setting_is_refused_with_its_name_and_what_to_do(
    name: str, value: str, says: str
) -> None:
    """Each problem is one sentence."""
    said = problems({**GOOD, name: value})

    assert says in said
    assert name.partition("_")[0] in said


@pytest.mark.parametrize("mode", ["client-secret", "federated"])
@pytest.mark.parametrize("name", ["MDA_TENANT_ID", "MDA_CLIENT_ID"])
def test_an_app_registration_needs_its_ids(mode: str, name: str) -> None:
    """This applies to both ways of signing it in."""
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


def test_a_token_with_strange_characters_is_refused_without_showing_it() -> None:
    """It was copied wrongly; the message does not repeat it."""
    said = problems({**GOOD, "MDA_AUTH": "api-token", "MDA_API_TOKEN": "geheimnis\u00a0x"})

    assert "copy it again" in said
    assert "geheimnis" not in said


@pytest.mark.parametrize("token", ["geheimnis\nx", "geheimnis x", "geheimnis\t", "\x7fgeheimnis"])
def test_a_token_that_cannot_be_a_header_is_refused_without_showing_it(token: str) -> None:
    """It was copied with a line break, and the HTTP library would repeat it in its error."""
    given = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": f"a{token}b"}

    said = problems({**GOOD, **given})

    assert "copy it again" in said
    assert "geheimnis" not in said


def test_all_problems_are_reported_at_once() -> None:
    """Nobody should have to fix settings one deployment at a time."""
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


def test_in_azure_the_managed_identity_is_the_default() -> None:
    """The platform announces itself by IDENTITY_ENDPOINT."""
    assert read_settings({**GOOD, "IDENTITY_ENDPOINT": "http://x"}).scans[0].api.auth == (
        "managed-identity"
    )
    assert read_settings(GOOD).scans[0].api.auth == "default"


def test_what_is_not_set_has_its_documented_default() -> None:
    """Only the addresses of API and storage are required."""
    settings = read_settings(GOOD)

    (scan,) = settings.scans
    how = scan.policy
    assert settings.schedule is None
    assert (how.scan, how.filters, how.accept) == ("all", {}, None)
    assert (how.axis, how.direction, how.limit) == ("date", "asc", 5000)
    assert (how.budget, how.lookback, how.settle) == (4 * MINUTE, 7 * DAY, 10 * MINUTE)
    assert (how.fresh, how.slice_length, how.reach) == (HOUR, 5 * MINUTE, 30 * DAY)
    assert [age for _, age in how.sweeps] == [2 * HOUR, DAY, 8 * DAY]
    assert (how.sweep_by, how.concurrency, how.requests_per_minute) == ("full", 3, 25)
    assert (how.lag_alert, how.doubt_alert) == (HOUR, 5 * MINUTE)
    assert (how.throttled_alert, how.pause_alert) == (50, DAY)
    stored = scan.storage
    assert (stored.data, stored.manifests, stored.state) == (
        "activities",
        "manifests",
        "scan-state",
    )


def test_secrets_show_neither_in_repr_nor_in_text() -> None:
    """Somebody may log whole settings."""
    given = {
        "MDA_API_URL": GOOD["MDA_API_URL"],
        "MDA_CLIENT_SECRET": "geheimnis-1",
        "MDA_API_TOKEN": "geheimnis-2",
        "STORAGE_CONNECTION_STRING": "AccountKey=geheimnis-3",
    }

    settings = read_settings(given)

    api = settings.scans[0].api
    assert api.api_token
    assert api.api_token.reveal() == "geheimnis-2"
    assert "geheimnis" not in f"{settings!r} {settings} {api.api_token}"


def test_a_query_needs_no_storage_and_accepts_any_filter() -> None:
    """It accepts filters on the sort field, too."""
    environ = {"MDA_API_URL": GOOD["MDA_API_URL"], "SCAN_FILTERS": '{"date": {"gte_ndays": 1}}'}

    assert read_query(environ).filters == {"date": {"gte_ndays": 1}}


def test_a_query_asks_the_api_of_the_scan_that_is_named() -> None:
    """Its filters are the query's own."""
    scans = '[{"name": "a", "api_url": "a.portal.cloudappsecurity.com", "limit": 500}]'

    query = read_query({"SCANS": scans}, "a")

    assert query.api.url == "https://a.portal.cloudappsecurity.com/api/v1/activities/"
    assert (query.limit, query.filters) == (5000, {})


def test_a_query_for_an_unknown_scan_is_refused() -> None:
    """It must not reach another tenant."""
    with pytest.raises(SettingsError, match="--scan 'b' is not configured"):
        read_query({**GOOD, "SCANS": '[{"name": "a"}]'}, "b")


def test_all_invalid_settings_of_a_query_are_reported_at_once() -> None:
    """Settings that only a run uses are not checked."""
    with pytest.raises(SettingsError) as refused:
        read_query({"SCAN_LIMIT": "1", "SCAN_SORT_FIELD": "x", "SCAN_SLICE": "7m"})

    assert [it.partition(" ")[0] for it in refused.value.problems] == [
        "MDA_API_URL",
        "SCAN_SORT_FIELD",
        "SCAN_LIMIT",
    ]
