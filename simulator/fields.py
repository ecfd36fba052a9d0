"""The filters with their operators, and how to read their values from a record.

Generated records have no policies, alerts or file selectors. Filters on those are accepted and find
nothing, as in a tenant without them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Record: TypeAlias = dict[str, Any]


class Field(NamedTuple):
    """A documented filter: its operators, and how to read its values from a record."""

    operators: frozenset[str]
    values: Callable[[Record], list[Any]]


def _at(*paths: str) -> Callable[[Record], list[Any]]:
    return lambda record: [value for path in paths for value in _walk(record, path.split("."))]


def _walk(value: Any, path: list[str]) -> list[Any]:  # noqa: ANN401 - records are free-form JSON
    """Follow a path; `*` is every member, and a list at the end stands for its members."""
    if not path:
        return value if isinstance(value, list) else [value]
    if path[0] == "*":
        members = value.values() if isinstance(value, dict) else value
        return [found for member in members or [] for found in _walk(member, path[1:])]
    if isinstance(value, dict) and path[0] in value:
        return _walk(value[path[0]], path[1:])
    return []


def _domains(record: Record) -> list[Any]:
    return [str(name).rpartition("@")[2] for name in _walk(record, ["user", "userName"])]


def _entities(record: Record) -> list[Any]:
    found = _walk(record, ["entityData", "*", "id"])
    return [{"id": item.get("id"), "inst": item.get("inst")} for item in found]


def _is_impersonated(record: Record) -> list[Any]:
    return [bool(record.get("impersonated"))]


def _is_admin(record: Record) -> list[Any]:
    return [any(_walk(record, ["eventRouting", "adminEvent"]))]


def _whole(record: Record) -> list[Any]:
    return [json.dumps(record, ensure_ascii=False)]


def _nothing(_: Record) -> list[Any]:
    return []


def _field(operators: str, values: Callable[[Record], list[Any]]) -> Field:
    return Field(frozenset(operators.split()), values)


_EVENT_TYPES = _field("eq neq", _at("eventTypeName", "eventTypeValue"))
_ACTIONS = _field(
    "contains eq neq isset isnotset", _at("mainInfo.rawOperationName", "eventTypeValue")
)

FIELDS: dict[str, Field] = {
    "service": _field("eq neq", _at("appId")),
    "instance": _field(
        "eq neq", _at("resolvedActor.instanceId", "mainInfo.eventObjects.*.instanceId")
    ),
    "user.orgUnit": _field("eq neq isset isnotset descendantof ndescendantof", _nothing),
    "user.username": _field("eq neq isset isnotset startswith", _at("user.userName")),
    "user.tags": _field("eq neq isset isnotset startswith", _at("user.userTags")),
    "user.domain": _field("eq neq isset isnotset", _domains),
    "entity": _field("eq neq isset isnotset startswith", _entities),
    "actionType": _ACTIONS,
    "activity.actionType": _ACTIONS,
    "activity.eventActionType": _EVENT_TYPES,
    "activity.eventType": _EVENT_TYPES,
    "activity.id": _field("eq", _at("_id")),
    "activity.impersonated": _field("eq", _is_impersonated),
    "activity.type": _field("eq", _is_admin),
    "activity.takenAction": _field("eq neq", _at("takenAction")),
    "activity.alertId": _field("eq", _nothing),
    "activityObject": _field("eq neq", _at("mainInfo.eventObjects.*.id")),
    "device.type": _field("eq neq", _at("userAgent.deviceType")),
    "device.tags": _field("eq neq", _nothing),
    "userAgent.userAgent": _field("contains ncontains", _at("device.userAgent")),
    "userAgent.tags": _field("eq neq", _at("userAgent.tags")),
    "location.country": _field("eq neq isset isnotset", _at("location.countryCode")),
    "location.organizations": _field(
        "eq neq isset isnotset contains", _at("location.organizationSearchable")
    ),
    "ip.address": _field(
        "eq startswith doesnotstartwith isset isnotset neq", _at("device.clientIP")
    ),
    "ip.category": _field("eq neq", _at("location.category")),
    "ip.tags": _field("eq neq", _at("location.ipTags")),
    "fileSelector": _field("eq neq", _nothing),
    "fileId": _field("eq neq", _at("rawDataJson.ListItemUniqueId")),
    "office365url": _field(
        "startswith eq endswith", _at("rawDataJson.ObjectId", "rawDataJson.SiteUrl")
    ),
    "text": _field("eq startswithsingle text contains", _whole),
    "policy": _field("eq neq isset isnotset", _nothing),
    "source": _field("eq neq", _at("source")),
}
