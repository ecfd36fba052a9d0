"""Options change only what they are about, and an option that is off adds nothing."""

import re
from typing import Any

import pytest

from shared.due import QUEUE
from tests.infra.deployed import (
    Resource,
    accepted,
    account,
    app_settings,
    every_combination,
    resources,
    the,
    types,
)

pytestmark = pytest.mark.compiler

DEFAULT = {
    "Authorization/roleAssignments": 6,
    "Insights/actionGroups": 1,
    "Insights/components": 1,
    "Insights/metricAlerts": 1,
    "Insights/scheduledQueryRules": 6,
    "Insights/workbooks": 1,
    "ManagedIdentity/userAssignedIdentities": 1,
    "OperationalInsights/workspaces": 1,
    "Resources/resourceGroups": 1,
    "Storage/storageAccounts": 2,
    "Storage/storageAccounts/blobServices": 2,
    "Storage/storageAccounts/blobServices/containers": 4,
    "Storage/storageAccounts/managementPolicies": 1,
    "Web/serverfarms": 1,
    "Web/sites": 1,
    "Web/sites/basicPublishingCredentialsPolicies": 2,
    "Web/sites/extensions": 1,
}
"""All resources if only an address for alerts was chosen."""

VAULT = {"KeyVault/vaults": 1, "Authorization/roleAssignments": 2}
ENDPOINTS = {"Network/privateEndpoints": 3, "Network/privateEndpoints/privateDnsZoneGroups": 3}

FAN_OUT = {
    "Authorization/roleAssignments": 2,
    "Insights/scheduledQueryRules": 1,
    "Storage/storageAccounts/queueServices": 1,
    "Storage/storageAccounts/queueServices/queues": 2,
}

PRIVATE_FAN_OUT = {
    **FAN_OUT,
    "Network/privateDnsZones": 3,
    "Network/privateDnsZones/virtualNetworkLinks": 3,
    "Network/privateEndpoints": 4,
    "Network/privateEndpoints/privateDnsZoneGroups": 4,
    "Network/virtualNetworks": 1,
}

ADDED: dict[str, dict[str, int]] = {
    "client-secret": VAULT,
    "legacy-token": {"KeyVault/vaults": 1, "Authorization/roleAssignments": 2 + 3},
    "federated": {},
    "settings": {},
    "several-scans": FAN_OUT,
    "hierarchical-namespace": {},
    "managed-identity-readers": {"Authorization/roleAssignments": 3},
    "odd-names": {"Resources/resourceGroups": -1},
    "private": PRIVATE_FAN_OUT,
    "private-existing-network": {
        **ENDPOINTS,
        "Network/privateEndpoints/privateDnsZoneGroups": 2,
    },
    "kept": {
        "Authorization/locks": 1,
        "Authorization/roleAssignments": 4,
        "EventGrid/systemTopics": 1,
        "EventGrid/systemTopics/eventSubscriptions": 1,
        "Storage/storageAccounts/blobServices/containers/immutabilityPolicies": 2,
        "Storage/storageAccounts/queueServices": 1,
        "Storage/storageAccounts/queueServices/queues": 1,
    },
    "table": {},
    "table-settings": {
        **PRIVATE_FAN_OUT,
        "Authorization/roleAssignments": 2 + 2,
        "Storage/storageAccounts/blobServices/containers/immutabilityPolicies": 2,
    },
}
"""The additional resources of a combination, without those of the table (test_table_app.py)."""

DAYS = {"coolAfterDays": 30, "coldAfterDays": 90, "deleteAfterDays": 400}


def policy(name: str) -> dict[str, dict[str, Any]]:
    """Return the lifecycle rules of the data account, by name."""
    found = the(name, "Storage/storageAccounts/managementPolicies")
    assert found["name"].endswith("/default")
    return {it["name"]: it["definition"] for it in found["properties"]["policy"]["rules"]}


def services(name: str, which: str) -> dict[str, Any]:
    """Return the properties of the blob service of an account."""
    owner = account(name, which)["name"]
    found: dict[str, Any] = the(
        name, "Storage/storageAccounts/blobServices", lambda it: it["name"] == f"{owner}/default"
    )["properties"]
    return found


