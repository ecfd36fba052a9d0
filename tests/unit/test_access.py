"""A secret shows itself only when asked."""

from shared.access import Secret, StorageSettings


def test_a_secret_is_not_shown() -> None:
    """Whatever turns it into text."""
    secret = Secret("hunter2")

    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret!s}"} == {"<secret>"}


def test_a_secret_inside_settings_is_not_shown() -> None:
    """The settings may be logged as they are."""
    settings = StorageSettings(
        account_url=None,
        connection_string=Secret("hunter2"),
        data="activities",
        manifests="manifests",
        state="scan-state",
    )

    assert "hunter2" not in repr(settings)
    assert "<secret>" in repr(settings)


def test_a_secret_is_revealed_to_its_receiver() -> None:
    """This is the only way to its value, and easy to search for."""
    assert Secret("hunter2").reveal() == "hunter2"
