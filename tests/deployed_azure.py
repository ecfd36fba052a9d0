"""Azure Resource Manager and a key vault on loopback, and an Azure CLI that is signed in.

They answer what the documentation of the two REST interfaces says, for one app and one vault.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from shared.adapters.app_settings import CLOUDS, Cloud
from simulator.listening import Incoming, Listener, Reply, TlsFiles

SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
CLI_TOKEN = "the-token-of-the-caller"
SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-scan/providers/Microsoft.Web/sites/func"


@dataclass(slots=True)
class Azure:
    """What the stand-in holds, and what it was asked.

    Attributes:
        settings: of the app.
        secrets: of the vault, by path.
        refused: an error for every request, with its status.
        asked: method, path and `Authorization` of each request.
    """

    settings: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    refused: tuple[int, str] | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def respond(self, incoming: Incoming) -> Reply:
        """Answer one request."""
        self.asked.append((incoming.method, incoming.path, incoming.headers["Authorization"] or ""))
        if self.refused:
            return _error(*self.refused)
        if (incoming.method, incoming.path) == ("POST", f"{SITE}/config/appsettings/list"):
            assert incoming.query == "api-version=2024-04-01"
            # A setting that sticks to its slot is listed like any other.
            return _json(200, {"name": "appsettings", "properties": self.settings})
        if incoming.method == "GET" and incoming.path in self.secrets:
            assert incoming.query == "api-version=7.4"
            return _json(200, {"value": self.secrets[incoming.path], "attributes": {}})
        code = "SecretNotFound" if "/secrets/" in incoming.path else "ResourceNotFound"
        return _error(404, code)


def _json(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


def _error(status: int, code: str) -> Reply:
    return _json(status, {"error": {"code": code, "message": "The reason is this."}})


@contextmanager
def resource_manager(folder: Path) -> Iterator[tuple[Azure, Cloud, str]]:
    """Provide the stand-in, the cloud that it is, and the file of its certificate authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "arm-ca.pem"))
    issued = authority.issue_cert("127.0.0.1", "localhost", "vault.localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "arm.pem"))
    azure = Azure()
    tls = TlsFiles(str(folder / "arm.pem"), str(folder / "arm.pem"))
    listener = Listener(azure.respond, now_ms=lambda: 0, host="127.0.0.1", port=0, tls=tls)
    listener.start()
    cloud = Cloud(
        name=CLOUDS[0].name,
        authority=CLOUDS[0].authority,
        management=listener.url,
        vaults="localhost",
    )
    try:
        yield azure, cloud, str(folder / "arm-ca.pem")
    finally:
        listener.stop()


def signed_in_cli(folder: Path, *, cloud: str = "AzureCloud", signed_in: bool = True) -> Path:
    """Write an Azure CLI that answers for its account and its tokens; return its folder."""
    account = json.dumps({"id": SUBSCRIPTION, "environmentName": cloud, "tenantId": "t"})
    token = json.dumps(
        {
            "accessToken": CLI_TOKEN,
            "expiresOn": "2099-01-01 00:00:00.000000",
            "expires_on": 4070908800,
            "subscription": SUBSCRIPTION,
            "tenant": "t",
            "tokenType": "Bearer",
        }
    )
    answer = f"""case "$2" in
  show) echo '{account}' ;;
  get-access-token) echo '{token}' ;;
  *) exit 2 ;;
esac"""
    refusal = "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1"
    place = folder / "bin"
    place.mkdir()
    program = place / "az"
    program.write_text(f"#!/bin/sh\n{answer if signed_in else refusal}\n")
    program.chmod(0o755)
    return place