def network_rules(it: Resource) -> tuple[str, str, str]:
    """Return public access, default action and exceptions of an account or vault."""
    rules = it["properties"]["networkAcls"]
    return it["properties"]["publicNetworkAccess"], rules["defaultAction"], rules["bypass"]


def endpoints(name: str) -> set[tuple[str, str]]:
    """Return the private endpoints of a combination: the target's kind and name, and service."""
    connections = [
        it["properties"]["privateLinkServiceConnections"][0]["properties"]
        for it in resources(name, "Network/privateEndpoints")
    ]
    return {
        (it["privateLinkServiceId"].rpartition("/")[2][:6], *it["groupIds"]) for it in connections
    }


def test_an_option_that_is_off_adds_nothing() -> None:
    """Nothing costs money or listens unless somebody asked for it."""
    assert types("managed-identity-readers").keys() == DEFAULT.keys()


@pytest.mark.parametrize("name", ADDED)
def test_an_option_adds_what_it_is_about(name: str) -> None:
    """It adds nothing else."""
    with_all = {
        kind: DEFAULT.get(kind, 0) + ADDED[name].get(kind, 0) for kind in {*DEFAULT, *ADDED[name]}
    }
    if name == "private-existing-network":
        with_all["Network/privateEndpoints/privateDnsZoneGroups"] = 2

    assert types(name) == {kind: count for kind, count in sorted(with_all.items()) if count}


@every_combination
@pytest.mark.parametrize("which", ["host", "data"])
def test_an_account_accepts_no_keys_and_is_not_public(name: str, which: str) -> None:
    """It accepts identities only, over TLS 1.2, and its containers are private."""
    properties = account(name, which)["properties"]
    containers = resources(name, "Storage/storageAccounts/blobServices/containers")

    assert properties["allowSharedKeyAccess"] is False
    assert properties["allowBlobPublicAccess"] is False
    assert properties["allowCrossTenantReplication"] is False
    assert properties["supportsHttpsTrafficOnly"] is True
    assert properties["minimumTlsVersion"] == "TLS1_2"
    assert {it["properties"]["publicAccess"] for it in containers} == {"None"}


@every_combination
def test_the_site_accepts_no_passwords(name: str) -> None:
    """Neither deployment nor FTP accepts one, and both endpoints require TLS 1.2."""
    site = the(name, "Web/sites")["properties"]
    passwords = resources(name, "Web/sites/basicPublishingCredentialsPolicies")

    assert [it["properties"]["allow"] for it in passwords] == [False, False]
    assert site["httpsOnly"] is True
    assert site["siteConfig"]["minTlsVersion"] == site["siteConfig"]["scmMinTlsVersion"] == "1.2"


@every_combination
def test_telemetry_accepts_no_keys(name: str) -> None:
    """A connection string alone grants no access."""
    component = the(name, "Insights/components")["properties"]
    workspace = the(name, "OperationalInsights/workspaces")["properties"]

    assert component["DisableLocalAuth"] is True
    assert workspace["features"]["disableLocalAuth"] is True
    assert component["WorkspaceResourceId"] == the(name, "OperationalInsights/workspaces")["id"]


def test_retention_and_cap_of_telemetry_are_parameters() -> None:
    """Their defaults cost little."""
    default, other = (
        the(name, "OperationalInsights/workspaces")["properties"]
        for name in ("default", "everything")
    )

    assert (default["retentionInDays"], default["workspaceCapping"]["dailyQuotaGb"]) == (30, 1)
    assert (other["retentionInDays"], other["workspaceCapping"]["dailyQuotaGb"]) == (90, -1)


