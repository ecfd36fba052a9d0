"""The command `announce` against Azurite: a queue, a file, and invalid options."""

import json
import uuid
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient
from typer.testing import CliRunner

from harness.azurite import Azurite, azurite_queues
from shared.operate.command_line import app
from simulator import Simulator
from tests.conftest import unused_storage
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings


@pytest.fixture(scope="module")
def environ(azurite: Azurite) -> Iterator[dict[str, str]]:
    """Provide the settings of a scan that has stored some parts, with an account's queues."""
    with (
        azurite_queues(azurite) as both,
        Simulator(history(300, per_second=0.05), switches=OPEN) as api,
    ):
        made = settings(api, unused_storage(both, f"test-{uuid.uuid4().hex}"))
        run_until_idle(made)
        yield made


def announce(environ: dict[str, str], *options: str) -> tuple[int, str, str]:
    """Run the command; return its exit code, standard output and standard error."""
    result = CliRunner().invoke(app, ["announce", *options], env=environ)
    return result.exit_code, result.stdout, result.stderr


def messages(text: str) -> list[dict[str, Any]]:
    """Return the messages that were written."""
    return [json.loads(line) for line in text.splitlines()]


def test_messages_are_put_into_the_queue_as_event_grid_puts_them(environ: dict[str, str]) -> None:
    """Each is one JSON object in base64."""
    queue = QueueClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"], "sentinel")
    queue.create_queue()
    _, written, _ = announce(environ, "--output", "-")

    code, _, said = announce(environ, "--queue", "sentinel")

    found = [json.loads(b64decode(it.content)) for it in queue.receive_messages()]
    assert code == 0, said
    assert len(found) > 1
    assert sorted(found, key=str) == sorted(messages(written), key=str)
    assert f"{len(found)} messages sent" in said


def test_no_queue_is_created(environ: dict[str, str]) -> None:
    """A wrong name is an error that says where to resume."""
    code, _, said = announce(environ, "--queue", "nowhere")

    assert code == 1
    assert "there is no queue" in said
    assert "Sent so far: 0 messages; continue with --after" in " ".join(said.split())


def test_messages_are_appended_to_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    """Several bounded calls write the same messages as a single one."""
    _, whole, _ = announce(environ, "--output", "-", "--schema", "CloudEventSchemaV1_0")
    target = tmp_path / "messages.jsonl"
    options = ("--output", str(target), "--schema", "CloudEventSchemaV1_0")

    _, _, said = announce(environ, *options, "--most", "1")
    after = said.rpartition("--after ")[2].split()[0]
    announce(environ, *options, "--after", after)

    assert messages(target.read_text("utf-8")) == messages(whole)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--queue or --output"),
        (("--queue", "a", "--output", "-"), "--queue or --output"),
        (("--output", "-", "--schema", "Custom"), "--schema"),
        (("--output", "-", "--from", "yesterday"), "--from"),
        (("--output", "-", "--until", "soon"), "--until is 'soon'"),
        (("--output", "-", "--to", "soon"), "--until is 'soon'"),
        (("--output", "-", "--scan", "other"), "--scan"),
    ],
)
def test_invalid_options_are_refused(
    options: tuple[str, ...], said: str, environ: dict[str, str]
) -> None:
    """The exit code is 2, and nothing is sent."""
    code, out, error = announce(environ, *options)

    assert (code, out) == (2, "")
    assert said in error
