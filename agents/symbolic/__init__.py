"""What the embedded teacher knows of word problems; needs no language model.

Reading: `parse` turns a worked solution into a derivation (`derivation`), with `arithmetic` (operations in
prose), `numbers`, `linking` and `ledger` (what each operand refers to) and `naming` (names of steps).
Explaining: `infix`, `keypoints` and `questioning` write parts of rationales from a derivation.
Writing: `similar` and `harder` make new problems. `slots` finds the numbers that may change, `renumbering`
chooses new ones, `reckoner` recomputes the steps, `retelling` writes the text, `names` gives people other
names, and `extensions`, `conversions` and `chaining` add steps.
"""
