"""The triggers of the function app; what they start is in `shared`."""

import azure.functions as func

from shared.bootstrap import run_on_timer

app = func.FunctionApp()


@app.function_name("scan_activities")
@app.timer_trigger(
    arg_name="timer",
    schedule="%SCAN_SCHEDULE%",
    run_on_startup=False,
    use_monitor=True,
)
def scan_activities(timer: func.TimerRequest) -> None:
    """Run every configured scan once; if one fails, the platform marks the invocation as failed."""
    run_on_timer(past_due=timer.past_due)
