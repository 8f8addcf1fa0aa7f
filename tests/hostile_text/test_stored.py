"""A database that somebody else wrote into is refused with one line, however its values look."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd.domain import Reason
from fdd.errors import StoreError
from fdd.main import main
from fdd.storage.codec import decode, encode
from fdd.storage.database import Database
from fdd.storage.records import ProblemRecord, RationaleRecord
from fdd.storage.store import Store
from tests.hostile_text.strategies import bounded
from tests.storage.samples import RUN, problem, rationale

BAD_NUMBERS = ("", "seven", "1/0", "nan", "inf", "1e999999999", " 1", "1_0", "٣", "9" * 5000, "1.5")
PROBLEM = problem()


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_a_number_that_we_never_write_is_refused(number: str) -> None:
    row = list(encode(PROBLEM))
    row[row.index("2")] = number
    with pytest.raises(StoreError, match=f"problems '{PROBLEM.id}': answer cannot be '"):
        decode(ProblemRecord, row)


@pytest.mark.parametrize(("column", "value"), [("reason", "\x1b[2J"), ("value", "9" * 100_000)])
def test_verify_and_report_end_with_one_line(
    column: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path / "fdd.duckdb", RUN)
    store.add([PROBLEM, rationale(PROBLEM)])
    with Database(store.path).writing() as connection:
        connection.execute(f"UPDATE rationales SET {column} = ?", [value])
    assert main(["verify", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "its content hash does not match" in printed.out
    assert all(c.isprintable() or c == "\n" for c in printed.out + printed.err)
    with pytest.raises(StoreError, match=f"{column} cannot be"):
        store.rationales()


FRACTIONS = st.fractions() | st.integers(-(10**1000), 10**1000).map(Fraction)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@bounded
@given(text=TEXT, detail=TEXT, value=FRACTIONS | st.none(), reason=st.sampled_from(Reason))
def test_a_record_of_any_text_and_number_comes_back(
    text: str, detail: str, value: Fraction | None, reason: Reason
) -> None:
    record = replace(rationale(PROBLEM), text=text, detail=detail, value=value, reason=reason)
    assert decode(RationaleRecord, encode(record)) == record
