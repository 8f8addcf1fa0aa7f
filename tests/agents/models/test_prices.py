"""Prices of models: the table, a user's file, and models that nobody has priced."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd.agents.models.config import CallConfig
from fdd.agents.models.prices import FREE, Price, find_price, load_prices
from fdd.errors import UsageError


def test_a_million_tokens_cost_the_price() -> None:
    assert Price(input=2, output=8).cost(500_000, 250_000) == 3.0


def test_usual_models_are_known() -> None:
    prices = load_prices()
    assert prices["openai:gpt-4o-mini"] == Price(input=0.15, output=0.60)
    assert {name.partition(":")[0] for name in prices} >= {"openai", "anthropic", "google_genai", "mistralai"}


def test_a_model_that_the_run_loads_by_itself_costs_nothing() -> None:
    assert find_price("local:smollm2-135m", "", CallConfig(max_cost=1)) is FREE


def test_a_file_overrides_and_extends_the_table(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("['openai:gpt-4o']\ninput = 1\noutput = 2\n['groq:llama']\ninput = 0.1\noutput = 0.2\n")
    prices = load_prices(str(file))
    assert prices["openai:gpt-4o"] == Price(input=1, output=2)
    assert prices["groq:llama"] == Price(input=0.1, output=0.2)
    assert "openai:gpt-4o-mini" in prices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("['openai:gpt-4o'\ninput = 1", "is not TOML.*line 1"),
        ("['openai:gpt-4o']\ninput = 1", "openai:gpt-4o output: Field required"),
        ("['a:b']\ninput = -1\noutput = 1", "a:b input: Input should be greater than or equal to 0"),
        ("['a:b']\ninput = 'cheap'\noutput = 1", "a:b input: .*number"),
        ("['a:b']\ninput = inf\noutput = 1", "a:b input: .*finite"),
        ("['a:b']\ninput = 1\noutput = 1\nimages = 3", "a:b images: Extra"),
        ("input = 1", "input: "),
    ],
)
def test_a_bad_file_is_refused_by_line_or_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=rf"prices\.toml.*{message}"):
        load_prices(str(file))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read price file .*none\.toml.*No such file"):
        load_prices(str(tmp_path / "none.toml"))


UNLIMITED, LIMITED = CallConfig(), CallConfig(max_cost=5)


def with_price_of(name: str, folder: Path) -> CallConfig:
    """A limited run whose price file says that this model costs `Price(input=1, output=1)`."""
    file = folder / "prices.toml"
    file.write_text(f"['{name}']\ninput = 1\noutput = 1\n")
    return CallConfig(max_cost=5, prices=str(file))


def test_a_model_at_an_address_of_ones_own_costs_nothing_unless_it_has_a_price(tmp_path: Path) -> None:
    config = with_price_of("openai:rented", tmp_path)
    assert find_price("openai:qwen", "http://localhost:8000/v1", config) == FREE
    assert find_price("openai:rented", "http://localhost:8000/v1", config) == Price(input=1, output=1)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "10.1.2.3", "192.168.0.7", "[fd00::1]"]
)
def test_a_server_on_this_machine_or_in_a_private_network_is_free(host: str) -> None:
    assert find_price("openai:m", f"http://{host}:8000/v1", LIMITED) == FREE


@pytest.mark.parametrize(
    "address",
    ["https://api.deepseek.com/v1", "http://8.8.8.8/v1", "http://[::ffff:8.8.8.8]/v1", "http://[::1", "m"],
)
def test_a_server_anywhere_else_has_no_price_unless_the_table_says_so(address: str, tmp_path: Path) -> None:
    assert find_price("openai:m", address, UNLIMITED) is None
    with pytest.raises(UsageError, match=r"--max-cost needs the price of 'openai:m' at .*--prices"):
        find_price("openai:m", address, LIMITED)
    assert find_price("openai:m", address, with_price_of("openai:m", tmp_path)) == Price(input=1, output=1)


def test_a_price_that_nobody_knows_is_none_and_with_limited_money_an_error() -> None:
    assert find_price("openai:new", "", UNLIMITED) is None
    with pytest.raises(UsageError, match=r"--max-cost needs the price of 'openai:new'.*--prices"):
        find_price("openai:new", "", LIMITED)
