"""Runs the function app as Azure does: with the worker's real library, in another process.

As a program it writes lines of JSON (see `harness.functions_worker`) and exits with 0 or 1:

    python -m harness.functions_host --app . --invoke scan_activities

`index`, `invoke` and `start` do the same from Python. The process gets only the environment that
they are given, so it must contain everything that the app needs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
"""The working directory of `python -m harness.functions_host`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A record that the app logged, as the host receives it.

    Attributes:
        level: name of the level, such as INFO.
        category: name of the logger.
        message: the formatted text, with the traceback of an exception.
    """

    level: str
    category: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What the host learns about an app when it starts.

    Attributes:
        success: whether the app could be indexed and all its settings were found.
        functions: the bindings of each function by name, as the host receives them.
        exception: message and traceback of a failure.
    """

    success: bool
    functions: dict[str, list[dict[str, Any]]]
    exception: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The result of one run of a function.

    Attributes:
        success: whether the host would mark it as succeeded.
        logs: all log records, in order, including those from indexing.
        exception: message and traceback of a failure, or how the process ended early.
        console: everything that was printed.
        sent: the messages for a queue that the function left in its output binding.
    """

    success: bool
    logs: tuple[Log, ...]
    exception: str | None
    console: str
    sent: tuple[str, ...] = ()


class Running:
    """A running app. Iterate over it to receive its logs.

    Attributes:
        process: the process, for tests that need its id or state; `kill` ends it.
    """

    def __init__(self, process: subprocess.Popen[str], printed: IO[str]) -> None:
        self.process = process
        self._printed = printed
        self._console: str | None = None
        self._logs: list[Log] = []
        self._index: dict[str, Any] | None = None
        self._result: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Log]:
        """Yield each log record as it arrives, until the process ends."""
        if self.process.stdout is None or self.process.stdout.closed:
            return
        for line in self.process.stdout:
            if log := self._read(line):
                yield log

    def kill(self) -> None:
        """Kill the process, as when an instance is lost."""
        self.process.kill()

    def index(self) -> Index:
        """Wait for the end of the process and return the functions of the app."""
        self._finish()
        if self._index is None:
            return Index(success=False, functions={}, exception=self._early_end())
        return Index(
            success=self._index["success"],
            functions={each["name"]: each["bindings"] for each in self._index["functions"]},
            exception=self._index["exception"],
        )

    def result(self) -> Invocation:
        """Wait for the end of the process and return the result of the invocation."""
        console = self._finish()
        ended = self._result
        if ended is None and self._index and not self._index["success"]:
            ended = self._index
        return Invocation(
            success=ended is not None and ended["success"],
            logs=tuple(self._logs),
            exception=ended["exception"] if ended else self._early_end(),
            console=console,
            sent=tuple(self._result["sent"]) if self._result else (),
        )

    def next_result(self) -> Invocation:
        """Wait for the next result of a worker that stays, or for its end."""
        self._result, self._logs = None, []
        for line in self.process.stdout or ():
            self._read(line)
            if self._result is not None:
                break
        else:
            return self.result()
        return Invocation(
            success=self._result["success"],
            logs=tuple(self._logs),
            exception=self._result["exception"],
            console="",
            sent=tuple(self._result["sent"]),
        )

    def _read(self, line: str) -> Log | None:
        """Read one line of the protocol; ignore a line that was cut off by a kill."""
        if not line.endswith("\n"):
            return None
        read: dict[str, Any] = json.loads(line)
        if read["kind"] == "index":
            self._index = read
        elif read["kind"] == "result":
            self._result = read
        else:
            log = Log(level=read["level"], category=read["category"], message=read["message"])
            self._logs.append(log)
            return log
        return None

    def _finish(self) -> str:
        """Read to the end, once; return what was printed."""
        if self._console is None:
            if self.process.stdin:
                with suppress(BrokenPipeError):
                    self.process.stdin.close()
            for _ in self:
                pass
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()
            self._printed.seek(0)
            self._console = self._printed.read()
            self._printed.close()
        return self._console

    def _early_end(self) -> str:
        return f"the process ended with code {self.process.returncode} before it had a result"


class Instance:
    """A worker that stays, and runs one message after another as an instance of the platform does.

    Attributes:
        process: the process; whoever kills it loses the instance.
    """

    def __init__(self, app_dir: Path, env: Mapping[str, str], name: str) -> None:
        """Start the process.

        Args:
            app_dir: folder with the app.
            env: the whole environment.
            name: of the function that gets the messages.
        """
        self._running = _start(
            ["--app", str(app_dir), "--invoke", name, "--stays"], env, stdin=subprocess.PIPE
        )
        self.process = self._running.process

    @property
    def is_lost(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def run(self, message: str, *, dequeued: int = 1) -> Invocation:
        """Run a message to its end, or to that of the process.

        Args:
            message: its text.
            dequeued: how often it was received, this time included.
        """
        line = json.dumps({"message": message, "dequeued": dequeued})
        with suppress(BrokenPipeError):  # The result says that the process has ended.
            if self.process.stdin:
                self.process.stdin.write(f"{line}\n")
                self.process.stdin.flush()
        return self._running.next_result()

    def close(self) -> None:
        """Let the process end, and wait for that."""
        self._running.result()


def index(app_dir: Path, env: Mapping[str, str]) -> Index:
    """Return what the host would learn about the app in a folder."""
    return _start(["--app", str(app_dir)], env).index()


def invoke(
    app_dir: Path, env: Mapping[str, str], name: str, *, past_due: bool = False
) -> Invocation:
    """Run one of the app's timer functions to its end."""
    return start(app_dir, env, name, past_due=past_due).result()


