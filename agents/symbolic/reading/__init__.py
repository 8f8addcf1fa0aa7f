r"""Reads a worked solution into a derivation: the steps from the numbers of a question to its answer.

>>> from fractions import Fraction
>>> question = (
...     "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
...     "How many clips did Natalia sell altogether in April and May?"
... )
>>> solution = (
...     "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
...     "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May."
... )

`numbers`, outside this folder, finds the numbers of the question, also those that are words:

>>> from fdd.agents.symbolic.numbers import find_quantities
>>> [(str(quantity.value), str(quantity.form)) for quantity in find_quantities(question)]
[('48', 'digits'), ('1/2', 'word')]

1. `arithmetic` finds operations in prose. Units and currency signs are skipped, and `of` multiplies:

>>> from fdd.agents.symbolic.reading.arithmetic import find_equations, value_of
>>> equations = find_equations("6 bags x $1,200 = $7200, and 20% of 50 = 10")
>>> [[int(value_of(side.expression)) for side in equation.segments] for equation in equations]
[[7200, 7200], [10, 10]]

2. `parse.read_claims` yields what each sentence claims: 48 / 2 is 24, and 48 + 24 is 72.

>>> from fdd.agents.symbolic.reading.parse import derive, read_claims
>>> [(int(each.written), each.text[each.start : each.end]) for each in read_claims(solution, plain=False)]
[(24, '48/2 = 24'), (72, '48+24 = 72')]

3. `linking` decides what each operand refers to, and asks `known_numbers` what it may be. Here the 48 is the
first number of the question, the 2 a constant, and the 24 the result of the first step. A solution may also
use a number in another form (0.75 for a discount of 25%) or leave a step out (the 20 below):

>>> from fdd.agents.symbolic.wording.infix import with_values
>>> lamp = "The price of an $80 lamp falls by 25%. What is the new price?"
>>> for text in ("It is 80 * .75 = $60.", "It is 80 - 20 = $60."):
...     read = derive(lamp, text, Fraction(60))
...     print([with_values(read)(step.expression) for step in read.steps])
['80 * (1 - 25 / 100)']
['80 * 25 / 100', '80 - 20']

4. `step_names` names each step after the words around its value. `parse.derive` returns the whole:

>>> derivation = derive(question, solution, Fraction(72))
>>> [(step.name, int(step.value)) for step in derivation.steps]
[('clips_in_may', 24), ('clips_in_april', 72)]

A solution that is inexact, or that can be read in two ways, is refused:

>>> derive("2 kg cost $3. What does 1 kg cost?", "It is 3 / 2 = 1.4 dollars.", Fraction("1.5")).detail
'a step says 7/5 where the value is 3/2'
"""
