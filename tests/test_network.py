"""Which variable of the environment is named where a network cannot be reached."""

from __future__ import annotations

import pytest

from fdd.network import hub_fault, network_fault, url_fault


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "needs another package: pip install socksio"),
        ("all_proxy", "socks5h://127.0.0.1:1080", "needs another package: pip install socksio"),
        ("ALL_PROXY", "socks://127.0.0.1:1080", "a proxy of an unknown kind"),
        ("HTTPS_PROXY", "ftp://proxy:21", "a proxy of an unknown kind"),
        ("HTTP_PROXY", "http://127.0.0.1:99999", "port out of range"),
        ("https_proxy", "proxy:port", "no URL of a proxy"),
        ("SSL_CERT_FILE", "/gone/cacert.pem", "no file of PEM certificates (No such file or directory)"),
        ("SSL_CERT_FILE", __file__, "no file of PEM certificates"),
    ],
)
def test_a_variable_that_keeps_clients_from_being_made_is_named_with_its_value(
    variable: str, value: str, fault: str
) -> None:
    said = network_fault({"PATH": "/bin", variable: value})
    assert said is not None
    assert said.startswith(f"{variable}={value!r} ")
    assert fault in said


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("socks5://me:hunter22@127.0.0.1:1080", "socks5://***@127.0.0.1:1080"),
        ("me:hunter22@proxy:port", "***@proxy:port"),
        ("http://me:p@hunter22@proxy:99999", "http://***@proxy:99999"),
        ("http://me:p/hunter22@proxy:99999", "http://***@proxy:99999"),
        ("http://me:p//hunter22@proxy:99999", "http://***@proxy:99999"),
        ("http://me:p#hunter22@proxy", "http://***@proxy"),
        ("http://proxy:99999/?key=hunter22", "http://proxy:99999/?***"),
    ],
)
def test_a_proxy_is_shown_without_its_password(proxy: str, shown: str) -> None:
    said = network_fault({"ALL_PROXY": proxy})
    assert said is not None
    assert said.startswith(f"ALL_PROXY={shown!r} ")
    assert "hunter22" not in said


def test_settings_that_work_are_no_fault() -> None:
    environment = {
        "HTTP_PROXY": "proxy:3128",
        "HTTPS_PROXY": "http://me:pass@proxy:3128",
        "ALL_PROXY": "",
        "NO_PROXY": "localhost,::1",
        "HF_ENDPOINT": "https://hf-mirror.com",
    }
    assert hub_fault(environment) is None


@pytest.mark.parametrize("endpoint", ["hf-mirror.com", "//hf-mirror.com", "https://", "ftp://hub"])
def test_an_address_of_the_hub_that_is_none_is_named(endpoint: str) -> None:
    said = hub_fault({"HF_ENDPOINT": endpoint})
    assert said is not None
    assert said.startswith(f"HF_ENDPOINT={endpoint!r} is no URL of a hub: it ")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "https://me:key@host/v1", "http://[::1]:8000/v1", "http://localhost"],
)
def test_the_url_of_a_server_is_one(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize("end", ["?api_key=sk-planted", "/?version=1", "#chat"])
def test_the_url_of_a_server_must_end_before_a_query_or_fragment(end: str) -> None:
    assert url_fault(f"http://127.0.0.1:8000/v1{end}") == "it must end before ? and #"
