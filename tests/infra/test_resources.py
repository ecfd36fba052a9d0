"""What the compiler does not check: values, names, secrets, outputs, order, contradictions."""

import json
import re

import pytest

from harness import bicep, infra
from tests.infra.deployed import (
    GROUP,
    accepted,
    as_azd_predicts,
    every_combination,
    everything,
    predicted,
    refused,
    resources,
    text_of,
    the,
    types,
)

pytestmark = pytest.mark.compiler

NAMES = {
    "EventGrid/systemTopics": r"[A-Za-z0-9-]{3,50}",
    "Insights/actionGroups": r"[^:<>+/&%\\?|]{1,260}",
    "Insights/components": r"[\w().-]{1,260}",
    "KeyVault/vaults": r"(?!.*--)[a-zA-Z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "ManagedIdentity/userAssignedIdentities": r"[A-Za-z0-9][\w-]{2,127}",
    "Network/natGateways": r"[A-Za-z0-9][\w.-]{0,78}\w",
    "Network/privateEndpoints": r"[A-Za-z0-9][\w.-]{0,62}\w",
    "Network/virtualNetworks": r"[A-Za-z0-9][\w.-]{0,62}\w",
    "OperationalInsights/workspaces": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "Resources/resourceGroups": r"[\w().-]{0,89}[\w()-]",
    "Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Web/serverfarms": r"[A-Za-z0-9-]{1,60}",
    "Web/sites": r"(?!-)[A-Za-z0-9-]{2,60}(?<!-)",
}
"""Azure's rules for names, by type."""

OUTPUTS = {
    "TABLE_APP_NAME",
    "ALERTS_REACH",
    "APPLICATION_INSIGHTS_NAME",
    "AZURE_LOCATION",
    "AZURE_RESOURCE_GROUP",
    "AZURE_TENANT_ID",
    "FUNCTION_APP_NAME",
    "IDENTITY_CLIENT_ID",
    "IDENTITY_PRINCIPAL_ID",
    "KEY_VAULT_NAME",
    "KEY_VAULT_SECRET_NAME",
    "KEY_VAULT_SCAN_SECRETS",
    "MDA_AUTH",
    "MDA_CLIENT_ID",
    "MDA_TENANT_ID",
    "NOTIFICATION_QUEUE",
    "STORAGE_ACCOUNT_URL",
    "STORAGE_DATA_CONTAINER",
    "STORAGE_MANIFEST_CONTAINER",
    "STORAGE_STATE_CONTAINER",
}
"""The outputs that scripts, azd and people use."""

