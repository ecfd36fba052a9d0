"""The shapes of activity records: one function per source returns a record with placeholders.

A placeholder is `@@name@@` inside a string, or `@@#name@@` for a whole value that is not a string
(see `simulator.templates`). Everything else is fixed per variant: its application, its operation,
whether it has a user and a location, and the order of its keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator import chance
from simulator.people import guid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Application:
    """A connected application: its number in the API, its name, and its user agent."""

    number: int
    name: str
    agent: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One fixed way of writing the records of one source."""

    seed: int
    shape: str
    number: int
    tenant: int = field(default=0)

    def pick(self, label: str, items: Sequence[Any]) -> Any:  # noqa: ANN401 - shapes are free-form JSON
        """Choose one of the items for this variant."""
        return chance.pick(items, self.seed, f"{self.shape}/{label}", self.number)

    def happens(self, label: str, share: float) -> bool:
        """Decide whether something is true of this variant, for a share of all variants."""
        return chance.unit(self.seed, f"{self.shape}/{label}", self.number) < share


OFFICE = Application(11161, "Office 365", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)")
ONEDRIVE = Application(15600, "OneDrive for Business", "SyncEngine/24.1 (Windows; Thumbnail)")
SHAREPOINT = Application(20892, "SharePoint Online", "Mozilla/5.0 (X11; Linux x86_64)")
EXCHANGE = Application(20893, "Exchange Online", "Client=OWA;Action=ViaProxy")
TEAMS = Application(28375, "Teams", "Teams/1.7 (iPhone; iOS 19.1)")
GOOGLE = Application(11770, "Google Workspace", "curl/8.9.1")
AMAZON = Application(11599, "Amazon Web Services", "aws-cli/2.31 md/Botocore")


def sharepoint(variant: Variant) -> Record:
    """Return a file operation as the SharePoint and OneDrive audit reports it."""
    app = variant.pick("app", (ONEDRIVE, SHAREPOINT))
    operation = variant.pick(
        "operation", ("FilePreviewed", "FileDownloaded", "FileModifiedExtended")
    )
    record = _record(variant, app, operation, "EVENT_CATEGORY_UNSPECIFIED")
    record["collected"] = {"o365": {"blobCreated": "@@iso@@", "blobId": "@@#n@@$audit$@@guid@@"}}
    record["rawDataJson"] = {
        **_audit(app, operation, 6),
        "ObjectId": "https://ferrowood.example/personal/@@upn@@/Documents/Übersicht @@n@@.docx",
        "SiteUrl": "https://ferrowood.example/personal/@@upn@@/",
        "SourceFileName": "Übersicht @@n@@ – 概要.docx",
        "SourceFileExtension": "docx",
        "ListItemUniqueId": "@@corr@@",
        "RowVersion": "@@#big@@",
        "DoNotDistributeEvent": True,
    }
    return record


def exchange(variant: Variant) -> Record:
    """Return a mailbox or administration event as the Exchange audit reports it."""
    operation = variant.pick(
        "operation", ("MailItemsAccessed", "Send", "Set-Mailbox", "New-InboxRule")
    )
    admin = "-" in operation
    category = "EVENT_CATEGORY_EDIT_SETTINGS" if admin else "EVENT_CATEGORY_SEND_MAIL"
    record = _record(variant, EXCHANGE, operation, category, admin=admin)
    record["collected"] = {"o365": {"blobCreated": "@@iso@@", "blobId": "@@#n@@$audit$@@guid@@"}}
    record["rawDataJson"] = {
        **_audit(EXCHANGE, operation, 1 if admin else 50),
        "MailboxOwnerUPN": "@@upn@@",
        "InternetMessageId": "<@@corr@@@mail.ferrowood.example>",
        "Parameters": [
            {"Name": "Identity", "Value": "@@name@@"},
            {"Name": "Force", "Value": "True"},
        ],
        "ExternalAccess": False,
        "MailboxItemSize": "@@#big@@",
    }
    return record