def start(app_dir: Path, env: Mapping[str, str], name: str, *, past_due: bool = False) -> Running:
    """Start one of the app's timer functions and return while it runs.

    The caller ends it with `result`, after `kill` or without.
    """
    late = ["--past-due"] if past_due else []
    return _start(["--app", str(app_dir), "--invoke", name, *late], env)


def deliver(
    app_dir: Path, env: Mapping[str, str], name: str, message: str, *, dequeued: int = 1
) -> Running:
    """Start one of the app's functions with a message of its queue, and return while it runs.

    The caller ends it with `result`, after `kill` or without.

    Args:
        app_dir: folder with the app.
        env: the whole environment.
        name: of the function.
        message: text of the message.
        dequeued: how often the message was received, this time included.
    """
    delivered = ["--message", message, "--dequeued", str(dequeued)]
    return _start(["--app", str(app_dir), "--invoke", name, *delivered], env)


def _start(
    arguments: list[str], env: Mapping[str, str], *, stdin: int = subprocess.DEVNULL
) -> Running:
    printed = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - `Running` closes it
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.functions_host", *arguments],
        cwd=ROOT,
        env=dict(env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=printed,
        text=True,
        encoding="utf-8",
    )
    return Running(process, printed)


def main() -> int:
    """Index or invoke an app in this process, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.functions_host")
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    parser.add_argument("--invoke", metavar="NAME", help="the function to run once")
    parser.add_argument("--past-due", action="store_true", help="the timer is late")
    parser.add_argument("--message", metavar="TEXT", help="the queue's message, without a timer")
    parser.add_argument("--dequeued", type=int, default=1, help="how often it was received")
    parser.add_argument(
        "--stays", action="store_true", help="run a message for each line of standard input"
    )
    arguments = parser.parse_args()
    # Only this process needs the worker's library, which can be loaded only once.
    from harness.functions_worker import Trigger, received, work  # noqa: PLC0415

    trigger = Trigger(
        past_due=arguments.past_due, message=arguments.message, dequeued=arguments.dequeued
    )
    triggers = received(sys.stdin) if arguments.stays else [trigger]
    done = work(arguments.app, invoke=arguments.invoke, triggers=triggers)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
