-- Problems that a person has looked at and does not want taught. What was taught before that stays as it was.

CREATE TABLE rejections (
    problem_id VARCHAR PRIMARY KEY, -- problems.id
    round INTEGER NOT NULL,         -- the first one in whose training set it is not
    detail VARCHAR NOT NULL,        -- why, in the person's words
    content_hash VARCHAR NOT NULL
);

-- What became of each problem in each thought: `rejected` where a person did not want what was accepted, else the
-- accepted rationale's verdict if there is one, else the last try's; `call_failed` only where every call failed.
CREATE OR REPLACE VIEW outcomes AS
SELECT verdicts.round, problem_id, thought,
       CASE WHEN reason = 'accepted' AND rejections.round <= verdicts.round THEN 'rejected' ELSE reason END AS reason
FROM (
    SELECT round, problem_id, thought,
           first(reason ORDER BY reason = 'accepted' DESC, reason = 'call_failed', repaired DESC, id) AS reason
    FROM rationales
    GROUP BY round, problem_id, thought
) verdicts
LEFT JOIN rejections USING (problem_id);

-- What a student is taught: votes in formats that the run does not teach are left out, and what was rejected.
CREATE OR REPLACE VIEW taught AS
SELECT rationales.*
FROM runs, rationales LEFT JOIN rejections USING (problem_id)
WHERE reason = 'accepted' AND coalesce(json_contains(settings -> 'thoughts', to_json(thought)), true)
  AND coalesce(rejections.round > rationales.round, true);
