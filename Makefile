# What a person does here; the commands themselves are in the program tenx. `make` alone says what there is.
# The virtual environments (four, because their pins disagree) are made by the rules that need them. uv fills them in
# seconds, with the certificates of the system, as pip; where it cannot, because only pip knows the index for example,
# pip does it in minutes.
# --no-deps, because the requirements are locked whole and pip before 24 cannot match extras to hashed pins.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENVS := .local/venvs
PY := .venv/bin/python
SAM := $(VENVS)/sam/bin/sam
UV := $(VENVS)/uv/bin/uv
install = $(UV) pip install --quiet --system-certs --python $(1)/bin/python --no-deps --require-hashes -r $(2) \
  || { echo "uv could not install $(2); pip tries now, which takes minutes."; \
  $(1)/bin/python -m pip install --quiet --no-deps --require-hashes -r $(2); }
# Every lock is made for this Python: with another, pip fails late and with a page of text.
right_python = $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null \
  || { echo "This project needs Python 3.11, and PYTHON=$(PYTHON) is not it:" \
  "install python3.11, or name it with make PYTHON=/path/to/python3.11." >&2; exit 1; }
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What a person types goes to the program as it is, in the environment as TENX_<name>: neither make nor a shell expands
# it. Without this, TENANT='T$x000105' would be T000105.
TENX ?= .venv/bin/tenx
VALUES := INPUT SOURCE AS_OF USE_CASE DECISION TENANT FROM TO EVERY BATCH RELEASE PARTITION ROWS STACK STAGE
VALUES += DRY_RUN WAIT NO_TRAIN
# The same for targets that are no commands of tenx: checks/make_targets.py reads these.
ALL_VALUES := $(VALUES) ARGS PYTEST_ARGS SLOW COUNT SEED VERSION
$(foreach name,$(ALL_VALUES),$(eval export TENX_$(name) = $$(value $(name))))
# NAME:=value is expanded before any rule runs, so what was typed is lost.
$(foreach name,$(ALL_VALUES),$(if $(filter simple,$(flavor $(name))),$(error write $(name)=... and not $(name):=...)))
# Blanks at the beginning of a value are lost too: make skips them before a Makefile can look.
ifneq ($(filter command,$(foreach name,$(VALUES),$(origin $(name)))),)
blank := $(shell grep -zoE '^($(subst $() ,|,$(VALUES)))=[[:space:]]' /proc/$$PPID/cmdline 2> /dev/null | tr -d '\0')
$(if $(blank),$(error make drops the blanks after $(strip $(blank)) so the value would not be what you typed: use tenx))
endif
unexport $(ALL_VALUES)
# The jobs, functions and tests are hundreds of processes: each would compile the same modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo preview upload score test test-slow spark-if-java check up down status clean setup erase
.PHONY: backfill replay check-types check-others
.PHONY: iam-report iam-drill bench-clustering bench-features bench-million bench-training fuzz spark ministack-upgrade
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: setup ## The whole path on this machine: INPUT=file SOURCE=name AS_OF=time USE_CASE=name DECISION=reject
	@$(TENX) demo

test: setup spark-if-java ## Every test, the flow through the real state machine included; the slow ones with SLOW=1
	@$(PY) -m checks.make_targets test

test-slow: setup spark-if-java ## Only the tests that are long or exhaustive, and properties with many examples
	@$(PY) -m checks.make_targets test-slow

check: setup ## Lint, imports, types, line lengths, templates and state machines
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-types check-others

check-types:
	$(PY) -m checks.types

