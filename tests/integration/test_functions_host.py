"""The function app in the worker's real library, and what driving it reports."""

from pathlib import Path

import pytest

from harness.functions_host import Instance, Log, deliver, index, invoke, start

ROOT = Path(__file__).parents[2]
SCHEDULE = {"SCAN_SCHEDULE": "0 */5 * * * *"}

TIMER = """
import logging
import azure.functions as func
from shared.bootstrap import run

app = func.FunctionApp()

@app.timer_trigger(arg_name="timer", schedule="%SCAN_SCHEDULE%")
def tick(timer: func.TimerRequest) -> None:
    run(timer)
"""


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    """Return a folder with an app whose timer runs what `write_run` gives it."""
    (tmp_path / "function_app.py").write_text(TIMER)
    (tmp_path / "shared").mkdir()
    return tmp_path


def write_run(app_dir: Path, *body: str) -> None:
    """Write the code that the timer of the app in `app_dir` runs."""
    lines = ["import logging, os, sys, time", "def run(timer):", *(f"    {line}" for line in body)]
    (app_dir / "shared/bootstrap.py").write_text("\n".join(lines))


def test_the_app_has_exactly_one_function() -> None:
    """The host accepts an app without functions silently, so the set of names is asserted.

    The function has no binding but its timer: the host stops if it may not read a queue.
    """
    seen = index(ROOT, SCHEDULE)

    assert (seen.exception, set(seen.functions)) == (None, {"scan_activities"})
    assert [it["type"] for it in seen.functions["scan_activities"]] == ["timerTrigger"]


def test_with_a_queue_the_app_has_a_worker() -> None:
    """The timer sends to the queue whose messages start it."""
    seen = index(ROOT, {**SCHEDULE, "SCAN_FAN_OUT": "true"})

    assert (seen.exception, set(seen.functions)) == (None, {"scan_activities", "scan_worker"})
    bindings = [it for name in seen.functions for it in seen.functions[name]]
    queues = [it for it in bindings if it["type"] != "timerTrigger"]
    assert {it["type"] for it in queues} == {"queue", "queueTrigger"}
    assert {(it["queueName"], it["connection"]) for it in queues} == {
        ("due-scans", "AzureWebJobsStorage")
    }


def test_a_wrong_value_leaves_the_app_its_timer() -> None:
    """An app that fails to load has no functions, and nobody is told; a run reports the value."""
    seen = index(ROOT, {**SCHEDULE, "SCAN_FAN_OUT": "perhaps"})

    assert (seen.exception, set(seen.functions)) == (None, {"scan_activities"})


def test_the_timer_follows_the_setting_and_the_schedule_monitor() -> None:
    """The schedule is a setting, missed runs are caught up, and a start causes no run."""
    (timer,) = index(ROOT, SCHEDULE).functions["scan_activities"]

    assert (
        timer.items()
        >= {
            "type": "timerTrigger",
            "name": "timer",
            "schedule": "%SCAN_SCHEDULE%",
            "runOnStartup": False,
            "useMonitor": True,
        }.items()
    )


@pytest.mark.parametrize("env", [{}, {"SCAN_SCHEDULE": ""}], ids=["unset", "empty"])
def test_a_schedule_without_a_value_is_a_failure(env: dict[str, str]) -> None:
    """The worker's library accepts it silently; the host does not start the function."""
    seen = index(ROOT, env)

    assert not seen.success
    assert "SCAN_SCHEDULE has no value" in str(seen.exception)


def test_an_app_whose_import_fails_is_a_failure(app_dir: Path) -> None:
    """The platform shows such an app without functions; here the reason is reported."""
    (app_dir / "shared/bootstrap.py").write_text("import no_such_module")

    seen = index(app_dir, SCHEDULE)

    assert (seen.success, seen.functions) == (False, {})
    assert "no_such_module" in str(seen.exception)


def test_a_folder_without_an_app_is_a_failure(tmp_path: Path) -> None:
    """The worker's library reports success and no functions."""
    seen = index(tmp_path, SCHEDULE)

    assert not seen.success
    assert "function_app.py" in str(seen.exception)


def test_an_app_imports_its_own_modules_only(app_dir: Path) -> None:
    """The deployed app has neither this repository's modules nor its current folder."""
    write_run(app_dir, "import importlib.util", "print(importlib.util.find_spec('simulator'))")

    ran = invoke(app_dir, SCHEDULE, "tick")

    assert (ran.success, ran.console) == (True, "None\n")


def test_the_process_has_only_the_environment_that_it_is_given(app_dir: Path) -> None:
    """A setting in the developer's shell never affects a test."""
    write_run(app_dir, "print(sorted(name for name in os.environ if name != 'LC_CTYPE'))")

    ran = invoke(app_dir, {**SCHEDULE, "MDA_AUTH": "default"}, "tick")

    assert ran.console == "['MDA_AUTH', 'SCAN_SCHEDULE']\n"


