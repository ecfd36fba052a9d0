"""A stand-in for the Azure CLI that answers what the deployment scripts ask of it.

`Azure` puts a program `az` first on the PATH of the scripts that it runs. The program hands its
arguments to the process of the tests, which answers as Azure, Microsoft Graph and the CLI would and
really evaluates `--query` (JMESPath). A command or an address that it does not know is an error, so
a script that asks for the wrong thing fails. A Python for every call would take thirty times as
long, and the scripts make a dozen calls in each of their two hundred tests.
"""

import atexit
import contextlib
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import traceback
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jmespath

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "infra/scripts"

TENANT = "11111111-2222-3333-4444-555555555555"
GRAPH = "https://graph.microsoft.com"
API = "05a65629-4c1b-48c1-a78b-804c4abdd4af"

State = dict[str, Any]
Options = dict[str, list[str]]

SIGNED_IN: State = {
    "account": {
        "tenantId": TENANT,
        "id": "22222222-3333-4444-5555-666666666666",
        "name": "Contoso",
        "user": {"name": "admin@contoso.example", "type": "user"},
    },
    "cloud": {
        "endpoints": {
            "microsoftGraphResourceId": f"{GRAPH}/",
            "activeDirectory": "https://login.microsoftonline.com",
        }
    },
    "servicePrincipals": [],
    "applications": [],
    "new_client": "cccccccc-0000-0000-0000-00000000000c",
    "apps": {},
    "denied": [],
    "unknown_for": {},
    "page": 100,
    "providers": {
        "Microsoft.App": "NotRegistered",
        "Microsoft.EventGrid": "NotRegistered",
        "microsoft.insights": "Registered",
        "Microsoft.KeyVault": "NotRegistered",
        "Microsoft.ManagedIdentity": "Registered",
        "Microsoft.Network": "NotRegistered",
        "Microsoft.OperationalInsights": "Registered",
        "Microsoft.Storage": "Registered",
        "Microsoft.Web": "Registered",
    },
    "deployments": {},
    "outputs": {},
    "version": "2.79.0",
    "regions": {"westeurope": True, "northeurope": True, "westus": False},
    "me": "99999999-0000-0000-0000-000000000009",
    "secrets": {},
    "lost_track": 0,
    "deployment_log": [
        "Updating submodules.",
        "Command: oryx build /tmp/zipdeploy/extracted --platform python --platform-version 3.13",
    ],
    "deployment_error": None,
    "publications": [],
    "publish_errors": [],
    "publish_hangs": False,
    "functions": [["scan_activities"]],
    "calls": [],
}
"""A person signed in, and nothing else.

`denied` has patterns of "METHOD PATH" that Graph refuses; `unknown_for` how often an object is not
known yet, by its id; `new_client` is the client id of the next registration; `page` how many
objects a page of a list has. `publish_errors` and `functions` are used one after the other, the
last of `functions` for good. `regions` has those with Flex Consumption, each with whether it has
zones; `me` is the object id of who is signed in, or nothing where the directory does not say;
`secrets` has the secrets of each vault, or what it says instead; `deployment_log` what the newest
deployment wrote, None when nobody knows; `lost_track` how often the functions must be read again
before more than `WarmUp` is listed.
"""


PROGRAM = """\
#!/usr/bin/env bash
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\0' "$0" $# "$@" >&3
IFS= read -r -d '' output <&3
IFS= read -r -d '' errors <&3
IFS= read -r -d '' code <&3
printf '%s' "$output"
printf '%s' "$errors" >&2
[ "$code" != hang ] || sleep 60
exit "$code"
"""
"""The program `az`: it sends its own path and its arguments, and shows what comes back."""


