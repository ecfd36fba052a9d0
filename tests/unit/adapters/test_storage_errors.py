"""What is said about an error of storage: what failed, on what, why, and what to do."""

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from shared.adapters.patience import IdentityRefused, IdentityUnavailable
from shared.adapters.storage_errors import explained

BLOB = "https://contoso.blob.core.windows.net/state/scan%3Dall/ledger.json"


def answered(status: int, words: str) -> HttpResponseError:
    """Return the error of an answer with this status."""
    error = HttpResponseError("RequestId: 7")
    error.status_code, error.reason = status, words
    return error


@pytest.mark.parametrize(
    ("error", "why", "remedy"),
    [
        (
            IdentityRefused("no such identity"),
            "no such identity",
            "Check IDENTITY_CLIENT_ID, and that the app has this identity",
        ),
        (
            IdentityUnavailable("the endpoint is down"),
            "the endpoint is down",
            "The next run tries again",
        ),
        (
            ServiceRequestError("no route\nto the host"),
            "no route",
            "Check STORAGE_ACCOUNT_URL and the network; the next run tries again",
        ),
        (AzureError(""), "AzureError", "Check STORAGE_ACCOUNT_URL and the network"),
        (answered(500, "Busy"), "HTTP 500 Busy", "Check STORAGE_ACCOUNT_URL and the network"),
    ],
)
def test_an_error_is_told_by_its_status_or_else_by_its_words(
    error: AzureError, why: str, remedy: str
) -> None:
    """A sign-in that is refused never reached storage, so it has no status."""
    told = str(explained(error, "read", f"{BLOB}?sig=s3cret"))

    assert told.startswith(f"could not read {BLOB}: {why}. {remedy}")
