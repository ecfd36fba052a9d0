"""The table of all settings: name, default, parser, what to write, and the reason.

`docs/settings.md` is the same table for readers. Tests check that both have the same names,
defaults and reasons.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from shared.access import AuthMode, Secret
from shared.core.model import LIMIT_MAX, LIMIT_MIN, Axis, Direction, SweepBy
from shared.settings import parsers

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[Value]):
    """One setting.

    Attributes:
        name: of the environment variable.
        default: used when the setting is absent or empty; None if it has no default.
        parse: returns the value of a text, or raises ValueError.
        hint: what to write instead of an invalid text.
        reason: what the setting is for, or why it has this default.
        per_scan: whether an element of SCANS may set it for its scan.
        is_shown: whether a problem may repeat the text. It may not where people put secrets.
    """

    name: str
    default: str | None = None
    parse: Callable[[str], Value]
    hint: str = ""
    reason: str
    per_scan: bool = False
    is_shown: bool = True


DURATION = "write it as 90s, 5m, 24h, 8d or in ISO 8601, such as PT5M"
CHOICE = "set one of them"
CONTAINER = "use 3 to 63 lower-case letters, digits and single hyphens"

MDA_API_URL = Setting(
    name="MDA_API_URL",
    parse=str,
    hint="the Defender portal shows it under Settings, Cloud Apps, About, as API URL",
    reason="The Defender portal shows it under Settings, Cloud Apps, About",
    per_scan=True,
)
MDA_ALLOW_ANY_HOST = Setting(
    name="MDA_ALLOW_ANY_HOST",
    default="false",
    parse=parsers.boolean,
    hint="set true or false",
    reason="Off by default, because a wrong address would receive the token",
)
MDA_AUTH: Setting[AuthMode] = Setting(
    name="MDA_AUTH",
    parse=parsers.one_of(get_args(AuthMode)),
    hint="leave it empty for the managed identity",
    reason="How to sign in",
    per_scan=True,
)
MDA_TENANT_ID = Setting(
    name="MDA_TENANT_ID",
    parse=str,
    reason="Tenant of the app registration",
    per_scan=True,
)
MDA_CLIENT_ID = Setting(
    name="MDA_CLIENT_ID",
    parse=str,
    reason="Client id of the app registration",
    per_scan=True,
)
MDA_CLIENT_SECRET = Setting(
    name="MDA_CLIENT_SECRET",
    parse=Secret,
    reason="Secret of the app registration",
)
MDA_API_TOKEN = Setting(
    name="MDA_API_TOKEN",
    parse=Secret,
    reason="The legacy API token",
)
IDENTITY_CLIENT_ID = Setting(
    name="IDENTITY_CLIENT_ID",
    parse=str,
    reason="Empty means the app's system-assigned identity",
)

STORAGE_ACCOUNT_URL = Setting(
    name="STORAGE_ACCOUNT_URL",
    parse=str,
    hint=(
        "give the blob endpoint, such as https://NAME.blob.core.windows.net "
        "(or STORAGE_CONNECTION_STRING for local use)"
    ),
    reason="The identity signs in to it",
)
STORAGE_CONNECTION_STRING = Setting(
    name="STORAGE_CONNECTION_STRING",
    parse=Secret,
    reason="Replaces the URL, for local use",
)
STORAGE_DATA_CONTAINER = Setting(
    name="STORAGE_DATA_CONTAINER",
    default="activities",
    parse=parsers.container_name,
    hint=CONTAINER,
    reason="The container for parts",
    per_scan=True,
)
STORAGE_MANIFEST_CONTAINER = Setting(
    name="STORAGE_MANIFEST_CONTAINER",
    default="manifests",
    parse=parsers.container_name,
    hint=CONTAINER,
    reason="The container for manifests: the chain, and the readers' feed",
    per_scan=True,
)
STORAGE_STATE_CONTAINER = Setting(
    name="STORAGE_STATE_CONTAINER",
    default="scan-state",
    parse=parsers.container_name,
    hint=CONTAINER,
    reason="The container for the ledger, the run log and the quarantine",
    per_scan=True,
)

SCAN_NAME = Setting(
    name="SCAN_NAME",
    default="all",
    parse=parsers.scan_name,
    hint="use a-z, 0-9 and -, at most 40 of them",
    reason="The scan's name, which is part of every blob's name",
    per_scan=True,
)
SCAN_FILTERS = Setting(
    name="SCAN_FILTERS",
    default="{}",
    parse=parsers.filters,
    hint="give a JSON object, or {} for everything",
    reason="By default everything is collected",
    per_scan=True,
)
SCAN_ACCEPT_FILTERS = Setting(
    name="SCAN_ACCEPT_FILTERS",
    parse=str,
    reason="Accepts changed filters under the same name",
    per_scan=True,
)
SCAN_SORT_FIELD: Setting[Axis] = Setting(
    name="SCAN_SORT_FIELD",
    default="date",
    parse=parsers.one_of(get_args(Axis)),
    hint=CHOICE,
    reason="The API's scan mode is known to work with `date`",
    per_scan=True,
)
SCAN_SORT_DIRECTION: Setting[Direction] = Setting(
    name="SCAN_SORT_DIRECTION",
    default="asc",
    parse=parsers.one_of(get_args(Direction)),
    hint=CHOICE,
    reason="With `asc`, activities that arrive meanwhile are still ahead of the cursor",
    per_scan=True,
)
SCAN_LIMIT = Setting(
    name="SCAN_LIMIT",
    default="5000",
    parse=parsers.integer(LIMIT_MIN, LIMIT_MAX),
    hint="5000 suits every tenant, since the scan asks for less where the API refuses it",
    reason="The API's own default of 500 needs ten times as many requests",
    per_scan=True,
)
SCAN_SCHEDULE = Setting(
    name="SCAN_SCHEDULE",
    parse=str,
    reason="Only the platform uses it, so the program has no default",
)
SCAN_TIME_BUDGET = Setting(
    name="SCAN_TIME_BUDGET",
    default="4m",
    parse=parsers.time_budget,
    hint=DURATION,
    reason="The platform kills a run after ten minutes, and the timer fires every five",
)
SCAN_LOOKBACK = Setting(
    name="SCAN_LOOKBACK",
    default="7d",
    parse=parsers.duration,
    hint=DURATION,
    reason="How far back the first run begins",
    per_scan=True,
)
SCAN_SETTLE = Setting(
    name="SCAN_SETTLE",
    default="10m",
    parse=parsers.duration,
    hint=DURATION,
    reason="The API usually shows activities 3 to 6 minutes after they happen",
    per_scan=True,
)
SCAN_FRESH = Setting(
    name="SCAN_FRESH",
    default="1h",
    parse=parsers.duration,
    hint=DURATION,
    reason="So new activities arrive soon, and a backlog needs few requests",
    per_scan=True,
)
SCAN_SLICE = Setting(
    name="SCAN_SLICE",
    default="5m",
    parse=parsers.slice_length,
    hint=DURATION,
    reason="Length of a fresh slice",
    per_scan=True,
)
SCAN_SWEEPS = Setting(
    name="SCAN_SWEEPS",
    default="2h,24h,8d",
    parse=parsers.sweeps,
    hint=DURATION,
    reason=(
        "Most late activities arrive within two hours. Microsoft documents delays of up to three "
        "days, and a newly connected app delivers the activities of its past week"
    ),
    per_scan=True,
)
SCAN_SWEEP_BY: Setting[SweepBy] = Setting(
    name="SCAN_SWEEP_BY",
    default="full",
    parse=parsers.one_of(get_args(SweepBy)),
    hint=CHOICE,
    reason="`created` works only if the tenant's API honours a filter on `created`",
    per_scan=True,
)
SCAN_REACH = Setting(
    name="SCAN_REACH",
    default="30d",
    parse=parsers.duration,
    hint=DURATION,
    reason="How far back the API answers",
    per_scan=True,
)
SCAN_CONCURRENCY = Setting(
    name="SCAN_CONCURRENCY",
    default="3",
    parse=parsers.integer(1, 16),
    hint="3 suits most tenants",
    reason=(
        "With three, the scan can use the whole request budget as long as a page takes up to 6 s"
    ),
    per_scan=True,
)
SCAN_REQUESTS_PER_MINUTE = Setting(
    name="SCAN_REQUESTS_PER_MINUTE",
    default="25",
    parse=parsers.integer(1, 1000),
    hint="the tenant has 30",
    reason="The tenant has 30, and its other programs need some",
    per_scan=True,
)
SCAN_LAG_ALERT = Setting(
    name="SCAN_LAG_ALERT",
    default="1h",
    parse=parsers.duration,
    hint=DURATION,
    reason="A single late run needs no action",
    per_scan=True,
)
SCAN_DOUBT_ALERT = Setting(
    name="SCAN_DOUBT_ALERT",
    default="5m",
    parse=parsers.allowance,
    hint=DURATION,
    reason="Sweeps clear most doubt, and a few seconds of it are not worth a message",
    per_scan=True,
)
SCAN_THROTTLED_ALERT = Setting(
    name="SCAN_THROTTLED_ALERT",
    default="50",
    parse=parsers.integer(1, 99),
    hint="50 suits most tenants",
    reason="Other programs use the tenant's requests, too, so some runs are throttled",
    per_scan=True,
)
SCAN_PAUSE_ALERT = Setting(
    name="SCAN_PAUSE_ALERT",
    default="24h",
    parse=parsers.duration,
    hint=DURATION,
    reason="Somebody may have forgotten the pause",
    per_scan=True,
)
SCAN_DOCTOR = Setting(
    name="SCAN_DOCTOR",
    parse=str,
    reason="The next run examines the API and the storage, once for each label",
)
SCAN_FAN_OUT = Setting(
    name="SCAN_FAN_OUT",
    default="false",
    parse=parsers.boolean,
    hint="set true or false",
    reason="Off by default, because the platform stops an app that may not read its queue",
)
SCANS = Setting(
    name="SCANS",
    default="[]",
    parse=parsers.scan_objects,
    hint='give a JSON array such as [{"name": "all"}]',
    is_shown=False,
    reason="Several scans in one app",
)

SETTINGS: tuple[Setting[Any], ...] = (
    MDA_API_URL,
    MDA_ALLOW_ANY_HOST,
    MDA_AUTH,
    MDA_TENANT_ID,
    MDA_CLIENT_ID,
    MDA_CLIENT_SECRET,
    MDA_API_TOKEN,
    IDENTITY_CLIENT_ID,
    STORAGE_ACCOUNT_URL,
    STORAGE_CONNECTION_STRING,
    STORAGE_DATA_CONTAINER,
    STORAGE_MANIFEST_CONTAINER,
    STORAGE_STATE_CONTAINER,
    SCAN_NAME,
    SCAN_FILTERS,
    SCAN_ACCEPT_FILTERS,
    SCAN_SORT_FIELD,
    SCAN_SORT_DIRECTION,
    SCAN_LIMIT,
    SCAN_SCHEDULE,
    SCAN_TIME_BUDGET,
    SCAN_LOOKBACK,
    SCAN_SETTLE,
    SCAN_FRESH,
    SCAN_SLICE,
    SCAN_SWEEPS,
    SCAN_SWEEP_BY,
    SCAN_REACH,
    SCAN_CONCURRENCY,
    SCAN_REQUESTS_PER_MINUTE,
    SCAN_LAG_ALERT,
    SCAN_DOUBT_ALERT,
    SCAN_THROTTLED_ALERT,
    SCAN_PAUSE_ALERT,
    SCAN_DOCTOR,
    SCAN_FAN_OUT,
    SCANS,
)
"""Every setting that the program reads."""

NAMES = tuple(setting.name for setting in SETTINGS)

PER_SCAN: dict[str, Setting[Any]] = {
    it.name.partition("_")[2].lower(): it for it in SETTINGS if it.per_scan
}
"""What an element of SCANS may set for its scan, by key: the name without what is before the first
`_`, in lower case."""

SECRETS: dict[str, Setting[Secret]] = {
    "client_secret_setting": MDA_CLIENT_SECRET,
    "api_token_setting": MDA_API_TOKEN,
}
"""By the key of an element of SCANS that names another setting in place of this one."""


def is_secret_of_a_scan(name: str, secret: Setting[Secret] | None = None) -> bool:
    """Say whether a setting of this name is for the secret of one scan: `MDA_API_TOKEN_CONTOSO`.

    Args:
        name: what somebody wrote, which may be the secret itself.
        secret: the setting that it takes the place of; None for any.
    """
    kinds = [it.name for it in SECRETS.values() if secret in {None, it}]
    return bool(re.fullmatch(rf"({'|'.join(kinds)})_[A-Z0-9_]{{1,60}}", name))
