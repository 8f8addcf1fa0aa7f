"""`make test-hostile`: tries the whole corpus, prints every failure, and ends with a line of figures."""

from __future__ import annotations

import sys

from tests.hostile.trial import figures, try_all


def main() -> int:
    trials = list(try_all(slow=True))
    failed = [trial for trial in trials if not trial.survived]
    for trial in failed:
        print(trial)
    print(figures(trials))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
