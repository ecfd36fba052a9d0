"""Generated records resemble the real API's in everything that has broken clients."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from simulator import Planned, Tenant
from tests.simulator.client import T0


def raw_records(count: int = 400, **options: Any) -> list[bytes]:
    """Return the bytes of a tenant's records."""
    tenant = Tenant.generate(seed=5, count=count, until_ms=T0, **options)
    return [tenant.record(identity) for identity in tenant.truth()]


@pytest.fixture(scope="module")
def raw() -> list[bytes]:
    """Return the bytes of many records."""
    return raw_records()


@pytest.fixture(scope="module")
def parsed(raw: list[bytes]) -> list[dict[str, Any]]:
    """Return many records as a client sees them."""
    return [json.loads(record) for record in raw]


def test_records_are_three_to_six_kilobytes_on_one_line(raw: list[bytes]) -> None:
    """Their average is about that of real fleets."""
    sizes = [len(record) for record in raw]

    assert min(sizes) > 2_500
    assert max(sizes) < 6_500
    assert 3_700 < sum(sizes) / len(sizes) < 4_400
    assert not any(b"\n" in record for record in raw)


@pytest.mark.parametrize("size", [1_500, 4_000, 20_000])
def test_the_size_of_records_can_be_chosen(size: int) -> None:
    """Padding, or leaving out what is not essential, brings a record near the size."""
    sizes = {len(record) for record in raw_records(60, record_size=size)}

    assert all(abs(found - size) < 0.1 * size for found in sizes)


def test_small_records_keep_what_identifies_them() -> None:
    """A record never loses its identity, its source and its event."""
    for record in map(json.loads, raw_records(60, record_size=1)):
        assert {"_id", "timestamp", "created", "appId", "eventTypeName"} <= record.keys()


def test_the_order_of_keys_varies(parsed: list[dict[str, Any]]) -> None:
    """No client may rely on it."""
    assert len({tuple(record)[:3] for record in parsed}) > 20


def test_all_sources_occur(parsed: list[dict[str, Any]]) -> None:
    """They are files, mail, chat, sign-ins and other vendors."""
    names = {record["appName"] for record in parsed}

    assert {"OneDrive for Business", "Exchange Online", "Teams", "Office 365"} <= names
    assert {"Google Workspace", "Amazon Web Services"} <= names


def test_some_keys_differ_only_in_their_case(parsed: list[dict[str, Any]]) -> None:
    """Case-insensitive parsers fail on them."""
    colliding = [r["rawDataJson"] for r in parsed if "EventName" in r["rawDataJson"]]

    assert colliding
    assert all({"EventName", "eventName", "Level", "level"} <= raw.keys() for raw in colliding)


def test_entity_data_is_an_object_with_numeric_keys_and_nulls_or_null(
    parsed: list[dict[str, Any]],
) -> None:
    """It is not a list, and may be missing altogether."""
    forms = [record["entityData"] for record in parsed]

    assert None in forms
    assert all(form["1"] is None and "0" in form and "2" in form for form in forms if form)


def test_strings_come_in_many_alphabets_and_both_ways_of_writing_them(raw: list[bytes]) -> None:
    r"""They have `\uXXXX` and raw UTF-8, `\/` and `/`."""
    text = b"\n".join(raw)

    assert re.search(rb"\\u[0-9a-f]{4}", text)
    assert "佐藤".encode() in text
    assert rb"https:\/\/" in text
    assert b"https://" in text


def test_numbers_keep_forms_that_reencoding_would_change(raw: list[bytes]) -> None:
    """They have trailing zeros, and integers beyond 2**53."""
    text = b"\n".join(raw)

    assert b":52.30905000," in text
    big = [int(found) for found in re.findall(rb"[^\d](\d{17,19})[^\d]", text)]
    assert 2**53 < max(big) < 2**63


def test_links_are_signed_and_the_actor_has_numbers_as_strings(
    parsed: list[dict[str, Any]],
) -> None:
    """The same number is an integer in one place and a string in another."""
    links = [r["mainInfo"]["eventObjects"][1]["link"] for r in parsed]

    assert min(links) < 0 < max(links)
    assert {type(r["resolvedActor"]["saasId"]) for r in parsed} == {str}
    assert {type(r["saasId"]) for r in parsed} == {int}


def test_user_and_location_may_be_missing(parsed: list[dict[str, Any]]) -> None:
    """A failed sign-in has a user without a name."""
    assert any("user" not in record for record in parsed)
    assert any("location" not in record for record in parsed)
    assert any("userName" not in record.get("user", {"userName": ""}) for record in parsed)


def test_identifiers_have_the_known_forms_and_equal_uid(parsed: list[dict[str, Any]]) -> None:
    """`<tenant>_<app>_<guid>`, 64 hex digits, `<epoch ms>_<guid>`, or 24 hex digits."""
    forms = (r"\d{8}_\d+_[0-9a-f-]{36}", r"[0-9a-f]{64}", r"\d{13}_[0-9a-f-]{36}", r"[0-9a-f]{24}")

    assert all(record["_id"] == record["uid"] for record in parsed)
    for form in forms:
        assert any(re.fullmatch(form, record["_id"]) for record in parsed)
    assert all(any(re.fullmatch(form, record["_id"]) for form in forms) for record in parsed)


def test_created_follows_instantiation_which_follows_the_event(
    parsed: list[dict[str, Any]],
) -> None:
    """All three are integers of milliseconds."""
    for record in parsed:
        assert record["timestamp"] <= record["instantiation"] <= record["created"]


def test_addresses_and_domains_are_reserved_ones(raw: list[bytes]) -> None:
    """Nothing in a record belongs to a real person or company."""
    hosts = set(re.findall(rb"[a-z0-9-]+\.(?:com|net|org|example)\b", b"\n".join(raw)))

    assert all(host.endswith(b".example") for host in hosts)


def test_a_planned_activity_can_lack_fields() -> None:
    """The truth still has what its record omits."""
    plan = Planned(timestamp=T0, created=T0 + 1, omit=("timestamp", "created", "_id"))
    tenant = Tenant.of([plan])
    (identity,) = tenant.truth()

    record = json.loads(tenant.record(identity))

    assert record.keys().isdisjoint({"timestamp", "created", "_id"})
    assert record["uid"] == identity.id


def test_a_planned_activity_can_be_huge() -> None:
    """Raw data of more than 100 KB has been seen."""
    tenant = Tenant.of([Planned(timestamp=T0, size=150_000)])

    (record,) = (tenant.record(identity) for identity in tenant.truth())

    assert 149_000 < len(record) < 151_000


def test_a_planned_activity_can_be_any_bytes() -> None:
    """No strict parser need accept them."""
    tenant = Tenant.of([Planned(timestamp=T0, raw=b'{"_id": NaN}')])

    assert [tenant.record(identity) for identity in tenant.truth()] == [b'{"_id": NaN}']
