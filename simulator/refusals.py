"""Answers that refuse a request: JSON from the application, HTML from portal and gateway."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from simulator import chance
from simulator.credentials import INVALID, NO_ROLE, Refusal
from simulator.listening import Reply
from simulator.people import guid

if TYPE_CHECKING:
    from simulator.switches import Switches

_HTML = "text/html; charset=utf-8"
# The time to wait that a scripted 429 asks for by default.
_WAIT_SECONDS = 23

_PORTAL_PAGE = (
    "<!doctype html><html><head><title>{title}</title></head><body><script>"
    'var __ADALLOM_CONSTS = {{"region": "sim", "version": "0.0.0"}};var USING_GATEWAY = false;'
    "</script><h1>{status}</h1><p>{text}</p></body></html>"
)
_GATEWAY_PAGE = (
    "<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
    "<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>nginx</center>\r\n"
    "</body>\r\n</html>\r\n"
)
SIGN_IN_PAGE = (
    b"<!doctype html><html><head><title>Sign in</title></head><body><form></form></body></html>"
)


def for_status(
    status: int, *, number: int, now_ms: int, switches: Switches, wait_seconds: float | None = None
) -> Reply:
    """Return the API's answer with a status, whatever the request."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = _WAIT_SECONDS if wait_seconds is None else round(wait_seconds)
        return throttled(seconds, now_ms=now_ms, switches=switches)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return redirect("/login/?next=%2Fapi%2Fv1%2Factivities%2F", status=status)
    if status == HTTPStatus.NOT_FOUND:
        return page_not_found()
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        text = "Internal error If the problem persists, contact support"
        return _portal_page(status, "Internal error", text)
    if status > HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return _gateway_page(status)
    refusal = {401: INVALID, 403: NO_ROLE}.get(status) or Refusal(status, HTTPStatus(status).phrase)
    return refused(refusal, number=number, switches=switches)


def refused(refusal: Refusal, *, number: int, switches: Switches) -> Reply:
    """Return a refusal by the application, with a correlation id if the API sends one."""
    body = {"detail": refusal.detail}
    if refusal == NO_ROLE:
        body["correlation_id"] = guid(chance.digest(switches.seed, "correlation", number, 16))
    return json_reply(body, status=refusal.status)


def throttled(seconds: int, *, now_ms: int, switches: Switches) -> Reply:
    """Return a 429 that asks to wait, in the form that the switches choose."""
    unit = "second" if seconds == 1 else "seconds"
    text = f"Request was throttled. Expected available in {seconds} {unit}."
    body = {"detail": text} if switches.throttle_body == "detail" else {"error": {"message": text}}
    headers = {}
    if switches.retry_after == "seconds":
        headers["Retry-After"] = str(seconds)
    elif switches.retry_after == "zero":
        headers["Retry-After"] = "0"
    elif switches.retry_after == "date":
        headers["Retry-After"] = formatdate(now_ms / 1000 + seconds, usegmt=True)
    return json_reply(body, status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)


def redirect(location: str, *, status: int = HTTPStatus.MOVED_PERMANENTLY) -> Reply:
    """Return a redirect."""
    return Reply(status=status, content_type=_HTML, headers={"Location": location})


def page_not_found() -> Reply:
    """Return the HTML page for an address that does not exist."""
    return _portal_page(HTTPStatus.NOT_FOUND, "Not found", "404 Page not found")


def sign_in_page() -> Reply:
    """Return a sign-in page with status 200, which looks like success to a careless client."""
    return Reply(status=HTTPStatus.OK, body=SIGN_IN_PAGE, content_type=_HTML)


def json_reply(
    body: object, *, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Reply:
    """Return a small JSON answer."""
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers or {})


def _portal_page(status: int, title: str, text: str) -> Reply:
    body = _PORTAL_PAGE.format(title=title, status=int(status), text=text).encode()
    return Reply(status=status, body=body, content_type=_HTML)


def _gateway_page(status: int) -> Reply:
    body = _GATEWAY_PAGE.format(status=status, phrase=HTTPStatus(status).phrase).encode()
    return Reply(status=status, body=body, content_type=_HTML)