REFUSED: list[tuple[dict[str, str], str]] = [
    ({"authMode": "'federated'"}, "set mdaTenantId and mdaClientId"),
    ({"authMode": "'api-token'"}, "but nobody may set the secret: set deployerId"),
    ({"notificationQueues": "[{ name: 'a' }]"}, "notificationQueues is set, but notifications"),
    (
        {"apiUrl": "'https://security.microsoft.com/cloudapps'"},
        "which is not an address of the API",
    ),
    (
        {"apiUrl": "'http://a.eu2.portal.cloudappsecurity.com'"},
        "which is not an address of the API",
    ),
    ({"apiUrl": "'portal.cloudappsecurity.com'"}, "which is not an address of the API"),
    (
        {"apiUrl": "'a.eu2.portal.cloudappsecurity.com/audits'"},
        "which is not an address of the API",
    ),
    ({"apiUrl": "'x@a.eu2.portal.cloudappsecurity.com'"}, "which is not an address of the API"),
    ({"authMode": "'client-secret'", "mdaTenantId": "'t'"}, "set mdaTenantId and mdaClientId"),
    (
        {"vaultAdministrators": "[{ principalId: 'x', principalType: 'User' }]"},
        "vaultAdministrators is set, but authMode managed-identity has no vault",
    ),
    (
        {"existingAppSubnetId": "'/a'", "existingEndpointSubnetId": "'/b'"},
        "networkIsolation is off",
    ),
    (
        {"scanSecrets": "['MDA_CLIENT_SECRET_A']"},
        "scanSecrets keeps secrets in a vault, but nobody may set the secret",
    ),
    (
        {"scanSecrets": "['MDA_CLIENT_SECRET']", "deployerId": "'x'"},
        "scanSecrets has MDA_CLIENT_SECRET: give each setting once",
    ),
    (
        {"scanSecrets": "['MDA_API_TOKEN_A', 'MDA_API_TOKEN_A']", "deployerId": "'x'"},
        "scanSecrets has MDA_API_TOKEN_A, MDA_API_TOKEN_A: give each setting once",
    ),
    (
        {"networkIsolation": "true", "existingAppSubnetId": "'/a'"},
        "needs both existingAppSubnetId and existingEndpointSubnetId",
    ),
    (
        {"networkIsolation": "true", "existingDnsZoneIds": "{ blob: '/z' }"},
        "is set without existing subnets",
    ),
    ({"fixedOutboundAddress": "true"}, "fixedOutboundAddress needs networkIsolation"),
    (
        {
            "networkIsolation": "true",
            "fixedOutboundAddress": "true",
            "existingAppSubnetId": "'/a'",
            "existingEndpointSubnetId": "'/b'",
        },
        "has its own route to the internet",
    ),
    ({"deleteAfterDays": "31"}, "deleteAfterDays is 31: sweeps read parts again"),
    (
        {"deleteAfterDays": "100", "immutabilityDays": "365"},
        "deleteAfterDays is 100, but immutabilityDays, 365, forbids deletion",
    ),
    ({"coolAfterDays": "30", "coldAfterDays": "30"}, "coldAfterDays is 30: it must be more than"),
    ({"coolAfterDays": "90", "deleteAfterDays": "60"}, "more than coolAfterDays and coldAfterDays"),
    ({"immutabilityLocked": "true"}, "immutabilityLocked is set, but immutabilityDays is 0"),
    ({"stateContainer": "'activities'"}, "must be three different containers"),
    (
        {"scanContainers": "[{name: 'a', dataContainer: 'x'}, {name: 'b', stateContainer: 'x'}]"},
        "no scan may use one of another kind",
    ),
    ({"scanContainers": "[{name: 'a'}, {name: 'a'}]"}, "scanContainers names a scan twice"),
]
"""Parameters that contradict each other, and the template's error."""

WAITS = {
    "grants": {"data-storage", "host-storage", "identity", "telemetry"},
    "app": {
        "data-storage",
        "grants",
        "host-storage",
        "identity",
        "network",
        "privateEndpoints",
        "telemetry",
        "vault",
    },
    "[format('endpoint-{0}', variables('endpoints')[copyIndex()].name)]": {
        "data-storage",
        "host-storage",
        "network",
        "vault",
    },
    "notifications": {"data-storage"},
    "package": {"app"},
    "vault": {"identity"},
    "alerts": {"app", "telemetry"},
    "table": {"alerts", "data-storage", "network", "privateEndpoints", "telemetry"},
    "workbook": {"telemetry"},
}
"""The modules that each module waits for."""


def waits_for(module: str) -> set[str]:
    """Return the names of the deployments that a module of the template waits for."""
    listed = bicep.template(infra.COLLECTOR)["resources"]
    (found,) = [it for it in listed if it["name"] == module]
    # An id ends with its module's name; a loop of modules is given by its own name.
    return {re.sub(r"^.*'([\w-]+)'\)]$", r"\1", text) for text in found["dependsOn"]}


