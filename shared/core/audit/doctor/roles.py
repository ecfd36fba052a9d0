"""A token → the roles in it. The token itself goes no further."""

import base64

import msgspec

from shared.core.audit.doctor.reports import Check

NAME = "sign-in"

READS = frozenset({"investigation.read", "investigation.manage"})
"""Each of these lets a token read activities, in lower case."""

KNOWN = READS | frozenset(
    {"discovery.read", "discovery.manage", "settings.read", "settings.manage"}
)
"""Roles of the API; others are only counted."""

GRANT = (
    "grant it the application role investigation.read of Microsoft Cloud App Security "
    "(infra/scripts/grant-app-role.sh); a new grant can take hours to reach a cached token"
)


class _Claims(msgspec.Struct):
    """What is read of a token."""

    roles: list[str] = []
    scp: str = ""


def check_roles(header: str) -> Check:
    """Return whether the token of an `Authorization` header may read activities."""
    kind, _, token = header.partition(" ")
    if kind != "Bearer":
        reason = "signed in with a legacy token, which has no roles in it; the API decides"
        return Check(name=NAME, result="passed", reason=reason)
    claims = _claims(token)
    if claims is None:
        reason = "signed in, but the token is not one whose roles can be read; the API decides"
        return Check(name=NAME, result="could not tell", reason=reason)
    found = {it.lower() for it in (*claims.roles, *claims.scp.split())}
    shown = sorted(found & KNOWN)
    others = len(found - KNOWN)
    told = f"roles in the token: {', '.join(shown) or 'none that are known'}"
    told += f", and {others} others" if others else ""
    if found & READS:
        return Check(name=NAME, result="passed", reason=told)
    return Check(name=NAME, result="failed", reason=f"{told}: {GRANT}")


def _claims(token: str) -> _Claims | None:
    try:
        payload = token.split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims)
    except (IndexError, ValueError, RecursionError):
        return None
