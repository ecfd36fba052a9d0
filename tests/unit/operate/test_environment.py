"""Settings from files and options."""

from pathlib import Path

import pytest

from shared.core.errors import SettingsError
from shared.operate.environment import read_file, read_filters, read_question

API = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "MDA_AUTH": "api-token",
    "MDA_API_TOKEN": "0f" * 32,
}


def written(folder: Path, text: str) -> Path:
    """Write a settings file."""
    path = folder / "settings"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_of_settings_are_read(tmp_path: Path) -> None:
    """People write comments, `export`, quotes and values with an equals sign."""
    path = written(tmp_path, "# mine\n\nA=1\nexport B = 'two words'\nC=\"x=y\"\nD=\n")

    assert read_file(path) == {"A": "1", "B": "two words", "C": "x=y", "D": ""}


def test_local_settings_are_read(tmp_path: Path) -> None:
    """They are the Values of the file that Azure's tools use locally."""
    path = written(tmp_path, '{"IsEncrypted": false, "Values": {"SCAN_NAME": "mine"}}')

    assert read_file(path) == {"SCAN_NAME": "mine"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\nhunter2\n", "line 2 is neither KEY=VALUE"),
        ('{"Values": ', "is not JSON"),
        ('{"IsEncrypted": true, "Values": {}}', "is encrypted"),
        ('{"Values": {"SCAN_LIMIT": 500}}', "an object Values that holds only text"),
    ],
)
def test_a_file_that_is_not_a_settings_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """The error states the place but never the line, which may be a secret."""
    with pytest.raises(SettingsError, match=why) as refused:
        read_file(written(tmp_path, text))

    assert "hunter2" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A typing error must not lead to a run with other settings."""
    with pytest.raises(SettingsError, match="cannot be read"):
        read_file(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_filters(f"@{tmp_path}/nowhere")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["A=1\nTOKEN=hunter2\n", '{"Values": {"TOKEN": "hunter2"}}', "Ä=ü\n"]
)
def test_a_file_in_utf_16_is_recognised(tmp_path: Path, encoding: str, text: str) -> None:
    """PowerShell writes such files when its output is redirected."""
    path = tmp_path / "settings"
    path.write_bytes(text.encode(encoding))

    for read in (lambda: read_file(path), lambda: read_filters(f"@{path}")):
        with pytest.raises(SettingsError, match=r"is a UTF-16 file: save it as UTF-8") as refused:
            read()
        assert "hunter2" not in str(refused.value)


def test_a_file_in_another_encoding_is_refused_without_its_content(tmp_path: Path) -> None:
    """The file is in Latin-1 and contains a secret."""
    path = tmp_path / "settings"
    path.write_bytes("TOKEN=hunter2-ü".encode("latin-1"))

    with pytest.raises(SettingsError, match="is not UTF-8") as refused:
        read_file(path)

    assert "hunter2" not in str(refused.value)


def test_a_query_accepts_any_filters() -> None:
    """It has no slices, so it may filter on the sort field."""
    question = read_question({**API, "SCAN_FILTERS": '{"date": {"gte_ndays": 1}}'})

    assert question.filters == {"date": {"gte_ndays": 1}}
    assert (question.axis, question.direction) == ("date", "asc")
    assert (question.limit, question.requests_per_minute) == (5000, 25)


def test_all_invalid_settings_are_reported_at_once() -> None:
    """They can be fixed in one round instead of five."""
    wrong = {
        "MDA_AUTH": "magic",
        "SCAN_FILTERS": "[]",
        "SCAN_SORT_FIELD": "time",
        "SCAN_SORT_DIRECTION": "up",
        "SCAN_LIMIT": "10",
        "SCAN_REQUESTS_PER_MINUTE": "0",
        "SCAN_FILTER": "{}",
    }

    with pytest.raises(SettingsError) as refused:
        read_question(wrong)

    assert all(name in str(refused.value) for name in [*wrong, "MDA_API_URL"])
    assert len(refused.value.problems) == 8