@pytest.mark.parametrize("past_due", [False, True])
def test_a_timer_learns_whether_it_is_late(app_dir: Path, *, past_due: bool) -> None:
    """`past_due` reaches the function in the same TimerInfo that the host sends."""
    write_run(app_dir, "print(timer.past_due, sorted(timer.schedule_status))")

    ran = invoke(app_dir, SCHEDULE, "tick", past_due=past_due)

    assert ran.console == f"{past_due} ['Last', 'LastUpdated', 'Next']\n"


def test_logs_arrive_with_level_category_and_text(app_dir: Path) -> None:
    """The host gets the formatted text without fields, and nothing below INFO."""
    write_run(app_dir, "logging.getLogger('a.b').warning('%d left', 3)", "logging.debug('quiet')")

    ran = invoke(app_dir, SCHEDULE, "tick")

    assert ran.logs[-1] == Log(level="WARNING", category="a.b", message="3 left")


def test_a_log_is_seen_while_the_function_runs(app_dir: Path) -> None:
    """A demo shows progress, and a crash test waits for its moment."""
    write_run(app_dir, "logging.warning('begun')", "time.sleep(600)")
    running = start(app_dir, SCHEDULE, "tick")

    seen = next(log for log in running if log.message == "begun")
    running.kill()
    ran = running.result()

    assert seen in ran.logs
    assert (ran.success, ran.exception) == (
        False,
        "the process ended with code -9 before it had a result",
    )


def test_an_exception_fails_the_invocation(app_dir: Path) -> None:
    """An exception that leaves the function makes the host mark the run as failed."""
    write_run(app_dir, "raise ValueError('out of order')")

    ran = invoke(app_dir, SCHEDULE, "tick")

    assert not ran.success
    assert str(ran.exception).startswith("ValueError: out of order\nTraceback")


def test_an_exit_of_the_process_fails_the_invocation(app_dir: Path) -> None:
    """`sys.exit` ends the worker as well, and no result is ever sent."""
    write_run(app_dir, "sys.exit(3)")

    ran = invoke(app_dir, SCHEDULE, "tick")

    assert (ran.success, ran.exception) == (
        False,
        "the process ended with code 3 before it had a result",
    )


def test_a_value_that_is_returned_fails_the_invocation(app_dir: Path) -> None:
    """A timer has no binding to return a value to."""
    app = (app_dir / "function_app.py").read_text().replace("run(timer)", "return run(timer)")
    (app_dir / "function_app.py").write_text(app)
    write_run(app_dir, "return 1")

    ran = invoke(app_dir, SCHEDULE, "tick")

    assert "non-None" in str(ran.exception)


QUEUE_APP = """
import typing
import azure.functions as func
from shared.bootstrap import run

app = func.FunctionApp()

@app.queue_trigger(arg_name="message", queue_name="letters", connection="AzureWebJobsStorage")
def tick(message: func.QueueMessage) -> None:
    run(message)

@app.timer_trigger(arg_name="timer", schedule="%SCAN_SCHEDULE%")
@app.queue_output(arg_name="out", queue_name="letters", connection="AzureWebJobsStorage")
def send(timer: func.TimerRequest, out: func.Out[typing.List[str]]) -> None:
    out.set(["one", "two"])
"""


def test_a_message_reaches_its_function_with_the_number_of_its_deliveries(app_dir: Path) -> None:
    """The host passes text and metadata, and the app reads them from the same object."""
    (app_dir / "function_app.py").write_text(QUEUE_APP)
    write_run(app_dir, "print(timer.get_body(), timer.dequeue_count)")

    ran = deliver(app_dir, SCHEDULE, "tick", "hello", dequeued=3).result()

    assert (ran.exception, ran.console) == (None, "b'hello' 3\n")


def test_a_worker_that_stays_runs_one_message_after_another(app_dir: Path) -> None:
    """Each has its own result, and what one message left in the process is there for the next."""
    (app_dir / "function_app.py").write_text(QUEUE_APP)
    write_run(app_dir, "import sys; sys.seen = getattr(sys, 'seen', 0) + 1; 1 / (2 - sys.seen)")
    worker = Instance(app_dir, SCHEDULE, "tick")

    results = [worker.run("hello").success for _ in range(3)]
    worker.process.kill()
    lost = worker.run("hello")

    assert results == [True, False, True]
    assert (lost.success, worker.is_lost) == (False, True)


def test_messages_that_a_function_leaves_are_returned(app_dir: Path) -> None:
    """The host would send them."""
    (app_dir / "function_app.py").write_text(QUEUE_APP)
    write_run(app_dir, "pass")

    assert invoke(app_dir, SCHEDULE, "send").sent == ("one", "two")


def test_a_timer_is_not_started_by_a_message(app_dir: Path) -> None:
    """A typing error in a test does not look like a failing function."""
    write_run(app_dir, "pass")

    ran = deliver(app_dir, SCHEDULE, "tick", "hello").result()

    assert ran.exception == "tick has no queueTrigger"


def test_an_unknown_function_is_named_with_the_known_ones(app_dir: Path) -> None:
    """A typing error in a test does not look like a failing function."""
    write_run(app_dir, "pass")

    ran = invoke(app_dir, SCHEDULE, "tock")

    assert ran.exception == "there is no function 'tock', only ['tick']"
