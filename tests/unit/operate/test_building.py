"""What commands build, and what they say if a part is missing."""

import sys

import pytest

from shared.bootstrap import App
from shared.core.errors import SettingsError
from shared.operate.building import message_queue
from tests.unit.settings.given import GOOD


def test_without_its_package_a_queue_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment does not have it: only the command `announce` needs it."""
    monkeypatch.setitem(sys.modules, "shared.adapters.storage_queue", None)

    with pytest.raises(SettingsError, match=r"azure-storage-queue .* requirements-cli\.txt"):
        message_queue(App(environ=GOOD), "reader")
