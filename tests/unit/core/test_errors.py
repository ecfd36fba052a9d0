"""The error tree: what a message says, and where help is."""

from shared.core.errors import ScanError, SettingsError


def test_all_invalid_settings_are_in_one_message() -> None:
    """One to a line, so that a person fixes them together."""
    error = SettingsError(["SCAN_LIMIT is 7", "MDA_API_URL is missing"])

    assert error.problems == ("SCAN_LIMIT is 7", "MDA_API_URL is missing")
    assert str(error).splitlines()[1:] == ["- SCAN_LIMIT is 7", "- MDA_API_URL is missing"]


def errors_below(kind: type[ScanError]) -> set[type[ScanError]]:
    """Return an error and all errors that are one."""
    return {kind}.union(*(errors_below(it) for it in kind.__subclasses__()))


def test_every_error_names_a_page_that_helps() -> None:
    """`tests/test_docs.py` checks that the page has the section."""
    assert all(it.help.startswith("docs/") for it in errors_below(ScanError))
