"""Settings: a mapping of strings becomes frozen values, or one error that names every problem.

`docs/settings.md` is the table of all of them; a test compares it with `NAMES`. Nothing here
reads the environment: it is handed in.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from shared.access import AUTH_MODES, ApiSettings, AuthMode, Secret, StorageSettings
from shared.core.errors import SettingsError
from shared.core.model import (
    DAY_MS,
    HOUR_MS,
    LIMIT_MAX,
    LIMIT_MIN,
    MINUTE_MS,
    SECOND_MS,
    Axis,
    Direction,
    Policy,
    SweepBy,
)
from shared.core.passes import UNITS, sweep_name

KNOWN_HOSTS = (
    ".portal.cloudappsecurity.com",
    ".portal.cloudappsecurity.us",
    ".portal.cloudappsecuritygov.com",
)
"""Host suffixes of the API (Microsoft's network requirements); a token goes nowhere else."""

UNRESOLVED = "@Microsoft.KeyVault("
"""How a Key Vault reference arrives that the platform could not resolve."""

NAMES = (
    "MDA_API_URL",
    "MDA_ALLOW_ANY_HOST",
    "MDA_AUTH",
    "MDA_TENANT_ID",
    "MDA_CLIENT_ID",
    "MDA_CLIENT_SECRET",
    "MDA_API_TOKEN",
    "IDENTITY_CLIENT_ID",
    "STORAGE_ACCOUNT_URL",
    "STORAGE_CONNECTION_STRING",
    "STORAGE_DATA_CONTAINER",
    "STORAGE_MANIFEST_CONTAINER",
    "STORAGE_STATE_CONTAINER",
    "SCAN_NAME",
    "SCAN_FILTERS",
    "SCAN_ACCEPT_FILTERS",
    "SCAN_SORT_FIELD",
    "SCAN_SORT_DIRECTION",
    "SCAN_LIMIT",
    "SCAN_SCHEDULE",
    "SCAN_TIME_BUDGET",
    "SCAN_LOOKBACK",
    "SCAN_SETTLE",
    "SCAN_FRESH",
    "SCAN_SLICE",
    "SCAN_SWEEPS",
    "SCAN_SWEEP_BY",
    "SCAN_REACH",
    "SCAN_CONCURRENCY",
    "SCAN_REQUESTS_PER_MINUTE",
    "SCANS",
)
"""Every setting that the program reads."""

PER_SCAN = tuple(
    name
    for name in NAMES
    if name.startswith("SCAN_") and name not in {"SCAN_SCHEDULE", "SCAN_TIME_BUDGET"}
)
"""What an element of SCANS may set for its scan, in lower case and without `SCAN_`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was configured.

    Attributes:
        api: how to reach the API.
        storage: where results and state are.
        scans: one policy per scan; time and request budget are divided among them.
        schedule: the timer's NCRONTAB expression, None outside Azure.
        requests_per_minute: of all scans together.
    """

    api: ApiSettings
    storage: StorageSettings
    scans: tuple[Policy, ...]
    schedule: str | None
    requests_per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """What one query needs, without storage.

    Attributes:
        api: how to reach the API.
        filters: any filters, those on the sort field included.
        axis: `sortField`.
        direction: `sortDirection`.
        limit: records per page, as wished.
        requests_per_minute: in any 60 seconds, at most.
    """

    api: ApiSettings
    filters: dict[str, Any]
    axis: Axis
    direction: Direction
    limit: int
    requests_per_minute: int


Value = TypeVar("Value")


@dataclass(slots=True)
class _Reader:
    """Reads settings one by one and remembers what is wrong with them."""

    source: Mapping[str, str]
    prefix: str = ""
    problems: list[str] = field(default_factory=list)

    def problem(self, name: str, text: str) -> None:
        self.problems.append(f"{self.prefix}{name} {text}")

    def text(self, name: str) -> str | None:
        """Return a setting, None when it is absent or empty."""
        value = self.source.get(name, "").strip()
        if value.startswith(UNRESOLVED):
            self.problem(
                name,
                "is an unresolved Key Vault reference: check that the vault and secret exist and "
                "that the app's identity has the role Key Vault Secrets User",
            )
            return None
        return value or None

    def parse(self, name: str, default: str, read: Callable[[str], Value], hint: str) -> Value:
        """Return a setting through its parser, or its default's value and a problem."""
        value = self.text(name) or default
        try:
            return read(value)
        except (ValueError, RecursionError) as error:  # The latter for JSON that is too deep.
            self.problem(name, f"is {value!r}: {error}; {hint}")
            return read(default)

    def secret(self, name: str) -> Secret | None:
        value = self.text(name)
        return None if value is None else Secret(value)

    def needs(self, name: str, value: object, why: str) -> None:
        if value is None and not self._unresolved(name):
            self.problem(name, f"is not set: {why}")

    def require_no_problems(self) -> None:
        if self.problems:
            raise SettingsError(list(dict.fromkeys(self.problems)))

    def _unresolved(self, name: str) -> bool:
        return self.source.get(name, "").strip().startswith(UNRESOLVED)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in a mapping such as the environment.

    Raises:
        SettingsError: at least one is wrong; all problems at once.
    """
    reader = _Reader(environ)
    _refuse_unknown(reader)
    settings = Settings(
        api=_api(reader),
        storage=_storage(reader),
        scans=_scans(reader),
        schedule=reader.text("SCAN_SCHEDULE"),
        requests_per_minute=_requests_per_minute(reader),
    )
    reader.require_no_problems()
    return settings


def read_query(environ: Mapping[str, str]) -> QuerySettings:
    """Return what one query needs; what belongs to storage or to the run is not read.

    Raises:
        SettingsError: at least one is wrong; all problems at once.
    """
    reader = _Reader(environ)
    _refuse_unknown(reader)
    settings = QuerySettings(
        api=_api(reader),
        filters=_filters_of(reader),
        axis=_axis(reader),
        direction=_direction(reader),
        limit=_limit(reader),
        requests_per_minute=_requests_per_minute(reader),
    )
    reader.require_no_problems()
    return settings


def _refuse_unknown(reader: _Reader) -> None:
    """Name settings that look like ours and are none: a typing error is silent otherwise."""
    for name in sorted(reader.source):
        if name.startswith(("MDA_", "SCAN_")) and name not in NAMES:
            reader.problem(name, "is no setting: remove it, or correct its name (docs/settings.md)")


def _api(reader: _Reader) -> ApiSettings:
    in_azure = bool(reader.source.get("IDENTITY_ENDPOINT"))
    default: AuthMode = "managed-identity" if in_azure else "default"
    mode = reader.parse(
        "MDA_AUTH", default, _one_of(*AUTH_MODES), "leave it empty for the managed identity"
    )
    settings = ApiSettings(
        url=_api_url(reader),
        auth=cast("AuthMode", mode),
        tenant_id=reader.text("MDA_TENANT_ID"),
        client_id=reader.text("MDA_CLIENT_ID"),
        client_secret=reader.secret("MDA_CLIENT_SECRET"),
        api_token=reader.secret("MDA_API_TOKEN"),
        identity_client_id=reader.text("IDENTITY_CLIENT_ID"),
    )
    _check_auth(reader, settings)
    return settings


def _check_auth(reader: _Reader, api: ApiSettings) -> None:
    why = f"MDA_AUTH={api.auth} signs in with it"
    if api.auth in {"client-secret", "federated"}:
        reader.needs("MDA_TENANT_ID", api.tenant_id, why)
        reader.needs("MDA_CLIENT_ID", api.client_id, why)
    if api.auth == "client-secret":
        reader.needs("MDA_CLIENT_SECRET", api.client_secret, why)
    if api.auth == "api-token":
        reader.needs("MDA_API_TOKEN", api.api_token, why)
    token = api.api_token.reveal() if api.auth == "api-token" and api.api_token else ""
    if not re.fullmatch(r"[!-~]*", token):
        reader.problem("MDA_API_TOKEN", "has characters that no token has: copy it again")


def _api_url(reader: _Reader) -> str:
    given = reader.text("MDA_API_URL")
    if given is None:
        reader.needs(
            "MDA_API_URL",
            None,
            "it is shown in the Defender portal under Settings, Cloud Apps, About, as API URL",
        )
        return ""
    any_host = reader.parse("MDA_ALLOW_ANY_HOST", "false", _boolean, "set true or false")
    try:
        url = urlsplit(given if "://" in given else f"https://{given}")
        url.port  # noqa: B018 - judged where it is read
    except ValueError as error:
        reader.problem("MDA_API_URL", f"is no address ({error}): give one such as {_EXAMPLE}")
        return ""
    if not (url.hostname and _PLAIN_HOST.fullmatch(url.netloc)) or url.query or url.fragment:
        reader.problem("MDA_API_URL", f"is no plain address: give an address such as {_EXAMPLE}")
    elif url.scheme != "https" and not (any_host and url.scheme == "http"):
        reader.problem("MDA_API_URL", f"is {given!r}: it must begin with https://")
    elif not any_host:
        _check_host(reader, given, url)
    path = re.sub(r"(^|/)api(/v1(/activities)?)?$", "", url.path.rstrip("/"))
    return f"{url.scheme}://{url.netloc}{path}/api/v1/activities/"


def _check_host(reader: _Reader, given: str, url: SplitResult) -> None:
    """Refuse a host that is not the API's, and a page of the portal on a host that is."""
    if not f".{url.hostname}".endswith(KNOWN_HOSTS):
        reader.problem(
            "MDA_API_URL",
            f"is {given!r}, no host of the API ({', '.join(KNOWN_HOSTS)}): give an address such as "
            f"{_EXAMPLE}, or set MDA_ALLOW_ANY_HOST=true if the token may go there",
        )
    elif not _API_PATH.fullmatch(url.path) or (
        f".{url.hostname}" in KNOWN_HOSTS and not url.path.startswith("/cas")
    ):
        reader.problem(
            "MDA_API_URL",
            f"is {given!r}, an address of the portal and not of the API: give the API URL, such as "
            f"{_EXAMPLE}; the Defender portal shows it under Settings, Cloud Apps, About",
        )


_EXAMPLE = "https://contoso.eu2.portal.cloudappsecurity.com"
_API_PATH = re.compile(r"(/cas)?(/api(/v1(/activities)?)?)?/?")
"""What people copy behind the host; behind the host that all tenants share the API is in /cas."""
_PLAIN_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")
"""Host and port. Of a host with other characters (a backslash) the HTTP library may take a part."""


def _storage(reader: _Reader) -> StorageSettings:
    url, connection = reader.text("STORAGE_ACCOUNT_URL"), reader.secret("STORAGE_CONNECTION_STRING")
    if url is None and connection is None:
        reader.needs(
            "STORAGE_ACCOUNT_URL",
            None,
            "give the blob endpoint, such as https://NAME.blob.core.windows.net "
            "(or STORAGE_CONNECTION_STRING for local use)",
        )
    if url is not None and connection is not None:
        reader.problem("STORAGE_CONNECTION_STRING", "is set beside STORAGE_ACCOUNT_URL: keep one")
    names = [
        reader.parse(setting, default, _container, "use 3 to 63 lower-case letters, digits, -")
        for setting, default in (
            ("STORAGE_DATA_CONTAINER", "activities"),
            ("STORAGE_MANIFEST_CONTAINER", "manifests"),
            ("STORAGE_STATE_CONTAINER", "scan-state"),
        )
    ]
    if len(set(names)) < len(names):
        reader.problem("STORAGE_*_CONTAINER", f"name one container twice ({', '.join(names)})")
    data, manifests, state = names
    return StorageSettings(
        account_url=None if url is None else _account_url(reader, url),
        connection_string=connection,
        data=data,
        manifests=manifests,
        state=state,
    )


def _account_url(reader: _Reader, given: str) -> str:
    """Return the blob endpoint of an account without a slash at its end.

    What was given is never shown: a connection string or a SAS address that was put here by mistake
    holds a secret. Of an address, only host and port are.
    """
    try:
        url = urlsplit(given)
        url.port  # noqa: B018 - judged where it is read
    except ValueError:
        reader.problem("STORAGE_ACCOUNT_URL", f"is not an address: give one such as {_ACCOUNT}")
        return _ACCOUNT
    host = url.netloc.rpartition("@")[2]
    if url.scheme != "https":
        hint = f"it must begin with https://, such as {_ACCOUNT}; {_LOCALLY}"
        reader.problem("STORAGE_ACCOUNT_URL", f"is not the address of an account: {hint}")
    elif not url.hostname or not _PLAIN_HOST.fullmatch(host):
        reader.problem("STORAGE_ACCOUNT_URL", f"is not an address: give one such as {_ACCOUNT}")
    else:
        _check_account(reader, url, f"https://{host}")
    return f"https://{host}{url.path.rstrip('/')}"


def _check_account(reader: _Reader, url: SplitResult, account: str) -> None:
    """Refuse the endpoint of another service, and whatever goes on behind the account."""
    service = _OTHER_SERVICE.search(url.hostname or "")
    blobs = _OTHER_SERVICE.sub(".blob.", account)
    if service:
        found = f"is the account's {service['service']} endpoint and not its blob endpoint"
        reader.problem("STORAGE_ACCOUNT_URL", f"{found}: give {blobs}")
    if url.username is not None or url.query or url.fragment or "?" in url.path:
        found = "holds more than an address (a SAS, or a name to sign in with)"
        reader.problem(
            "STORAGE_ACCOUNT_URL",
            f"{found}: give {blobs}, and the identity a role on the containers. {_LOCALLY}",
        )
    levels = [level for level in url.path.split("/") if level]
    allowed = 1 if _is_emulator(url) else 0
    if len(levels) > allowed:
        place = "/".join([blobs, *levels[:allowed]])
        reader.problem(
            "STORAGE_ACCOUNT_URL",
            f"has a path: give {place}; containers are named by the STORAGE_*_CONTAINER settings",
        )


def _is_emulator(url: SplitResult) -> bool:
    """Say whether the account is named by the path, as emulators do.

    They stand on an address, on a host without a domain, or on any host with a port of their own.
    """
    host = url.hostname or ""
    on_machine = "." not in host or host.endswith(".localhost") or not host.strip("0123456789.")
    return on_machine or (url.port is not None and ".blob." not in host)


_ACCOUNT = "https://NAME.blob.core.windows.net"
_LOCALLY = "for local use set STORAGE_CONNECTION_STRING instead"
_OTHER_SERVICE = re.compile(
    r"(\.z\d+(?=\.web\.core\.))?\.(?P<service>dfs|queue|table|file|web)\.", re.IGNORECASE
)
"""Endpoints of an account that are not for blobs; a static website has a zone before it."""


def _scans(reader: _Reader) -> tuple[Policy, ...]:
    """Return one policy per scan; each of several has its own settings over the shared ones."""
    budget = reader.parse("SCAN_TIME_BUDGET", "4m", _budget, _DURATION)
    elements = reader.parse("SCANS", "[]", _elements, 'give a JSON array such as [{"name": "all"}]')
    if not elements:
        return (_policy(reader, budget),)
    if budget // len(elements) < BUDGET_LEAST:
        reader.problem("SCANS", f"has {len(elements)} scans for {budget // 1000} s: each needs 5 s")
    policies = []
    for place, element in enumerate(elements):
        own = {f"SCAN_{key.upper()}": _as_text(value) for key, value in element.items()}
        inner = _Reader({**reader.source, **own}, f"SCANS[{place}]: ", reader.problems)
        for name in sorted(set(own) - set(PER_SCAN)):
            inner.problem(name.removeprefix("SCAN_").lower(), "cannot be set for one scan")
        share = 1 if "SCAN_REQUESTS_PER_MINUTE" in own else len(elements)
        policies.append(_policy(inner, budget // len(elements), share=share))
    names = [policy.scan for policy in policies]
    if len(set(names)) < len(names):
        reader.problem("SCANS", f"names a scan twice ({', '.join(names)}): each needs its own name")
    return tuple(policies)


def _policy(reader: _Reader, budget: int, share: int = 1) -> Policy:
    axis, filters = _axis(reader), _filters_of(reader)
    per_minute = _requests_per_minute(reader)
    if axis in filters:
        reader.problem(
            "SCAN_FILTERS",
            f"filters on {axis}, which the scan itself cuts by: set SCAN_LOOKBACK for where it "
            "begins and SCAN_SETTLE for where it ends, and remove the filter",
        )
    policy = Policy(
        scan=reader.parse("SCAN_NAME", "all", _scan_name, "use a-z, 0-9 and -, at most 40"),
        filters=filters,
        fingerprint=fingerprint(filters, axis),
        accept=reader.text("SCAN_ACCEPT_FILTERS"),
        axis=axis,
        direction=_direction(reader),
        limit=_limit(reader),
        api=urlsplit(_api_url(_Reader(reader.source))).hostname or "",
        budget=budget,
        lookback=reader.parse("SCAN_LOOKBACK", "7d", _duration, _DURATION),
        settle=reader.parse("SCAN_SETTLE", "10m", _duration, _DURATION),
        fresh=reader.parse("SCAN_FRESH", "1h", _duration, _DURATION),
        slice_length=reader.parse("SCAN_SLICE", "5m", _slice, _DURATION),
        sweeps=reader.parse("SCAN_SWEEPS", "2h,24h,8d", _sweeps, _DURATION),
        sweep_by=cast(
            "SweepBy",
            reader.parse("SCAN_SWEEP_BY", "full", _one_of("full", "created"), "set one of them"),
        ),
        reach=reader.parse("SCAN_REACH", "30d", _duration, _DURATION),
        concurrency=reader.parse("SCAN_CONCURRENCY", "3", _integer(1, 16), "3 suits most tenants"),
        requests_per_minute=max(1, per_minute // share),
        requests_per_hour=60 * per_minute // share if per_minute < share else None,
    )
    _check_policy(reader, policy)
    return policy


def _filters_of(reader: _Reader) -> dict[str, Any]:
    return reader.parse("SCAN_FILTERS", "{}", _filters, "give a JSON object, {} for everything")


def _axis(reader: _Reader) -> Axis:
    choice = _one_of("date", "created")
    return cast("Axis", reader.parse("SCAN_SORT_FIELD", "date", choice, "set one of them"))


def _direction(reader: _Reader) -> Direction:
    choice = _one_of("asc", "desc")
    return cast("Direction", reader.parse("SCAN_SORT_DIRECTION", "asc", choice, "set one of them"))


def _limit(reader: _Reader) -> int:
    return reader.parse("SCAN_LIMIT", "5000", _integer(LIMIT_MIN, LIMIT_MAX), "5000 is best")


def _requests_per_minute(reader: _Reader) -> int:
    number = _integer(1, 1000)
    return reader.parse("SCAN_REQUESTS_PER_MINUTE", "25", number, "the tenant has 30")


def _check_policy(reader: _Reader, policy: Policy) -> None:
    """Name durations that contradict each other."""
    if policy.fresh < policy.settle:
        reader.problem("SCAN_FRESH", "is shorter than SCAN_SETTLE: nothing would ever be fresh")
    if policy.lookback >= policy.reach:
        reader.problem(
            "SCAN_LOOKBACK", "is not shorter than SCAN_REACH: the API no longer shows that time"
        )
    if policy.settle >= policy.reach:
        reader.problem("SCAN_SETTLE", "is not shorter than SCAN_REACH: nothing could be scanned")
    if policy.sweeps and policy.sweeps[0][1] <= policy.settle:
        reader.problem("SCAN_SWEEPS", "begins no later than SCAN_SETTLE: a sweep looks again later")
    if policy.sweeps and policy.sweeps[-1][1] >= policy.reach:
        reader.problem("SCAN_SWEEPS", "ends past SCAN_REACH: the API no longer shows that time")


def fingerprint(filters: dict[str, Any], axis: str) -> str:
    """Return 16 hex digits that identify filters and sort field, whatever the keys' order."""
    scope = json.dumps({"filters": filters, "sortField": axis}, sort_keys=True)
    return sha256(scope.encode()).hexdigest()[:16]


_DURATION = "write it as 90s, 5m, 24h, 8d or ISO 8601 such as PT5M"
_SHORT_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)", re.ASCII)
_ISO_DURATION = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
LONGEST = 3650 * DAY_MS
"""No activity is older; what is longer is a typing error, and would overflow dates."""


def _duration(text: str) -> int:
    """Return a positive duration in milliseconds."""
    if short := _SHORT_DURATION.fullmatch(text.lower()):
        length = int(short[1]) * UNITS[short[2]]
    elif (iso := _ISO_DURATION.fullmatch(text.upper())) and any(iso.groups()):
        units = (7 * DAY_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS)
        length = sum(int(n or 0) * unit for n, unit in zip(iso.groups(), units, strict=True))
    else:
        raise ValueError("that is no duration")
    if not 0 < length <= LONGEST:
        raise ValueError("it must be longer than zero and at most 3650 days")
    return length


BUDGET_LEAST = 5 * SECOND_MS
"""With less, a run would do little else than claim and release its ledger."""


def _budget(text: str) -> int:
    length = _duration(text)
    if not BUDGET_LEAST <= length <= 9 * MINUTE_MS:
        raise ValueError("it must be between 5 s and 9 min: the platform ends a run after 10 min")
    return length


def _slice(text: str) -> int:
    length = _duration(text)
    if HOUR_MS % length or length < SECOND_MS:
        raise ValueError("it must divide an hour")
    return length


def _sweeps(text: str) -> tuple[tuple[str, int], ...]:
    """Return the sweeps ascending by age, each with the name of its pass; `none` for none."""
    if text.lower() == "none":
        return ()
    ages = sorted({_duration(age.strip()) for age in text.split(",")})
    return tuple((sweep_name(age), age) for age in ages)


def _filters(text: str) -> dict[str, Any]:
    value = json.loads(
        text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_object
    )
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a wrong setting
    for name in ("date", "created"):
        if not isinstance(value.get(name, {}), dict):
            raise ValueError(f"{name} takes operators such as gte")  # noqa: TRY004 - the same
    _require_shallow(value, FILTER_LEVELS)
    json.dumps(value, ensure_ascii=False).encode()  # A lone surrogate cannot be sent.
    return value


FILTER_LEVELS = 64
"""How deep filters may be nested. Versions of Python differ in what they read and write again."""


def _require_shallow(value: object, levels: int) -> None:
    if not levels:
        raise ValueError("it is nested too deeply")
    inner = value.values() if isinstance(value, dict) else value
    for it in inner if isinstance(inner, Iterable) and not isinstance(inner, str) else ():
        _require_shallow(it, levels - 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} comes twice in one object")
    return made


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text} is too large")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _elements(text: str) -> list[dict[str, Any]]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise ValueError("it is no JSON array of objects")
    return value


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _scan_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise ValueError("that is no scan name")
    return text


def _container(text: str) -> str:
    if not re.fullmatch(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", text):
        raise ValueError("that is no container name")
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("that is neither true nor false")
    return text.lower() == "true"


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"it must be {' or '.join(allowed)}")
        return text

    return read


def _integer(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"it must be a whole number from {least} to {most}")
        return int(text)

    return read
