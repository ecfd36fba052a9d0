"""Scans of two tenants in one app: two APIs, two tokens, and containers of their own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from typer.testing import CliRunner

from harness.azurite import Azurite
from shared.bootstrap import App, run_scans
from shared.core.errors import SourceRefused, StoreUnavailable
from shared.operate.building import announced_place, archives, feeds_and_tables, patient
from shared.operate.command_line import app
from simulator import Credentials, IdentityEndpoint, Simulator, Tenant
from tests.integration.test_authentication import in_azure, nobody_is_signed_in
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, stored

__all__ = ["nobody_is_signed_in"]

Environ = dict[str, str]

KINDS = {
    "data_container": "STORAGE_DATA_CONTAINER",
    "manifest_container": "STORAGE_MANIFEST_CONTAINER",
    "state_container": "STORAGE_STATE_CONTAINER",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One tenant of a provider.

    Attributes:
        name: of its scan.
        tenant: its truth.
        api: its API, which accepts no other tenant's token.
        token: the legacy token of that API.
        containers: by key of an element of SCANS.
    """

    name: str
    tenant: Tenant
    api: Simulator
    token: str
    containers: dict[str, str]

    def element(self) -> dict[str, str]:
        """Return its element of SCANS."""
        secret = {"api_token_setting": f"MDA_API_TOKEN_{self.name.upper()}"}
        return {"name": self.name, "api_url": self.api.url, **secret, **self.containers}

    def places(self, storage: Environ) -> Environ:
        """Return the settings of a reader who knows only this customer's containers."""
        return storage | {KINDS[key]: name for key, name in self.containers.items()}


@pytest.fixture
def customers(container_name: str) -> Iterator[list[Customer]]:
    """Provide two tenants with different activities, tokens and containers."""
    contoso, fabrikam = history(300, seed=1), history(200, seed=2)
    tokens = ["a" * 64, "b" * 64]
    with (
        Simulator(contoso, switches=OPEN, credentials=Credentials(tokens[:1])) as first,
        Simulator(fabrikam, switches=OPEN, credentials=Credentials(tokens[1:])) as second,
    ):
        yield [
            Customer(
                name=name,
                tenant=tenant,
                api=api,
                token=token,
                containers={key: f"{container_name}-{name[0]}{key[0]}" for key in KINDS},
            )
            for name, tenant, api, token in (
                ("contoso", contoso, first, tokens[0]),
                ("fabrikam", fabrikam, second, tokens[1]),
            )
        ]


def settings(customers: list[Customer], storage: Environ, **more: str) -> Environ:
    """Return the settings of a provider's app, which has no API of its own."""
    return {
        "MDA_ALLOW_ANY_HOST": "true",
        "MDA_AUTH": "api-token",
        "SCAN_LOOKBACK": "3h",
        "SCAN_SLICE": "15m",
        "SCAN_TIME_BUDGET": "60s",
        "SCAN_REQUESTS_PER_MINUTE": "1000",
        "SCANS": json.dumps([it.element() for it in customers]),
        **{f"MDA_API_TOKEN_{it.name.upper()}": it.token for it in customers},
        **storage,
        **more,
    }