@every_combination
def test_values_that_the_compiler_does_not_check_are_valid(name: str) -> None:
    """The compiler accepts any text in these places."""
    site = the(name, "Web/sites")["properties"]["functionAppConfig"]
    plan = the(name, "Web/serverfarms")

    assert (plan["sku"]["name"], plan["sku"]["tier"]) == ("FC1", "FlexConsumption")
    assert plan["properties"]["reserved"] is True
    assert the(name, "Web/sites")["kind"] == "functionapp,linux"
    assert site["runtime"] == {"name": "python", "version": "3.13"}
    assert site["scaleAndConcurrency"]["instanceMemoryMB"] in {512, 2048, 4096}
    assert site["deployment"]["storage"]["type"] == "blobContainer"
    assert site["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert {it["kind"] for it in everything(name, "Storage/storageAccounts")} == {"StorageV2"}
    assert {it["properties"]["topicType"] for it in everything(name, "EventGrid/systemTopics")} <= {
        "Microsoft.Storage.StorageAccounts"
    }


@every_combination
def test_the_package_is_deployed_into_a_container_of_the_template(name: str) -> None:
    """The container is in the host's account and accessed with the app's identity."""
    storage = the(name, "Web/sites")["properties"]["functionAppConfig"]["deployment"]["storage"]
    (where,) = re.findall(r"^https://(\w+)\.blob\.[\w.]+/([\w-]+)$", storage["value"])
    made = {it["name"] for it in resources(name, "Storage/storageAccounts/blobServices/containers")}

    assert "/default/".join(where) in made
    assert (
        storage["authentication"]["userAssignedIdentityResourceId"]
        == the(name, "ManagedIdentity/userAssignedIdentities")["id"]
    )


@every_combination
def test_names_obey_azure_s_rules(name: str) -> None:
    """This holds for every environment name that azd allows."""
    wrong = [
        it["name"]
        for kind, rule in NAMES.items()
        for it in everything(name, kind)
        if not re.fullmatch(rule, it["name"])
    ]

    assert wrong == []


@pytest.mark.parametrize("environment", ["a", "A" * 64, "x_(1).", "0-0"])
def test_odd_environments_get_names_that_obey_the_rules(environment: str) -> None:
    """They are short, long, or have every character that azd allows."""
    found = accepted(environmentName=f"'{environment}'", networkIsolation="true")

    wrong = [
        it["name"]
        for it in found["predictedResources"]
        if (rule := NAMES.get(it["type"].removeprefix("Microsoft.")))
        and not re.fullmatch(rule, it["name"])
    ]
    assert wrong == []


def test_two_environments_share_no_name_that_must_be_unique() -> None:
    """Globally unique names derive from subscription, environment and region."""
    one, other = (accepted(environmentName=f"'{it}'") for it in ("one", "other"))

    names = [
        {it["name"] for it in found["predictedResources"] if "/" not in it["name"]}
        for found in (one, other)
    ]
    assert not names[0] & names[1]


def test_a_region_is_the_same_however_it_is_written() -> None:
    """'West Europe', as the portal writes it, does not create a second collector."""
    found = accepted(location="'West Europe'")

    assert found["predictedResources"] == predicted("default")["predictedResources"]


@pytest.mark.parametrize(
    "address",
    [
        "contoso.eu2.portal.cloudappsecurity.com/api/v1/activities/",
        "https://Contoso.eu2.portal.cloudappsecurity.com/api/",
    ],
)
def test_the_address_of_the_api_is_deployed_in_one_form(address: str) -> None:
    """The form does not depend on how much of it was copied."""
    found = accepted(apiUrl=f"'{address}'")

    assert found["predictedResources"] == predicted("default")["predictedResources"]


@every_combination
def test_the_released_template_makes_the_same_resources(name: str) -> None:
    """Given the same names, they are equal byte for byte; only the group comes from elsewhere."""
    released = infra.predict_release(infra.COMBINATIONS / f"{name}.bicepparam")
    # A package's address is a secret, which the compiler cannot see behind the outer template.
    given = "param packageUri" in (infra.COMBINATIONS / f"{name}.bicepparam").read_text("utf-8")
    aside = {"Microsoft.Resources/resourceGroups"} | (
        set() if given else {"Microsoft.Web/sites/extensions"}
    )
    made = [it for it in everything(name) if it["type"] not in aside]

    assert released["predictedResources"] == made
    assert released["outputs"] == predicted(name)["outputs"]


def test_the_released_template_derives_its_names_from_its_group() -> None:
    """Two groups of a subscription can have the same environment without sharing a name."""
    one, other = (infra.predict_in_group("default", group) for group in ("rg-one", "rg-other"))

    names = [
        {it["name"] for it in found["predictedResources"] if "/" not in it["name"]}
        for found in (one, other)
    ]
    assert not names[0] & names[1]


@every_combination
def test_no_resource_is_made_twice(name: str) -> None:
    """The compiler accepts duplicates; Azure would refuse them or keep only the second."""
    ids = [it["id"].lower() for it in everything(name)]

    assert sorted(set(ids)) == sorted(ids)


@every_combination
def test_everything_is_made_in_the_one_group(name: str) -> None:
    """The template changes nothing that it did not create."""
    group = predicted(name)["outputs"]["AZURE_RESOURCE_GROUP"]

    assert all(it["id"].startswith(f"{GROUP}{group}") for it in everything(name))


def test_an_existing_group_is_left_as_it_is() -> None:
    """Writing it would remove its tags."""
    assert "Resources/resourceGroups" not in types("odd-names")
    assert predicted("odd-names")["outputs"]["AZURE_RESOURCE_GROUP"] == "Security (Collectors)_1.x"


def test_azd_can_predict_a_deployment() -> None:
    """Its answers suffice; if the prediction fails, azd silently skips its checks."""
    found = as_azd_predicts(
        environmentName="contoso",
        location="westeurope",
        apiUrl="https://contoso.eu2.portal.cloudappsecurity.com",
        alertEmail="",
    )

    assert [it["type"] for it in found["predictedResources"]] == [
        it["type"] for it in resources("default")
    ]


@every_combination
def test_every_resource_that_supports_tags_has_them(name: str) -> None:
    """Azd finds the environment's resources by them."""
    environment = {
        it["tags"]["azd-env-name"] for it in everything(name) if "location" in it and "tags" in it
    }

    assert len(environment) == 1
    untagged = {it["type"] for it in everything(name) if "location" in it and "tags" not in it}
    assert untagged == {
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
        "Microsoft.Web/sites/extensions",
    }


@every_combination
def test_no_secret_is_in_a_value_or_an_output(name: str) -> None:
    """None is passed in or requested; telemetry's connection string grants no access."""
    text = text_of(name)

    assert set(re.findall(r"parameters\('(\w+)'\)", text)) == {"packageUri"}
    assert "parameters('" not in json.dumps(predicted(name)["outputs"])
    assert not re.search(
        r"list\w*(Keys|Secrets|Sas)|AccountKey|SharedAccess|InstrumentationKey=",
        text,
        re.IGNORECASE,
    )


def test_the_template_takes_no_secret_but_a_signed_address() -> None:
    """A deployment's history keeps none; the package's address may contain a SAS."""
    declared = bicep.template(infra.COLLECTOR)["parameters"]

    assert [name for name, it in declared.items() if it["type"].startswith("secure")] == [
        "packageUri"
    ]


@every_combination
def test_outputs_are_those_that_the_scripts_use(name: str) -> None:
    """Each has a value unless its option is off."""
    outputs = predicted(name)["outputs"]
    chosen = {
        "KEY_VAULT_NAME",
        "KEY_VAULT_SECRET_NAME",
        "KEY_VAULT_SCAN_SECRETS",
        "MDA_CLIENT_ID",
        "MDA_TENANT_ID",
        "NOTIFICATION_QUEUE",
        "TABLE_APP_NAME",
    }

    assert set(outputs) == OUTPUTS
    assert {key for key, value in outputs.items() if not value} <= chosen


def test_a_deployment_without_an_address_says_that_alerts_reach_nobody() -> None:
    """Silence would look like health."""
    assert predicted("default")["outputs"]["ALERTS_REACH"].startswith("nobody: set alertEmail")
    assert predicted("private")["outputs"]["ALERTS_REACH"] == "security@contoso.com"


@pytest.mark.parametrize(
    ("parameters", "said"),
    REFUSED,
    ids=[" ".join(f"{name}={it}" for name, it in given.items()) for given, _ in REFUSED],
)
def test_contradictory_parameters_are_refused(parameters: dict[str, str], said: str) -> None:
    """It fails before creating anything, with a sentence that says what to change."""
    assert said in refused(**parameters)


def test_all_contradictions_are_reported_at_once() -> None:
    """Nobody has to fix one only to meet the next."""
    told = refused(authMode="'federated'", deleteAfterDays="5", fixedOutboundAddress="true")

    assert all(it in told for it in ("mdaClientId", "deleteAfterDays is 5", "networkIsolation"))


@pytest.mark.parametrize("module", WAITS)
def test_a_module_waits_for_what_it_needs(module: str) -> None:
    """Predictions have no order, so this is read from the compiled template."""
    assert waits_for(module) == WAITS[module]


def test_events_wait_for_the_right_to_deliver_them() -> None:
    """Otherwise Azure refuses the first deployment."""
    compiled = bicep.template(infra.INFRA / "modules" / "notifications.bicep")["resources"]
    subscriptions = [it for it in compiled if it["type"].endswith("/eventSubscriptions")]

    assert len(subscriptions) == 2
    assert all({"queue", "sends"} <= set(it["dependsOn"]) for it in subscriptions)
