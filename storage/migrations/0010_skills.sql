-- What a problem exercises, and how the students answered the probes of each skill.

ALTER TABLE problems ADD COLUMN skill VARCHAR NOT NULL DEFAULT '';

-- `taught`: problems of the skill in the training set of the student that was probed.
CREATE VIEW probed_skills AS
SELECT probes.round, skill, sum(n)::BIGINT AS n, sum(correct)::BIGINT AS correct,
       (SELECT count(DISTINCT taught.problem_id)
        FROM taught JOIN problems AS known ON known.id = taught.problem_id
        WHERE known.skill = problems.skill AND taught.round <= probes.round) AS taught
FROM probes JOIN problems ON problems.id = probes.problem_id
WHERE split = 'sibling'
GROUP BY probes.round, skill;