check-others:
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports --no-logo
	$(PY) -m checks.line_length
	$(SAM) validate --lint --region us-east-1
	$(VENVS)/sam/bin/python -m checks.transformed_template template.yaml
	$(PY) -m checks.state_machines statemachine/*.asl.json

bench-features: setup ## BuildFeatures beside pandas on generated events: ARGS="--events 20000000 --repeat 3"
	@$(PY) -m checks.make_targets bench-features

bench-million: setup ## A million tenants, clusters to report, each stage: ARGS="--tenants 1000000 --portfolios 4000"
	@$(PY) -m bench.million $(ARGS)

bench-training: setup ## Many models, one per core, beside one after another: ARGS="--models 50 --rows 20000 --repeat 3"
	@$(PY) -m checks.make_targets bench-training

bench-clustering: setup ## Groups of a million tenants beside the usual recipe: ARGS="--tenants 1000000 --repeat 3"
	@$(PY) -m checks.make_targets bench-clustering

preview: setup ## What a source makes of an export: INPUT=file SOURCE=name USE_CASE=name AS_OF=time ROWS=3 TENANT=id
	@$(TENX) preview

up: setup ## Start the laptop's AWS and deploy to it
	@$(TENX) up

iam-report: setup ## Which permissions of the template no test has used (after make test)
	@$(PY) -m checks.iam_report

iam-drill: setup ## Take away one permission after another and see each missed: COUNT=24 SEED=0
	@$(PY) -m checks.make_targets iam-drill

erase: setup ## Remove a tenant from everything, and prove it: TENANT=id USE_CASE=name STACK=name DRY_RUN=1 WAIT=1
	@$(TENX) erase

backfill: setup ## Features as they were known earlier, offline: FROM=date TO=date EVERY=30d BATCH=name USE_CASE=name
	@$(TENX) backfill

replay: setup ## Make a registered model again and compare: RELEASE=id PARTITION=name STACK=name
	@$(TENX) replay

fuzz: setup ## Build features from files damaged in many ways, and see how each ends: COUNT=2000 SEED=0
	@$(PY) -m checks.make_targets fuzz

down: setup ## Stop the laptop's AWS; its state stays
	@$(TENX) down

status: setup ## Where the API, its key, the bucket and the mailbox are, what is live, and what runs: STAGE=name
	@$(TENX) status

score: setup ## Score an input with the live models: INPUT=file SOURCE=name (ids: ids alone) USE_CASE=name STAGE=name
	@$(TENX) score

upload: setup ## Upload an input, follow its release, decide by yourself: INPUT=file SOURCE=name STAGE=name NO_TRAIN=1
	@$(TENX) upload

ministack-upgrade: setup ## Say what another MiniStack release breaks, by name: VERSION=1.5.34
	@$(VENVS)/local_aws/bin/python -m checks.make_targets ministack-upgrade

clean: ## Remove the laptop's AWS and everything built (environments stay)
	@if [ -x $(VENVS)/local_aws/bin/python ]; then $(VENVS)/local_aws/bin/python -m local_aws down; fi
	rm -rf .local/aws .local/demo* .aws-sam

setup: .venv/.ready $(VENVS)/sam/.ready $(VENVS)/local_aws/.ready ## Make the virtual environments

# Without Java 17 pytest skips the tests of Spark, which then need no environment.
spark-if-java:
	@if PATH="$${JAVA_HOME:+$$JAVA_HOME/bin:}$$PATH" java -version 2>&1 \
	  | grep -E 'version "(1[7-9]|[2-9][0-9])' > /dev/null; then \
	  $(MAKE) --no-print-directory spark; fi

spark: $(VENVS)/spark/.package ## Make the environment of the Spark image: 700 MB, and Java 17 must be there

# The checkout as an installed package: the environment has nothing to build it with.
$(VENVS)/spark/.package: $(VENVS)/spark/.ready
	@site=$$($(VENVS)/spark/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))"); \
	  echo "$(CURDIR)/src" > "$$site/tenant_experience.pth"
	@touch $@

.venv/.ready: requirements/project.txt pyproject.toml | $(UV)
	@$(right_python)
	@echo "Making .venv (the project's own packages) ..."
	@$(PYTHON) -m venv .venv
	@$(call install,.venv,requirements/project.txt)
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENVS)/%/.ready: requirements/%.txt | $(UV)
	@$(right_python)
	@echo "Making $(VENVS)/$* ..."
	@$(PYTHON) -m venv $(VENVS)/$*
	@$(call install,$(VENVS)/$*,requirements/$*.txt)
	@touch $@

$(UV): requirements/uv.txt
	@$(right_python)
	@$(PYTHON) -m venv $(VENVS)/uv
	@$(VENVS)/uv/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/uv.txt
	@touch $@
