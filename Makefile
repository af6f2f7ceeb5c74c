# Every target creates .venv and installs by itself; it costs nothing when nothing changed.
#   make PYTHON=/path/to/python3.12 …   chooses the interpreter for a new .venv
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed
RAY_STAMP := $(VENV)/.installed-ray
# Many tests wait for processes, so three workers keep two cores busy.
WORKERS ?= 3
PYTHON ?=
IMAGES ?=
KEEP ?=
export KEEP

.PHONY: help install demo demo-cluster recipe test test-all check docs format torture bench bench-rlscheduler bench-search \
  bench-kth bench-muri \
  policy bench-policy bench-sim web-assets constraints clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
	  while IFS=$$'\t' read -r name text; do printf '  make %-18s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## Create .venv and install the project into it

demo: $(STAMP) ## Start a service, run real jobs, show the outcome (IMAGES=folder of photographs, KEEP=1)
	@$(RUN)/python examples/demo.py $(if $(IMAGES),--images "$(IMAGES)")

demo-cluster: $(RAY_STAMP) ## Four nodes on this machine, twenty real jobs, one node dies (KEEP=1)
	@$(RUN)/python examples/demo_cluster.py

recipe: $(STAMP) ## Train, search, fine-tune, vote and test an image classifier (IMAGES=folder, PICTURE=file)
	@$(RUN)/python examples/recipe.py $(if $(IMAGES),--images "$(IMAGES)") $(if $(PICTURE),--picture "$(PICTURE)")

test: $(STAMP) ## The quick tests (< 5 minutes on 2 cores)
	@$(RUN)/python -m pytest -n $(WORKERS) -m "not slow" $(ARGS)

test-all: $(RAY_STAMP) ## All tests, those on Ray and in a browser too
	@.ci/chromium.sh
	@$(RUN)/python -m pytest -n $(WORKERS) $(ARGS)

check: $(STAMP) ## Lint, format, types, import rules, documents
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/mypy --explicit-package-bases examples benchmarks
	@$(RUN)/lint-imports
	@$(MAKE) docs

docs: $(STAMP) ## Build the documents into build/site; every link must lead somewhere
	@NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --quiet

format: $(STAMP) ## Let ruff repair what it can
	@$(RUN)/ruff check --fix --quiet . || true
	@$(RUN)/ruff format .

bench: $(STAMP) ## Measure start latency, submissions and decision time
	@for name in start_latency submissions decisions; do \
	  printf '\n== %s\n' "$$name"; $(RUN)/python -m benchmarks.$$name; \
	done

torture: $(STAMP) ## Kill, stop, starve and deceive a real service at random (ARGS="--rounds 200 --seed 1")
	@$(RUN)/python -m benchmarks.torture $(ARGS)

bench-rlscheduler: $(STAMP) ## Hold the simulator against RLScheduler's published table
	@$(RUN)/python -m benchmarks.rlscheduler $(ARGS)

bench-search: $(STAMP) ## Compare policies with their searches on RLScheduler's protocol
	@$(RUN)/python -m benchmarks.searched $(ARGS)

bench-kth: $(STAMP) ## Hold EASY and EASY++ against published figures on a real log
	@$(RUN)/python -m benchmarks.kth $(ARGS)

bench-muri: $(STAMP) ## Hold preemptive policies against Muri's published figures
	@$(RUN)/python -m benchmarks.muri $(ARGS)

policy: $(STAMP) ## Train the policy that is shipped, from its seed (FOLDER=build/policy)
	@$(RUN)/fulcrum policy train "$(or $(FOLDER),build/policy)" \
	  --scenario random --algo cmaes --steps 16000000 --seed 1 --set baseline=wgc \
	  --set correction_limit=0 --set augment=false --set jobs=250 --set population=20 \
	  --set n_eval_episodes=16 --set sigma=0.25

bench-policy: $(STAMP) ## Hold the learned policies against goals and heuristics: docs/results.md (one to two hours; TRAIN=1 trains PPO again)
	@$(RUN)/python -m benchmarks.policy $(if $(TRAIN),--train) $(ARGS)

bench-sim: $(STAMP) ## Measure the speed of simulation and environment
	@$(RUN)/python -m benchmarks.simulation $(ARGS)

web-assets: ## Fetch the libraries of the web page again (needs npm; versions in .ci/web_assets.sh)
	@.ci/web_assets.sh

constraints: $(STAMP) ## Write the versions of .venv to constraints.txt
	@$(RUN)/python .ci/constraints.py > constraints.tmp
	@mv constraints.tmp constraints.txt

clean: ## Remove .venv and everything that tools left behind
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter counts if it runs (a shim may not), is new enough and can make environments.
$(STAMP): pyproject.toml constraints.txt
	@if [ ! -x $(RUN)/python ]; then \
	  found=""; \
	  for name in $(if $(PYTHON),"$(PYTHON)",python3.11 python3.12 python3.13 python3.14 python3); do \
	    for path in $$(type -ap "$$name"); do \
	      if "$$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	      then found="$$path"; break 2; fi; \
	    done; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer with venv and ensurepip was found$(if $(PYTHON), at $(PYTHON))." >&2; \
	    echo "Install one (Debian, Ubuntu: python3.11 and python3.11-venv) or name it: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$found"; \
	  "$$found" -m venv $(VENV); \
	fi
	@echo "Installing into $(VENV) (the first time takes minutes: torch is large)"
	@$(RUN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[service,train,postgres,otel,dev]" \
	  > $(VENV)/install.log 2>&1 || { tail -n 30 $(VENV)/install.log >&2; exit 1; }
	@$(RUN)/python -m scheduler.compilation.warmup
	@touch $@

$(RAY_STAMP): $(STAMP)
	@echo "Installing Ray into $(VENV)"
	@$(RUN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[ray]" \
	  >> $(VENV)/install.log 2>&1 || { tail -n 30 $(VENV)/install.log >&2; exit 1; }
	@touch $@
