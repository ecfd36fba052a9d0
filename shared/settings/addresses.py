"""The addresses of the API and of the storage account, checked before anything is sent there."""

import re
from urllib.parse import SplitResult, urlsplit

from shared.settings.reader import Reader
from shared.settings.table import MDA_ALLOW_ANY_HOST, MDA_API_URL, STORAGE_ACCOUNT_URL

KNOWN_HOSTS = (
    ".portal.cloudappsecurity.com",
    ".portal.cloudappsecurity.us",
    ".portal.cloudappsecuritygov.com",
)
"""Host suffixes of the API (Microsoft's network requirements). Only they receive a token."""

API_EXAMPLE = "https://contoso.eu2.portal.cloudappsecurity.com"
ACCOUNT_EXAMPLE = "https://NAME.blob.core.windows.net"

_API_PATH = re.compile(r"(/cas)?(/api(/v1(/activities)?)?)?/?")
"""What people copy after the host. On the host that all tenants share, the API is below /cas."""

_PLAIN_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")
"""Host and port. If a host has other characters, such as a backslash, the HTTP library may use
only a part of it as the host."""

_OTHER_SERVICE = re.compile(
    r"(\.z\d+(?=\.web\.core\.))?\.(?P<service>dfs|queue|table|file|web)\.", re.IGNORECASE
)
"""Endpoints of an account that do not serve blobs. That of a static website begins with a zone."""

_LOCALLY = "for local use set STORAGE_CONNECTION_STRING instead"


def api_url(reader: Reader) -> str:
    """Return the address of the activities endpoint, with its trailing slash."""
    given = reader.text(MDA_API_URL)
    reader.require(MDA_API_URL, given, MDA_API_URL.hint)
    if given is None:
        return ""
    any_host = reader.value(MDA_ALLOW_ANY_HOST)
    try:
        url = urlsplit(given if "://" in given else f"https://{given}")
        url.port  # noqa: B018 - reading it raises for a port that is not one
    except ValueError as error:
        _refuse_api(reader, f"is not an address ({error}): give one such as {API_EXAMPLE}")
        return ""
    if not (url.hostname and _PLAIN_HOST.fullmatch(url.netloc)) or url.query or url.fragment:
        _refuse_api(reader, f"is not a plain address: give an address such as {API_EXAMPLE}")
    elif url.scheme != "https" and not (any_host and url.scheme == "http"):
        _refuse_api(reader, f"is {given!r}: it must begin with https://")
    elif not any_host:
        _check_api_host(reader, given, url)
    path = re.sub(r"(^|/)api(/v1(/activities)?)?$", "", url.path.rstrip("/"))
    return f"{url.scheme}://{url.netloc}{path}/api/v1/activities/"


def _check_api_host(reader: Reader, given: str, url: SplitResult) -> None:
    """Refuse a host that is not the API's, and a portal page on a host that is."""
    if not f".{url.hostname}".endswith(KNOWN_HOSTS):
        _refuse_api(
            reader,
            f"is {given!r}, which is not a host of the API ({', '.join(KNOWN_HOSTS)}): give an "
            f"address such as {API_EXAMPLE}, or set MDA_ALLOW_ANY_HOST=true if the token may be "
            "sent there",
        )
    elif not _API_PATH.fullmatch(url.path) or (
        f".{url.hostname}" in KNOWN_HOSTS and not url.path.startswith("/cas")
    ):
        _refuse_api(
            reader,
            f"is {given!r}, the address of a portal page and not of the API: give the API URL, "
            f"such as {API_EXAMPLE}; {MDA_API_URL.hint}",
        )


def account_url(reader: Reader, given: str) -> str:
    """Return the blob endpoint of an account, without a slash at its end.

    A problem shows the host and the port only. A connection string or a SAS address that someone
    put here by mistake holds a secret.
    """
    try:
        url = urlsplit(given)
        url.port  # noqa: B018 - reading it raises for a port that is not one
    except ValueError:
        _refuse_account(reader, f"is not an address: give one such as {ACCOUNT_EXAMPLE}")
        return ACCOUNT_EXAMPLE
    host = url.netloc.rpartition("@")[2]
    if url.scheme != "https":
        hint = f"it must begin with https://, such as {ACCOUNT_EXAMPLE}; {_LOCALLY}"
        _refuse_account(reader, f"is not the address of an account: {hint}")
    elif not url.hostname or not _PLAIN_HOST.fullmatch(host):
        _refuse_account(reader, f"is not an address: give one such as {ACCOUNT_EXAMPLE}")
    else:
        _check_account(reader, url, f"https://{host}")
    return f"https://{host}{url.path.rstrip('/')}"


def _check_account(reader: Reader, url: SplitResult, account: str) -> None:
    """Refuse the endpoint of another service, and anything that follows the account."""
    service = _OTHER_SERVICE.search(url.hostname or "")
    blobs = _OTHER_SERVICE.sub(".blob.", account)
    if service:
        found = f"is the account's {service['service']} endpoint and not its blob endpoint"
        _refuse_account(reader, f"{found}: give {blobs}")
    if url.username is not None or url.query or url.fragment or "?" in url.path:
        found = "holds more than an address (a SAS or a user name)"
        hint = f"give {blobs}, and grant the identity a role on the containers. {_LOCALLY}"
        _refuse_account(reader, f"{found}: {hint}")
    levels = [level for level in url.path.split("/") if level]
    allowed = 1 if _is_emulator(url) else 0
    if len(levels) > allowed:
        place = "/".join([blobs, *levels[:allowed]])
        hint = f"give {place}; the STORAGE_*_CONTAINER settings name the containers"
        _refuse_account(reader, f"has a path: {hint}")


def _is_emulator(url: SplitResult) -> bool:
    """Say whether the path names the account, as it does for emulators.

    An emulator has an IP address, a host without a domain, or a port of its own on any host.
    """
    host = url.hostname or ""
    on_machine = "." not in host or host.endswith(".localhost") or not host.strip("0123456789.")
    return on_machine or (url.port is not None and ".blob." not in host)


def _refuse_api(reader: Reader, text: str) -> None:
    reader.problem(MDA_API_URL.name, text)


def _refuse_account(reader: Reader, text: str) -> None:
    reader.problem(STORAGE_ACCOUNT_URL.name, text)
