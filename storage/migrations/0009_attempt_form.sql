-- Whether a student kept to the form that is taught: its value counts in any form.

ALTER TABLE attempts ADD COLUMN form BOOLEAN; -- empty in older rows
