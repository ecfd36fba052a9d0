"""Each identity has the roles that the code and the host need, on the smallest scope."""

import pytest

from tests.infra.deployed import GROUP, Resource, every_combination, resources, the

pytestmark = pytest.mark.compiler

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
}
"""Built-in roles by their identifier, which is the same in every tenant."""

COLLECTOR = {
    ("collector", "Storage Blob Data Owner", "host"),
    ("collector", "Storage Table Data Contributor", "host"),
    ("collector", "Storage Blob Data Contributor", "data/activities"),
    ("collector", "Storage Blob Data Contributor", "data/manifests"),
    ("collector", "Storage Blob Data Contributor", "data/scan-state"),
    ("collector", "Monitoring Metrics Publisher", "component"),
}
"""The grants that the host and the code need in every deployment."""

READER = "00000000-0000-0000-0000-00000000000a"
ADMINISTRATOR = "00000000-0000-0000-0000-00000000000b"

READS = {
    (READER, "Storage Blob Data Reader", "data/activities"),
    (READER, "Storage Blob Data Reader", "data/manifests"),
}

DEPLOYER_READS = {
    (ADMINISTRATOR, "Storage Blob Data Reader", "data/activities"),
    (ADMINISTRATOR, "Storage Blob Data Reader", "data/manifests"),
    (ADMINISTRATOR, "Storage Blob Data Reader", "data/scan-state"),
}
"""The grants that a person who deploys needs in the first hour."""

SECRET = {
    ("collector", "Key Vault Secrets User", "vault"),
    (ADMINISTRATOR, "Key Vault Secrets Officer", "vault"),
}


def scope(grant: Resource) -> str:
    """Return the id of the resource that a grant covers."""
    found: str = grant["id"].partition("/providers/Microsoft.Authorization/")[0]
    return found


def short(name: str, grant: Resource) -> str:
    """Return a readable name of the resource that a grant covers."""
    kind, _, rest = scope(grant).rpartition("/providers/")[2].partition("/")
    first = rest.split("/")[1]
    if kind == "Microsoft.Insights":
        return "component"
    if kind == "Microsoft.KeyVault":
        return "vault"
    which = "host" if first.startswith("sthost") else "data"
    assert kind == "Microsoft.Storage", name
    return which + "".join(f"/{it}" for it in rest.split("/")[5:6])


def who(grant: Resource) -> str:
    """Return who receives a grant: an object id, or the expression that yields it."""
    principal: str = grant["properties"]["principalId"]
    if "systemTopics" in principal:
        return "topic"
    return "collector" if "userAssignedIdentities" in principal else principal


def grants(name: str) -> set[tuple[str, str, str]]:
    """Return who holds which role on what."""
    return {
        (
            who(it),
            ROLES[it["properties"]["roleDefinitionId"].rpartition("/")[2]],
            short(name, it),
        )
        for it in resources(name, "Authorization/roleAssignments")
    }


def test_the_collector_has_the_rights_it_needs_and_no_more() -> None:
    """It owns the host's storage, writes three containers and sends telemetry."""
    assert grants("default") == COLLECTOR


def test_readers_read_parts_and_manifests() -> None:
    """They can read neither the ledger nor any other container."""
    assert {it for it in grants("kept") if it[0] == READER and "Blob" in it[1]} == READS


def test_the_deployer_also_reads_the_state_and_is_granted_each_role_once() -> None:
    """A deployer who is a reader already gets no duplicate; the template adds no others."""
    assert grants("managed-identity-readers") == COLLECTOR | READS | {
        (READER, "Storage Blob Data Reader", "data/scan-state")
    }


def test_a_secret_is_read_by_the_app_and_set_by_its_administrators() -> None:
    """The deployment itself never sees the secret."""
    assert grants("client-secret") == COLLECTOR | SECRET


def test_the_deployer_may_set_the_secret() -> None:
    """Otherwise nobody could, unless an administrator was named."""
    assert grants("legacy-token") == COLLECTOR | SECRET | DEPLOYER_READS