def test_a_ledger_can_be_restored() -> None:
    """Versions and soft delete keep it for as long as a parameter says."""
    found = services("default", "data")

    assert found["isVersioningEnabled"] is True
    assert found["deleteRetentionPolicy"] == {"enabled": True, "days": 7}
    assert found["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 7}
    assert services("everything", "data")["deleteRetentionPolicy"]["days"] == 30


def test_old_versions_of_the_state_expire() -> None:
    """Each run saves the ledger several times."""
    rule = policy("default")["remove-old-versions-of-state"]

    assert rule["filters"]["prefixMatch"] == ["scan-state/"]
    assert rule["actions"] == {"version": {"delete": {"daysAfterCreationGreaterThan": 7}}}


def test_an_account_with_directories_keeps_no_versions() -> None:
    """The service does not support both together; soft delete stays."""
    found = services("hierarchical-namespace", "data")

    assert account("hierarchical-namespace", "data")["properties"]["isHnsEnabled"] is True
    assert found["isVersioningEnabled"] is False
    assert found["deleteRetentionPolicy"]["enabled"] is True
    assert not any("version" in it["actions"] for it in policy("hierarchical-namespace").values())


@pytest.mark.parametrize(
    ("name", "scans"),
    [("default", ["all"]), ("several-scans", ["sign-ins", "exchange"]), ("settings", ["exchange"])],
)
def test_run_logs_and_quarantine_of_every_scan_expire(name: str, scans: list[str]) -> None:
    """Nothing else of the state does: the ledger is stored beside them."""
    state = app_settings(name)["STORAGE_STATE_CONTAINER"]
    rules = {key: it for key, it in policy(name).items() if key.startswith("expire-")}

    assert [rule["filters"]["prefixMatch"] for rule in rules.values()] == [
        [f"{state}/scan={scan}/runs/", f"{state}/scan={scan}/quarantine/"] for scan in scans
    ]
    assert {
        it["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
        for it in rules.values()
    } == {90}


def containers(name: str, kind: str) -> list[str]:
    """Return the containers of a kind, such as `parts`: those that the collector writes it to."""
    return [
        it["id"].partition("/containers/")[2].partition("/")[0]
        for it in resources(name, "Authorization/roleAssignments")
        if re.match(f"The collector (writes|saves) (the )?{kind}", it["properties"]["description"])
    ]


@every_combination
def test_no_rule_deletes_a_ledger_or_a_manifest(name: str) -> None:
    """Rules on current blobs cover parts, run logs and quarantine only."""
    prefixes = [
        prefix
        for rule in policy(name).values()
        if "baseBlob" in rule["actions"]
        for prefix in rule["filters"]["prefixMatch"]
    ]

    data = {f"{it}/" for it in containers(name, "parts")}
    assert all(it in data or it.endswith(("/runs/", "/quarantine/")) for it in prefixes)


def test_a_scan_s_own_containers_are_made_and_protected_as_the_app_s() -> None:
    """Two scans may share one."""
    made = [
        it["name"].rpartition("/")[2]
        for it in resources("many-tenants", "Storage/storageAccounts/blobServices/containers")
    ]
    kept = resources(
        "many-tenants", "Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
    )
    parts = ["activities", "contoso-activities", "fabrikam-activities"]
    manifests = ["manifests", "contoso-manifests", "fabrikam-manifests"]

    assert sorted(made) == sorted([*parts, *manifests, "scan-state", "contoso-state", "packages"])
    assert [it["name"].split("/")[-2] for it in kept] == [*parts, *manifests]
    assert (containers("many-tenants", "parts"), containers("many-tenants", "chain")) == (
        parts,
        manifests,
    )


def test_the_rules_cover_the_containers_of_all_scans() -> None:
    """Ten prefixes are the most that a rule may have."""
    rules = {key: it["filters"]["prefixMatch"] for key, it in policy("many-tenants").items()}
    parts = ["activities/", "contoso-activities/", "fabrikam-activities/"]

    assert rules["age-parts"] == rules["remove-deleted-parts"] == parts
    assert rules["remove-old-versions-of-state"] == ["scan-state/", "contoso-state/"]
    assert rules["expire-diagnostics-1"] == [
        f"{state}/scan={scan}/{folder}/"
        for folder in ("runs", "quarantine")
        for state, scan in (
            ("contoso-state", "contoso"),
            ("scan-state", "fabrikam"),
            ("scan-state", "fabrikam-sign-ins"),
            ("scan-state", "tailspin"),
        )
    ]


def test_a_hundred_and_fifty_scans_fit_into_the_rules_of_one_account() -> None:
    """The service takes 100 rules, and 10 prefixes in each."""
    scans = [
        f"{{name: 's{n}', dataContainer: 's{n}-d', manifestContainer: 's{n}-m', "
        f"stateContainer: 's{n}-s'}}"
        for n in range(150)
    ]
    found = accepted(scanContainers=f"[{', '.join(scans)}]", deleteAfterDays="40")
    (kept,) = [
        it for it in found["predictedResources"] if it["type"].endswith("managementPolicies")
    ]
    rules = [
        it["definition"]["filters"]["prefixMatch"] for it in kept["properties"]["policy"]["rules"]
    ]

    assert len(rules) <= 100
    assert max(map(len, rules)) == 10
    assert sum(map(len, rules)) == 3 * 151 + 2 * 151


def test_every_part_of_every_scan_causes_a_message() -> None:
    """A subscription has one prefix, and a name of at most 64 characters."""
    told = resources("many-tenants", "EventGrid/systemTopics/eventSubscriptions")

    prefixes = [it["properties"]["filter"]["subjectBeginsWith"] for it in told]
    assert [it.split("/")[-2] for it in prefixes] == containers("many-tenants", "parts")
    assert all(len(it["name"].rpartition("/")[2]) <= 64 for it in told)


def test_parts_age_as_the_parameters_say() -> None:
    """They pass through both tiers and are then deleted, as are the versions that this leaves."""
    rules = policy("kept")
    actions = rules["age-parts"]["actions"]["baseBlob"]

    days = "daysAfterModificationGreaterThan"
    assert actions == {
        "tierToCool": {days: DAYS["coolAfterDays"]},
        "tierToCold": {days: DAYS["coldAfterDays"]},
        "delete": {days: DAYS["deleteAfterDays"]},
    }
    assert rules["age-parts"]["filters"]["prefixMatch"] == ["activities/"]
    assert rules["remove-deleted-parts"]["actions"] == {
        "version": {"delete": {"daysAfterCreationGreaterThan": DAYS["deleteAfterDays"]}}
    }


def test_parts_and_manifests_can_be_immutable_but_the_state_cannot() -> None:
    """Every run overwrites the ledger."""
    kind = "Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
    found = resources("kept", kind)

    assert {it["name"].split("/")[2] for it in found} == {"activities", "manifests"}
    assert {it["properties"]["immutabilityPeriodSinceCreationInDays"] for it in found} == {365}
    assert {it["properties"]["allowProtectedAppendWrites"] for it in found} == {False}


def test_locked_immutability_policies_are_left_alone() -> None:
    """A locked policy cannot be written, so deploying it again would fail."""
    assert not [it for it in resources("locked") if it["type"].endswith("immutabilityPolicies")]


def test_the_data_account_can_be_locked_against_deletion() -> None:
    """Only the account is locked, not the group: everything else can be deleted."""
    lock = the("kept", "Authorization/locks")

    assert lock["properties"]["level"] == "CanNotDelete"
    assert lock["id"].startswith(account("kept", "data")["id"] + "/")


@pytest.mark.parametrize("name", ["private", "private-existing-network", "government"])
def test_private_storage_is_reached_through_the_network_only(name: str) -> None:
    """There are no exceptions, not even for trusted services."""
    for which in ("host", "data"):
        assert network_rules(account(name, which)) == ("Disabled", "Deny", "None")


def test_a_private_vault_is_reached_through_the_network_only() -> None:
    """Its administrators must work from inside the network, too."""
    assert network_rules(the("everything", "KeyVault/vaults")) == ("Disabled", "Deny", "None")
    assert network_rules(the("client-secret", "KeyVault/vaults")) == (
        "Enabled",
        "Allow",
        "AzureServices",
    )


def test_notifications_pass_the_firewall_as_a_trusted_service() -> None:
    """Disabling public access would block them; the firewall denies everybody else."""
    assert network_rules(account("everything", "data")) == ("Enabled", "Deny", "AzureServices")
    assert network_rules(account("everything", "host")) == ("Disabled", "Deny", "None")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("default", "Allow"), ("private", "Deny"), ("everything", "Deny")],
)
def test_a_private_app_answers_no_requests_but_can_be_deployed_to(name: str, expected: str) -> None:
    """The deployment endpoint requires a token; were it closed, nobody outside could deploy."""
    config = the(name, "Web/sites")["properties"]["siteConfig"]

    assert config["ipSecurityRestrictionsDefaultAction"] == expected
    assert config["scmIpSecurityRestrictionsDefaultAction"] == "Allow"
    assert config["scmIpSecurityRestrictionsUseMain"] is False


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("private-existing-network", set()),
        ("private", {("sthost", "queue")}),
        (
            "everything",
            {("sthost", "queue"), ("contos", "dfs"), ("contos", "queue"), ("kv-", "vault")},
        ),
    ],
)
def test_every_private_service_has_an_endpoint(name: str, more: set[tuple[str, str]]) -> None:
    """The host, the program and readers within the network call these services."""
    data = account(name, "data")["name"][:6]
    found = {
        (target[:3] if target.startswith("kv-") else target, it) for target, it in endpoints(name)
    }

    assert found == {("sthost", "blob"), ("sthost", "table"), (data, "blob")} | more


