"""What an element of SCANS may set, how its secrets are named, and how its problems name it."""

import pytest

from tests.unit.settings.given import GOOD, problems, scans_of

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("element", "where"),
    [
        ('{"name": "contoso", "limit": 7}', "SCANS[0] (contoso): SCAN_LIMIT"),
        ('{"name": "Contoso!", "limit": 7}', "SCANS[0]: SCAN_LIMIT"),
        ('{"limit": 7}', "SCANS[0]: SCAN_LIMIT"),
    ],
)
def test_a_problem_names_its_scan_where_the_name_is_one(element: str, where: str) -> None:
    """Nobody counts to the twentieth element."""
    assert where in problems({**GOOD, "SCANS": f"[{element}]"})


@pytest.mark.parametrize(
    ("key", "setting"),
    [("client_secret", "MDA_CLIENT_SECRET_CONTOSO"), ("api_token", "MDA_API_TOKEN_CONTOSO")],
)
def test_a_secret_in_scans_is_refused_and_not_shown(key: str, setting: str) -> None:
    """The problem says where the secret belongs."""
    said = problems({**GOOD, "SCANS": f'[{{"name": "a", "{key}": "{SECRET}"}}]'})

    assert f"SCANS[0] (a): {key} would be a secret in SCANS: set {key}_setting" in said
    assert setting in said
    assert SECRET not in said


@pytest.mark.parametrize("key", ["client_secret_setting", "api_token_setting"])
@pytest.mark.parametrize("value", [f'"{SECRET}"', f'"MDA_{SECRET}"', f'["{SECRET}"]', '""'])
def test_a_secret_in_place_of_a_setting_s_name_is_refused_and_not_shown(
    key: str, value: str
) -> None:
    """The name has a fixed beginning, so a secret does not pass for one."""
    said = problems({**GOOD, "SCANS": f'[{{"name": "a", "{key}": {value}}}]'})

    assert f"SCANS[0] (a): {key} is not the name of a setting that holds a secret" in said
    assert SECRET not in said


def test_scans_that_are_not_json_are_refused_without_showing_them() -> None:
    """Somebody may have put a secret there."""
    said = problems({**GOOD, "SCANS": f'[{{"client_secret": "{SECRET}"'})

    assert "SCANS is invalid: " in said
    assert SECRET not in said


def test_a_scan_has_the_secret_of_the_setting_that_it_names() -> None:
    """The other scan has the app's."""
    own = {"name": "a", "api_token_setting": "MDA_API_TOKEN_A"}
    given = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": "theirs", "MDA_API_TOKEN_A": "own"}

    tokens = [it.api.api_token for it in scans_of([own, {"name": "b"}], **given)]

    assert [it.reveal() for it in tokens if it] == ["own", "theirs"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "is not set: MDA_AUTH=api-token signs in with it"),
        ("@Microsoft.KeyVault(x)", "is an unresolved Key Vault reference"),
        ("two words", "has characters that a token cannot have"),
    ],
)
def test_a_problem_with_a_secret_of_one_scan_names_its_setting(value: str, says: str) -> None:
    """The app's own token is not to blame."""
    scans = '[{"name": "a", "auth": "api-token", "api_token_setting": "MDA_API_TOKEN_A"}]'

    said = problems({**GOOD, "SCANS": scans, "MDA_API_TOKEN_A": value})

    assert f"SCANS[0] (a): MDA_API_TOKEN_A {says}" in said


def test_an_unresolved_secret_is_a_problem_of_its_scan_alone() -> None:
    """The vault of one customer must not stop the scans of all others."""
    first, second = scans_of(
        [{"name": "a", "api_token_setting": "MDA_API_TOKEN_A"}, {"name": "b"}],
        MDA_AUTH="api-token",
        MDA_API_TOKEN="theirs",
        MDA_API_TOKEN_A="@Microsoft.KeyVault(x)",
    )

    assert (first.api.api_token, second.api.unresolved) == (None, ())
    (problem,) = first.api.unresolved
    assert problem.startswith("SCANS[0] (a): MDA_API_TOKEN_A is an unresolved Key Vault reference")


def test_an_unresolved_secret_is_reported_with_the_other_problems() -> None:
    """Nobody should have to fix settings one deployment at a time."""
    scans = '[{"name": "a", "api_token_setting": "MDA_API_TOKEN_A"}, {"name": "b"}]'
    given = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": "x", "SCAN_LIMIT": "1", "SCANS": scans}

    said = problems({**GOOD, **given, "MDA_API_TOKEN_A": "@Microsoft.KeyVault(x)"})

    assert "SCAN_LIMIT" in said
    assert "MDA_API_TOKEN_A is an unresolved Key Vault reference" in said


def test_a_secret_that_no_scan_names_is_accepted() -> None:
    """That of a scan which was removed may stay for a while."""
    assert scans_of([{"name": "a"}], MDA_API_TOKEN_OLD="x")
