-- How fast the student was on the machine that began the run: sizes of default runs and the time left follow from it.

ALTER TABLE runs ADD COLUMN speed JSON; -- tokens a second: training, reading, writing
