-- A row of every table as the first migration knew it, with the content hashes of that time.

INSERT INTO attempts (id, problem_id, round, purpose, evaluation, thought, sample, text, reason, value,
    new_tokens, finished, model, seed, content_hash) VALUES (
    'a-cee4e365d2a4ed3e', 'p-1c75ca61dab5de18', 0, 'evaluation', 'in-domain', 'pot', 0, 'answer = 3',
    'wrong_answer', '3', 4, true, 'round-0', 1099511627776,
    'sha256:e7662aed8dc4fcb200e5d3fb67e108b9e4090800c5daae4e1f82b456b60a58a6'
);
INSERT INTO calls (id, round, agent, model, prompt_hash, settings_hash, seed, sample, status, prompt_tokens,
    completion_tokens, cost_usd, seconds, started, content_hash) VALUES (
    'c-9689b0be799b85a1', 0, 'teacher', 'symbolic', 'sha256:0', '', 7, 0, 'answered', 0, 0, 0.0, 0.0625,
    '2026-01-02 03:04:06', 'sha256:138a74cdc1f2e54aead509bfb5cbcee50a982b51fcdaaf12ee7d3c267baf4ed4'
);
INSERT INTO evaluations (round, name, n, correct, low, high, content_hash) VALUES (
    0, 'in-domain', 4, 1, 0.1, 0.5,
    'sha256:1061d3eb6f9a879cfd376fae6eca68995e22245c622d705bebe2468efb480651'
);
INSERT INTO events (seq, time, round, phase, kind, detail) VALUES (
    1, '2026-01-02 03:04:05', 0, 'teach', 'started', '{}'
);
INSERT INTO probes (problem_id, round, n, correct, mean, low, high, band, change, parent_round, content_hash)
    VALUES (
    'p-1c75ca61dab5de18', 0, 1, 1, 0.6666666666666666, 0.1, 1.0, 'easy', NULL, NULL,
    'sha256:0f09bfda4019e0be2777209f2e0f4be3c3d44e4be7309efd47375b9c48b6425b'
);
INSERT INTO problems (id, question, answer, solution, source, template, parent, operator, round, split, agent,
    call_id, content_hash) VALUES (
    'p-1c75ca61dab5de18', 'What is 1 + 1?', '2', '1 + 1 = 2', 'test', '', NULL, NULL, 0, 'seed', '', NULL,
    'sha256:2b55d6ade664e6f9d2d5a7e26fdb2042b251d20ef29806365b8403b21adf2c44'
);
INSERT INTO problems (id, question, answer, solution, source, template, parent, operator, round, split, agent,
    call_id, content_hash) VALUES (
    'p-c64ec9ba614467ea', 'What is 2 + 2?', '4', '1 + 1 = 2', 'test', '', 'p-1c75ca61dab5de18', 'harder', 1,
    'generated', 'symbolic', NULL, 'sha256:0a2b434b648333af77585b626da28255620499d48fa5faf415b05976cd435dc1'
);
INSERT INTO rationales (id, problem_id, thought, text, round, agent, reason, value, detail, repaired,
    prompt_hash, call_id, content_hash) VALUES (
    'r-6f08b66f364dd6a3', 'p-1c75ca61dab5de18', 'pot', 'answer = 2
', 0, 'symbolic', 'accepted', '2', '',
    false, '', 'c-9689b0be799b85a1',
    'sha256:5b7019c54f23ea3c50ea75f90a56cf23f92fc8eda71452c21364ef6ca6062f6c'
);
INSERT INTO rationales (id, problem_id, thought, text, round, agent, reason, value, detail, repaired,
    prompt_hash, call_id, content_hash) VALUES (
    'r-ed6cbea1f79c9fe6', 'p-c64ec9ba614467ea', 'pot', 'answer = 2
', 1, 'symbolic', 'wrong_answer', NULL,
    '', false, '', NULL, 'sha256:fcd7b04c5f358b247555f2716abb9e2313a0fc1a9596b65d62ce450f5fa29be6'
);
INSERT INTO rounds (round, student, problems, steps, examples, tokens, loss, seconds, removed, content_hash)
    VALUES (
    0, 'students/round-0', 2, 10, 20, 300, 0.25, 1.5, '{"duplicate": 3}',
    'sha256:5e3112a0989ea371eaf916bd49c55ca690b0fa44a1a8df8756550a36781e1ff0'
);
INSERT INTO runs (id, created, settings, versions, seed, content_hash) VALUES (
    'run-1', '2026-01-02 03:04:05', '{"problems": {"limit": null}, "rounds": 2, "thoughts": ["pot"]}',
    '{"duckdb": "2"}', 7, 'sha256:a28db4e58c2e871d70f228ced0b2dcf76c9325d0755b6e6c914f53815091f177'
);
