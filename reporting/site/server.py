"""Serves the pages of a run on the loopback address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from errno import EADDRINUSE
from pathlib import Path

import uvicorn

from fdd.errors import UsageError
from fdd.reporting.site.app import build_app
from fdd.reporting.site.site import PATIENCE, Site
from fdd.storage.database import Database
from fdd.storage.folder import find_run
from fdd.storage.store import Store

LOOPBACK = "127.0.0.1"
PORT = 8765
"""The default port; if it is taken, any free one is used."""
LAST_PORT = 65535


def serve(folder: Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C, which raises `KeyboardInterrupt`. Passes the URL to `ready` once it can be opened.

    Port 0 means any free port. Raises `UsageError` if there is no run or the port is not available.
    """
    # Opened once in the ordinary way, which checks it and migrates its tables; pages then wait less long.
    path = Store.open(find_run(folder)).path
    site = Site(folder, Store(Database(path, patience=PATIENCE)))
    with closing(listen(port)) as listener:
        config = uvicorn.Config(
            build_app(site),
            lifespan="off",
            ws="none",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        ready(f"http://{LOOPBACK}:{listener.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listener])


def listen(port: int | None) -> socket.socket:
    if port is None:
        try:
            return listen(PORT)
        except UsageError:
            return listen(0)
    if not 0 <= port <= LAST_PORT:
        raise UsageError(
            f"--port {port} is no port: give one up to {LAST_PORT}, or none for any that is free"
        )
    try:
        return socket.create_server((LOOPBACK, port), backlog=128)
    except OSError as error:
        reason = "is in use by another program" if error.errno == EADDRINUSE else f"cannot be had ({error})"
        raise UsageError(f"--port {port} {reason}: give another one, or none for any that is free") from None
