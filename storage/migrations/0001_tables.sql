-- Everything that a run did. Rows are only ever added. A content hash covers its row, except columns that differ
-- between two runs with the same results: times, costs, who paid. `unhashed` in storage/records.py names them.
-- Every time is in UTC. Rounds count from 0; round -1 is that of the untaught student.

-- The run; the table has one row.
CREATE TABLE runs (
    id VARCHAR PRIMARY KEY,
    created TIMESTAMP NOT NULL,
    settings JSON NOT NULL,
    versions JSON NOT NULL,         -- of the libraries that decide results
    seed BIGINT NOT NULL,
    speed JSON NOT NULL,            -- the student's tokens per second on the machine that began the run
    content_hash VARCHAR NOT NULL
);

-- Every problem: seeds, those that were written from them, and those of the evaluation sets.
CREATE TABLE problems (
    id VARCHAR PRIMARY KEY,
    question VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,        -- exact rational, `n` or `n/d`
    solution VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    template VARCHAR NOT NULL,
    skill VARCHAR NOT NULL,         -- what it exercises; '' for evaluation problems
    parent VARCHAR,                 -- problems.id
    operator VARCHAR,               -- harder | similar | simpler
    round INTEGER NOT NULL,         -- in whose training set it first takes part
    split VARCHAR NOT NULL,         -- seed | generated | sibling (of a seed, only probed) | dev | test:NAME | unasked:NAME (of test set NAME, not asked)
    agent VARCHAR NOT NULL,
    call_id VARCHAR,                -- calls.id
    content_hash VARCHAR NOT NULL
);

-- Each rationale in one format for one problem, with the verdict on it.
CREATE TABLE rationales (
    id VARCHAR PRIMARY KEY,
    problem_id VARCHAR NOT NULL,
    thought VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    agent VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,        -- `accepted`, or why not
    value VARCHAR,                  -- exact rational that the text gives
    detail VARCHAR NOT NULL,
    repaired BOOLEAN NOT NULL,      -- a second try after the first was not accepted
    prompt_hash VARCHAR NOT NULL,
    call_id VARCHAR,
    content_hash VARCHAR NOT NULL
);

-- Each answer of a student.
CREATE TABLE attempts (
    id VARCHAR PRIMARY KEY,
    problem_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,         -- the last one trained before it; if that was undone, `model` is older
    purpose VARCHAR NOT NULL,       -- baseline | evaluation | probe | practice | plan
    evaluation VARCHAR NOT NULL,    -- name of the problem set, or empty
    thought VARCHAR NOT NULL,
    sample INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    value VARCHAR,
    new_tokens INTEGER NOT NULL,
    finished BOOLEAN NOT NULL,      -- by the student itself: false at the token limit and for repetitions
    model VARCHAR NOT NULL,
    backend VARCHAR NOT NULL,       -- the library that computed it: torch | vllm
    seed BIGINT NOT NULL,
    form BOOLEAN NOT NULL,          -- the text has the form that is taught; the value counts in any form
    content_hash VARCHAR NOT NULL
);

-- How well a student solves a problem, from its attempts with the purpose `probe`.
CREATE TABLE probes (
    problem_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,         -- the last one trained before it, even if that was undone
    n INTEGER NOT NULL,
    correct INTEGER NOT NULL,
    mean DOUBLE NOT NULL,           -- posterior mean of the solve rate
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    band VARCHAR NOT NULL,
    change DOUBLE,                  -- mean less the parent's mean
    parent_round INTEGER,           -- of the student whose probe of the parent `change` compares with
    content_hash VARCHAR NOT NULL,
    PRIMARY KEY (problem_id, round)
);

-- The student that each round trained.
CREATE TABLE rounds (
    round INTEGER PRIMARY KEY,
    student VARCHAR NOT NULL,       -- path relative to the run folder
    problems INTEGER NOT NULL,      -- in the training set
    steps INTEGER NOT NULL,
    examples INTEGER NOT NULL,
    tokens BIGINT NOT NULL,
    loss DOUBLE,                    -- mean over the last steps; empty if nothing was trained
    seconds DOUBLE NOT NULL,
    removed JSON NOT NULL,          -- reason -> problems that were proposed for this round and not taken
    content_hash VARCHAR NOT NULL
);

