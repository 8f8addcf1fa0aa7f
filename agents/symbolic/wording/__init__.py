r"""Says things in English: questions about steps, names for answers, and old sentences with new numbers.

>>> import random
>>> from fractions import Fraction
>>> from fdd.agents.symbolic.reading.parse import derive
>>> question = (
...     "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
...     "How many clips did Natalia sell altogether in April and May?"
... )
>>> solution = "Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips in April and May."
>>> derivation = derive(question, solution, Fraction(72))
>>> first, second = derivation.steps

For programs and equations, `infix` writes the steps, by name or by value:

>>> from fdd.agents.symbolic.wording.infix import with_names, with_values
>>> with_names(derivation, ["clips_in_may", "clips"])(second.expression)
'48 + clips_in_may'
>>> with_values(derivation)(second.expression)
'48 + 24'

For subquestions, 1. `sentences` splits the sentence of a step at its value, 2. `grammar` finds subject and
verb, with `words` for verb forms, and 3. `questioning` puts them into the order of a question:

>>> from fdd.agents.symbolic.wording.sentences import split_sentence
>>> from fdd.agents.symbolic.wording.grammar import read_predicate
>>> from fdd.agents.symbolic.wording.questioning import question_of
>>> split_sentence(first)[:3]
('Natalia sold ', 'clips', 'in May')
>>> read_predicate("Natalia sold")[:3]
('did', 'Natalia', 'sell')
>>> question_of(first, question)
'How many clips did Natalia sell in May?'

For key points, `keypoints` splits a question into what is asked and what is known:

>>> from fdd.agents.symbolic.wording.keypoints import read_keypoints
>>> shop = "Nora works in a shop. She earns $12 an hour. If she works 5 hours, how much does she earn?"
>>> tuple(read_keypoints(derive(shop, "She earns 12 * 5 = $60.", Fraction(60))))
('How much does Nora earn?', ('Nora earns $12 an hour.', 'She works 5 hours.'))

For new problems, `asking` names the wanted number, `words` says what kind of thing it counts, `first_names`
gives people other names, and `rewriting` repeats question and solution with other numbers:

>>> from fdd.agents.symbolic.wording.asking import parse_asking
>>> named = parse_asking(question, is_money=False).named
>>> str(named.kind), named.phrase
('things', 'the number of clips Natalia sold altogether in April and May')
>>> from fdd.agents.symbolic.wording.first_names import rename
>>> rename("Natalia has 3 clips.", "3", random.Random(0))[0]
'Mary has 3 clips.'
>>> from fdd.agents.symbolic.computation import Computation
>>> from fdd.agents.symbolic.wording.rewriting import Rewritten
>>> computation = Computation(derivation)
>>> rewritten = Rewritten(derivation, computation, computation.table([62, Fraction(1, 2)]))
>>> print(rewritten.solution().splitlines()[0])
Natalia sold 62/2 = <<62/2=31>>31 clips in May.
"""
