# One word each: what a person does with this repository. `make demo` and `make test` do their own set-up.
SHELL := /bin/sh
# One thread a process for array arithmetic: the tests run side by side and results do not depend on the cores.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Compiled modules are kept, whatever the caller's habit: the tests start hundreds of programs of this repository.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python

.PHONY: help setup setup-scale setup-test check docs-check test demo demo-once demo-scale bench campaign mutants coverage deb messages sunspec clean

help:
	@sed -n 's/^## //p' Makefile

## make demo       set up, then a street of 12 homes: 35 days of history, one live day, pages to look at;
##                 without a terminal or with CI=true it exits when done; DEMO_OPTIONS='--seed 2' is passed on;
##                 '--counts-apart': meters of homes with panels count each phase by itself, as `street` takes it
demo: setup
	@$(PY) -m simulator demo $(DEMO_OPTIONS)

## make demo-once  the same, ends by itself and writes demo-report.json
demo-once: setup
	@$(PY) -m simulator demo --once $(DEMO_OPTIONS)

## make demo-scale the same street on PostgreSQL with a cluster of brokers, then as in `make demo`: the same settlement hash?
##                 SCALE_OPTIONS='--against demo-report.json' compares with that report of `make demo-once` instead;
##                 '--brokers mosquitto': two Mosquittos in place of three nodes of RabbitMQ
demo-scale: setup-scale
	@$(PY) -m simulator demo-scale $(SCALE_OPTIONS)

# Three workers on two cores: many tests wait for processes that they have started. CI has run tests/house already.
## make test       set up, then all tests (the long fault campaigns run a short seeded part)
test: setup-test
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(if $(ALREADY),--ignore $(ALREADY))

## make campaign   the long fault campaigns, whole
campaign: setup-test
	@$(PY) -m pytest -n 2 --dist loadfile -m campaign --timeout 7200

## make sunspec    compile the SunSpec definitions that maps rest on from the installed pysunspec2 again
sunspec: setup-test
	@$(PY) -m tests.conformance.sunspec_definitions

## make check      lint, types, declared packages, house rules, and whether README and docs name only what exists
check: setup-test docs-check
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet . || { echo "make check: run '.venv/bin/ruff format .'"; exit 1; }
	@.venv/bin/mypy
	@.venv/bin/deptry --no-ansi .
	@.venv/bin/deptry --no-ansi --exclude "^(build|dist|\.venv)/" --ignore DEP002,DEP004 .
	@$(PY) -m pytest -q tests/house

## make docs-check every link, command and file that README and docs name exists
docs-check: setup-test
	@$(PY) -m tests.house.docs_check

N ?= 10
SEED ?= 1
## make mutants    small wrong changes to the code that counts: which do the tests miss? (N=10 each, N=all, SEED=1, SUBJECT=ledger)
mutants: setup-test
	@$(PY) -m tests.mutants --number $(N) --seed $(SEED) $(if $(SUBJECT),--subject $(SUBJECT))

## make coverage   branch coverage of protocols/ and hub/core/ by their own tests: an alarm, not a goal
coverage: setup-test
	@$(PY) -m tests.house.coverage_report

## make bench      ratios to peers and physical limits, written to build/bench.json
bench: setup-test
	@$(PY) -m tests.benchmarks

## make deb        the Debian packages of agent and hub, into build/debs (ARCH=amd64; default amd64 and arm64)
deb: setup-test
	@.venv/bin/python .ci/debs/build.py $(if $(ARCH),--arch $(ARCH))

## make messages   the pages' sentences for translators, written to locale/messages.pot of hub/web and edge_agent/page
messages: setup-test
	@$(PY) -m tests.hub.web.messages
	@$(PY) -m tests.edge_agent.page.messages

## make setup      what the demo needs, into .venv
setup:
	@sh .ci/setup run

## make setup-scale what demo-scale needs on top; RabbitMQ is unpacked into build/ where Debian's packages are
setup-scale:
	@sh .ci/setup scale

## make setup-test what the tests need on top; as root also chromium, mosquitto and mbpoll when they are missing
setup-test:
	@sh .ci/setup test

clean:
	rm -rf .venv build demo-data demo-report.json