def test_each_tenant_s_activities_are_in_its_own_containers(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """Whoever may read one tenant's containers finds nothing of another's."""
    run_until_idle(settings(customers, storage_settings))

    for mine, other in (customers, reversed(customers)):
        assert sorted(stored(mine.places(storage_settings), mine.name)) == mine.tenant.truth()
        assert stored(mine.places(storage_settings), other.name) == []


def test_a_tenant_s_refused_sign_in_fails_its_scan_alone(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """The other tenant's scan comes after it, and is complete."""
    refused = settings(customers, storage_settings, MDA_API_TOKEN_CONTOSO="0" * 64)

    first, second = run_scans(refused)

    assert isinstance(first.error, SourceRefused)
    assert (second.outcome, second.error) == ("idle", None)
    places = customers[1].places(storage_settings)
    assert sorted(stored(places, "fabrikam")) == customers[1].tenant.truth()


def test_a_tenant_s_unresolved_secret_fails_its_scan_alone(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """Its state is reported as ever, and nothing is sent to its API."""
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/contoso)"

    first, second = run_scans(
        settings(customers, storage_settings, MDA_API_TOKEN_CONTOSO=reference)
    )

    assert isinstance(first.error, SourceRefused)
    assert "MDA_API_TOKEN_CONTOSO is an unresolved Key Vault reference" in str(first.error)
    assert json.loads(first.line)["lag_seconds"] > 0
    assert customers[0].api.requests == []
    assert (second.outcome, second.error) == ("idle", None)


def test_each_tenant_has_a_request_budget_of_its_own(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """Two scans of one tenant share its one request a minute; the other tenant has its own."""
    contoso, fabrikam = customers
    elements = [contoso.element(), {**contoso.element(), "name": "more"}, fabrikam.element()]
    one = {"SCAN_REQUESTS_PER_MINUTE": "1", "SCAN_TIME_BUDGET": "15s"}

    run_scans(settings(customers, storage_settings, SCANS=json.dumps(elements), **one))

    assert [len(it.api.requests) for it in customers] == [1, 1]


@pytest.mark.parametrize("missing", KINDS)
def test_a_scan_whose_container_is_missing_fails_alone(
    azurite_https: Azurite,
    customers: list[Customer],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    """In Azure the program makes no containers."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_https.ca_file))
    service = BlobServiceClient.from_connection_string(azurite_https.connection_string)
    absent = customers[0].containers[missing]
    for name in {name for it in customers for name in it.containers.values()} - {absent}:
        service.create_container(name)
    storage = {"STORAGE_ACCOUNT_URL": azurite_https.blob_url}
    with IdentityEndpoint() as identity:
        platform = in_azure(identity, monkeypatch)

        first, second = run_scans(settings(customers, storage, **platform))

    assert isinstance(first.error, StoreUnavailable)
    assert "ContainerNotFound" in str(first.error)
    assert (second.outcome, second.error) == ("idle", None)


@pytest.mark.parametrize("command", [["status"], ["verify"], ["plan"], ["ledger", "show"]])
def test_a_command_finds_a_scan_in_its_own_containers(
    customers: list[Customer], storage_settings: Environ, command: list[str]
) -> None:
    """The app's own containers, which would be empty, do not even exist."""
    environ = settings(customers, storage_settings)
    run_until_idle(environ)

    result = CliRunner().invoke(app, [*command, "--scan", "fabrikam", "--json"], env=environ)

    assert result.exit_code == 0, result.output
    assert "fabrikam" in result.stdout
    assert "contoso" not in result.stdout


def test_a_status_of_all_scans_shows_those_that_can_be_read(
    customers: list[Customer], storage_settings: Environ, tmp_path: Path
) -> None:
    """The container of one is gone; its error is in the overview, and is the exit code."""
    environ = settings(customers, storage_settings)
    run_until_idle(environ)
    service = BlobServiceClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"]
    )
    service.delete_container(customers[0].containers["state_container"])
    pages = tmp_path / "pages"

    text = CliRunner().invoke(app, ["status"], env=environ)
    told = CliRunner().invoke(app, ["status", "--json", "--html", f"{pages}/"], env=environ)

    assert (text.exit_code, told.exit_code) == (1, 1)
    assert text.stdout.startswith("2 scans: 1 needs somebody today, 1 is well\n")
    assert "fabrikam: The scan is up to date.\n" in text.stdout
    assert "failed contoso: StoreUnavailable: " in text.stderr
    read, failed = [json.loads(it) for it in told.stdout.splitlines()]
    assert (read["scan"], failed["scan"]) == ("fabrikam", "contoso")
    assert "ContainerNotFound" in failed["message"]
    index = (pages / "index.html").read_text("utf-8")
    assert 'href="scan=fabrikam/status.html"' in index
    assert "ContainerNotFound" in index
    assert [str(it.relative_to(pages)) for it in pages.glob("scan=*/*")] == [
        "scan=fabrikam/status.html"
    ]


def test_the_overview_leads_to_pages_in_containers_of_their_own(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """A customer's page does not lead to the overview, which the customer may not read."""
    environ = settings(customers, storage_settings)
    service = BlobServiceClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"]
    )
    own = service.create_container(storage_settings["STORAGE_STATE_CONTAINER"])

    run_scans(environ)

    page = own.download_blob("overview.html").readall().decode()
    for it in customers:
        name = "scan=" + it.name + "/status.html"
        container = it.containers["state_container"]
        assert f'href="../{container}/{name}"' in page
        assert (
            b"All scans" not in service.get_blob_client(container, name).download_blob().readall()
        )


def test_a_query_asks_the_api_of_the_named_scan(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """It signs in there as the scan does."""
    environ = settings(customers, storage_settings)

    result = CliRunner().invoke(app, ["query", "--scan", "fabrikam"], env=environ)

    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 200


def test_a_lever_pauses_the_named_tenant_only(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """The other one is scanned as before."""
    environ = settings(customers, storage_settings)
    run_until_idle(environ)

    options = ["--scan", "contoso", "--reason", "moving", "--yes"]
    result = CliRunner().invoke(app, ["pause", *options], env=environ)

    assert result.exit_code == 0, result.output
    assert [it.outcome for it in run_scans(environ)] == ["paused", "idle"]


def test_what_commands_build_is_each_scan_s_own(
    customers: list[Customer], storage_settings: Environ
) -> None:
    """It is what readers follow, what notifications name, and what doctor asks."""
    environ = settings(customers, storage_settings)
    run_until_idle(environ)
    mine = customers[1]

    provider = App(environ=environ)
    place = announced_place(provider, mine.name, schema="EventGridSchema", topic="")
    ((feed, _),) = feeds_and_tables(provider, mine.name, "table")
    with patient(provider, mine.name) as examined:
        ledgers = examined.ledgers

    assert place.container == mine.containers["data_container"]
    assert feed.scan == mine.name
    assert len(ledgers) == 1
    assert ledgers[0].load().content == archives(provider, mine.name)[0].ledgers.load().content