class Azure:
    """A state of Azure, and the scripts run in front of it.

    Attributes:
        folder: where the program and what the scripts write are.
    """

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        self._state: State = json.loads(json.dumps(SIGNED_IN | given))
        self._lock = threading.Lock()
        programs = folder / "bin"
        programs.mkdir()
        self._program = programs / "az"
        self._program.write_text(PROGRAM.format(port=listener().server_address[1]))
        self._program.chmod(0o755)
        listener().known[str(self._program)] = self
        installer = programs / "uv"
        installer.write_text(
            '#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\n'
            'mkdir -p "$2/isal" && echo > "$2/isal/__init__.py"\n'
        )
        installer.chmod(0o755)
        self._env = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            # The one on PATH may be a version manager's, which takes longer than what it starts.
            "PYTHON": sys.executable,
            "DIRECTORY_WAIT_SECONDS": "0",
            "AZURE_WAIT_SECONDS": "0",
        }

    def run(self, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script of infra/scripts to its end."""
        return self.program([str(SCRIPTS / script), *arguments], **env)

    def program(self, command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with this `az` on its PATH."""
        return subprocess.run(
            command,
            env=self._env | env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def running(self) -> list[str]:
        """Return the processes of this `az` that were left behind."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found.append(entry.read_text())
        return [it for it in found if str(self._program) in it]

    def answer(self, arguments: list[str]) -> tuple[str, str, str]:
        """Be `az` once: return what it writes, what it complains of, and its exit code."""
        with self._lock:
            return called(self._state, arguments)

    def state(self) -> State:
        """Return what is there now."""
        with self._lock:
            copied: State = json.loads(json.dumps(self._state))
            return copied

    def calls(self, *words: str) -> list[str]:
        """Return the calls that began with these words, in order."""
        begin = " ".join(words)
        return [call for call in self.state()["calls"] if call.startswith(begin)]


HANG = "hang"
"""An answer that never comes."""


class RefusedError(Exception):
    """The command fails and writes this message to standard error."""


def parse(arguments: list[str]) -> tuple[str, Options]:
    """Return the words of a command, and the values of each of its options."""
    words: list[str] = []
    options: Options = {}
    name = ""
    for argument in arguments:
        if re.match(r"--?[a-z]", argument):
            name = argument
            options.setdefault(name, [])
        elif name:
            options[name].append(argument)
        else:
            words.append(argument)
    return " ".join(words), options


def one(options: Options, *names: str) -> str:
    """Return the value of an option that must have one."""
    for name in names:
        if options.get(name):
            return options[name][0]
    msg = f"ERROR: the following arguments are required: {'/'.join(names)}"
    raise RefusedError(msg)


def account_show(state: State, _: Options) -> object:
    """Answer `az account show`."""
    if state["account"] is None:
        raise RefusedError("ERROR: Please run 'az login' to setup account.")
    return state["account"]


def graph_error(status: str, code: str, message: str) -> RefusedError:
    """Return an error of Graph as `az rest` writes it."""
    return RefusedError(
        f"ERROR: {status}({json.dumps({'error': {'code': code, 'message': message}})})"
    )


def not_found(identity: str) -> RefusedError:
    """Return Graph's error for an object that it does not know, or does not know yet."""
    return graph_error(
        "Not Found",
        "Request_ResourceNotFound",
        f"Resource '{identity}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )


def rest(state: State, options: Options) -> object:
    """Answer `az rest` for the addresses of Graph that the scripts use."""
    method = one(options, "--method").lower()
    url = urlsplit(one(options, "--url"))
    if url.path.endswith("/host/default/sync") and not url.netloc:
        state["lost_track"] = max(0, state["lost_track"] - 1)
        return None
    if f"{url.scheme}://{url.netloc}" != GRAPH:
        msg = f"ERROR: no such host: {url.netloc}"
        raise RefusedError(msg)
    path = url.path.removeprefix("/v1.0")
    if any(re.fullmatch(pattern, f"{method} {path}") for pattern in state["denied"]):
        raise graph_error(
            "Forbidden",
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    if method == "post":
        if one(options, "--headers") != "Content-Type=application/json":
            raise graph_error("Bad Request", "BadRequest", "the body is no JSON")
        return add(state, path, json.loads(one(options, "--body")))
    if method == "delete":
        collection, identity = path.strip("/").split("/")
        state[collection].remove(known(state, collection, identity))
        return None
    return read(state, path, unquote(url.query))


def _is_unknown(state: State, wanted: str) -> bool:
    """Say whether a list does not show a new object yet, and count that it was asked."""
    wait: int = state["unknown_for"].get(wanted, 0)
    state["unknown_for"][wanted] = max(0, wait - 1)
    return wait > 0


def known(state: State, collection: str, identity: str) -> State:
    """Return an object by its id; a new object is unknown for the first few reads."""
    wait = state["unknown_for"].get(identity, 0)
    if wait:
        state["unknown_for"][identity] = wait - 1
        raise not_found(identity)
    for entry in state[collection]:
        if entry["id"] == identity:
            found: State = entry
            return found
    raise not_found(identity)


def read(state: State, path: str, query: str) -> object:
    """Answer a GET: a list by application id, an object, or a list of an object's, in pages."""
    collection, identity, inner, *_ = [*path.strip("/").split("/"), "", ""]
    if not identity:
        wanted = re.match(r"\$filter=(appId|displayName) eq '([^']+)'", query)
        if not wanted:
            raise graph_error("Bad Request", "BadRequest", f"not a filter: {query}")
        matching = [it for it in state[collection] if it.get(wanted[1]) == wanted[2]]
        return {"value": [] if _is_unknown(state, wanted[2]) else matching}
    found = known(state, collection, identity)
    if not inner:
        return found
    entries = found.get(inner, [])
    start = int(query.partition("$skiptoken=")[2] or 0)
    end = start + state["page"]
    answer: State = {"value": entries[start:end]}
    if end < len(entries):
        answer["@odata.nextLink"] = f"{GRAPH}/v1.0{path}?$skiptoken={end}"
    return answer


def add(state: State, path: str, body: State) -> object:
    """Answer a POST: a service principal, or an object's assignment or credential."""
    collection, identity, inner, *_ = [*path.strip("/").split("/"), "", ""]
    made = {"id": f"00000000-0000-0000-0000-{len(state['calls']):012}", **body}
    if collection == "applications" and not identity:
        made |= {"appId": state["new_client"], "federatedIdentityCredentials": []}
        state[collection].append(made)
        return made
    if not identity:
        template = next(it for it in state["templates"] if it["appId"] == body["appId"])
        made |= template
        state[collection].append(made)
        return made
    entries = known(state, collection, identity).setdefault(inner, [])
    if any(body.items() <= entry.items() for entry in entries):
        raise graph_error(
            "Bad Request",
            "Request_BadRequest",
            "Permission being assigned already exists on the object",
        )
    entries.append(made)
    return made


def identity_show(state: State, options: Options) -> object:
    """Answer `az functionapp identity show`."""
    name = one(options, "--name", "-n")
    if name not in state["apps"]:
        msg = f"ERROR: (ResourceNotFound) The Resource 'Microsoft.Web/sites/{name}' was not found."
        raise RefusedError(msg)
    return state["apps"][name]


def provider_list(state: State, _: Options) -> object:
    """Answer `az provider list`; a registration takes until the look after the next."""
    there = state["providers"]
    answer = [{"namespace": name, "registrationState": now} for name, now in there.items()]
    following = {"Registering": "Registered"}
    state["providers"] = {name: following.get(now, now) for name, now in there.items()}
    return answer


def provider_register(state: State, options: Options) -> object:
    """Answer `az provider register`."""
    name = one(options, "--namespace", "-n")
    if f"register {name}" in state["denied"]:
        msg = (
            "ERROR: (AuthorizationFailed) The client does not have authorization to perform "
            f"action '{name}/register/action' over scope '/subscriptions/2222'."
        )
        raise RefusedError(msg)
    state["providers"][name] = "Registering"
    return None


def deployment_create(state: State, options: Options) -> object:
    """Answer `az deployment sub create`."""
    if state["deployment_error"]:
        raise RefusedError(state["deployment_error"])
    name = one(options, "--name", "-n")
    given = {key: value for key, value in options.items() if key not in {"--query", "--output"}}
    state["deployments"][name] = {"properties": {"outputs": state["outputs"]}, "options": given}
    return state["deployments"][name]


def deployment_show(state: State, options: Options) -> object:
    """Answer `az deployment sub show`."""
    name = one(options, "--name", "-n")
    if name not in state["deployments"]:
        msg = f"ERROR: (DeploymentNotFound) Deployment '{name}' could not be found."
        raise RefusedError(msg)
    return state["deployments"][name]


def publish(state: State, options: Options) -> object:
    """Answer `az functionapp deployment source config-zip`."""
    if state["publish_errors"]:
        error = state["publish_errors"].pop(0)
        raise RefusedError(error)
    with zipfile.ZipFile(one(options, "--src")) as package:
        names = package.namelist()
    state["publications"].append(
        {
            "app": one(options, "--name", "-n"),
            "group": one(options, "--resource-group", "-g"),
            "build_remote": one(options, "--build-remote"),
            "names": names,
        }
    )
    if state["publish_hangs"]:
        return HANG
    return "Deployment was successful."


def function_list(state: State, options: Options) -> object:
    """Answer `az functionapp function list`."""
    name = one(options, "--name", "-n")
    if state["account"] is None:
        raise RefusedError("ERROR: Please run 'az login' to setup account.")
    if state["lost_track"]:
        return [{"name": f"{name}/WarmUp"}]
    now = state["functions"].pop(0) if len(state["functions"]) > 1 else state["functions"][0]
    if isinstance(now, str):
        raise RefusedError(now)
    return [{"name": f"{name}/{function}", "isDisabled": False} for function in now]


def deployment_log(state: State, _: Options) -> object:
    """Answer `az functionapp log deployment show`."""
    if state["deployment_log"] is None:
        raise RefusedError("ERROR: Operation returned an invalid status 'Not Found'")
    return [{"message": line} for line in state["deployment_log"]]


def version(state: State, _: Options) -> object:
    """Answer `az version`."""
    return {"azure-cli": state["version"]}


def flex_regions(state: State, _: Options) -> object:
    """Answer `az functionapp list-flexconsumption-locations`."""
    if state["account"] is None:
        raise RefusedError("ERROR: Please run 'az login' to setup account.")
    return [{"name": name} for name in state["regions"]]


def regions(state: State, _: Options) -> object:
    """Answer `az account list-locations`."""
    zones = [{"logicalZone": "1"}]
    return [
        {"name": name, "availabilityZoneMappings": zones if has_zones else None}
        for name, has_zones in state["regions"].items()
    ]


def signed_in_user(state: State, _: Options) -> object:
    """Answer `az ad signed-in-user show`."""
    if not state["me"]:
        raise RefusedError("ERROR: Insufficient privileges to complete the operation.")
    return {"id": state["me"]}


def secret_show(state: State, options: Options) -> object:
    """Answer `az keyvault secret show`."""
    found = state["secrets"].get(one(options, "--vault-name"), [])
    if isinstance(found, str):
        raise RefusedError(found)
    name = one(options, "--name", "-n")
    if name not in found:
        msg = f"ERROR: (SecretNotFound) A secret with (name/id) {name} was not found."
        raise RefusedError(msg)
    return {"id": f"https://vault/secrets/{name}"}


def app_show(state: State, options: Options) -> object:
    """Answer `az functionapp show`."""
    group, name = one(options, "--resource-group", "-g"), one(options, "--name", "-n")
    where = f"/subscriptions/{state['account']['id']}/resourceGroups/{group}"
    return {"id": f"{where}/providers/Microsoft.Web/sites/{name}"}


def unrecognized(_: State, __: Options) -> object:
    """Answer any other command."""
    raise RefusedError("ERROR: the command is misspelled or not recognized by the system.")


COMMANDS: dict[str, Callable[[State, Options], object]] = {
    "account show": account_show,
    "account list-locations": regions,
    "ad signed-in-user show": signed_in_user,
    "functionapp list-flexconsumption-locations": flex_regions,
    "functionapp show": app_show,
    "keyvault secret show": secret_show,
    "version": version,
    "cloud show": lambda state, _: state["cloud"],
    "rest": rest,
    "functionapp identity show": identity_show,
    "provider list": provider_list,
    "provider register": provider_register,
    "deployment sub create": deployment_create,
    "deployment sub show": deployment_show,
    "functionapp deployment source config-zip": publish,
    "functionapp function list": function_list,
    "functionapp log deployment show": deployment_log,
}


def written(answer: object, output: str) -> str:
    """Return an answer as `--output` asks for it; `tsv` writes nothing for nothing."""
    if output == "none" or answer is None:
        return ""
    if output == "tsv":
        rows = answer if isinstance(answer, list) else [answer]
        cells = [row if isinstance(row, list) else [row] for row in rows]
        return "".join(
            "\t".join("" if it is None else str(it) for it in row) + "\n" for row in cells
        )
    return json.dumps(answer) + "\n"


def called(state: State, arguments: list[str]) -> tuple[str, str, str]:
    """Return output, errors and exit code of a command; `hang` stands for one that never ends."""
    command, options = parse(arguments)
    state["calls"].append(" ".join(arguments))
    try:
        answer = COMMANDS.get(command, unrecognized)(state, options)
        if answer == HANG:
            return "", "WARNING: Checking the health of the function app\n", HANG
        if "--query" in options:
            answer = jmespath.search(one(options, "--query"), answer)
        return written(answer, (options.get("--output") or ["json"])[0]), "", "0"
    except RefusedError as refusal:
        return "", f"{refusal}\n", "1"
    except Exception:  # noqa: BLE001 - the stand-in is wrong: the script that asked shows how
        return "", traceback.format_exc(), "1"


class _Call(socketserver.StreamRequestHandler):
    server: "_Listener"

    def handle(self) -> None:
        """Answer one call."""
        program, count = self._word(), int(self._word())
        answer = self.server.known[program].answer([self._word() for _ in range(count)])
        self.wfile.write("".join(f"{it}\0" for it in answer).encode())

    def _word(self) -> str:
        word = bytearray()
        while (byte := self.rfile.read(1)) not in {b"\0", b""}:
            word += byte
        return word.decode()


class _Listener(socketserver.ThreadingTCPServer):
    """Hears the calls of every `az` of this process.

    Attributes:
        known: the subscription of each program, by its path.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.known: dict[str, Azure] = {}


@cache
def listener() -> _Listener:
    """Return the one listener of this process, which ends with it."""
    made = _Listener()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    atexit.register(made.server_close)
    return made
