PYTHON ?= python3
ARGS ?=
.PHONY: run test test-crash check bench clean

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

test-crash: .venv/installed-dev
	.venv/bin/python -m tests.crash.campaign $(ARGS)

check: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

bench: .venv/installed-dev
	.venv/bin/python benchmarks/verify_speed.py
	.venv/bin/python benchmarks/generate_speed.py
	.venv/bin/python benchmarks/train_speed.py
	.venv/bin/python benchmarks/call_speed.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage*
