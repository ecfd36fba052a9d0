"""The table's app: what the option adds, what it may do, and that the collector stays as it is."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.scripts import check_schedule, ncrontab
from shared.table_app.settings import SETTINGS, SHARED, read_table_settings
from tests.infra.deployed import (
    COMBINATIONS,
    GROUP,
    Resource,
    accepted,
    everything,
    is_of_table,
    of_table,
    predicted,
    refused,
    resources,
)
from tests.infra.test_app_settings import HOST, IGNORED
from tests.infra.test_grants import READER, ROLES, scope

pytestmark = pytest.mark.compiler

WITH_TABLE = ["table", "table-settings"]

with_table = pytest.mark.parametrize("name", WITH_TABLE)

CONTAINERS = "Storage/storageAccounts/blobServices/containers"


def only(name: str, kind: str) -> Resource:
    """Return the only resource of a type that is for the table alone."""
    (found,) = of_table(name, kind)
    return found


def settings_of(name: str) -> dict[str, str]:
    """Return the settings of the table's app."""
    listed = only(name, "Web/sites")["properties"]["siteConfig"]["appSettings"]
    return {it["name"]: it["value"] for it in listed}


def grants(name: str) -> set[tuple[str, str, str]]:
    """Return who holds which role on what, of what the table adds."""
    return {
        (
            "table" if "id-activity-table-" in it["properties"]["principalId"] else READER,
            ROLES[it["properties"]["roleDefinitionId"].rpartition("/")[2]],
            re.sub(r"\w{13}$", "", scope(it).rpartition("/")[2]),
        )
        for it in of_table(name, "Authorization/roleAssignments")
    }


@pytest.mark.parametrize("name", [it for it in COMBINATIONS if it not in WITH_TABLE])
def test_without_the_option_nothing_of_the_table_is_deployed(name: str) -> None:
    """It costs nothing, and the collector is what it was."""
    assert of_table(name) == []
    assert predicted(name)["outputs"]["TABLE_APP_NAME"] == ""


def test_the_option_leaves_the_collector_alone() -> None:
    """All that it adds is the table's, but for a rule that removes versions in its container."""
    with_it = {it["id"]: it for it in resources("table")}
    without = {
        it["id"]: it for it in accepted(alertEmail="'security@contoso.com'")["predictedResources"]
    }

    changed = {key for key in with_it if with_it[key] != without.get(key)}

    assert with_it.keys() == without.keys()
    assert [key.rpartition("/providers/")[2] for key in changed] == [
        f"Microsoft.Storage/storageAccounts/{data_account()}/managementPolicies/default"
    ]


def data_account() -> str:
    """Return the name of the account of the data."""
    (found,) = [
        it["name"]
        for it in resources("table", "Storage/storageAccounts")
        if it["name"].startswith("stscan")
    ]
    return str(found)


def test_the_app_has_the_rights_it_needs_and_no_more() -> None:
    """It owns its host's storage, reads the feed and writes one container."""
    assert grants("table") == {
        ("table", "Storage Blob Data Owner", "sttable"),
        ("table", "Storage Table Data Contributor", "sttable"),
        ("table", "Storage Blob Data Reader", "activities"),
        ("table", "Storage Blob Data Reader", "manifests"),
        ("table", "Storage Blob Data Reader", "scan-state"),
        ("table", "Storage Blob Data Contributor", "table"),
        ("table", "Monitoring Metrics Publisher", "appi-activity-scan-"),
    }


def test_of_the_state_the_app_reads_the_list_of_scans_only() -> None:
    """Ledgers and quarantine lie beside it."""
    limited = [
        it["properties"]
        for it in of_table("table", "Authorization/roleAssignments")
        if "condition" in it["properties"]
    ]

    (grant,) = limited
    assert scope_of_state(grant["condition"]) == "scans-in-use.json"
    assert grant["conditionVersion"] == "2.0"
    assert "list of scans" in grant["description"]


