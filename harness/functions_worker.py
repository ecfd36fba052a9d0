"""Drives the Functions worker's library in this process, as the worker does.

The library (azure-functions-runtime) receives requests and the classes of messages, and answers
with such messages. The real classes come from gRPC; plain objects with the same names do as well.

`work` is the entry point. It writes lines of JSON, each with a `kind`: `log` for a log record of
the app, `index` for the functions of the app, `result` for the result of the invocation. A process
can index only one app, once, because the library keeps it in module state.
"""

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime

Emit = Callable[[Mapping[str, object]], None]
"""Takes one line of the protocol."""

HERE = Path(__file__).resolve().parent
"""The folder of the harness. The app must not import it or this repository's other modules."""

SETTING = re.compile(r"%([^%]*)%")
"""How a binding refers to a setting."""

INVOCATION = "invocation-1"
"""Names the one invocation that a process runs."""


class WorkFailedError(Exception):
    """The app could not be indexed or invoked; the message explains why."""


class BindingInfo(SimpleNamespace):
    """A binding, with the values of its enumerations."""

    undefined = 0
    out = 1
    inout = 2


class StatusResult(SimpleNamespace):
    """How a request ended, with the values of its enumeration."""

    Failure = 0
    Success = 1


class TypedData(SimpleNamespace):
    """A value that is passed to a function or comes from it, under the name of its type."""

    def WhichOneof(self, _: str) -> str:  # noqa: N802 - the name that protobuf gives it
        """Return which of the possible values this is."""
        (only,) = vars(self)
        return only


class ParameterBinding(SimpleNamespace):
    """An argument of an invocation, or what an output binding got."""

    def WhichOneof(self, _: str) -> str:  # noqa: N802 - the name that protobuf gives it
        """Return where the argument's value is."""
        return "data"


MESSAGES = SimpleNamespace(
    BindingInfo=BindingInfo,
    FunctionLoadResponse=SimpleNamespace,
    FunctionMetadataResponse=SimpleNamespace,
    InvocationResponse=SimpleNamespace,
    ParameterBinding=ParameterBinding,
    RpcException=SimpleNamespace,
    RpcFunctionMetadata=SimpleNamespace,
    RpcRetryOptions=SimpleNamespace,
    StatusResult=StatusResult,
    TypedData=TypedData,
    WorkerInitResponse=SimpleNamespace,
    WorkerMetadata=SimpleNamespace,
)
"""The classes of the library's answers."""


class Relay(logging.Handler):
    """Passes log records on as the worker does: only level, category and formatted text."""

    def __init__(self, emit: Emit) -> None:
        super().__init__()
        self._send = emit

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, including its traceback."""
        self._send(
            {
                "kind": "log",
                "level": record.levelname,
                "category": record.name,
                "message": self.format(record),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts an invocation.

    Attributes:
        past_due: whether a timer reports that the run is late.
        message: the message that a queue holds; None for a timer.
        dequeued: how often the message was received, this time included.
    """

    past_due: bool = False
    message: str | None = None
    dequeued: int = 1


def received(lines: Iterable[str]) -> Iterator[Trigger]:
    """Yield the messages of a queue: lines of JSON with the fields of a `Trigger`."""
    for line in lines:
        yield Trigger(**json.loads(line))


def work(app: Path, *, invoke: str | None, triggers: Iterable[Trigger]) -> bool:
    """Index an app, invoke one of its functions if asked to, and write what happens.

    Everything that the app prints goes to standard error: standard output is the protocol's.

    Args:
        app: the folder with function_app.py.
        invoke: the function to run; None only indexes.
        triggers: what starts it, once for each.

    Returns:
        Whether all of it succeeded.
    """
    emit = _take_standard_output()
    relay = Relay(emit)
    logging.getLogger().addHandler(relay)
    logging.getLogger().setLevel(logging.INFO)
    _stand_in(app.resolve())
    runtime.start_threadpool_executor()
    try:
        return asyncio.run(_drive(app.resolve(), emit, invoke, triggers))
    finally:
        runtime.stop_threadpool_executor()
        logging.getLogger().removeHandler(relay)


def _take_standard_output() -> Emit:
    """Return a writer to standard output, and redirect everything else to standard error."""
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    sys.stdout.flush()
    os.dup2(2, 1)

    def emit(line: Mapping[str, object]) -> None:
        protocol.write(f"{json.dumps(line)}\n")

    return emit


def _stand_in(app: Path) -> None:
    """Work in the app's folder, as the worker does; imports search it last."""
    ours = {"", str(HERE), str(HERE.parent)}
    sys.path[:] = [*(entry for entry in sys.path if entry not in ours), str(app)]
    os.chdir(app)


async def _drive(app: Path, emit: Emit, invoke: str | None, triggers: Iterable[Trigger]) -> bool:
    try:
        functions = await _index(app)
    except WorkFailedError as error:
        emit({"kind": "index", "success": False, "functions": [], "exception": str(error)})
        return False
    named = [{"name": each.name, "bindings": _bindings(each)} for each in functions]
    emit({"kind": "index", "success": True, "functions": named, "exception": None})
    if invoke is None:
        return True
    return all([await _emitted(emit, functions, invoke, trigger) for trigger in triggers])


