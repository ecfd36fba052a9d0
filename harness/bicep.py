"""Runs the Bicep compiler once for many requests, since starting it takes the most time.

The compiler speaks JSON-RPC over standard input and output (`bicep jsonrpc --stdio`).
"""

import atexit
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

HOW_TO_GET_IT = (
    "there is no 'bicep' on PATH: install it with 'az bicep install' (and add ~/.azure/bin to "
    "PATH) or from https://github.com/Azure/bicep/releases, version 0.49 or later"
)

Json = Any
"""A JSON value, whatever it is."""


class BicepError(Exception):
    """The compiler is missing or refused a file; the message is its own."""


class Compiler:
    """A running compiler."""

    def __init__(self) -> None:
        """Start the compiler.

        Raises:
            BicepError: it is not on PATH.
        """
        program = shutil.which("bicep")
        if not program:
            raise BicepError(HOW_TO_GET_IT)
        environment = {
            **os.environ,
            # Otherwise it needs libraries for languages, which small machines lack.
            "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
            # Otherwise it compiles and optimises itself several times in its short life.
            "DOTNET_TieredCompilation": "0",
            # Otherwise it collects garbage more often than its short life needs; this is 64 MiB.
            "DOTNET_GCgen0size": "4000000",
            "DOTNET_gcConcurrent": "0",
        }
        self._process = subprocess.Popen(
            [program, "jsonrpc", "--stdio"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._asked = 0
        atexit.register(self.close)

    def ask(self, method: str, **parameters: Json) -> Json:
        """Return the result of one request.

        Raises:
            BicepError: the compiler refuses; the message is its own.
        """
        self._asked += 1
        request = {"jsonrpc": "2.0", "id": self._asked, "method": f"bicep/{method}"}
        body = json.dumps({**request, "params": parameters}).encode()
        sink, source = self._process.stdin, self._process.stdout
        if not (sink and source):
            raise BicepError("the compiler was started without pipes")
        sink.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        sink.flush()
        length = 0
        while line := source.readline().strip():
            length = int(line.rpartition(b":")[2]) if b"ength:" in line else length
        answer = json.loads(source.read(length) or '{"error": {"message": "it ended"}}')
        if "error" in answer:
            raise BicepError(answer["error"]["message"])
        return answer["result"]

    def close(self) -> None:
        """Stop the compiler."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._process.terminate()
        self._process.wait()


@cache
def compiler() -> Compiler:
    """Return the one compiler of this process."""
    return Compiler()


def diagnostics(path: Path) -> list[str]:
    """Return the diagnostics of compiler and linter for a file."""
    if path.suffix == ".bicepparam":
        answer = compiler().ask("compileParams", path=str(path), parameterOverrides={})
    else:
        answer = compiler().ask("compile", path=str(path))
    return [f"{it['code']} ({it['level']}): {it['message']}" for it in answer["diagnostics"]]


def formatted(path: Path) -> str:
    """Return a file as the compiler formats it."""
    text: str = compiler().ask("format", path=str(path))["contents"]
    return text


def template(path: Path) -> Json:
    """Return a file as it is compiled, with nothing evaluated; each caller gets a copy of its own.

    Raises:
        BicepError: it does not compile.
    """
    return json.loads(_compiled(path))


@cache
def _compiled(path: Path) -> str:
    answer = compiler().ask("compile", path=str(path))
    if not answer["success"]:
        raise BicepError(f"{path}: {answer['diagnostics']}")
    text: str = answer["contents"]
    return text


def predicted(parameters: Path, **where: str | None) -> Json:
    """Return the deployment that a parameter file asks for: resources and outputs, evaluated.

    The compiler only remarks on what it cannot evaluate, and leaves it out of the prediction.
    Therefore a remark is an error here.

    Raises:
        BicepError: the template refuses the parameters, or it does not compile or is not evaluated.
    """
    try:
        answer = compiler().ask(
            "getSnapshot", path=str(parameters), metadata=where, externalInputs=None
        )
    except BicepError as error:
        raise BicepError("\n".join([str(error), *diagnostics(parameters)])) from None
    found = json.loads(answer["snapshot"])
    if found["diagnostics"]:
        raise BicepError(f"{parameters.name} is not predicted whole: {found['diagnostics']}")
    return found
