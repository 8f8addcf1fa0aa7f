-- What agents did, step by step, and what models were asked and answered word by word.

CREATE TABLE spans (
    id VARCHAR PRIMARY KEY,
    parent VARCHAR NOT NULL,        -- spans.id, or trace.id of a phase
    kind VARCHAR NOT NULL,          -- problem | agent | call | program
    name VARCHAR NOT NULL,
    round INTEGER NOT NULL,         -- that was going on
    phase VARCHAR NOT NULL,
    problem_id VARCHAR,             -- problems.id
    agent VARCHAR NOT NULL,
    status VARCHAR NOT NULL,        -- verdict, status of the call, or what else became of it
    subject VARCHAR NOT NULL,       -- id of the row that came of it: a call, rationale, attempt or problem
    cost_usd DOUBLE NOT NULL,
    started TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE transcripts (
    call_id VARCHAR PRIMARY KEY,    -- calls.id
    request JSON NOT NULL,          -- messages, temperature, max_tokens
    reply VARCHAR,                  -- NULL where none came
    finish VARCHAR NOT NULL,        -- why the model stopped writing; empty where no reply came
    content_hash VARCHAR NOT NULL
);

-- The run, its rounds and phases as spans, from the events. A phase that was killed is `running` still: the
-- file cannot know. Seconds are those between a start and the next event of the phase.
CREATE VIEW stages AS
WITH sittings AS (
    SELECT round, phase, kind, time, seq,
           lead(time) OVER sitting AS next_time,
           lead(kind) OVER sitting AS next_kind
    FROM events
    WHERE kind IN ('started', 'finished', 'interrupted')
    WINDOW sitting AS (PARTITION BY round, phase ORDER BY seq)
), phases AS (
    SELECT round, phase, min(time) AS started, min(seq) AS seq,
           CASE last(kind ORDER BY seq) WHEN 'started' THEN 'running' ELSE last(kind ORDER BY seq) END AS status,
           coalesce(sum(epoch(next_time) - epoch(time))
                    FILTER (kind = 'started' AND next_kind <> 'started'), 0)::DOUBLE AS seconds
    FROM sittings
    GROUP BY round, phase
)
SELECT 'round-' || round || '/' || phase AS id, 'round-' || round AS parent, 'phase' AS kind, phase AS name,
       round, phase, NULL::VARCHAR AS problem_id, '' AS agent, status, '' AS subject, 0::DOUBLE AS cost_usd, started,
       seconds, seq
FROM phases
UNION ALL
SELECT 'round-' || round, 'run', 'round', 'round ' || round, round, '', NULL, '', last(status ORDER BY seq), '',
       0, min(started), sum(seconds), min(seq)
FROM phases GROUP BY round
UNION ALL
SELECT 'run', '', 'run', (SELECT id FROM runs), -1, '', NULL, '', last(status ORDER BY seq), '', 0,
       min(started), sum(seconds), 0
FROM phases;
