"""Phases: the API behaves differently for some requests.

Requests are numbered as for faults. If several phases set the same switch, the last one in the
script takes precedence.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from simulator import chance
from simulator.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMES = frozenset(each.name for each in fields(Switches))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Switches that apply to a range of requests.

    Attributes:
        switches: The values of the switches that differ, by name.
        first: The first request that it affects, counted from 1.
        last: The last request; None for no end.
        probability: The share (0 to 1) of these requests that it affects.
        seed: Decides which ones.

    """

    switches: Mapping[str, Any] = field(default_factory=dict)
    first: int = 1
    last: int | None = None
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a phase that could never happen, or whose switches do not exist."""
        unknown = sorted(set(self.switches) - _NAMES)
        if unknown or not self.switches:
            problem = f"there is no switch {unknown[0]!r}" if unknown else "it has no switches"
            message = f"A phase replaces switches, but {problem}; there are: {sorted(_NAMES)}."
            raise ValueError(message)
        if self.first < 1 or (self.last is not None and self.last < self.first):
            message = f"A phase lasts from {self.first} to {self.last}; give 1 <= first <= last."
            raise ValueError(message)
        if not 0 <= self.probability <= 1:
            message = f"A phase has the probability {self.probability}; give 0 to 1."
            raise ValueError(message)
        replace(Switches(), **self.switches)

    @classmethod
    def parse(cls, text: str) -> Phase:
        """Read `NAME=VALUE:FIRST[-[LAST]][:probability=P][:seed=N]`, as `dense=empty:3-9:seed=1`.

        Raises:
            ValueError: The text is not such a phase.

        """
        what, _, rest = text.partition(":")
        when, *options = rest.split(":") if rest else ["1-"]
        name, _, value = what.partition("=")
        name = name.replace("-", "_")
        first, dash, last = when.partition("-")
        try:
            chosen = Switches().with_texts({name: value})
            return cls(
                switches={name: getattr(chosen, name)},
                first=int(first),
                last=(int(last) if last else None) if dash else int(first),
                **_read_options(options),
            )
        except ValueError as problem:
            form = "NAME=VALUE:FIRST[-[LAST]][:probability=P][:seed=N]"
            message = f"The phase {text!r} is not {form}: {problem}"
            raise ValueError(message) from problem

    def concerns(self, number: int) -> bool:
        """Return whether this phase affects a request."""
        if not self.first <= number <= (sys.maxsize if self.last is None else self.last):
            return False
        label = f"phase/{'/'.join(sorted(self.switches))}"
        return chance.unit(self.seed, label, number) < self.probability


def in_effect(switches: Switches, script: Iterable[Phase], number: int) -> Switches:
    """Return the switches that apply to a request."""
    differing: dict[str, Any] = {}
    for phase in script:
        if phase.concerns(number):
            differing.update(phase.switches)
    return replace(switches, **differing) if differing else switches


def _read_options(texts: Iterable[str]) -> dict[str, Any]:
    kinds: dict[str, type[int | float]] = {"probability": float, "seed": int}
    options: dict[str, Any] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in kinds:
            message = f"the option {name!r} is none of {', '.join(kinds)}"
            raise ValueError(message)
        options[name] = kinds[name](number)
    return options
