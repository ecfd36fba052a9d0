"""The triggers of the function app; what they start is in `shared`."""

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 - the platform does not know `list` in `func.Out`

import azure.functions as func
from azure.functions.timer import TimerRequest

from shared.bootstrap import due_queue, hand_out, run_on_message, run_on_timer

app = func.FunctionApp()
due_scans = due_queue()

HOST_STORAGE = "AzureWebJobsStorage"
"""How the settings call the storage account of the Functions host."""


def on_schedule(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - the library's own types
    """Let the timer start a function."""
    timer = app.timer_trigger(
        arg_name="timer",
        schedule="%SCAN_SCHEDULE%",
        run_on_startup=False,
        use_monitor=True,
    )
    return app.function_name("scan_activities")(timer(function))


# The host watches the queue of a function as soon as the function exists. It stops, and the timer
# with it, if it may not read that queue. So neither the trigger nor the output exists unless the
# deployment made the queue. The setting AzureWebJobs.scan_worker.Disabled would not do: an app that
# was deployed before there was a queue does not have it.
if due_scans is None:

    @on_schedule
    def scan_activities(timer: func.TimerRequest) -> None:
        """Run every scan once; if one fails, the platform marks the invocation as failed."""
        run_on_timer(past_due=timer.past_due)

else:

    @on_schedule
    @app.queue_output(arg_name="due", queue_name=due_scans, connection=HOST_STORAGE)
    def hand_out_scans(timer: TimerRequest, due: func.Out[List[str]]) -> None:  # noqa: UP006 - see above
        """Hand several scans to workers; the host sends the messages that this leaves in `due`."""
        if messages := hand_out(timer.schedule_status, past_due=timer.past_due):
            due.set(messages)

    @app.function_name("scan_worker")
    @app.queue_trigger(arg_name="message", queue_name=due_scans, connection=HOST_STORAGE)
    def scan_worker(message: func.QueueMessage) -> None:
        """Run the scans of one message; only a worker that is lost gets the message again."""
        run_on_message(message.get_body())
