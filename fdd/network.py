"""Finds the environment variable that prevents access to the network, and checks and redacts URLs."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
"""Proxy variables in lower case. Programs also read them in upper case."""
SOCKS = ("socks5", "socks5h")

_LOGIN = re.compile(r"^([a-z][a-z0-9+.-]*://|//)?.*@", re.IGNORECASE | re.DOTALL)
"""Everything up to the last `@`: a password may contain any character, and the scheme may be missing."""
_QUERY = re.compile(r"\?.*", re.DOTALL)


def network_fault(environment: Mapping[str, str]) -> str | None:
    """Describes the first variable whose proxy or certificates cannot be used, and what to do about it.

    Returns None if there is no such variable. Call it after a failure: clients raise errors that do not name
    the variable.
    """
    for name, value in environment.items():
        fault = None
        if name.lower() in PROXIES and value:
            fault = _proxy_fault(value if "://" in value else f"http://{value}")
        elif name == "SSL_CERT_FILE" and value:
            try:
                ssl.create_default_context(cafile=value)
            except OSError as error:  # an SSLError is one
                fault = f"is no file of PEM certificates ({error.strerror}): correct it or unset it"
        if fault:
            return f"{name}={without_login(value)!r} {fault}"
    return None


def hub_fault(environment: Mapping[str, str] = os.environ) -> str | None:
    """Does the same for downloads from the hub of models and data sets, whose URL is in `HF_ENDPOINT`."""
    endpoint = environment.get("HF_ENDPOINT")
    if endpoint and (fault := url_fault(endpoint)):
        return f"HF_ENDPOINT={without_login(endpoint)!r} is no URL of a hub: {fault}"
    return network_fault(environment)


def url_fault(url: str) -> str | None:
    """Returns the reason why this cannot be the URL of an HTTP server; None if it can."""
    if not url.isprintable() or " " in url:
        return "it contains a blank or a line break"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return str(error)[:1].lower() + str(error)[1:]
    if parts.scheme not in ("http", "https"):
        return "it must begin with http:// or https://"
    if not host:
        return "it has no host"
    if parts.query or parts.fragment:
        return "it must end before ? and #"
    return "its port must be 1 to 65535" if port == 0 else None


def has_login(url: str) -> bool:
    """Returns True if a valid URL contains a user or password."""
    return "@" in urlsplit(url).netloc


def without_login(url: str) -> str:
    """Masks user, password and query of the URL for display. The query may contain a key."""
    return _QUERY.sub("?***", _LOGIN.sub(r"\1***@", url))


def _proxy_fault(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https", *SOCKS):
        return "is a proxy of an unknown kind: give http://HOST:PORT or socks5://HOST:PORT, or unset it"
    if fault := url_fault(f"http://{rest}"):
        return f"is no URL of a proxy ({fault}): correct it or unset it"
    if scheme in SOCKS and find_spec("socksio") is None:
        return "is a SOCKS proxy, which needs another package: pip install socksio, or unset it"
    return None
