"""The measurement of workers: what its table shows, and that a failure is none of its figures."""

import json

import pytest

from bench import workers
from bench.workers import CASES, Rate
from harness.functions_host import Invocation, Log


def ended(outcome: str, requests: int) -> Invocation:
    """Return an invocation with one report line."""
    line = json.dumps({"outcome": outcome, "requests": requests})
    log = Log(level="INFO", category="activity_scan", message=line)
    return Invocation(success=True, logs=(log,), exception=None, console="")


def test_a_ratio_compares_the_rates_of_one_round() -> None:
    """A machine that is slow for a round makes both slow."""
    one, two = ([Rate(requests=at, cores=0.5) for at in rates] for rates in ((10, 20), (20, 60)))

    assert workers.row(CASES[0], 2, two, one)[2:5] == ["40", "33%", "2.50 (2.00 to 3.00)"]


def test_a_run_that_failed_ends_the_measurement() -> None:
    """Its requests do not count as throughput."""
    assert workers.requests_of(ended("idle", 3)) == 3
    with pytest.raises(RuntimeError, match="a worker failed"):
        workers.requests_of(ended("failed", 3))
