r"""Makes new problems from one whose derivation is known: similar ones, and harder ones.

>>> import random
>>> from fractions import Fraction
>>> from fdd.agents.symbolic.reading.parse import derive
>>> from fdd.domain import Problem
>>> question = (
...     "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
...     "How many clips did Natalia sell altogether in April and May?"
... )
>>> solution = "Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips in April and May."
>>> derivation = derive(question, solution, Fraction(72))
>>> parent = Problem(id="p", question=question, answer=Fraction(72), solution=solution, source="example")

1. `slots` finds the numbers that may change, and their new values. `half` cannot be written otherwise, so one
slot remains. 30 is no candidate: it could mean the days of April.

>>> from fdd.agents.symbolic.varying.slots import slots
>>> [(slot.members, slot.candidates[:4], slot.candidates[-1]) for slot in slots(derivation)]
[((0,), (28, 29, 31, 32), 76)]

2. `renumbering` chooses among them. `computation`, outside this folder, computes the table of the question's
numbers, the constant 2, and both steps. The 24 clips must stay whole, so only even numbers are possible.

>>> from fdd.agents.symbolic.varying.renumbering import Renumbering
>>> Renumbering(derivation).computation.old
[48, Fraction(1, 2), 2, 24, 72]
>>> Renumbering(derivation).choose(slots(derivation), random.Random(1))
[36, Fraction(1, 2), 2, 18, 54]

3. `similar` has question and solution rewritten with these numbers and another name, and reads them back:

>>> from fdd.agents.symbolic.varying.similar import similar
>>> print(similar(parent, derivation, random.Random(1)).solution)
Nicole sold 36/2 = <<36/2=18>>18 clips in May.
Nicole sold 36+18 = <<36+18=54>>54 clips in April and May.

4. `further_steps` continues from the answer, or asks for it in another unit. 5. `harder` puts that behind the
rewritten question, or chains a second problem to it, whose question then begins `Let x be the
number of clips ...`.

>>> from fdd.agents.symbolic.varying.harder import harder
>>> child = harder(parent, derivation, [], random.Random(2))
>>> child.question.rpartition(", ")[2]
'how many clips does Michelle have?'
>>> print(child.solution.splitlines()[-1])
Michelle has 51 + 27 = <<51+27=78>>78 clips.
"""
