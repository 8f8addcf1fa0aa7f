-- What a version with the first schema alone had stored of a run that was killed before its first training.
INSERT INTO runs (id, created, settings, versions, seed, content_hash) VALUES
    ('run-eb2ab3f914af', '2026-11-20 13:04:14.177041', '{"device": "cpu", "fine_tune": {"batch_size": 16, "epochs": 1, "learning_rate": 0.0005, "lora_alpha": 64, "lora_rank": 32, "max_gradient_norm": 1.0, "max_length": 4096, "max_truncated_share": 0.02, "method": "full", "micro_batch_tokens": 512, "replay_share": 0.5, "seed": 0, "start": "base", "warmup_share": 0.05, "weight_decay": 0.0}, "generate": {"batch_size": 4, "max_new_tokens": 12, "seed": 0, "temperature": 0.0}, "initial_share": null, "probe_temperature": 0.7, "problems": {"dev_size": 2, "held_out_size": 1, "limit": 4, "name": "gsm-symbolic", "seed": 0, "test": null, "test_size": 2}, "reprobe": false, "rounds": 1, "samples": 1, "seed": 0, "shots": 1, "student": "tiny", "teacher": "symbolic", "thoughts": ["pot"], "workers": 2}', '{"duckdb": "2.0.0", "langgraph": "1.2.22", "pydantic-monty": "1.4.0", "reasoning-gym": "0.1.25", "sympy": "1.14.0", "torch": "2.13.0+cpu", "transformers": "5.23.0"}', 0, 'sha256:35a18a718e9c1e0c6ad82d9daa0475aeed13e1794ed6e70c07465555d5152dcf');
