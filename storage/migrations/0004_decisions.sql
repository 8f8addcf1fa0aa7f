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
