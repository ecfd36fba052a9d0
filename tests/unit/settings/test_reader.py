"""The reader: values, defaults, and every problem with them."""

import pytest

from shared.core.errors import SettingsError
from shared.settings.reader import Reader
from shared.settings.table import MDA_API_TOKEN, MDA_AUTH, SCAN_LIMIT, SCAN_NAME


def test_a_value_is_parsed() -> None:
    """Blanks around it are ignored."""
    assert Reader(source={"SCAN_LIMIT": " 700 "}).value(SCAN_LIMIT) == 700


def test_an_absent_setting_has_the_default_of_the_table_or_of_the_caller() -> None:
    """How to sign in depends on where the program runs."""
    assert Reader(source={}).value(SCAN_LIMIT) == 5000
    assert Reader(source={}).value(MDA_AUTH, "default") == "default"


def test_an_invalid_value_is_a_problem_and_the_default_stands_in_for_it() -> None:
    """This allows the other settings to be checked."""
    reader = Reader(source={"SCAN_LIMIT": "7"}, place="SCANS[1]: ")

    assert reader.value(SCAN_LIMIT) == 5000
    assert reader.problems[0].startswith("SCANS[1]: SCAN_LIMIT is '7': it must be a whole number")
    assert reader.problems[0].endswith(f"; {SCAN_LIMIT.hint}")


def test_a_problem_that_was_found_twice_is_reported_once() -> None:
    """Several scans read the same shared settings."""
    reader = Reader(source={"SCAN_NAME": "A"})
    reader.value(SCAN_NAME)
    reader.value(SCAN_NAME)

    with pytest.raises(SettingsError) as refused:
        reader.require_no_problems()

    assert len(refused.value.problems) == 1


def test_an_unresolved_reference_is_one_problem_even_if_the_setting_is_required() -> None:
    """It is set, though it has no value."""
    reader = Reader(source={"MDA_API_TOKEN": "@Microsoft.KeyVault(SecretUri=x)"})

    reader.require(MDA_API_TOKEN, reader.secret(MDA_API_TOKEN), "it is needed")

    assert [it.partition(":")[0] for it in reader.problems] == [
        "MDA_API_TOKEN is an unresolved Key Vault reference"
    ]
