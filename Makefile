PYTHON ?= python3
ARGS ?=
SECONDS ?= 120
.PHONY: run test check bench fuzz clean

# Everything that users and developers need, at the versions that were tested.
.venv/installed: requirements.lock requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

.venv/installed-dev: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	.venv/bin/python -c "from settings import cache_folder; from training.weights import student_path; student_path('smollm2-135m', cache_folder())"
	touch $@

run: .venv/installed
	.venv/bin/python main.py --rounds 2 $(ARGS)

test: .venv/installed-dev check
	.venv/bin/python -m coverage erase
	.venv/bin/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term-missing:skip-covered --cov-fail-under=90 $(ARGS)

check: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

bench: .venv/installed-dev
	.venv/bin/python benchmarks/verify_speed.py
	.venv/bin/python benchmarks/generate_speed.py
	.venv/bin/python benchmarks/train_speed.py
	.venv/bin/python benchmarks/call_speed.py

# The parsers on texts that a search guided by coverage makes up. `make fuzz SECONDS=3600` for an hour.
fuzz: .venv/installed-fuzz
	.venv/bin/python -m fuzz --seconds $(SECONDS)

.venv/installed-fuzz: .venv/installed-dev requirements-fuzz.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.lock
	touch $@

clean:
	rm -rf .venv build/fuzz .mypy_cache .pytest_cache .ruff_cache .coverage*
