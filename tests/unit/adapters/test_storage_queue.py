"""Which queue is meant, and what is said if it cannot be used."""

import time
from typing import Any, NoReturn

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from shared.access import StorageSettings
from shared.adapters.storage_queue import open_queue
from shared.core.errors import SettingsError, StoreUnavailable


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the library try again at once; return for how long it would have waited."""
    seconds = list[float]()
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


class Refused:
    """A credential that gets no token, so nothing is sent."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_token(self, *_: str, **__: Any) -> NoReturn:
        """Raise the error."""
        raise self._error


def account(url: str) -> StorageSettings:
    """Return the settings of storage to which an identity signs in."""
    return StorageSettings(
        account_url=url,
        connection_string=None,
        data="data",
        manifests="manifests",
        state="state",
    )


def said(url: str, name: str, error: Exception | None = None) -> str:
    """Return what is said about sending a message without a token."""
    refused = Refused(error or ClientAuthenticationError("no token"))
    queue = open_queue(account(url), name, lambda: refused)
    with pytest.raises(StoreUnavailable) as failed:
        queue.send("{}")
    return str(failed.value)


CONTOSO = "https://contoso.blob.core.windows.net"


def test_a_name_is_of_a_queue_beside_the_parts() -> None:
    """The account of the parts has queues, too, at an address of their own."""
    assert "could not send to https://contoso.queue.core.windows.net/reader:" in said(
        CONTOSO, "reader"
    )


def test_an_address_may_be_of_another_account() -> None:
    """A reader may have its own; what authorises it is not shown."""
    address = "https://fabrikam.queue.core.windows.net/reader"

    assert f"could not send to {address}:" in said(CONTOSO, address)


def test_a_name_is_not_enough_where_the_account_has_an_address_of_its_own() -> None:
    """The address of its queues does not follow from that of its blobs."""
    with pytest.raises(SettingsError, match="give its whole address"):
        said("https://storage.contoso.com", "reader")


def test_a_refusal_names_the_role_that_sending_needs() -> None:
    """Reading the parts does not need it."""
    told = said(CONTOSO, "reader")

    assert "no token. Sending needs the role Storage Queue Data Message Sender" in told


def test_an_answer_is_told_by_its_status() -> None:
    """The service's own words are long, and name the request."""
    error = HttpResponseError("RequestId: 7")
    error.status_code, error.reason = 403, "Forbidden"

    told = said(CONTOSO, "reader", error)

    assert ": HTTP 403 Forbidden. Sending needs" in told
    assert "RequestId" not in told


def test_a_queue_that_fails_is_given_up_after_seconds(waits: list[float]) -> None:
    """A person waits for it, and can send the rest later."""
    said(CONTOSO, "reader")

    assert len(waits) == 2
    assert sum(waits) <= 4
