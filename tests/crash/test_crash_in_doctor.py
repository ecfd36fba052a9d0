"""The examination of the deployed app (`SCAN_DOCTOR`), killed at any of its side effects (P3)."""

from collections.abc import Iterator

import pytest

from tests.fakes import MINUTE, Crash, Effects
from tests.sampling import sampled
from tests.unit.test_doctor import App


def effects_of(app: App) -> Effects:
    """Number the effects of ledger and report, and return their sequence."""
    effects = Effects()
    app.ledger.effects = app.derived.effects = effects
    return effects


def killed(how: str) -> Iterator[App]:
    """Yield an app for each effect, killed there."""
    undisturbed = App()
    effects = effects_of(undisturbed)
    undisturbed.examine()
    for number in sampled(len(effects.done), every=3):
        app = App()
        app.ledger.effects = app.derived.effects = Effects(at=number, how=how)
        with pytest.raises(Crash):
            app.examine()
        effects_of(app)
        app.clock.advance(15 * MINUTE)
        yield app


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_killed_examination_is_never_asked_twice_and_keeps_no_claim(how: str) -> None:
    """The next invocation begins it if it had not begun, and the scan's runs follow."""
    for app in killed(how):
        jobs = app.examine()

        assert jobs
        assert len(app.api.asked) <= 17
        assert app.found().label
        app.clock.advance(15 * MINUTE)
        app.examine("another")
        assert app.ledger.value()["claimed_until"] == 0