def test_a_new_network_has_a_subnet_for_the_app_and_one_for_endpoints() -> None:
    """The first is delegated to Flex Consumption; the second is for endpoints alone."""
    network = the("private", "Network/virtualNetworks")["properties"]
    app, private = network["subnets"]

    (delegation,) = app["properties"]["delegations"]
    assert delegation["properties"]["serviceName"] == "Microsoft.App/environments"
    assert "delegations" not in private["properties"]
    assert the("private", "Web/sites")["properties"]["virtualNetworkSubnetId"].endswith(
        "/subnets/app"
    )
    assert {
        it["properties"]["subnet"]["id"].rpartition("/")[2]
        for it in resources("private", "Network/privateEndpoints")
    } == {"endpoints"}


def test_an_existing_network_is_used_and_not_touched() -> None:
    """The deployment uses its subnets, and those of its zones that were named."""
    name = "private-existing-network"
    zones = [
        it["properties"]["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"]
        for it in resources(name, "Network/privateEndpoints/privateDnsZoneGroups")
    ]

    assert the(name, "Web/sites")["properties"]["virtualNetworkSubnetId"].endswith("/flex")
    assert not resources(name, "Network/virtualNetworks")
    assert not resources(name, "Network/privateDnsZones")
    assert {it.rpartition("/")[2] for it in zones} == {"privatelink.blob.core.windows.net"}


