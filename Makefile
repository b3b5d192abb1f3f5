# Each target is one or two real commands. `make` alone prints them.
PY := .venv/bin/python
BENCH_PCAP ?= $(if $(CORPORA_DIR),$(CORPORA_DIR)/pcaps/mix-open.pcap,$(wildcard pcaps/*.pcap))
BENCH_RULES ?= $(if $(CORPORA_DIR),$(CORPORA_DIR)/rules/etopen-composite.rules,$(wildcard rules/*.rules))
PARITY_PCAP ?= $(BENCH_PCAP)
PARITY_RULES ?= $(BENCH_RULES)
MUTANTS ?= 20000
SINGLES ?= $(if $(CORPORA_DIR),$(CORPORA_DIR)/pcaps/captures,pcaps)
# A capture is repeated so often that its packets cost much more than start-up varies by.
BENCH_LAPS ?= $(if $(CORPORA_DIR),4,1)
SINGLES_LAPS ?= 8
BENCH_PAIRS ?= 3
BENCH_OUT ?= bench-out
SOAK_SECONDS ?= 600
SCHEDULES ?= 200
# A ClickHouse server for BENCH=store, http://user:password@host:8123; the embedded store when empty.
STORE_URL ?=
STORE_EVENTS ?= 5000000
# What `make bench` measures, by BENCH.
BENCH ?= pairs
BENCH_pairs = tests/bench/paired.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --runs $(BENCH_PAIRS) --out $(BENCH_OUT) \
    --laps $(BENCH_LAPS)
BENCH_singles = tests/bench/paired.py --pcap $(SINGLES) --rules $(BENCH_RULES) --runs $(BENCH_PAIRS) --out $(BENCH_OUT) \
    --laps $(SINGLES_LAPS) --name bench-singles
BENCH_workers = tests/bench/workers.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --out $(BENCH_OUT)
BENCH_soak = tests/bench/soak.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --seconds $(SOAK_SECONDS) --out $(BENCH_OUT)
BENCH_flow-memory = tests/bench/flow_memory.py --out $(BENCH_OUT)
BENCH_reload = tests/bench/reload.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --out $(BENCH_OUT)
BENCH_live = tests/bench/live.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --out $(BENCH_OUT)
BENCH_af-xdp = tests/bench/af_xdp.py --pcap $(BENCH_PCAP)
BENCH_live-soak = tests/bench/live_soak.py --pcap $(BENCH_PCAP) --rules $(BENCH_RULES) --seconds $(SOAK_SECONDS) \
    $(if $(RATE),--rate $(RATE)) --out $(BENCH_OUT)
BENCH_rule-tools = tests/bench/rule_tools.py $(if $(CORPORA_DIR),--rules $(BENCH_RULES) --pcap $(BENCH_PCAP))
BENCH_sanitize = tests/bench/sanitized.py --pcap $(SINGLES) --rules $(BENCH_RULES) --out $(BENCH_OUT)
BENCH_chaos = tests/e2e/chaos.py --schedules $(SCHEDULES) $(if $(SEED),--seed $(SEED))
BENCH_hostile = -m pytest -s --show-capture=no tests/collectors/test_hostile.py
export HAIDANG_HOSTILE := $(if $(filter hostile,$(BENCH)),1)
BENCH_bus = tests/bench/bus.py --out $(BENCH_OUT)
BENCH_store = tests/bench/store.py --count $(STORE_EVENTS) --url "$(STORE_URL)" --out $(BENCH_OUT)
# What is measured of the engine is measured of the one for service.
BENCH_OPTIMIZED = pairs singles workers live live-soak soak
BENCH_gate = tests/bench/gate.py
BENCH_bless = tests/bench/gate.py --bless
RUST_FILES = $(shell find sensor/engine -name '*.rs' -not -path '*/target/*')

.DEFAULT_GOAL := help
.PHONY: help setup optimize demo test test-kill lint types format rust-test fuzz-smoke mutants linear bench parity docs check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## from a bare Debian 12 to a working build; seconds when nothing changed
	@deploy/setup.sh

optimize: ## the engine for service: built twice, the second time for the paths that replays of TRAIN_PCAP with TRAIN_RULES take
	@deploy/setup.sh --optimize

demo: setup ## captures through sensor, bus and centre; fails unless both sides hold the same alerts
	@$(PY) deploy/demo.py

test: setup ## all tests of Python, and through it of the engine
	@$(PY) tests/halves.py

test-kill: setup ## 100,000 events while both sides are killed again and again
	@HAIDANG_KILL_EVENTS=100000 $(PY) -m pytest -s tests/e2e/test_kill.py

rust-test: ## the engine's own tests
	cargo test --manifest-path sensor/engine/Cargo.toml -p haidang-core --lib

lint: ## style and mistakes, Python and Rust
	$(PY) -m ruff check . && $(PY) -m ruff format --check .
	rustfmt --check --edition 2021 --config-path sensor/engine $(RUST_FILES)
	cargo clippy --manifest-path sensor/engine/Cargo.toml --all-targets -- -D warnings

types: ## mypy, strict
	$(PY) -m mypy

format: ## put Python and Rust into their usual form
	$(PY) -m ruff check --fix-only . && $(PY) -m ruff format .
	rustfmt --edition 2021 --config-path sensor/engine $(RUST_FILES)

fuzz-smoke: ## every fuzz target for a few seconds
	.ci/fuzz-smoke

mutants: setup ## MUTANTS damaged captures (and the captures themselves) through the engine: no panic, no hang, no flood
	$(PY) tests/bench/mutants.py --plain --count $(MUTANTS)

linear: setup ## instructions by size of input for every known way to make an engine slow
	$(PY) tests/bench/linear.py

bench: $(if $(filter $(BENCH_OPTIMIZED),$(BENCH)),optimize,setup) ## speed against Suricata; BENCH=singles, workers, live, live-soak, af-xdp, soak, flow-memory, reload, rule-tools, sanitize, bus, store, chaos, hostile, gate or bless: something else (docs/speed.md)
	$(PY) $(or $(BENCH_$(BENCH)),$(error BENCH=$(BENCH) is none of: pairs singles workers live live-soak af-xdp soak flow-memory reload rule-tools sanitize bus store chaos hostile gate bless))

bench-%: # bench-bus is the same as bench BENCH=bus, and so on
	@$(MAKE) --no-print-directory bench BENCH=$*

parity: setup ## the same alerts? Suricata and Hải Đăng on PARITY_PCAP (files, folders) and PARITY_RULES
	$(PY) tests/bench/parity.py --pcap $(PARITY_PCAP) --rules $(PARITY_RULES)

docs: setup ## docs/configuration.md, keywords.md, protocols.md and lint.md anew from their tables
	$(PY) -m sensor.config.manual > docs/configuration.md && $(PY) -m sensor.rules.lint.manual > docs/lint.md
	$(PY) -m sensor.cli keywords --docs > docs/keywords.md && $(PY) -m sensor.cli protocols --docs > docs/protocols.md

check: ## what CI runs
	.ci/run

clean: ## what can be made again, except the virtual environment
	cargo clean --manifest-path sensor/engine/Cargo.toml
	rm -rf sensor/_engine*.so demo-out bench-out build .pytest_cache .mypy_cache .ruff_cache .hypothesis .venv/stamps