def test_an_administrator_who_deploys_is_not_added_twice() -> None:
    """The id's case does not matter; Azure would refuse the second grant."""
    officers = [who for who, role, _ in grants("everything") if role.endswith("Secrets Officer")]

    assert officers == [ADMINISTRATOR]


def test_a_federated_registration_needs_no_grant_in_azure() -> None:
    """It has no secret, so there is no vault."""
    assert grants("federated") == COLLECTOR


def test_the_topic_sends_notifications_and_readers_receive_them() -> None:
    """Both have their role on the one queue."""
    queue = "data/new-parts"

    assert grants("kept") == COLLECTOR | READS | {
        ("topic", "Storage Queue Data Message Sender", queue),
        (READER, "Storage Queue Data Contributor", queue),
    }


def test_a_queue_is_read_by_its_named_principals_or_else_by_the_readers() -> None:
    """So a program sees only its own messages."""
    takers = {
        (who, what)
        for who, role, what in grants("everything")
        if role == "Storage Queue Data Contributor" and what.startswith("data/")
    }

    assert takers == {
        ("00000000-0000-0000-0000-00000000000e", "data/sentinel"),
        (READER, "data/lake"),
    }


def test_the_app_may_use_the_queues_of_its_workers_and_no_other() -> None:
    """It shows a failed message again, which the roles for sending and processing do not allow."""
    assert grants("several-scans") == COLLECTOR | {
        ("collector", "Storage Queue Data Contributor", "host/due-scans"),
        ("collector", "Storage Queue Data Contributor", "host/due-scans-poison"),
    }


def test_grants_follow_the_names_of_the_containers() -> None:
    """The settings may name other containers."""
    containers = {what for _, role, what in grants("settings") if role.endswith("Data Contributor")}

    assert containers - {"host"} == {"data/parts", "data/chain", "data/ledgers"}


@every_combination
def test_nothing_is_granted_on_a_whole_group_or_subscription(name: str) -> None:
    """Each grant covers one resource; grants on data cover a container or queue."""
    scopes = {scope(it) for it in resources(name, "Authorization/roleAssignments")}
    data = the(name, "Storage/storageAccounts", lambda it: not it["name"].startswith("sthost"))[
        "id"
    ]

    assert all("/providers/" in it and it.startswith(GROUP) for it in scopes)
    assert data not in scopes


@every_combination
def test_a_grant_says_what_it_is_for_and_to_what_kind_of_principal(name: str) -> None:
    """Without the kind, Azure may refuse a grant to a new identity."""
    found = resources(name, "Authorization/roleAssignments")
    kinds = {it["properties"]["principalType"] for it in found if who(it) in {"collector", "topic"}}

    assert all(it["properties"]["description"].endswith(".") for it in found)
    assert kinds == {"ServicePrincipal"}
    assert {it["properties"]["principalType"] for it in found} <= {
        "ServicePrincipal",
        "User",
        "Group",
    }


@every_combination
def test_no_two_grants_share_a_name(name: str) -> None:
    """The second would replace the first."""
    names = [it["name"] for it in resources(name, "Authorization/roleAssignments")]

    assert len(names) == len(set(names))


def test_the_readers_of_a_scan_read_its_containers_only() -> None:
    """A customer sees nothing of another one, nor of the app's containers."""
    customer = "00000000-0000-0000-0000-00000000000e"
    found = {what for who, _, what in grants("many-tenants") if who == customer}

    assert found == {"data/contoso-activities", "data/contoso-manifests"}


def test_a_scan_without_readers_has_those_of_the_app() -> None:
    """The deployer also reads each state."""
    found = {
        (who, what)
        for who, role, what in grants("many-tenants")
        if role == "Storage Blob Data Reader"
    }

    assert {what for who, what in found if who == READER} == {
        "data/activities",
        "data/manifests",
        "data/fabrikam-activities",
        "data/fabrikam-manifests",
    }
    assert {what for who, what in found if who == ADMINISTRATOR and "state" in what} == {
        "data/scan-state",
        "data/contoso-state",
    }
