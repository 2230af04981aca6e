# The course's commands; `make help` lists them. `.venv` belongs to make: it is rebuilt when broken.

.DEFAULT_GOAL := help
.PHONY: help lab test notebooks run results handout bench lint environment clean

ARGS ?=
PYTEST_ARGS ?=
JUPYTER := .venv/bin/python -m jupyter
RUN := .venv/bin/python

ifdef PYTHON
CHOSEN := --with-this-python
else
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && { echo "$$name"; break; }; done)
endif

define environment
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
    echo "pinnkit needs Python 3.11 or newer, and '$(PYTHON)' is not." >&2; \
    echo "Install one, or name yours: make $@ PYTHON=/path/to/python3.11" >&2; exit 1; }
@"$(PYTHON)" tools/environment.py $(CHOSEN) $(1)
endef

help: ## list the commands
	@echo 'make lab        open the course in JupyterLab  (ARGS="--no-browser --port 8899")'
	@echo 'make test       run all tests and all notebooks  (PYTEST_ARGS="-k alignment")'
	@echo 'make notebooks  execute the notebooks afresh at the laptop preset  (ARGS="00 01")'
	@echo 'make run        execute one with parameters, without a browser  (NOTEBOOK=11 PRESET=test SEED=1)'
	@echo 'make results    train rows of the tables again  (ROW="Burgers-laptop-soap-0" ARGS="--out runs")'
	@echo 'make handout    the course for a class: without solutions, and for nbgrader'
	@echo 'make bench      compare with other libraries, 45 minutes  (ARGS="--repeats 3 --cap 300")'
	@echo 'make lint       check the style of the code'
	@echo 'make clean      remove .venv and caches'
	@echo 'All but clean build or repair .venv first; PYTHON=/path/to/python3.12 chooses the interpreter.'

lab:
	$(call environment,lab)
	$(JUPYTER) lab notebooks/00_start_here.ipynb $(ARGS)

# the flag makes XLA compile in three quarters of the time, for steps that take longer
test:
	$(call environment,lab test)
	PINNKIT_PRESET=test XLA_PYTHON_CLIENT_PREALLOCATE=false \
	    XLA_FLAGS="--xla_cpu_use_fusion_emitters=false $(XLA_FLAGS)" $(RUN) -m pytest -n 2 --dist loadfile \
	    --nbval-lax --nbval-current-env --nbval-cell-timeout=600 tests notebooks $(PYTEST_ARGS)

notebooks:
	$(call environment,lab)
	$(RUN) tools/notebooks.py --preset laptop $(ARGS)

run:
	$(call environment,lab)
	$(RUN) tools/run.py $(NOTEBOOK) $(PRESET:%=--preset %) $(SEED:%=--seed %) $(PROBLEM:%=--problem %) $(ARGS)

results:
	$(call environment,lab)
	$(RUN) tools/results.py $(ROW) $(ARGS)

handout:
	$(call environment,lab test)
	$(RUN) tools/handout.py $(ARGS)

bench:
	$(call environment,lab)
	$(RUN) tests/benchmarks/peers.py $(ARGS)

lint:
	$(call environment,lab test)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

environment: # everything that the other commands need
	$(call environment,lab test)

clean:
	rm -rf .venv .venv.lock .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