def teams(variant: Variant) -> Record:
    """Return a meeting, chat or channel event as the Teams audit reports it."""
    operation = variant.pick("operation", ("MessageSent", "MemberAdded", "TeamsSessionStarted"))
    record = _record(variant, TEAMS, operation, "EVENT_CATEGORY_COLLABORATE")
    record["collected"] = {"o365": {"blobCreated": "@@iso@@", "blobId": "@@#n@@$audit$@@guid@@"}}
    record["rawDataJson"] = {
        **_audit(TEAMS, operation, 25),
        "TeamName": "Projekt „Größe“ № @@n@@",
        "ChatThreadId": "19:@@corr@@@threads.ferrowood.example",
        "Members": [{"DisplayName": "@@name@@", "Role": 1, "UPN": "@@upn@@"}, None],
        "MessageId": "@@#big@@",
    }
    return record


def sign_in(variant: Variant) -> Record:
    """Return a directory sign-in; a failed one has no name in `user`."""
    failed = variant.happens("failed", 0.3)
    operation = "UserLoginFailed" if failed else "UserLoggedIn"
    category = "EVENT_CATEGORY_FAILED_LOGIN" if failed else "EVENT_CATEGORY_LOGIN"
    record = _record(variant, OFFICE, operation, category)
    record["collected"] = {"aadLogins": {"enqueueTime": "@@#inst@@", "routingTime": "@@#inst@@"}}
    record["rawDataJson"] = {
        "Id": "@@guid@@",
        "CorrelationId": "@@corr@@",
        "UserPrincipalName": "@@upn@@",
        "UserDisplayName": "@@name@@",
        "IPAddress": "@@ip@@",
        "LoginErrorCode": 50126 if failed else 0,
        "LoginStatus": "Failure" if failed else "Success",
        "Location": {"Country": "@@country@@", "GeoCoordinates": {"Altitude": None}},
        "DeviceDetail": {"DeviceId": "", "IsManaged": None, "TrustType": ""},
        "TimeStamp": "@@iso@@",
        "RequestTicks": "@@#big@@",
        "MfaDetail": None,
    }
    if failed:
        record["user"] = {"userTags": []}
        record["failedUserData"] = {"userName": "@@upn@@", "reason": "InvalidPassword"}
    return record


def third_party(variant: Variant) -> Record:
    """Return an event of another vendor's service, with keys that differ only in their case."""
    app = variant.pick("app", (GOOGLE, AMAZON))
    operation = variant.pick("operation", ("ConsoleLogin", "drive#view", "AssumeRole", "listKeys"))
    category = "EVENT_CATEGORY_LOGIN" if "Login" in operation else "EVENT_CATEGORY_UNSPECIFIED"
    record = _record(variant, app, operation, category)
    record["source"] = variant.pick("source", (2, 1))
    record["takenAction"] = variant.pick("action", (None, "block", "proxy"))
    record["impersonated"] = variant.happens("impersonated", 0.3)
    record["rawDataJson"] = {
        "EventName": operation,
        "eventName": operation.lower(),
        "Level": "Informational",
        "level": 4,
        "eventVersion": "1.08",
        "eventTime": "@@iso@@",
        "userIdentity": {"type": "IAMUser", "principalId": "@@oid@@", "userName": "@@name@@"},
        "sourceIPAddress": "@@ip@@",
        "userAgent": app.agent,
        "requestParameters": {"maxResults": "@@#n@@", "path": "C:\\tmp\\new\tfolder"},
        "responseElements": None,
        "sequenceNumber": "@@#big@@",
        "ratio": "@@#ratio@@",
    }
    return record


SHAPES: dict[str, Callable[[Variant], Record]] = {
    "sharepoint": sharepoint,
    "exchange": exchange,
    "teams": teams,
    "sign-in": sign_in,
    "third-party": third_party,
}

# The sources whose times are whole seconds; the others report milliseconds.
WHOLE_SECOND_SHAPES = frozenset({"sharepoint", "exchange", "teams"})


def _record(
    variant: Variant, app: Application, operation: str, category: str, *, admin: bool = False
) -> Record:
    """Return the fields that all sources have in common."""
    return {
        **_key_fields(variant, app),
        **_event_fields(operation, category, admin=admin),
        **_context_fields(variant, app),
        **_actor_fields(variant),
        "mainInfo": _main_info(operation),
    }