-- The second training of each round, after fine-tuning; empty unless `--refine` names a method.
CREATE TABLE refinements (
    round INTEGER PRIMARY KEY,
    method VARCHAR NOT NULL,        -- dpo | distill | grpo
    examples INTEGER NOT NULL,      -- pairs of answers (dpo), rationales (distill) or problems (grpo)
    steps INTEGER NOT NULL,         -- 0 if there was nothing to train on
    loss DOUBLE,                    -- mean over the last steps
    seconds DOUBLE NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- The accuracy of a student on an evaluation set, with its 95 % interval.
CREATE TABLE evaluations (
    round INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    correct INTEGER NOT NULL,
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    accuracy DOUBLE GENERATED ALWAYS AS (correct / n) VIRTUAL,
    content_hash VARCHAR NOT NULL,
    PRIMARY KEY (round, name)
);

-- How far the delivered student has moved from the untaught one, on the untaught one's answers to general prompts.
CREATE TABLE drift (
    round INTEGER PRIMARY KEY,
    tokens INTEGER NOT NULL,
    divergence DOUBLE NOT NULL,     -- Kullback-Leibler, nats a token
    agreement DOUBLE NOT NULL,      -- share of tokens for which both find the same next token likeliest
    content_hash VARCHAR NOT NULL
);

-- Whether a round was kept, and the comparison on the dev set that decided it. A round without a row was kept.
CREATE TABLE decisions (
    round INTEGER PRIMARY KEY,
    against INTEGER NOT NULL,       -- the round kept before it, -1 before any teaching
    n INTEGER NOT NULL,             -- problems of the dev set
    gained INTEGER NOT NULL,        -- right now, wrong before
    lost INTEGER NOT NULL,          -- wrong now, right before
    p DOUBLE NOT NULL,              -- McNemar's exact test, two-sided
    kept BOOLEAN NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- Problems that a person does not want taught, or that `--overgenerate` left out. Training sets of earlier rounds stay as
-- they were.
CREATE TABLE rejections (
    problem_id VARCHAR PRIMARY KEY, -- problems.id
    round INTEGER NOT NULL,         -- the first one whose training set is without it
    detail VARCHAR NOT NULL,        -- why
    content_hash VARCHAR NOT NULL
);

-- Questions that were kept out of the training set, each with the evaluation problem that it copies.
CREATE TABLE contamination (
    id VARCHAR PRIMARY KEY,
    round INTEGER NOT NULL,         -- in whose training set it would have been
    question VARCHAR NOT NULL,
    parent VARCHAR,                 -- problems.id; empty for a seed
    problem_id VARCHAR NOT NULL,    -- problems.id of the evaluation problem
    kind VARCHAR NOT NULL,          -- exact | masked (other numbers) | overlap (other names or wording)
    overlap DOUBLE NOT NULL,        -- share of the evaluation problem's runs of words that it contains
    operator VARCHAR,               -- harder | similar; empty for a seed
    content_hash VARCHAR NOT NULL
);

-- Each request to an agent: what it used, who paid, and what went wrong.
CREATE TABLE calls (
    id VARCHAR PRIMARY KEY,
    round INTEGER NOT NULL,
    agent VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    prompt_hash VARCHAR NOT NULL,
    settings_hash VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    sample INTEGER NOT NULL,
    status VARCHAR NOT NULL,        -- answered | malformed | truncated | filtered | failed | refused
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd DOUBLE NOT NULL,       -- that this run paid
    seconds DOUBLE NOT NULL,
    started TIMESTAMP NOT NULL,
    problem_id VARCHAR,             -- problems.id; of the parent if a new problem was to be written
    tries INTEGER NOT NULL,         -- requests that the run that paid sent, with retries; 0 if no model is asked
    paid BOOLEAN NOT NULL,          -- by this run; false if another run had paid, and if it costs nothing
    detail VARCHAR NOT NULL,        -- what went wrong, in one line
    content_hash VARCHAR NOT NULL
);

-- The exact texts of a request to a model and of its reply.
CREATE TABLE transcripts (
    call_id VARCHAR PRIMARY KEY,    -- calls.id
    request JSON NOT NULL,          -- messages (role and content), temperature, max_tokens
    reply VARCHAR,                  -- empty if there was none
    finish VARCHAR NOT NULL,        -- why the model stopped writing; '' if there was no reply
    content_hash VARCHAR NOT NULL
);

-- What agents did, step by step.
CREATE TABLE spans (
    id VARCHAR PRIMARY KEY,
    parent VARCHAR NOT NULL,        -- spans.id, or stages.id of a phase
    kind VARCHAR NOT NULL,          -- problem | agent | call | program
    name VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    phase VARCHAR NOT NULL,
    problem_id VARCHAR,             -- problems.id
    agent VARCHAR NOT NULL,
    status VARCHAR NOT NULL,        -- verdict, status of the call, or another result
    subject VARCHAR NOT NULL,       -- id of the row it produced: a call, rationale, attempt, or a draft's problem
    cost_usd DOUBLE NOT NULL,       -- that this run paid
    started TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL,
    content_hash VARCHAR NOT NULL
);

-- What happened in the run, in order. The rows have no content hash.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    time TIMESTAMP NOT NULL,
    round INTEGER NOT NULL,
    phase VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,          -- started | finished | interrupted | failed
    detail JSON NOT NULL
);

-- The rounds that were undone: the next one went on with the student and the training set of the round before.
CREATE VIEW undone AS SELECT round FROM decisions WHERE NOT kept;

-- The training sets. An accepted rationale is in those from `first_round` to `last_round`: from its own round on
-- until its problem is rejected, but only in its own if that round was undone. A vote is in a format that the
-- run does not teach: it counts for what is known of an answer, and the student never sees it.
CREATE VIEW taught AS
SELECT *
FROM (
    SELECT rationales.id AS rationale_id, problem_id, thought,
           coalesce(NOT json_contains(settings -> 'thoughts', to_json(thought)), false) AS vote,
           rationales.round AS first_round,
           least(CASE WHEN rationales.round IN (SELECT round FROM undone) THEN rationales.round ELSE 2147483647 END,
                 rejections.round - 1) AS last_round -- `least` ignores NULL
    FROM runs, rationales LEFT JOIN rejections USING (problem_id)
    WHERE reason = 'accepted'
)
WHERE first_round <= last_round;

-- How each round's student answered the probes of each skill. `taught` counts the problems of the skill in the training
-- set of that student.
CREATE VIEW probed_skills AS
SELECT probes.round, skill, sum(n)::BIGINT AS n, sum(correct)::BIGINT AS correct,
       (SELECT count(DISTINCT taught.problem_id)
        FROM taught JOIN problems AS known ON known.id = taught.problem_id
        WHERE known.skill = problems.skill AND NOT vote
          AND probes.round BETWEEN first_round AND last_round) AS taught
FROM probes JOIN problems ON problems.id = probes.problem_id
WHERE split = 'sibling'
GROUP BY probes.round, skill;

-- What became of each problem in each format: `rejected` if what was accepted is not taught, else the accepted
-- rationale's verdict if there is one, else the last try's; `call_failed` only if every call failed.
CREATE VIEW outcomes AS
SELECT verdicts.round, problem_id, thought,
       CASE WHEN reason = 'accepted' AND rejections.round <= verdicts.round THEN 'rejected' ELSE reason END AS reason
FROM (
    SELECT round, problem_id, thought,
           first(reason ORDER BY reason = 'accepted' DESC, reason = 'call_failed', repaired DESC, id) AS reason
    FROM rationales
    GROUP BY round, problem_id, thought
) verdicts
LEFT JOIN rejections USING (problem_id);

-- Copies and the evaluation problems that they copy, side by side.
CREATE VIEW kept_out AS
SELECT contamination.round, kind, overlap, contamination.question AS removed, problem_id,
       problems.question AS evaluated, regexp_replace(split, '^(test|unasked):', '') AS evaluation
FROM contamination JOIN problems ON problem_id = problems.id;

-- The run, its rounds and phases as spans, from the events. A phase whose process was killed stays `running`: the
-- file cannot know. Seconds are those between a start and the next event of the phase.
CREATE VIEW stages AS
WITH changes AS (
    SELECT round, phase, kind, time, seq,
           lead(time) OVER phase AS next_time,
           lead(kind) OVER phase AS next_kind
    FROM events
    WHERE kind IN ('started', 'finished', 'interrupted', 'failed')
    WINDOW phase AS (PARTITION BY round, phase ORDER BY seq)
), phases AS (
    SELECT round, phase, min(time) AS started, min(seq) AS seq,
           CASE last(kind ORDER BY seq) WHEN 'started' THEN 'running' ELSE last(kind ORDER BY seq) END AS status,
           coalesce(sum(epoch(next_time) - epoch(time))
                    FILTER (kind = 'started' AND next_kind <> 'started'), 0)::DOUBLE AS seconds
    FROM changes
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
