"""What the embedded teacher knows of word problems; needs no language model.

`reading/` turns a worked solution into a derivation, `wording/` writes parts of rationales and sentences from
it, and `varying/` makes new problems of it. The docstring of each shows what its files make of one problem,
in order. Shared are `derivation` (the type), `numbers` (in text), `implied` (constants), `computation` (steps
with other numbers) and `vocabulary` (word lists).
"""
