"""How each scan reaches the API and storage."""

import pytest

from shared.access import ApiSettings
from shared.core.errors import SettingsError
from shared.settings import read_settings
from tests.unit.settings.given import GOOD, problems, scans_of

CONTOSO = "https://contoso.eu2.portal.cloudappsecurity.com"
FABRIKAM = "https://fabrikam.us2.portal.cloudappsecurity.com"
PROVIDER = {"MDA_AUTH": "federated", "MDA_CLIENT_ID": "the-provider-s"}


def customer(name: str, url: str, **more: object) -> dict[str, object]:
    """Return an element of SCANS for one customer of a provider."""
    return {"name": name, "api_url": url, "tenant_id": f"{name}.example", **more}


def test_a_scan_takes_from_the_app_what_it_does_not_set() -> None:
    """A provider has one registration for all customers."""
    first, second = scans_of(
        [customer("contoso", CONTOSO), customer("fabrikam", FABRIKAM, auth="managed-identity")],
        **PROVIDER,
    )

    assert (first.api.url, first.api.tenant_id) == (
        f"{CONTOSO}/api/v1/activities/",
        "contoso.example",
    )
    assert (first.api.auth, first.api.client_id) == ("federated", "the-provider-s")
    assert (second.api.auth, second.policy.api) == ("managed-identity", FABRIKAM[8:])


def test_scans_that_say_nothing_about_the_api_share_one_connection() -> None:
    """They share its token, too."""
    first, second, third = scans_of([{"name": "a"}, {"name": "b"}, customer("c", FABRIKAM)])

    assert first.api is second.api
    assert third.api != first.api


def test_the_app_s_address_is_needed_only_by_scans_without_their_own() -> None:
    """A provider's own tenant may have no scan."""
    environ = {**GOOD, "MDA_API_URL": ""}
    scans = f'[{{"name": "a", "api_url": "{FABRIKAM}"}}]'

    (scan,) = read_settings({**environ, "SCANS": scans}).scans

    assert scan.policy.api == FABRIKAM[8:]
    assert "MDA_API_URL is not set" in problems({**environ, "SCANS": '[{"name": "a"}]'})


def test_the_problems_of_all_scans_are_reported_at_once() -> None:
    """Each names its scan."""
    elements = f"""[
        {{"name": "a", "api_url": "https://example.org"}},
        {{"name": "b", "api_url": "{FABRIKAM}", "auth": "federated"}},
        {{"name": "c", "data_container": "X"}},
        {{"name": "d", "auth": "federated", "tenant_id": "d d", "client_id": "c"}}
    ]"""

    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, "SCANS": elements})

    assert [it.partition(" is ")[0] for it in refused.value.problems] == [
        "SCANS[0] (a): MDA_API_URL",
        "SCANS[1] (b): MDA_TENANT_ID",
        "SCANS[1] (b): MDA_CLIENT_ID",
        "SCANS[3] (d): MDA_TENANT_ID",
        "SCANS[2] (c): STORAGE_DATA_CONTAINER",
    ]


def test_a_scan_stores_in_its_own_containers_of_the_app_s_account() -> None:
    """It may have any of the three to itself; the account is the same."""
    own = {
        "data_container": "a-parts",
        "manifest_container": "a-chain",
        "state_container": "a-state",
    }
    scans = scans_of(
        [{"name": "a", **own}, {"name": "b", "data_container": "b-parts"}, {"name": "c"}]
    )

    assert [(it.storage.data, it.storage.manifests, it.storage.state) for it in scans] == [
        ("a-parts", "a-chain", "a-state"),
        ("b-parts", "manifests", "scan-state"),
        ("activities", "manifests", "scan-state"),
    ]
    assert {it.storage.account_url for it in scans} == {GOOD["STORAGE_ACCOUNT_URL"]}


def test_a_container_cannot_hold_two_things_of_one_scan() -> None:
    """One of them may be the app's."""
    said = problems({**GOOD, "SCANS": '[{"name": "a", "data_container": "manifests"}]'})

    assert "SCANS[0] (a): STORAGE_*_CONTAINER name the same container twice" in said


def test_a_container_cannot_hold_two_things_of_two_scans() -> None:
    """Who may read one tenant's parts would see another tenant's state."""
    scans = '[{"name": "a", "data_container": "one"}, {"name": "b", "state_container": "one"}]'

    said = problems({**GOOD, "SCANS": scans})

    assert "SCANS has the container one for the parts of a and the state of b: give each" in said


@pytest.mark.parametrize("containers", ['"data_container": "one"', '"state_container": "one"'])
def test_scans_of_different_tenants_need_different_names(containers: str) -> None:
    """Even with containers of their own: reports and alerts know a scan by its name."""
    scans = f'[{{"name": "a", {containers}}}, {{"name": "a", "api_url": "{FABRIKAM}"}}]'

    assert "SCANS names a scan twice" in problems({**GOOD, "SCANS": scans})


@pytest.mark.parametrize("tenant", ["contoso.example", "3b0c9c0e-58e9-4c4e-9d7a-0c2f6d6f1a11"])
def test_a_tenant_is_an_id_or_a_domain(tenant: str) -> None:
    """The identity library accepts both."""
    (scan,) = scans_of([{"name": "a", "tenant_id": tenant}], **PROVIDER)

    assert scan.api.tenant_id == tenant


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (CONTOSO, CONTOSO.upper().replace("HTTPS", "https"), True),
        (CONTOSO, f"{CONTOSO}:443/api", True),
        (CONTOSO, FABRIKAM, False),
        ("http://127.0.0.1:7001", "http://127.0.0.1:7002", False),
    ],
)
def test_a_host_is_known_however_it_is_written(one: str, other: str, *, same: bool) -> None:
    """Scans of one host share its request budget."""
    any_host = {"MDA_ALLOW_ANY_HOST": "true"}

    first, second = scans_of(
        [{"name": "a", "api_url": one}, {"name": "b", "api_url": other}], **any_host
    )

    assert (first.api.host == second.api.host) is same


def test_every_scan_may_use_the_whole_limit_of_its_host() -> None:
    """Those of one host claim it in turn, and each tenant has a budget of its own."""
    scans = scans_of([customer("a", CONTOSO), customer("b", CONTOSO), customer("c", FABRIKAM)])

    assert [it.policy.requests_per_minute for it in scans] == [25, 25, 25]


def test_equal_connections_are_one() -> None:
    """So two scans of one customer sign in once."""
    first, second = scans_of(
        [customer("a", CONTOSO, tenant_id="t"), customer("b", CONTOSO, tenant_id="t")]
    )

    assert first.api == second.api
    assert isinstance(first.api, ApiSettings)
