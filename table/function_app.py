"""The trigger of the table's function app; what it starts is in `shared`."""

# ruff: noqa: INP001 - the platform imports it from the folder of the app

import azure.functions as func

from shared.table_app import run_on_timer

app = func.FunctionApp()


@app.function_name("write_table")
@app.timer_trigger(
    arg_name="timer",
    schedule="%TABLE_SCHEDULE%",
    run_on_startup=False,
    use_monitor=True,
)
def write_table(timer: func.TimerRequest) -> None:
    """Let the table follow the feed; if it cannot, the platform marks the invocation as failed."""
    run_on_timer(past_due=timer.past_due)
