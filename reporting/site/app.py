"""The web application: its routes, error pages and security headers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fdd.errors import StoreBusyError, StoreError, UsageError, one_line
from fdd.reporting.site import pages
from fdd.reporting.site.site import Site

HOSTS = ["localhost", "127.0.0.1", "[::1]"]
"""Host names that are served. Others are refused, as a foreign site could point its name at this machine."""
STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PAGES = {
    "/": pages.run,
    "/live": pages.live,
    "/problems": pages.problems,
    "/problems/{name}": pages.problem,
    "/calls/{name}": pages.call,
    "/trace": pages.trace,
    "/evaluations": pages.evaluations,
}


def build_app(site: Site) -> Starlette:
    routes = [Route(path, partial(page, site), methods=["GET"]) for path, page in PAGES.items()]
    return Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=STATIC))],
        middleware=[
            Middleware(guarded),  # first, so that refusals of the next one get the headers too
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
        ],
        exception_handlers=dict.fromkeys((HTTPException, UsageError, StoreError), partial(_explain, site)),
    )


def guarded(app: ASGIApp) -> ASGIApp:
    """Adds the security headers to every response of an application."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, send_guarded)

    return answer


def _explain(site: Site, request: Request, error: Exception) -> Response:  # noqa: ARG001
    match error:
        case HTTPException():
            title = "Not found" if error.status_code == 404 else "Not possible"
            return pages.message(site, error.status_code, title, error.detail, error.headers or {})
        case StoreBusyError():
            text = "The run is writing at this moment. This page tries again by itself."
            return pages.message(site, 503, "One moment", text, {"Retry-After": "1"})
        case UsageError():
            return pages.message(site, 400, "That cannot be shown", one_line(str(error)))
        case _:
            return pages.message(site, 500, "The database cannot be read", one_line(str(error)))
