"""The settings of a deployed app, read with the sign-in of whoever runs a command.

Azure Resource Manager lists an app's settings as they were set: a reference to a Key Vault is text,
which only the platform resolves for the app. Here the caller's own rights resolve it.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import TokenCredential
from requests.auth import AuthBase

from shared.adapters.patience import SignInError
from shared.core.errors import AppUnreadable
from shared.core.quoting import quoted

TIMEOUTS = (5, 30)
"""Seconds to connect, and between two pieces of an answer."""

AZ_SECONDS = 60
"""The Azure CLI needs a second or two; the first start after an update may take half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One of Azure's clouds.

    Attributes:
        name: as the Azure CLI calls it.
        authority: host that signs in.
        management: address of Azure Resource Manager.
        vaults: domain of the key vaults.
    """

    name: str
    authority: str
    management: str
    vaults: str


CLOUDS = (
    Cloud(
        name="AzureCloud",
        authority="login.microsoftonline.com",
        management="https://management.azure.com",
        vaults="vault.azure.net",
    ),
    Cloud(
        name="AzureUSGovernment",
        authority="login.microsoftonline.us",
        management="https://management.usgovcloudapi.net",
        vaults="vault.usgovcloudapi.net",
    ),
    Cloud(
        name="AzureChinaCloud",
        authority="login.chinacloudapi.cn",
        management="https://management.chinacloudapi.cn",
        vaults="vault.azure.cn",
    ),
)
"""The public cloud first, which is meant where nothing says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the Azure CLI is signed in to.

    Attributes:
        subscription: id of its current subscription.
        cloud: name of its current cloud.
    """

    subscription: str
    cloud: str


def cli_account() -> Account | None:
    """Return what the Azure CLI is signed in to; None without the CLI, or where nobody is."""
    program = shutil.which("az")
    if program is None:
        return None
    try:
        ran = subprocess.run(  # noqa: S603 - the Azure CLI, as it is found on PATH
            [program, "account", "show", "--output", "json", "--only-show-errors"],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=AZ_SECONDS,
        )
        shown = json.loads(ran.stdout)
        return Account(subscription=shown["id"], cloud=shown["environmentName"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return None


class AppSettings:
    """Reads the settings of one app, and the secrets that they refer to."""

    def __init__(self, cloud: Cloud, credential: TokenCredential) -> None:
        """Ask this cloud with this sign-in; nothing is requested yet."""
        self._cloud = cloud
        self._credential = credential

    def read(self, subscription: str, group: str, app: str) -> dict[str, str]:
        """Return an app's settings by name, references unresolved.

        Raises:
            AppUnreadable: nobody is signed in, the sign-in lacks a right, or there is no such app.
        """
        management = self._cloud.management
        place = f"app {app} in resource group {group} of subscription {subscription}"
        answer = self._ask(
            "POST",
            f"{management}/subscriptions/{subscription}/resourceGroups/{group}/providers/"
            f"Microsoft.Web/sites/{app}/config/appsettings/list?api-version=2024-04-01",
            management,
        )
        if answer.status_code != requests.codes.ok:
            raise AppUnreadable(f"the settings of {place} cannot be read: {_refusal(answer)}")
        settings = _json(answer).get("properties")
        if not isinstance(settings, dict):
            raise AppUnreadable(f"the answer about {place} holds no settings")
        return {str(name): str(value) for name, value in settings.items()}

    def secret(self, reference: str) -> str:
        """Return the secret that a Key Vault reference names.

        Raises:
            AppUnreadable: the text is not such a reference, its host is not a vault of this cloud,
                or the sign-in may not read the secret.
        """
        address = self._address(reference)
        answer = self._ask("GET", f"{address}?api-version=7.4", f"https://{self._cloud.vaults}")
        value = _json(answer).get("value") if answer.status_code == requests.codes.ok else None
        if not isinstance(value, str):
            raise AppUnreadable(f"{address} cannot be read: {_refusal(answer)}")
        return value

    def _address(self, reference: str) -> str:
        """Return the secret's address; a token is sent only to vaults of this cloud."""
        address = secret_address(reference, self._cloud.vaults)
        host = urlsplit(address).hostname or ""
        if not re.fullmatch(rf"[a-z0-9-]+\.{re.escape(self._cloud.vaults)}", host):
            raise AppUnreadable(
                f"{host or 'the reference'} is not a vault of {self._cloud.name} "
                f"(NAME.{self._cloud.vaults})"
            )
        return address

    def _ask(self, method: str, url: str, audience: str) -> requests.Response:
        try:
            token = self._credential.get_token(f"{audience}/.default").token
        except SignInError as error:
            raise AppUnreadable(
                f"nobody is signed in who could read the app's settings ({error}): run `az login`"
            ) from error
        try:
            return requests.request(
                method,
                url,
                auth=_Bearer(token),
                headers={"Accept": "application/json"},
                timeout=TIMEOUTS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            host = urlsplit(url).hostname
            raise AppUnreadable(
                f"{host} cannot be reached ({type(error).__name__}): check the network and the "
                "proxy"
            ) from error


_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<what>.*)\)", re.DOTALL)
_SECRET = re.compile(r"https://[^/?#@\s]+/secrets/[A-Za-z0-9-]+(/[A-Za-z0-9]*)?/?")


def secret_address(reference: str, domain: str) -> str:
    """Return the address of the secret in a Key Vault reference, in either of its forms.

    Args:
        reference: the text of a setting.
        domain: of the vaults, for the form that only names the vault.

    Raises:
        AppUnreadable: it is not such a reference.
    """
    found = _REFERENCE.fullmatch(reference.strip())
    parts = (it.partition("=") for it in (found["what"] if found else "").split(";"))
    told = {name.strip().lower(): value.strip() for name, _, value in parts}
    address = told.get("secreturi", "")
    if not address:
        path = "/".join(filter(None, [told.get("secretname"), told.get("secretversion")]))
        address = f"https://{told.get('vaultname', '')}.{domain}/secrets/{path}"
    if not _SECRET.fullmatch(address):
        raise AppUnreadable("it is not a Key Vault reference that this program understands")
    return address.rstrip("/")


class _Bearer(AuthBase):
    """Sets our own header; without it a `.netrc` entry for the host would replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


REMEDIES = {
    401: "the sign-in is for another tenant or cloud: run `az login --tenant TENANT`",
    403: (
        "ask for the role Website Contributor on the app (to read its settings) or Key Vault "
        "Secrets User on the vault (to read its secret), and check the vault's network rules"
    ),
    404: "check the names, and that the right subscription is meant",
    429: "try again in a minute",
}
"""What to do about a refusal, by its status."""


def _refusal(answer: requests.Response) -> str:
    """Return why a request was refused, and what to do about it."""
    error = _json(answer).get("error")
    told = error if isinstance(error, dict) else {}
    said = quoted(f"{told.get('code', '')} {told.get('message', '')}".strip())
    remedy = REMEDIES.get(answer.status_code, "try again later")
    return f"HTTP {answer.status_code}{f' ({said})' if said else ''}; {remedy}"


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
