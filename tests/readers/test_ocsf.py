"""Events of the view in docs/ocsf are valid by the published schema of OCSF.

`make readers` runs these tests: the schema is a package of the readers' environment.
"""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests import ocsf
from tests.readers.test_reading import SHOW, in_python

pytestmark = pytest.mark.readers

CLASSES = {0, 3001, 3002, 3006, 4009, 6003, 6006}
SCHEMAS = """
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
published = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
rows = {
    number: published.get_class_schema(
        published.lookup_class_name_from_uid(number), profiles=["cloud", "datetime"]
    )
    for number in CLASSES
}
"""


@pytest.fixture(scope="module")
def validators(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Draft202012Validator]:
    """Provide what validates the events of each class."""
    folder = tmp_path_factory.mktemp("schemas")
    found = in_python(f"CLASSES = {sorted(CLASSES)}\n{SCHEMAS}{SHOW}", folder)
    return {int(number): Draft202012Validator(schema) for number, schema in found.items()}


def errors(
    rows: list[dict[str, Any]], validators: dict[int, Draft202012Validator]
) -> set[tuple[int, str, str]]:
    """Return class, place and message of everything that is not valid."""
    return {
        (row["class_uid"], error.json_path, error.message)
        for row in rows
        for error in validators[row["class_uid"]].iter_errors(row["event"])
    }


def test_events_of_every_kind_are_valid(
    tmp_path: Path, validators: dict[int, Draft202012Validator]
) -> None:
    """Those of the simulator, and one for each row of the mapping: every class occurs."""
    rows = ocsf.events(ocsf.table_of(tmp_path, [*ocsf.simulated(), *ocsf.of_every_row()]))

    assert {row["class_uid"] for row in rows} == CLASSES
    assert errors(rows, validators) == set()


def test_events_of_odd_activities_are_valid(
    tmp_path: Path, validators: dict[int, Draft202012Validator]
) -> None:
    """Whatever is missing, empty or of another type; none is dropped."""
    sent = list(ocsf.odd())
    rows = ocsf.events(ocsf.table_of(tmp_path, sent))

    assert len(rows) == len(sent)
    assert errors(rows, validators) == set()


def test_the_schema_would_find_an_error(validators: dict[int, Draft202012Validator]) -> None:
    """Otherwise the tests above would prove nothing."""
    assert errors([{"class_uid": 3002, "event": {"class_uid": 3002}}], validators) != set()
