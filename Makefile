# The two commands of the README, and what a developer runs beside them.
PYTHON ?= python3
VENV := $(CURDIR)/.venv
CLOUD := $(CURDIR)/.venv-cloud
READY := $(VENV)/.ready
RUN := . $(VENV)/bin/activate &&

COMPILE := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

.PHONY: demo test fast slow machines lint lock slurm cloud fresh clean

demo: $(READY)  ## the default suite, from nothing to results/quick/report.html
	$(RUN) snakemake --cores all

test: fast slow

fast: $(READY)  ## unit tests and the benchmarks' own checks
	$(RUN) pytest

slow: $(READY)  ## whole workflows, and real records where VITALBENCH_REAL_DATA names them; what is timed has the machine alone
	$(RUN) OMP_WAIT_POLICY=passive pytest -m "slow and not alone" -n 2 --dist loadfile
	$(RUN) pytest -m "slow and alone"

machines: slurm cloud  ## the image, a SLURM of one node, an object store; as root on Debian it installs what it lacks (docs/SCALING.md)
	$(RUN) pytest -m machines

lint: $(READY)
	$(RUN) ruff check . && ruff format --check . && snakefmt --check Snakefile rules && mypy && snakemake --lint

lock: $(READY)  ## resolve envs/*.in anew; what is installed beside lock.txt keeps to its versions
	$(RUN) $(COMPILE) envs/bootstrap.in -o envs/bootstrap.txt
	$(RUN) $(COMPILE) --no-emit-package torch envs/requirements.in envs/requirements-dev.in -o envs/lock.txt
	$(RUN) UV_FIND_LINKS= $(COMPILE) --python-platform x86_64-manylinux_2_28 --constraint envs/lock.txt envs/torch.txt -o envs/torch-cuda.txt
	$(RUN) $(COMPILE) --constraint envs/lock.txt --no-emit-package numpy --no-emit-package pandas envs/slurm.in -o envs/slurm.txt
	cp envs/lock.txt envs/cloud.txt  # so that it keeps to those versions where it can
	$(RUN) $(COMPILE) --no-emit-package torch envs/requirements.in envs/requirements-dev.in envs/cloud.in -o envs/cloud.txt
	$(RUN) python envs/conda.py > envs/environment.yml

slurm: $(VENV)/.slurm  ## what submits to SLURM, beside the rest (profiles/slurm)

$(VENV)/.slurm: $(READY) envs/slurm.txt
	$(RUN) uv pip install --quiet --require-hashes --no-deps -r envs/slurm.txt
	touch $@

cloud: $(CLOUD)/.ready  ## what submits to a cloud and keeps files in an object store, in an environment of its own (docs/SCALING.md)

$(CLOUD)/.ready: envs/cloud.txt envs/torch.txt envs/torch-cuda.txt envs/bootstrap.txt envs/setup.sh pyproject.toml
	PYTHON=$(PYTHON) LOCK=cloud.txt sh envs/setup.sh $(CLOUD)
	touch $@

fresh:  ## the environment from nothing, results kept; TORCH=cuda takes torch's CUDA build whatever wheels a site keeps
	rm -rf $(VENV)
	$(MAKE) $(READY) TORCH=$(TORCH)

clean:  ## forget everything that a run can make again
	rm -rf results .snakemake $(VENV) $(CLOUD)

$(READY): envs/lock.txt envs/torch.txt envs/torch-cuda.txt envs/bootstrap.txt envs/setup.sh pyproject.toml $(wildcard src/vitalbench/*/*.c src/vitalbench/*/*/*.c)
	PYTHON=$(PYTHON) TORCH=$(TORCH) sh envs/setup.sh $(VENV)
	touch $@
