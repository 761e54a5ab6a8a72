# Signalbox. `make demo` shows it, `make test` proves it; both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN    := bin
DATA   ?= signalbox-demo
# The revision that published schemas are compared with.
AGAINST ?= HEAD
ENV    := services/trainer/setup-env.sh
# The main binary and its tests are pure Go; only the packages in CGO need a C compiler.
CGO    := ./consumers/generate/duckengine/... ./services/signalbox-duckdb/...
GO      = CGO_ENABLED=0 go
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help build build-iceberg demo up kube check test test-go test-cgo test-python test-python-all check-python test-e2e race chaos chaos-mutants chaos-process simulate fuzz bench bench-training bench-archive bench-ingest bench-peers setup-test clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## bin/signalbox (pure Go), bin/signalbox-duckdb (cgo) and bin/flights (the example)
	@deploy/setup/require.sh go cc
	@mkdir -p $(BIN)
	@echo "building $(BIN)/signalbox"
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/signalbox ./services/signalbox
	@echo "building $(BIN)/signalbox-duckdb"
	@CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -o $(BIN)/signalbox-duckdb ./services/signalbox-duckdb
	@echo "building $(BIN)/flights"
	@$(GO) build -trimpath -ldflags '-s -w' -o $(BIN)/flights ./deploy/examples/flights/demo

build-iceberg: ## bin/signalbox-iceberg, which publishes the archive as Iceberg tables (a large library: minutes the first time)
	@mkdir -p $(BIN)
	@echo "building $(BIN)/signalbox-iceberg"
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/signalbox-iceberg ./services/signalbox-iceberg

python: ## the Python environment that jobs run in (with PostgreSQL's binaries where the machine has none)
	@deploy/setup/require.sh python
	@$(ENV) $$(deploy/setup/postgres-flag.sh) >/dev/null

demo: build python ## the whole loop on real flights, two months; FULL=1 takes the year
	@$(BIN)/flights --data $(DATA) --python "$$($(ENV) $$(deploy/setup/postgres-flag.sh))" \
	  $(if $(FULL),--full --tables "$$(deploy/examples/flights/fetch.py)")

up: build python ## an empty stack on embedded parts, until Ctrl-C
	@$(BIN)/signalbox up --python "$$($(ENV) $$(deploy/setup/postgres-flag.sh))"

check: ## fast checks without servers: format, vet, the laws of the tree
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go') | tee /dev/stderr)"
	@$(GO) vet ./...
	@$(GO) test -count=1 ./deploy/lint
	@$(GO) run ./services/signalbox schema check schemas --against $(AGAINST) >/dev/null || $(GO) run ./services/signalbox schema check schemas --against $(AGAINST)

setup-test: ## Java, Maven, PostgreSQL and containerd for the tests, through the system's package manager; Kubernetes, KubeRay and Kueue from source
	@deploy/setup/require.sh go cc python
	@deploy/setup/servers.sh
	@deploy/kube/packages.sh || echo "without them the tests have a Kubernetes without containers"
	@$(GO) run ./deploy/kube programs --with kuberay,kueue >/dev/null

test: setup-test build python check test-go test-cgo test-python test-e2e ## every test, those against real servers included

kube: ## a real one-node Kubernetes until Ctrl-D (as root; without root one without containers)
	@mkdir -p $(BIN) && $(GO) build -o $(BIN)/kube ./deploy/kube
	@$(BIN)/kube up --mode auto --dir "$${KUBE_DIR:-/tmp/signalbox-kube}"

test-go:
	@$(GO) test -timeout 40m $$($(GO) list ./... | grep -vE '/deploy/(chaos|e2e|lint)$$')

test-cgo:
	@CGO_ENABLED=1 go test -timeout 10m $(CGO)

test-python:
	@"$$($(ENV) --with-tests)" -m pytest -q services/trainer/tests

test-python-all: ## the Python tests on each of Python 3.10 to 3.13 that is on this machine
	@services/trainer/test-all.sh $(PYTEST)

check-python: ## ruff and mypy, of the pinned versions
	@python="$$($(ENV) --with-tests --with-lint)" && cd services/trainer && "$$python" -m ruff check . && \
	  "$$python" -m ruff format --check . && "$$python" -m mypy

test-e2e:
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) test -timeout 40m -count=1 -p 1 ./deploy/e2e/... ./deploy/chaos

race: ## the tests under the race detector (slow)
	@CGO_ENABLED=1 go test -race -timeout 40m $$(go list ./... | grep -vE '/deploy/(chaos|e2e)$$')

chaos: build ## faults of every kind against the archive on real servers, for DURATION (default 10m)
	@$(GO) run ./deploy/chaos --duration $${DURATION:-10m} --signalbox $(BIN)/signalbox $(CHAOS)

chaos-mutants: ## programs that break one promise each: the faults must catch them all; MUTANTS="m1 m2" only some
	@$(GO) run ./deploy/chaos $(CHAOS) mutants $(MUTANTS)

chaos-process: build python ## kill -9 of the whole of `signalbox up` at random moments, for DURATION (default 10m)
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) test -timeout 0 -count=1 -run TestKill -v ./deploy/e2e/... -args -chaos=$${DURATION:-10m}

simulate: ## days of the archive in virtual time with faults, SEEDS of them (default 20); a failure prints its seed
	@$(GO) test -timeout 0 -count=1 ./consumers/archive/simulation -args -seeds=$${SEEDS:-20}

fuzz: ## each fuzz target for FUZZTIME (default 30s)
	@deploy/setup/fuzz.sh $${FUZZTIME:-30s}

bench: ## benchmarks; figures go to deploy/bench/results
	@$(GO) test -run '^$$' -bench . -benchtime 1s ./consumers/... ./services/inference/...

bench-training: build python ## T1 to T3 of the training goals and a peer; figures go to deploy/bench/results (as root for the peer)
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) run ./deploy/bench/training $(BENCH)

bench-archive: build ## A1 to A7 of the archive's goals; figures go to deploy/bench/results
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) run ./deploy/bench/archive $(BENCH)

bench-ingest: build ## I1, I2, I3 and I5 of ingest's goals; figures go to deploy/bench/results
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) run ./deploy/bench/ingest $(BENCH)

bench-peers: build ## A8: the archiver beside Benthos, Kafka Connect with Iceberg and a Python program, clean and with kill -9; figures go to deploy/bench/results
	@deploy/setup/require.sh python
	@deploy/setup/servers.sh
	@SIGNALBOX_BIN=$(CURDIR)/$(BIN) $(GO) run ./deploy/bench/archive/peers $(BENCH)

clean: ## remove what was built here (caches stay)
	@rm -rf $(BIN)
