-- What a call to a language model adds: the problem that it was about, the requests it took, who paid, and
-- what went wrong. The content hash of a call leaves these out, so that rows of the first schema keep theirs.

ALTER TABLE calls ADD COLUMN problem_id VARCHAR;                   -- problems.id
ALTER TABLE calls ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;     -- requests sent; 0 where no model is asked
ALTER TABLE calls ADD COLUMN paid BOOLEAN NOT NULL DEFAULT false;  -- by this run, rather than by another one
ALTER TABLE calls ADD COLUMN detail VARCHAR NOT NULL DEFAULT '';

-- What became of each problem in each thought: the accepted rationale's verdict if there is one, else the
-- last try's; `call_failed` only where every call failed.
CREATE OR REPLACE VIEW outcomes AS
SELECT round, problem_id, thought,
       first(reason ORDER BY reason = 'accepted' DESC, reason = 'call_failed', repaired DESC, id) AS reason
FROM rationales
GROUP BY round, problem_id, thought;

-- What a student is taught: votes in formats that the run does not teach are left out.
CREATE VIEW taught AS
SELECT rationales.*
FROM rationales, runs
WHERE reason = 'accepted' AND coalesce(json_contains(settings -> 'thoughts', to_json(thought)), true);
