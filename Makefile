# Two commands for a fresh machine: `make demo` and `make test`. Everything they need they install themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLUSTER ?= auto
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt docs manifest unit helm chart image real control-plane e2e bench lock clean

help: ## what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

setup: $(READY) ## the environment of the checkout, nothing else

$(READY): pyproject.toml requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## the manual's page on a control plane, embedded Milvus and a DashScope stand-in; CLUSTER=none without Kubernetes, HOLD=1 keeps it running
	@$(BIN)/python -m milvus_embedding.devkit.demo --cluster $(CLUSTER) $(if $(HOLD),--hold)

test: check unit chart image real e2e ## everything that CI runs

check: $(READY) ## lint, types, import rules, generated files
	$(BIN)/ruff format --check operator tests tools
	$(BIN)/ruff check operator tests tools
	$(BIN)/mypy
	PYTHONPATH=operator $(BIN)/lint-imports --no-cache
	$(BIN)/python tools/reference.py --check
	$(BIN)/python tools/chart.py --check
	$(BIN)/python tools/cli.py --check

fmt: $(READY) ## format and fix what can be fixed
	$(BIN)/ruff format operator tests tools
	$(BIN)/ruff check --fix operator tests tools

docs: $(READY) ## docs/reference.md and the chart's copies from crds/ and the settings, docs/cli.md from the commands
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/chart.py
	$(BIN)/python tools/cli.py

manifest: helm ## deploy/operator.yaml, from the chart
	$(BIN)/python tools/chart.py --helm "$$($(BIN)/python -m milvus_embedding.devkit.controlplane --extra helm | sed -n 's/^helm //p')"

unit: $(READY) ## tests without a control plane
	$(PYTEST) tests/unit tests/seed tests/contract tests/bench tests/lifecycle

helm: $(READY)
	$(BIN)/python -m milvus_embedding.devkit.controlplane --extra helm

chart: helm ## tests of the Helm chart, without a cluster
	$(PYTEST) tests/chart

image: $(READY) ## what the image installs, without a container engine (needs the package index)
	$(BIN)/python tools/image_check.py --platform linux/amd64 --platform linux/arm64

real: $(READY) ## tests on a real Milvus 2.3.5, in a network namespace of its own (Linux on x86_64)
	$(PYTEST) tests/milvus235

control-plane: $(READY) ## find or build kube-apiserver, etcd and kubectl (once, into the cache)
	$(BIN)/python -m milvus_embedding.devkit.controlplane

e2e: $(READY) ## tests on a real kube-apiserver
	$(BIN)/python -m milvus_embedding.devkit.controlplane \
	  --extra kube-controller-manager --extra kube-scheduler --extra kwok --extra helm
	$(PYTEST) tests/e2e

bench: control-plane ## the benchmark table, beside a plain kopf operator in the same run
	$(BIN)/python -m tests.bench

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes --quiet
# The image's parts of the lock, with what traces need: nobody can install it there. Of pymilvus only the generated code
# is used: numpy and pandas stay out.
OF_LOCK := --no-annotate --constraint requirements/lock.txt

lock: $(READY) ## renew requirements/ from pyproject.toml
	$(COMPILE) --all-extras --upgrade --output-file requirements/lock.txt pyproject.toml
	$(COMPILE) $(OF_LOCK) --no-emit-package numpy --no-emit-package pandas --extra otel \
	  --output-file requirements/image.txt pyproject.toml
	echo hatchling | $(COMPILE) $(OF_LOCK) --output-file requirements/image-build.txt -

clean: ## remove the environment and caches of the checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
