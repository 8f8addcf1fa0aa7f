-- What a draft that was kept out was to be: without it the parent's band says so, but for shuffled operators.

ALTER TABLE contamination ADD COLUMN operator VARCHAR; -- harder | similar; empty for a seed, and in older rows