INSERT INTO problems (id, question, answer, solution, source, template, parent, operator, round, split, agent,
call_id, content_hash) VALUES
    ('p-0b1deb86567e7ed5', 'Ava is trying to decide whether to do her business accounting herself or hire an financial advisor. If she does it herself, she''ll be able to do 8 fewer hours of consulting work, losing $53/hour in missed income. The financial advisor charges $171. How much more money will she have if she hires the financial advisor?', '253', 'First find the total lost revenue if Ava does her business accounting herself: $53/hour * 8 hours = $424
Then subtract the financial advisor''s charge to find how much money Ava saves: $424 - $171 = $253', 'gsm-symbolic', '23', NULL, NULL, 1, 'seed', '', NULL, 'sha256:8bba23edc41aaec8c6638b7a2cb2a0853ce99d70f72bc4f724d28fa0c6889e7c'),
    ('p-353cd1311c1f7d56', 'A landscaper works for 4 weeks every month and for 7 days every week. If he gets paid €125 every day, how much does he earn if he works for a year?', '42000', 'The landscaper works for 7 days every week and works for 4 weeks every month so he works for 7 days/week * 4 weeks/month = 28 days/month
If he earns €125 every day he then earns €125/day * 28 days/month = €3500/month
A year is equal to 12 months so every year he earns €3500/month * 12 months/year = €42000', 'gsm-symbolic', '81', NULL, NULL, 0, 'seed', '', NULL, 'sha256:32b1062f09fd03cb425cab54ad70a1af76a0a1c698ef16a0708516d19cf3cfd3'),
    ('p-36d7762489b61351', 'There are 110 first-graders at Oak Ridge School. 50 of them are girls. On Tuesday, 2 first-grade girls and 2 first-grade boys were absent. How many first grade boys were at Oak Ridge School on Tuesday?', '58', 'Of the 110 first graders, 50 are girls, so 110 students - 50 girls = 60 boys.
On Tuesday there were 60 boys - 2 absent = 58 boys.', 'gsm-symbolic', '39', NULL, NULL, 0, 'dev', '', NULL, 'sha256:b1ac3885bd5ecf14ee1d9e8f147490cfdb1721507f8a8f2ee8bd90c898b6d272'),
    ('p-98423d59a8c51396', 'James is feeding his livestock feed. Each goat needs 6 kilograms, and each turkey needs 7 kilograms less than twice the amount each goat needs. If there are 18 goats and 50 turkeys, how many kilograms of feed does James need?', '358', 'First figure out how much feed each turkey needs: 6 kilograms * 2 - 7 = 5 kilograms/turkey
Now figure out how much feed total the turkeys need: 5 kilograms/turkey * 50 turkey = 250 kilograms
Now figure out how much feed total the goats need: 6 kilograms/goat * 18 goats = 108 kilograms
Now add the two amounts of feed to find the total: 250 kilograms + 108 kilograms = 358 kilograms', 'gsm-symbolic', '96', NULL, NULL, 0, 'test:in-domain', '', NULL, 'sha256:752a5a1497f991280deeea060f4767876f76edebd11e44618df78b0c3d6afb5e'),
    ('p-9d1db688426f02c0', 'Michael is 10 years old. In 9 years his sister Mary will be 4 times as old as Michael is now. How old is Mary right now?', '31', '9 years from now Mary will be 10*4=40.
Right now Mary is 40-9=31 years old.', 'gsm-symbolic', '10', NULL, NULL, 0, 'test:held-out', '', NULL, 'sha256:ae7a8d17340dbaf03321eb98fd673e7d02e9c8384c939d93bc18c1f5ae9bbc33'),
    ('p-a66106f7652701be', 'Prof. Martinez sold his cottage for $870000. He paid the legal fees that amount to 3% of the selling price and also paid a realtor fee that is 6% of the selling price. If he also paid $320000 for the remaining loan amount of the cottage, how much is Prof. Martinez''s net proceeds from selling the cottage?', '471700', 'Prof. Martinez paid $870000 x 3/100 = $26100 for the legal fees.
He paid $870000 x 6/100 = $52200 for the realtor fee.
So, Prof. Martinez paid a total of $26100 + $52200 + $320000 = $398300 for the legal, realtor, and loan fees.
Hence, Prof. Martinez''s net proceeds is $870000 - $398300 = $471700.', 'gsm-symbolic', '42', NULL, NULL, 0, 'dev', '', NULL, 'sha256:a622c52a7e6d332d86159b22148e452aff93a113cf3d52c9dcd46edcb035030a'),
    ('p-b3cd9023787c4ee3', 'The biggest waterslide at Aqua Adventure is 330 yards long, and people slide down at 55 yards/minute. The second biggest waterslide is 325 yards long, but steeper, so people slide down at 65 yards/minute. How much longer does it take to ride the biggest slide compared to the second biggest slide?', '1', 'First find the ride length of the biggest slide: 330 yards / 55 yards/minute = 6 minutes
Then find the ride length of the second biggest slide: 325 yards / 65 yards/minute = 5 minutes
Then subtract the ride length of the second longest slide from the longest slide to find the difference: 6 minutes - 5 minutes = 1 minutes', 'gsm-symbolic', '13', NULL, NULL, 1, 'seed', '', NULL, 'sha256:d84f3d111ff3b98f51b4c6c1e5537d966ee51051159c037c5085c1c65891873b'),
    ('p-ea1aa3a1e5c00e08', 'There are currently 4 blue balls, 22 yellow balls, and 20 green balls in the warehouse. blue balls cost €14, yellow balls cost €3 and green balls cost €8. How much will the warehouse have received after all the balls are sold?', '282', 'For the blue balls, 4 balls * €14/ball = €56.
For the yellow balls, 22 balls * €3/ball = €66.
For the green balls, 20 balls * €8/ball = €160.
For all balls, €56 + €66 + €160 = €282.', 'gsm-symbolic', '44', NULL, NULL, 0, 'test:in-domain', '', NULL, 'sha256:6b0860daa62c8981462ca2fbe413d7075169351a26b3241b5dd08c76bc2f250d'),
    ('p-fc508be67f45286b', 'Emma was preparing for a lunch party at her house, where she intended to serve shrimp scampi. She noticed that she was out of plastic plates, so she bought a new package of plates. Later, her husband also bought a package of 16 new plates and gave them to Emma. While Emma was making the shrimp scampi, she used 8 of the plates to sample her shrimp scampi. Later, when she went to set the table, she had a total of 32 plates. How many plates were in the package that Emma bought?', '24', 'The total number of plates from Emma and her husband was 32+8=40 plates.
Since the husband bought a package of 16 plates, then Emma''s package contained 40-16=24 plates.', 'gsm-symbolic', '45', NULL, NULL, 0, 'seed', '', NULL, 'sha256:c84bc8bfa9954bc48d84647f203d678763f84cfe94037d7e58b99f4f661af928');
INSERT INTO calls (id, round, agent, model, prompt_hash, settings_hash, seed, sample, status, prompt_tokens,
completion_tokens, cost_usd, seconds, started, content_hash) VALUES
    ('c-23a7633bb33e57dd', 0, 'teacher', 'symbolic', 'sha256:4ec067bb600c0ed9781128d1b3dd46e0aa8d38b1dd1a4aa0c7eeaf8be61bd3b1', '', 0, 0, 'answered', 0, 0, 0.0, 0.0017424489997210912, '2026-11-20 13:04:19.878550', 'sha256:1b34bff217bc88b6a2703ac5773112ba941029ae55685ebbf5ebbba370ed7dad'),
    ('c-c042f44b268230cf', 0, 'teacher', 'symbolic', 'sha256:34bfa672c9222f3250941a98ef09ab90bce3d5bdf94bbb1d21643f907fd2501e', '', 0, 0, 'answered', 0, 0, 0.0, 0.0040841659993020585, '2026-11-20 13:04:19.886139', 'sha256:80e9fcf28ebb0df3ad0974db2c2707ef49db70267ac322e40582d6f422f0db74');
INSERT INTO rationales (id, problem_id, thought, text, round, agent, reason, value, detail, repaired,
prompt_hash, call_id, content_hash) VALUES
    ('r-06bb64abd9cdc6af', 'p-fc508be67f45286b', 'pot', 'total_plates = 32 + 8
answer = total_plates - 16', 0, 'symbolic', 'accepted', '24', '', false, 'sha256:34bfa672c9222f3250941a98ef09ab90bce3d5bdf94bbb1d21643f907fd2501e', 'c-c042f44b268230cf', 'sha256:5e523f1ea7e9ffd5bd8b34e14815494d360dc8f1fbe915353536cc627ef3a877'),
    ('r-b2a7df73d01b85a1', 'p-353cd1311c1f7d56', 'pot', 'days = 7 * 4
month = 125 * days
answer = month * 12', 0, 'symbolic', 'accepted', '42000', '', false, 'sha256:4ec067bb600c0ed9781128d1b3dd46e0aa8d38b1dd1a4aa0c7eeaf8be61bd3b1', 'c-23a7633bb33e57dd', 'sha256:d79d27459c8d2b3afcc8ae0cf929e8bc9ee80dd1bca78be916c878a3fa2117b0');
INSERT INTO attempts (id, problem_id, round, purpose, evaluation, thought, sample, text, reason, value,
new_tokens, finished, model, seed, content_hash) VALUES
    ('a-1c2705d1e6d1fbb3', 'p-a66106f7652701be', -1, 'baseline', 'dev', 'pot', 0, 'DDDDDDDDDDDD', 'no_answer', NULL, 12, false, 'tiny', 0, 'sha256:a01a10e01ae03fcfdc75bf0e3bda5383933fe30d8bbc840dcb3c852128a2336b'),
    ('a-3f07efe8eb760cc0', 'p-98423d59a8c51396', -1, 'baseline', 'in-domain', 'pot', 0, 'DDDDDDDDDDDD', 'no_answer', NULL, 12, false, 'tiny', 0, 'sha256:29c1cca635314a1afcba9ab85f12cd78d47264d84e7b390553a706570f1a5b4e'),
    ('a-8a0a5c771306aaf5', 'p-9d1db688426f02c0', -1, 'baseline', 'held-out', 'pot', 0, 'DDDDDDDDDDDD', 'no_answer', NULL, 12, false, 'tiny', 0, 'sha256:0191024b808e44160d07d6556140e4d9ec4c38addeda48026ebb03d9fd81843f'),
    ('a-b29fd93759424169', 'p-ea1aa3a1e5c00e08', -1, 'baseline', 'in-domain', 'pot', 0, 'gggggggggggg', 'no_answer', NULL, 12, false, 'tiny', 0, 'sha256:67e7b905d9cee2b47feec0a835e57dfe6b55b9e95884834531102029a5aaab26'),
    ('a-fbb3126817c53208', 'p-36d7762489b61351', -1, 'baseline', 'dev', 'pot', 0, 'DDDDDDDDDDDD', 'no_answer', NULL, 12, false, 'tiny', 0, 'sha256:b7752063996da0aa2cde1b9afc8fa4b9c1b97f9dde5724cc9d213e90f1c8483e');
INSERT INTO evaluations (round, name, n, correct, low, high, content_hash) VALUES
    (-1, 'dev', 2, 0, 0.0, 0.6576197724933469, 'sha256:11e3d7ddcbcac854a24612192a5bde3da9f248e32e6f4aa30f443f4be2ab9f6f'),
    (-1, 'held-out', 1, 0, 0.0, 0.7934506856227626, 'sha256:f1754a3edf6bfec9c2d19641522a2b3380d6c41c11c4e0b161c4a4e37f70d42c'),
    (-1, 'in-domain', 2, 0, 0.0, 0.6576197724933469, 'sha256:1d3530d70a227ead7d902934e904ed721637674fb9e56aea54ef30304b2643ba');
INSERT INTO events (seq, time, round, phase, kind, detail) VALUES
    (1, '2026-11-20 13:04:14.765989', 0, 'seed', 'started', '{}'),
    (2, '2026-11-20 13:04:19.525812', 0, 'seed', 'finished', '{"removed": {}}'),
    (3, '2026-11-20 13:04:19.661701', 0, 'teach', 'started', '{}'),
    (4, '2026-11-20 13:04:20.297926', 0, 'teach', 'finished', '{"problems": 2, "quarantined": 0}'),
    (5, '2026-11-20 13:04:20.428075', 0, 'baseline', 'started', '{}'),
    (6, '2026-11-20 13:04:26.061672', 0, 'baseline', 'finished', '{}'),
    (7, '2026-11-20 13:04:26.185843', 0, 'fine_tune', 'started', '{}');