def scope_of_state(condition: str) -> str:
    """Return the only blob that a condition lets a reader read."""
    action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    path = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path"
    wanted = (
        rf"\(!\(ActionMatches\{{'{action}'\}}\) OR \(@Resource\[{path}\] StringEquals '(.+)'\)\)"
    )
    found = re.fullmatch(wanted, condition)
    assert found, condition
    return found[1]


def test_readers_of_the_data_read_the_table() -> None:
    """They see the same activities there."""
    assert {it for it in grants("table-settings") if it[0] == READER} == {
        (READER, "Storage Blob Data Reader", "warehouse")
    }


def test_the_app_reads_the_containers_that_scans_have_of_their_own() -> None:
    """Readers, who may not, do not see those activities in the table either."""
    own = "[{ name: 'contoso', dataContainer: 'parts-2', manifestContainer: 'chain-2' }]"
    reader = f"[{{ principalId: '{READER}', principalType: 'Group' }}]"
    found = accepted(table="true", scanContainers=own, readers=reader)["predictedResources"]

    granted = [
        it
        for it in found
        if it["type"].endswith("/roleAssignments") and (is_of_table(it) or "/table/" in it["id"])
    ]
    read = {
        scope(it).rpartition("/")[2]
        for it in granted
        if ROLES[it["properties"]["roleDefinitionId"].rpartition("/")[2]].endswith("Data Reader")
    }
    assert read == {"activities", "manifests", "scan-state", "parts-2", "chain-2"}
    assert READER not in {it["properties"]["principalId"] for it in granted}


@with_table
def test_each_app_has_a_host_account_and_an_identity_of_its_own(name: str) -> None:
    """Apps whose names begin alike would take the other's timer for theirs on one account."""
    sites = everything(name, "Web/sites")
    listed = [
        {it["name"]: it["value"] for it in site["properties"]["siteConfig"]["appSettings"]}
        for site in sites
    ]

    assert len(sites) == 2
    assert len({it["AzureWebJobsStorage__accountName"] for it in listed}) == 2
    assert len({next(iter(it["identity"]["userAssignedIdentities"])) for it in sites}) == 2
    assert len({it["properties"]["serverFarmId"] for it in sites}) == 2


def test_the_generated_names_differ_where_a_host_looks() -> None:
    """A host takes the first 32 characters of the app's name for its id."""
    names = [it["name"] for it in everything("table", "Web/sites")]

    assert len({it[:32] for it in names}) == len(names) == 2


@with_table
def test_the_app_runs_where_the_collector_runs_with_more_memory(name: str) -> None:
    """An append takes up to 700 MB."""
    mine, theirs = only(name, "Web/sites"), resources(name, "Web/sites")[0]
    runs, others = (it["properties"]["functionAppConfig"] for it in (mine, theirs))

    assert runs["scaleAndConcurrency"]["instanceMemoryMB"] == 2048
    assert runs["runtime"] == others["runtime"]
    assert mine["tags"]["azd-service-name"] == "table"
    assert only(name, "Web/serverfarms")["sku"]["name"] == "FC1"
    container = runs["deployment"]["storage"]["value"].rpartition("/")[2]
    assert f"{settings_of(name)['AzureWebJobsStorage__accountName']}/default/{container}" in {
        it["name"] for it in of_table(name, CONTAINERS)
    }


@with_table
def test_the_accounts_accept_no_keys_and_nobody_from_outside(name: str) -> None:
    """As the collector's."""
    account = only(name, "Storage/storageAccounts")["properties"]
    private = name == "table-settings"

    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert account["minimumTlsVersion"] == "TLS1_2"
    assert account["publicNetworkAccess"] == ("Disabled" if private else "Enabled")
    assert {it["properties"]["publicAccess"] for it in of_table(name, CONTAINERS)} == {"None"}