@pytest.mark.parametrize("name", ["private", "government", "everything"])
def test_every_endpoint_in_a_new_network_has_its_zone(name: str) -> None:
    """The zone is that of its service in the cloud's domain, linked to the network."""
    zones = {it["name"] for it in resources(name, "Network/privateDnsZones")}
    used = {
        it["properties"]["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"].rpartition(
            "/"
        )[2]
        for it in resources(name, "Network/privateEndpoints/privateDnsZoneGroups")
    }
    linked = {
        it["name"].split("/")[0]
        for it in resources(name, "Network/privateDnsZones/virtualNetworkLinks")
    }

    assert used == zones == linked
    assert all(it.startswith("privatelink.") for it in zones)


def test_a_fixed_address_comes_from_a_gateway() -> None:
    """The gateway is on the subnet that the app sends its requests from."""
    app = the("everything", "Network/virtualNetworks")["properties"]["subnets"][0]

    assert app["properties"]["natGateway"]["id"] == the("everything", "Network/natGateways")["id"]
    assert (
        the("everything", "Network/publicIPAddresses")["properties"]["publicIPAllocationMethod"]
        == "Static"
    )


def test_every_part_causes_a_message() -> None:
    """Only parts do; messages go from the data account to its queue."""
    topic = the("kept", "EventGrid/systemTopics")
    told = the("kept", "EventGrid/systemTopics/eventSubscriptions")["properties"]
    queue = the("kept", "Storage/storageAccounts/queueServices/queues")["name"].rpartition("/")[2]

    delivery = told["deliveryWithResourceIdentity"]
    assert topic["properties"]["source"] == account("kept", "data")["id"]
    assert topic["identity"]["type"] == delivery["identity"]["type"] == "SystemAssigned"
    assert delivery["destination"]["endpointType"] == "StorageQueue"
    assert delivery["destination"]["properties"]["queueName"] == queue
    assert told["filter"]["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    assert told["filter"]["subjectBeginsWith"] == "/blobServices/default/containers/activities/"


@pytest.mark.parametrize("name", ["several-scans", "private", "everything", "many-tenants"])
def test_workers_have_their_queue_and_one_for_poison(name: str) -> None:
    """The names are those of the program, and of the host, which may not make the second."""
    queues = resources(name, "Storage/storageAccounts/queueServices/queues")
    found = {it["name"].rpartition("/")[2] for it in queues if "sthost" in it["name"]}

    assert found == {QUEUE, f"{QUEUE}-poison"}
    assert app_settings(name)["SCAN_FAN_OUT"] == "true"


def test_one_scan_has_neither_queue_nor_worker() -> None:
    """The timer runs it, as ever."""
    assert resources("default", "Storage/storageAccounts/queueServices") == []
    assert "SCAN_FAN_OUT" not in app_settings("default")


def test_every_consumer_of_messages_has_its_own_queue() -> None:
    """Each has a queue, a subscription and a grant: a message taken is gone for others."""
    told = resources("everything", "EventGrid/systemTopics/eventSubscriptions")
    queues = resources("everything", "Storage/storageAccounts/queueServices/queues")

    names = [it["name"].rpartition("/")[2] for it in queues if "sthost" not in it["name"]]
    destinations = [
        it["properties"]["deliveryWithResourceIdentity"]["destination"]["properties"]["queueName"]
        for it in told
    ]
    assert names == destinations == ["sentinel", "lake"]


@pytest.mark.parametrize(
    ("name", "schema", "names"),
    [
        ("kept", "EventGridSchema", ["new-parts-eventgrid"]),
        ("everything", "CloudEventSchemaV1_0", ["sentinel-cloudevents", "lake-cloudevents"]),
    ],
)
def test_a_subscription_is_named_for_what_cannot_be_changed(
    name: str, schema: str, names: list[str]
) -> None:
    """Event Grid refuses to change the schema or the queue of an existing subscription."""
    told = resources(name, "EventGrid/systemTopics/eventSubscriptions")

    assert {it["properties"]["eventDeliverySchema"] for it in told} == {schema}
    assert [it["name"].rpartition("/")[2] for it in told] == names


@every_combination
def test_a_package_is_published_only_from_an_address(name: str) -> None:
    """The address is a secret to the compiler, so the prediction has only the condition."""
    package = the(name, "Web/sites/extensions")

    assert package["condition"] == "[not(empty(parameters('packageUri')))]"
    assert package["name"] == f"{the(name, 'Web/sites')['name']}/onedeploy"
    assert package["properties"] == {
        "packageUri": "[parameters('packageUri')]",
        "remoteBuild": False,
    }


def test_the_switch_against_passwords_states_a_region() -> None:
    """The types do not have it, but the service has refused deployments without it."""
    found = resources("default", "Web/sites/basicPublishingCredentialsPolicies")

    assert {it["location"] for it in found} == {"westeurope"}


def test_options_of_the_app_reach_it() -> None:
    """They are memory, instances, and how updates are made."""
    default, other = (
        the(name, "Web/sites")["properties"]["functionAppConfig"]
        for name in ("default", "everything")
    )

    assert default["scaleAndConcurrency"] == {"instanceMemoryMB": 512, "maximumInstanceCount": 40}
    assert "siteUpdateStrategy" not in default
    assert other["scaleAndConcurrency"] == {"instanceMemoryMB": 2048, "maximumInstanceCount": 1}
    assert other["siteUpdateStrategy"] == {"type": "RollingUpdate"}


def test_redundancy_is_a_parameter_of_the_data_only() -> None:
    """A deployment recreates what the host keeps."""
    assert account("default", "data")["sku"]["name"] == "Standard_ZRS"
    assert account("everything", "data")["sku"]["name"] == "Standard_GZRS"
    assert account("everything", "host")["sku"]["name"] == "Standard_LRS"


def test_alert_limits_reach_the_rules() -> None:
    """So does the switch that turns the rules on or off."""
    default, other = (
        {
            it["name"].split("-")[1]: it["properties"]
            for it in resources(name, "Insights/scheduledQueryRules")
        }
        for name in ("default", "everything")
    )

    assert default["no"]["windowSize"] == "PT30M"
    assert other["no"]["windowSize"] == "PT1H"
    assert {it["enabled"] for it in default.values()} == {True}
    assert {it["enabled"] for it in other.values()} == {False}
