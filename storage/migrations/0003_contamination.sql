-- What was proposed for teaching and kept out, and the problem of an evaluation set that each of them copies.
-- Problems of the splits `unasked:NAME` are new too: of test set NAME, neither asked in this run nor taught.

CREATE TABLE contamination (
    id VARCHAR PRIMARY KEY,
    round INTEGER NOT NULL,         -- in whose training set it would have been
    question VARCHAR NOT NULL,
    parent VARCHAR,                 -- problems.id; empty for a seed
    problem_id VARCHAR NOT NULL,    -- problems.id of the evaluation problem
    kind VARCHAR NOT NULL,          -- exact | masked | overlap
    overlap DOUBLE NOT NULL,        -- share of the evaluation problem that it repeats
    content_hash VARCHAR NOT NULL
);

-- The matching pairs, for people.
CREATE VIEW kept_out AS
SELECT contamination.round, kind, overlap, contamination.question AS removed, problem_id,
       problems.question AS evaluated, regexp_replace(split, '^(test|unasked):', '') AS evaluation
FROM contamination JOIN problems ON problem_id = problems.id;