def test_in_a_private_network_the_app_is_part_of_it() -> None:
    """With endpoints for its own host storage, and in the subnet of the collector."""
    site, other = only("table-settings", "Web/sites"), resources("table-settings", "Web/sites")[0]
    endpoints = of_table("table-settings", "Network/privateEndpoints")

    reached = {
        (it["privateLinkServiceId"].rpartition("/")[2][:7], *it["groupIds"])
        for endpoint in endpoints
        for connection in endpoint["properties"]["privateLinkServiceConnections"]
        for it in [connection["properties"]]
    }
    assert reached == {("sttable", "blob"), ("sttable", "table")}
    subnets = {it["properties"]["virtualNetworkSubnetId"] for it in (site, other)}
    assert len(subnets) == 1
    assert site["properties"]["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Deny"


def rules(name: str) -> dict[str, dict[str, Any]]:
    """Return the lifecycle rules of the data account that concern the table's container."""
    (policy,) = resources(name, "Storage/storageAccounts/managementPolicies")
    container = settings_of(name)["TABLE_CONTAINER"]
    return {
        it["name"]: it["definition"]["actions"]
        for it in policy["properties"]["policy"]["rules"]
        if any(
            f"{container}/".startswith(prefix)
            for prefix in it["definition"]["filters"]["prefixMatch"]
        )
    }


@with_table
def test_no_rule_or_policy_touches_a_file_of_the_table(name: str) -> None:
    """One removes versions of files that have left it, which would stay for ever."""
    assert {it: list(actions) for it, actions in rules(name).items()} == {
        "remove-old-versions-of-table": ["version"]
    }
    kind = f"{CONTAINERS}/immutabilityPolicies"
    guarded = {it["name"].split("/")[2] for it in everything(name, kind)}
    assert settings_of(name)["TABLE_CONTAINER"] not in guarded


def test_without_versions_there_is_no_rule_for_them() -> None:
    """The service refuses it on an account with a hierarchical namespace."""
    found = accepted(table="true", hierarchicalNamespace="true")["predictedResources"]
    (policy,) = [it for it in found if it["type"].endswith("/managementPolicies")]

    assert "table" not in json.dumps(policy["properties"])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"tableContainer": "'manifests'"}, "tableContainer is manifests, which holds something"),
        (
            {"tableFunctionAppName": "'contoso'", "functionAppName": "'Contoso'"},
            "tableFunctionAppName and functionAppName are both Contoso",
        ),
    ],
)
def test_contradictory_parameters_are_refused(parameters: dict[str, str], said: str) -> None:
    """Before anything is created."""
    assert said in refused(table="true", **parameters)


@with_table
def test_every_deployed_setting_is_read_by_program_or_platform(name: str) -> None:
    """A name that nothing reads would be a typing error."""
    read = {it.name for it in (*SETTINGS, *SHARED)}

    assert set(settings_of(name)) <= read | HOST
    assert not set(settings_of(name)) & IGNORED
    assert {it.name for it in SETTINGS} <= set(settings_of(name))


def test_defaults_are_those_of_the_program() -> None:
    """A deployment has the defaults that docs/settings.md states."""
    given = settings_of("table")
    least = {name: given[name] for name in ("STORAGE_ACCOUNT_URL", "IDENTITY_CLIENT_ID")}

    assert read_table_settings(given) == read_table_settings(least)


def test_every_setting_reaches_the_program() -> None:
    """One combination changes every default."""
    found = read_table_settings(settings_of("table-settings"))

    assert [name for name, _ in found.scans] == ["sign-ins", "exchange"]
    assert (found.container, found.delete_after) == ("warehouse", 400)
    assert (found.time_budget, found.behind_alert) == (540_000, 14_400_000)
    assert settings_of("table-settings")["TABLE_SCHEDULE"] == "0 0 * * * *"


@with_table
def test_the_schedule_causes_no_warning(name: str) -> None:
    """A refused schedule would leave a function that silently never runs."""
    given = settings_of(name)
    schedule = ncrontab.parse(given["TABLE_SCHEDULE"])
    budget = check_schedule.duration(given["TABLE_TIME_BUDGET"])

    warned = check_schedule.warnings(schedule, datetime(2026, 1, 1, tzinfo=UTC), budget)

    assert warned == []


def test_everything_of_the_table_is_in_the_one_group() -> None:
    """So one deletion removes it all."""
    assert {it["id"].startswith(f"{GROUP}rg-contoso/") for it in of_table("table")} == {True}
    assert not any(is_of_table(it) for it in resources("table"))