def _key_fields(variant: Variant, app: Application) -> Record:
    times = {
        name: f"@@#{hole}@@"
        for field_name, hole in (
            ("timestamp", "ts"),
            ("instantiation", "inst"),
            ("created", "created"),
        )
        for name in (field_name, f"{field_name}Raw")
    }
    return {
        "_id": "@@id@@",
        "uid": "@@id@@",
        "tenantId": variant.tenant,
        "aadTenantId": guid(chance.digest(variant.seed, "directory", 0, 16)),
        "appId": app.number,
        "saasId": app.number,
        "srcAppId": min(app.number, OFFICE.number),
        "appName": app.name,
        **times,
    }


def _event_fields(operation: str, category: str, *, admin: bool) -> Record:
    kind = "ADMIN" if admin else "BASIC"
    return {
        "eventType": 233_580 if admin else 917_504,
        "eventTypeValue": f"EVENT_{operation.upper()}",
        "eventTypeName": category,
        "genericEventType": f"ENUM_ACTIVITY_GENERIC_TYPE_{kind}",
        "eventRouting": {"scubaUnpacker": False, "auditing": True, "adminEvent": admin},
        "description_id": "EVENT_DESCRIPTION_BASIC_EVENT",
        "description_metadata": {"operation_name": operation, "target_object": "", "colon": ""},
        "description": f"{operation}: @@name@@",
        "severity": "INFO",
        "classifications": [],
        "confidenceLevel": 20,
    }


def _context_fields(variant: Variant, app: Application) -> Record:
    device = variant.pick("device", ("DESKTOP", "MOBILE", "TABLET", "OTHER", None))
    fields: Record = {
        "source": 2,
        "device": {"clientIP": "@@ip@@", "userAgent": app.agent, "countryCode": "@@country@@"},
        "userAgent": {
            "family": app.name.upper().replace(" ", "_"),
            "name": app.name,
            "operatingSystem": {"name": "Unknown", "family": "Unknown", "version": "10.0"},
            "type": "Application",
            "deviceType": device,
            "nativeBrowser": app is ONEDRIVE,
            "tags": ["000000000000000000000000"],
            "browser": "OTHER",
        },
        "internals": {"otherIPs": ["@@ip@@"]},
    }
    if not variant.happens("no-location", 0.15):
        fields["location"] = "@@#place@@"
    return fields


def _actor_fields(variant: Variant) -> Record:
    fields: Record = {
        "resolvedActor": {
            "id": "@@oid@@",
            "saasId": "11161",
            "instanceId": "0",
            "objType": "23",
            "role": "4",
            "tags": ["@@tag@@"],
            "name": "@@name@@",
            "resolved": True,
        },
        "entityData": None if variant.happens("no-entities", 0.2) else _entities(),
    }
    if not variant.happens("no-user", 0.1):
        fields["user"] = {"userName": "@@upn@@", "userTags": ["@@tag@@"]}
    return fields


def _entities() -> Record:
    return {
        "0": {
            "displayName": "@@name@@",
            "id": {"id": "@@upn@@", "saas": 11161, "inst": 0},
            "resolved": True,
        },
        "1": None,
        "2": {
            "displayName": "@@name@@",
            "id": {"id": "@@oid@@", "saas": 11161, "inst": 0},
            "resolved": True,
        },
    }


def _main_info(operation: str) -> Record:
    actor = {
        "tags": ["@@tag@@"],
        "name": "@@name@@",
        "instanceId": 0,
        "resolved": True,
        "saasId": 11161,
    }
    return {
        "eventObjects": [
            {
                "objType": 1,
                "role": 3,
                "tags": [],
                "name": "https://ferrowood.example/sites/@@n@@/",
                "id": "@@corr@@",
                "serviceObjectType": "Site Collection",
            },
            {**actor, "objType": 21, "role": 4, "id": "@@upn@@", "link": "@@#link@@"},
            {**actor, "objType": 23, "role": 4, "id": "@@oid@@", "link": "@@#link@@"},
        ],
        "rawOperationName": operation,
        "prettyOperationName": operation,
        "type": "basic",
    }


def _audit(app: Application, operation: str, record_type: int) -> Record:
    return {
        "Id": "@@guid@@",
        "CreationTime": "@@iso@@",
        "Operation": operation,
        "RecordType": record_type,
        "Workload": app.name,
        "UserId": "@@upn@@",
        "UserKey": "@@n@@",
        "UserType": 0,
        "ClientIP": "@@ip@@",
        "CorrelationId": "@@corr@@",
        "UserAgent": app.agent,
        "Version": 1,
    }
