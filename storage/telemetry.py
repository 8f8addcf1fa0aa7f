"""What is exported along with spans: the wall-clock time of stages, and the calls behind steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC

import duckdb

from fdd.storage.codec import columns, decode
from fdd.storage.records import CallRecord, SpanRecord, TranscriptRecord
from fdd.storage.rows import select

_COLUMNS = ", ".join(f"stages.{name}" for name in columns(SpanRecord))
_STAGES = f"""
    WITH signs AS (
        SELECT round, phase, time AS seen FROM events
        UNION ALL
        SELECT round, phase, max(started + to_microseconds(CAST(1e6 * seconds AS BIGINT)))
        FROM spans GROUP BY round, phase
    )
    SELECT {_COLUMNS}, stages.seq, max(seen)
    FROM stages JOIN signs
    ON (kind = 'run' OR signs.round = stages.round) AND (kind <> 'phase' OR signs.phase = stages.phase)
    GROUP BY ALL ORDER BY stages.seq, stages.kind DESC
"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call with its transcript."""

    call: CallRecord
    transcript: TranscriptRecord | None
    """None if no model was asked, or for a call of an older schema."""


def select_stages(connection: duckdb.DuckDBPyConnection) -> list[SpanRecord]:
    """Returns the run, its rounds and phases; `seconds` ends with the last event or step, pauses included."""
    rows = connection.execute(_STAGES).fetchall()
    stages = [(decode(SpanRecord, row[:-2]), row[-1].replace(tzinfo=UTC)) for row in rows]
    return [replace(stage, seconds=(seen - stage.started).total_seconds()) for stage, seen in stages]


def select_exchanges(connection: duckdb.DuckDBPyConnection, call_ids: Sequence[str]) -> dict[str, Exchange]:
    """Returns the calls with these ids and their transcripts, by id; leaves out ids that are not stored."""
    wanted = list(call_ids)
    calls = select(connection, CallRecord, "WHERE id IN (SELECT unnest(?))", wanted)
    said = select(connection, TranscriptRecord, "WHERE call_id IN (SELECT unnest(?))", wanted)
    transcripts = {transcript.call_id: transcript for transcript in said}
    return {call.id: Exchange(call, transcripts.get(call.id)) for call in calls}
