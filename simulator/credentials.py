"""Decides who may use the simulated API, and how everybody else is refused."""

from __future__ import annotations

from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from simulator.tokens import AUDIENCE, ROLE, read

if TYPE_CHECKING:
    from collections.abc import Iterable

AuthorizationKind: TypeAlias = Literal["none", "token", "bearer", "other"]

_ROLES = frozenset({ROLE, "investigation.manage"})


class Refusal(NamedTuple):
    """Why a request is refused: the status and the body's `detail`."""

    status: int
    detail: str


NOT_GIVEN = Refusal(401, "Authentication credentials were not provided.")
INVALID = Refusal(401, "Invalid token")
NO_ROLE = Refusal(403, "Insufficient role based permissions")
DISOWNED = Refusal(403, "Invalid user - the owner of this token is not permitted to use tokens")


class Credentials:
    """The valid legacy tokens, and the rules for Bearer tokens; may change at any time.

    Args:
        tokens: Legacy tokens of 64 hexadecimal digits; None for a fixed one.
        audience: The required `aud` of a Bearer token.
        anonymous: Accept any credential, or none.

    Attributes:
        token: The first legacy token, or an empty string.

    """

    def __init__(
        self,
        tokens: Iterable[str] | None = None,
        *,
        audience: str = AUDIENCE,
        anonymous: bool = False,
    ) -> None:
        invented = (sha256(b"a legacy token of the simulator").hexdigest(),)
        self._tokens = list(invented if tokens is None else tokens)
        self.token = next(iter(self._tokens), "")
        self._disowned: set[str] = set()
        self._lock = Lock()
        self.audience = audience
        self.anonymous = anonymous

    @property
    def header(self) -> dict[str, str]:
        """The header that a client with the first legacy token sends."""
        return {"Authorization": f"Token {self.token}"}

    def revoke(self, token: str) -> None:
        """Make a legacy token invalid (401 from now on)."""
        with self._lock:
            self._tokens.remove(token)

    def disown(self, token: str) -> None:
        """Revoke the right of a legacy token's owner to use tokens (403 from now on)."""
        with self._lock:
            self._disowned.add(token)

    def refusal(self, authorization: str | None, now_ms: int) -> Refusal | None:
        """Return why a request with this `Authorization` is refused, or None when it may pass."""
        if self.anonymous:
            return None
        kind = kind_of(authorization)
        secret = (authorization or "").partition(" ")[2].strip()
        if kind == "token":
            return self._token_refusal(secret)
        if kind == "bearer":
            return self._bearer_refusal(secret, now_ms)
        return NOT_GIVEN

    def _token_refusal(self, secret: str) -> Refusal | None:
        with self._lock:
            if secret not in self._tokens:
                return INVALID
            return DISOWNED if secret in self._disowned else None

    def _bearer_refusal(self, secret: str, now_ms: int) -> Refusal | None:
        claims = read(secret)
        if claims is None or claims.get("aud") != self.audience:
            return INVALID
        if not claims.get("nbf", 0) * 1000 <= now_ms < claims.get("exp", 0) * 1000:
            return INVALID
        return None if _ROLES & _granted(claims) else NO_ROLE


def kind_of(authorization: str | None) -> AuthorizationKind:
    """Name the kind of an `Authorization` header; the scheme `Token` is case-sensitive."""
    if not authorization:
        return "none"
    scheme = authorization.partition(" ")[0]
    if scheme == "Token":
        return "token"
    return "bearer" if scheme.lower() == "bearer" else "other"


def _granted(claims: dict[str, Any]) -> set[str]:
    """Return the roles of an application and the scopes of a user, in lower case."""
    return {name.lower() for name in [*claims.get("roles", []), *claims.get("scp", "").split()]}