async def _emitted(emit: Emit, functions: list[Any], invoke: str, trigger: Trigger) -> bool:
    """Run a function once, write its result, and return whether it succeeded."""
    try:
        sent = await _invoke(functions, invoke, trigger)
    except WorkFailedError as error:
        emit({"kind": "result", "success": False, "exception": str(error), "sent": []})
        return False
    emit({"kind": "result", "success": True, "exception": None, "sent": sent})
    return True


async def _index(app: Path) -> list[Any]:
    """Return the app's functions, as the host would receive them."""
    if not (app / "function_app.py").is_file():
        msg = f"there is no function_app.py in {app}: the host would find no functions"
        raise WorkFailedError(msg)
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app))
    _expect_success(await runtime.worker_init_request(_request(worker_init_request=init)))
    answer = await runtime.functions_metadata_request(_request())
    _expect_success(answer)
    functions: list[Any] = answer.function_metadata_results or []
    for function in functions:
        for binding in _bindings(function):
            _resolve(function.name, binding)
    return functions


def _bindings(function: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a message, see MESSAGES
    return [json.loads(binding) for binding in function.raw_bindings]


def _resolve(function: str, binding: Mapping[str, object]) -> None:
    """Refuse a binding whose setting has no value, as the host does when it starts."""
    for key, value in binding.items():
        for setting in SETTING.findall(str(value)):
            if not os.environ.get(setting):
                msg = f"{function}: {key} is {value!r}, and the setting {setting} has no value"
                raise WorkFailedError(msg)


async def _invoke(functions: list[Any], name: str, trigger: Trigger) -> list[str]:
    """Run a function once and return the messages that it sent.

    An exception in the function is raised as a failure.
    """
    wanted = [function for function in functions if function.name == name]
    if not wanted:
        msg = f"there is no function {name!r}, only {[each.name for each in functions]}"
        raise WorkFailedError(msg)
    load = SimpleNamespace(function_id=wanted[0].function_id)
    _expect_success(await runtime.function_load_request(_request(function_load_request=load)))
    argument, metadata = _argument(wanted[0], trigger)
    invocation = SimpleNamespace(
        invocation_id=INVOCATION,
        function_id=wanted[0].function_id,
        input_data=[argument],
        trigger_metadata=metadata,
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await runtime.invocation_request(_request(invocation_request=invocation))
    _expect_success(answer)
    return [text for each in answer.output_data for text in json.loads(each.data.json)]


def _argument(
    function: Any,  # noqa: ANN401 - a message, see MESSAGES
    trigger: Trigger,
) -> tuple[ParameterBinding, dict[str, TypedData]]:
    """Return the argument of a function as the host sends it, and what the host says about it."""
    kind = "timerTrigger" if trigger.message is None else "queueTrigger"
    names = [each["name"] for each in _bindings(function) if each["type"] == kind]
    if not names:
        msg = f"{function.name} has no {kind}"
        raise WorkFailedError(msg)
    if trigger.message is None:
        data = TypedData(json=_timer_info(past_due=trigger.past_due))
        return ParameterBinding(name=names[0], data=data), {}
    data = TypedData(string=trigger.message)
    return ParameterBinding(name=names[0], data=data), _about_a_message(trigger.dequeued)


def _about_a_message(dequeued: int) -> dict[str, TypedData]:
    said: dict[str, object] = {
        "Id": "message-1",
        "PopReceipt": "receipt-1",
        "DequeueCount": dequeued,
        "InsertionTime": _host_time(0),
        "ExpirationTime": _host_time(-7 * 24 * 3600),
        "NextVisibleTime": _host_time(-600),
    }
    return {name: TypedData(json=json.dumps(value)) for name, value in said.items()}


def _timer_info(*, past_due: bool) -> str:
    """Return the TimerInfo as the host sends it; `Next` is when this run was due."""
    last, due = (_host_time(seconds_ago) for seconds_ago in (300, 0))
    timer = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {"Last": last, "Next": due, "LastUpdated": last},
        "IsPastDue": past_due,
    }
    return json.dumps(timer)


def _host_time(seconds_ago: int) -> str:
    at = time.gmtime(time.time() - seconds_ago)
    return time.strftime("%Y-%m-%dT%H:%M:%S.0012345+00:00", at)


def _request(**parts: SimpleNamespace) -> SimpleNamespace:
    """Return a request as the worker hands it to the library."""
    properties = {"host": "127.0.0.1", "protos": MESSAGES}
    return SimpleNamespace(request=SimpleNamespace(**parts), properties=properties)


def _expect_success(answer: Any) -> None:  # noqa: ANN401 - a message, see MESSAGES
    """Turn an answer that reports a failure into an exception with its message and traceback."""
    if answer.result.status != StatusResult.Success:
        failure = answer.result.exception
        msg = f"{failure.message}\n{failure.stack_trace}"
        raise WorkFailedError(msg)
