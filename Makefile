# The two commands of the README, and what a developer runs beside them.
PYTHON ?= python3
VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
RUN := . $(VENV)/bin/activate &&

.PHONY: demo test fast slow lint lock clean

demo: $(READY)  ## the default suite, from nothing to results/quick/report.html
	$(RUN) snakemake --cores all

test: fast slow

fast: $(READY)  ## unit tests and the benchmarks' own checks
	$(RUN) pytest

slow: $(READY)  ## whole workflows, and real records where VITALBENCH_REAL_DATA names them
	$(RUN) pytest -m slow

lint: $(READY)
	$(RUN) ruff check . && ruff format --check . && snakefmt --check Snakefile rules && mypy && snakemake --lint

lock: $(READY)  ## resolve envs/*.in anew
	$(RUN) uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-package torch \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  envs/requirements.in envs/requirements-dev.in -o envs/lock.txt

clean:  ## forget everything that a run can make again
	rm -rf results .snakemake $(VENV)

$(READY): envs/lock.txt envs/torch.txt envs/bootstrap.txt envs/setup.sh pyproject.toml
	PYTHON=$(PYTHON) sh envs/setup.sh $(VENV)
	touch $@
