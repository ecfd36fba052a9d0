"""Issues tokens: a managed identity as in App Service, and an authority like Entra.

Both issue tokens that `simulator.credentials` accepts, and keep the requests that they received.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from simulator.listening import Incoming, Listener, Reply, Served, TlsFiles
from simulator.refusals import json_reply
from simulator.server import wall_clock
from simulator.tokens import EXCHANGE_AUDIENCE, ROLE, issue, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_API_VERSION = "2019-08-01"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_PATH = "/oauth2/v2.0/token"  # noqa: S105 - a path, not a secret
# The tenant and the application in tokens. Nothing here checks them.
_TENANT = "0f1d9d57-3a9c-4f39-9a6e-3f5b9a4cb0c1"
_APPLICATION = "5d0c0f7e-7f4d-4a8e-8a51-2f9b1d7c6e32"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request for a token and its answer.

    Attributes:
        path: The path of the request.
        resource: The requested resource or scope.
        client_id: The requested client id, or an empty string.
        status: The status of the answer.
        token: The token that was issued, or an empty string.

    """

    path: str
    resource: str
    client_id: str
    status: int
    token: str = field(default="", repr=False)


class IdentityEndpoint(Served):
    """The managed identity of an App Service or Functions app, over http; a context manager.

    Args:
        lifetime_seconds: How long its tokens are valid.
        roles: The application roles that the identity was granted.
        client_ids: The user-assigned identities; others are refused. None allows any.
        header: The secret that callers must send; None generates one.
        clock: Returns the time (epoch ms).
        host: The address to listen on.
        port: The port; 0 takes a free one.

    Attributes:
        asked: The number of requests, whatever the answers.
        instead: Gets the ordinal of a request, from 1 on; returns the answer to send instead of a
            token, or None to issue a token.

    """

    def __init__(  # noqa: PLR0913 - each is a property of the identity
        self,
        *,
        lifetime_seconds: int = 86_400,
        roles: Iterable[str] = (ROLE,),
        client_ids: Iterable[str] | None = None,
        header: str | None = None,
        clock: Callable[[], int] = wall_clock,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.lifetime_seconds = lifetime_seconds
        self.roles = tuple(roles)
        self.client_ids = None if client_ids is None else frozenset(client_ids)
        self.header = header or secrets.token_hex(16)
        self.clock = clock
        self.requests: list[TokenRequest] = []
        self.asked = 0
        self.instead: Callable[[int], Reply | None] = lambda _: None
        self._listener = Listener(self._respond, now_ms=self._now_ms, host=host, port=port)

    def _now_ms(self) -> int:
        return self.clock()

    @property
    def url(self) -> str:
        """The address for `IDENTITY_ENDPOINT`."""
        return f"{self._listener.url}/msi/token"

    @property
    def environment(self) -> dict[str, str]:
        """The two environment variables that the platform sets for an app with an identity."""
        return {"IDENTITY_ENDPOINT": self.url, "IDENTITY_HEADER": self.header}

    def _respond(self, incoming: Incoming) -> Reply:
        self.asked += 1
        failing = self.instead(self.asked)
        if failing:
            return failing
        asked = _parameters(incoming.query)
        token = ""
        problem = self._problem(incoming, asked)
        if problem is None:
            token = self._issue(asked["resource"])
            reply = json_reply(self._token_body(token, asked))
        else:
            status, text = problem
            reply = json_reply({"statusCode": status, "message": text}, status=status)
        self.requests.append(
            TokenRequest(
                path=incoming.path,
                resource=asked.get("resource", ""),
                client_id=asked.get("client_id", ""),
                status=int(reply.status),
                token=token,
            )
        )
        return reply

    def _problem(self, incoming: Incoming, asked: Mapping[str, str]) -> tuple[int, str] | None:
        if incoming.path != "/msi/token":
            return HTTPStatus.NOT_FOUND, "There is nothing here; the endpoint is /msi/token."
        if not secrets.compare_digest(incoming.headers.get("X-IDENTITY-HEADER", ""), self.header):
            return HTTPStatus.UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong."
        if asked.get("api-version") != _API_VERSION:
            return HTTPStatus.BAD_REQUEST, f"The api-version must be {_API_VERSION}."
        if not asked.get("resource"):
            return HTTPStatus.BAD_REQUEST, "The parameter resource is missing."
        client_id = asked.get("client_id")
        if client_id and self.client_ids is not None and client_id not in self.client_ids:
            text = "No User Assigned or Delegated Managed Identity found for specified ClientId."
            return HTTPStatus.BAD_REQUEST, text
        return None

    def _issue(self, resource: str) -> str:
        claims = _claims(resource.removesuffix("/.default"), self.clock(), self.lifetime_seconds)
        return issue({**claims, "roles": list(self.roles)})

    def _token_body(self, token: str, asked: Mapping[str, str]) -> dict[str, str]:
        expires_on = self.clock() // 1000 + self.lifetime_seconds
        return {
            "access_token": token,
            "expires_on": str(expires_on),
            "resource": asked["resource"],
            "token_type": "Bearer",
            "client_id": asked.get("client_id") or _APPLICATION,
        }


class TokenAuthority(Served):
    """An authority like Entra over https, which issues tokens to applications.

    A context manager. A client authenticates with its secret, or with an assertion: a token that an
    `IdentityEndpoint` issued for the token exchange.

    Args:
        tls: The certificate and key to serve https with.
        clients: The secret of each client id.
        federated: The client ids that may use an assertion.
        exchange_audience: The audience of an assertion, which differs from cloud to cloud.
        lifetime_seconds: How long its tokens are valid.
        roles: The application roles that the clients were granted.
        clock: Returns the time (epoch ms).
        host: The address to listen on.
        port: The port; 0 takes a free one.

    """

    def __init__(  # noqa: PLR0913 - each is a property of the authority
        self,
        tls: TlsFiles,
        *,
        clients: Mapping[str, str] | None = None,
        federated: Iterable[str] = (),
        exchange_audience: str = EXCHANGE_AUDIENCE,
        lifetime_seconds: int = 3599,
        roles: Iterable[str] = (ROLE,),
        clock: Callable[[], int] = wall_clock,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.clients = dict(clients or {})
        self.federated = frozenset(federated)
        self.exchange_audience = exchange_audience
        self.lifetime_seconds = lifetime_seconds
        self.roles = tuple(roles)
        self.clock = clock
        self.requests: list[TokenRequest] = []
        self._listener = Listener(self._respond, now_ms=self._now_ms, host=host, port=port, tls=tls)

    def _now_ms(self) -> int:
        return self.clock()

    @property
    def url(self) -> str:
        """The address to use as `authority`."""
        return self._listener.url

    def _respond(self, incoming: Incoming) -> Reply:
        tenant = incoming.path.split("/")[1]
        if incoming.path == f"/{tenant}/v2.0/.well-known/openid-configuration":
            return json_reply(self._discovery(tenant))
        if incoming.path == "/common/discovery/instance":
            return json_reply(self._instances(_parameters(incoming.query)))
        if incoming.path == f"/{tenant}{_TOKEN_PATH}":
            return self._token(incoming)
        return json_reply({"error": "not_found"}, status=HTTPStatus.NOT_FOUND)

    def _discovery(self, tenant: str) -> dict[str, Any]:
        base = f"{self.url}/{tenant}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}{_TOKEN_PATH}",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        }

    def _instances(self, asked: Mapping[str, str]) -> dict[str, Any]:
        endpoint = asked.get("authorization_endpoint", "").replace("/oauth2/v2.0/authorize", "")
        host = self.url.partition("://")[2]
        return {
            "tenant_discovery_endpoint": f"{endpoint}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }

    def _token(self, incoming: Incoming) -> Reply:
        asked = _parameters(incoming.body.decode("utf-8", "replace"))
        problem = self._problem(asked)
        token = "" if problem else self._issue(asked)
        reply = _oauth_error(*problem) if problem else self._granted(token)
        self.requests.append(
            TokenRequest(
                path=incoming.path,
                resource=asked.get("scope", ""),
                client_id=asked.get("client_id", ""),
                status=int(reply.status),
                token=token,
            )
        )
        return reply

    def _problem(self, asked: Mapping[str, str]) -> tuple[int, str, str] | None:
        if asked.get("grant_type") != "client_credentials":
            return 400, "unsupported_grant_type", "AADSTS70003: use client_credentials."
        if not asked.get("scope", "").endswith("/.default"):
            return 400, "invalid_scope", "AADSTS1002012: the scope must end in /.default."
        if "client_assertion" in asked:
            return self._assertion_problem(asked)
        secret = self.clients.get(asked.get("client_id", ""))
        if secret is None:
            return 400, "unauthorized_client", "AADSTS700016: the application was not found."
        if not secrets.compare_digest(asked.get("client_secret", "").encode(), secret.encode()):
            return 401, "invalid_client", "AADSTS7000215: the client secret is wrong."
        return None

    def _assertion_problem(self, asked: Mapping[str, str]) -> tuple[int, str, str] | None:
        claims = read(asked["client_assertion"]) or {}
        vouched = (
            asked.get("client_assertion_type") == _ASSERTION_TYPE
            and claims.get("aud") == self.exchange_audience
            and claims.get("exp", 0) * 1000 > self.clock()
        )
        if not vouched:
            return 401, "invalid_client", "AADSTS700027: the client assertion is not valid."
        if asked.get("client_id") not in self.federated:
            return 400, "invalid_client", "AADSTS70025: the client has no federated credential."
        return None

    def _issue(self, asked: Mapping[str, str]) -> str:
        audience = asked["scope"].removesuffix("/.default")
        claims = _claims(audience, self.clock(), self.lifetime_seconds)
        return issue({**claims, "appid": asked["client_id"], "roles": list(self.roles)})

    def _granted(self, token: str) -> Reply:
        return json_reply(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime_seconds,
                "ext_expires_in": self.lifetime_seconds,
                "access_token": token,
            }
        )


def _claims(audience: str, now_ms: int, lifetime_seconds: int) -> dict[str, Any]:
    now = now_ms // 1000
    return {
        "aud": audience,
        "iss": f"https://sts.windows.net/{_TENANT}/",
        "iat": now,
        "nbf": now,
        "exp": now + lifetime_seconds,
        "appid": _APPLICATION,
        "oid": _APPLICATION,
        "sub": _APPLICATION,
        "tid": _TENANT,
        "idtyp": "app",
        "jti": secrets.token_hex(8),
    }


def _oauth_error(status: int, error: str, description: str) -> Reply:
    return json_reply({"error": error, "error_description": description}, status=status)


def _parameters(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
