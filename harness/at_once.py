"""Workers for scans whose API answers at once: they need no thread."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class AtOnce(Executor):
    """Runs each step where it is started: one lane needs no thread, and threads cost time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it now and put any exception in the future, as a worker does."""
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - a crash, too, reaches the run through it
            done.set_exception(error)
        return done


def workers(lanes: int) -> Executor:
    """Return an executor for the steps of so many lanes."""
    return AtOnce() if lanes == 1 else ThreadPoolExecutor(lanes)
