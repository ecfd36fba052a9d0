"""The script, the template and the program judge the API's address in the same way."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.scripts.check_api_url import AddressError, main, normalised
from shared.core.errors import SettingsError
from shared.settings import read_settings
from tests.infra.azure_cli import SCRIPTS

STORAGE = {"STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net"}
PLAIN = "https://contoso.eu2.portal.cloudappsecurity.com"

ADDRESSES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "https://", "http://", "ftp://"]),
    st.sampled_from(
        [
            "contoso.eu2.portal.cloudappsecurity.com",
            "contoso.us1.portal.cloudappsecurity.us",
            "contoso.us1.portal.cloudappsecuritygov.com",
            "portal.cloudappsecurity.com",
            "security.microsoft.com",
            "contoso",
        ]
    ),
    st.sampled_from(
        [
            "",
            "/",
            "/api",
            "/api/",
            "/api/v1",
            "/api/v1/activities",
            "/api/v1/activities/",
            "/cas",
            "/cas/api/v1/",
            "/audits",
            "/api/v2",
            "/apiproxy/mcas/cas/api/v1",
            "//",
        ]
    ),
)


@given(ADDRESSES)
def test_script_and_program_accept_the_same_addresses(address: str) -> None:
    """Both derive the same endpoint from an address that they accept."""
    try:
        api = read_settings({**STORAGE, "MDA_API_URL": address}).scans[0].api.url
    except SettingsError:
        api = None
    try:
        deployed = normalised(address)
    except AddressError:
        deployed = None

    assert (deployed is None) == (api is None)
    if deployed:
        assert api == f"{deployed}/api/v1/activities/"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["contoso.eu2.portal.cloudappsecurity.com/api"], 0, PLAIN),
        (["https://security.microsoft.com/"], 1, "shows it under Settings, Cloud Apps, About"),
        ([], 1, "name one address"),
    ],
)
def test_the_program_prints_the_address_or_says_where_to_find_it(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`deploy.sh` deploys the address that is printed."""
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


GH = """#!/bin/sh
[ "$2" = repos/Contoso/Scan/actions/oidc/customization/sub ] || exit 9
case "$4" in *sub_claim_prefix*) ;; *) exit 9 ;; esac
{answer}
"""


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("echo repo:Contoso@12/Scan@34", 0, "repo:Contoso@12/Scan@34:environment:production"),
        ("echo", 0, "repo:Contoso/Scan:environment:production"),
        ("echo 'HTTP 404' >&2; exit 1", 1, "GitHub did not return the subject: HTTP 404"),
    ],
    ids=["new", "old", "refused"],
)
def test_the_subject_of_a_workflow_is_what_github_says(
    tmp_path: Path, answer: str, code: int, said: str
) -> None:
    """Subjects of new repositories contain numeric ids, and case matters."""
    program = tmp_path / "gh"
    program.write_text(GH.format(answer=answer))
    program.chmod(0o755)

    ran = subprocess.run(
        [SCRIPTS / "github-subject.sh", "Contoso/Scan", "production"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == code
    assert said in ran.stdout + ran.stderr
