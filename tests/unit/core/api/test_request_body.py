"""The body of a request."""

import json

from shared.core.api.request_body import scan_request

ORDER: dict[str, int | str] = {"limit": 500, "sortField": "date", "sortDirection": "asc"}


def test_a_first_request_has_the_filters() -> None:
    """In scan mode, with limit and order."""
    body = scan_request({"service": {"eq": [1]}}, None, ORDER).body

    assert json.loads(body) == {"filters": {"service": {"eq": [1]}}, "isScan": True, **ORDER}


def test_a_continuation_replaces_the_filters_and_is_sent_back_byte_for_byte() -> None:
    """Numbers and blanks included."""
    given = '{ "date" : {"gte":1.0e3} }'

    assert f'"filters":{given},'.encode() in scan_request({"a": 1}, given, ORDER).body
