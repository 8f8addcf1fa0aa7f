-- Everything a run did. Rows are only ever added. A content hash covers its whole row except measured times.

CREATE TABLE runs (
    id VARCHAR PRIMARY KEY,
    created TIMESTAMP NOT NULL,     -- UTC, like every time here
    settings JSON NOT NULL,
    versions JSON NOT NULL,         -- of the libraries that decide results
    seed BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE problems (
    id VARCHAR PRIMARY KEY,
    question VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,        -- exact rational, `n` or `n/d`
    solution VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    template VARCHAR NOT NULL,
    parent VARCHAR,                 -- problems.id
    operator VARCHAR,               -- harder | similar
    round INTEGER NOT NULL,         -- in whose training set it first takes part
    split VARCHAR NOT NULL,         -- seed | generated | dev | test:NAME
    agent VARCHAR NOT NULL,
    call_id VARCHAR,                -- calls.id
    content_hash VARCHAR NOT NULL
);

CREATE TABLE rationales (
    id VARCHAR PRIMARY KEY,
    problem_id VARCHAR NOT NULL,
    thought VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    round INTEGER NOT NULL,
    agent VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,        -- `accepted` or why not
    value VARCHAR,                  -- exact rational that the text gives
    detail VARCHAR NOT NULL,
    repaired BOOLEAN NOT NULL,      -- a second try after the first was not accepted
    prompt_hash VARCHAR NOT NULL,
    call_id VARCHAR,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE attempts (
    id VARCHAR PRIMARY KEY,
    problem_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,         -- of the student; -1 before any teaching
    purpose VARCHAR NOT NULL,       -- baseline | evaluation | probe
    evaluation VARCHAR NOT NULL,    -- name of the problem set, or empty
    thought VARCHAR NOT NULL,
    sample INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    value VARCHAR,
    new_tokens INTEGER NOT NULL,
    finished BOOLEAN NOT NULL,      -- the student ended the text itself
    model VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE probes (
    problem_id VARCHAR NOT NULL,
    round INTEGER NOT NULL,         -- of the student
    n INTEGER NOT NULL,
    correct INTEGER NOT NULL,
    mean DOUBLE NOT NULL,           -- posterior mean of the solve rate
    low DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    band VARCHAR NOT NULL,
    change DOUBLE,                  -- mean less the parent's
    parent_round INTEGER,           -- of the student whose probe of the parent `change` compares with
    content_hash VARCHAR NOT NULL,
    PRIMARY KEY (problem_id, round)
);

CREATE TABLE rounds (
    round INTEGER PRIMARY KEY,
    student VARCHAR NOT NULL,       -- path relative to the run folder
    problems INTEGER NOT NULL,      -- with an accepted rationale, this round's and earlier ones'
    steps INTEGER NOT NULL,
    examples INTEGER NOT NULL,
    tokens BIGINT NOT NULL,
    loss DOUBLE,
    seconds DOUBLE NOT NULL,
    removed JSON NOT NULL,          -- reason -> problems that were proposed for this round and not taken
    content_hash VARCHAR NOT NULL
);

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

CREATE TABLE calls (
    id VARCHAR PRIMARY KEY,
    round INTEGER NOT NULL,
    agent VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    prompt_hash VARCHAR NOT NULL,
    settings_hash VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    sample INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd DOUBLE NOT NULL,
    seconds DOUBLE NOT NULL,
    started TIMESTAMP NOT NULL,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    time TIMESTAMP NOT NULL,
    round INTEGER NOT NULL,
    phase VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    detail JSON NOT NULL
);

-- What became of each problem in each thought: the accepted rationale's verdict if there is one, else the last try's.
CREATE VIEW outcomes AS
SELECT round, problem_id, thought,
       first(reason ORDER BY reason = 'accepted' DESC, repaired DESC, id) AS reason
FROM rationales
GROUP BY round, problem_id, thought;
