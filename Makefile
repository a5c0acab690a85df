# SPDX-License-Identifier: Apache-2.0
# Everything a user or a developer starts. `make demo` and `make test` set up and build first; each
# step leaves a stamp and runs again only when its inputs have changed.
#
#   make setup       .venv with everything that is needed, by tools/setup_environment.py
#   make build       libtilewise.so in python/tilewise/lib, and the C++ tests, in build/
#   make demo        the demo; options in DEMO="--query 'open a file'"
#   make test        C++ tests (ctest) and Python tests (pytest)
#   make test-full   the same with every sample and dtype
#   make test-asan   the C++ tests of compiler and runtime with sanitizers, in build-asan/
#   make fuzz        random kernels and damaged Triton IR; SEED=7 SECONDS=600 as you like
#   make lint        format, types, spelling, layering, duplicates, clang-tidy on what changed
#   make lint-full   the same with clang-tidy on every file
#   make bench       measure on this machine; results in benchmarks/results/
#   make format      format C++ and Python sources
#   make doctor      look for problems of this machine
#   make clean       remove what was built (not .venv)
#
# Variables: PYTHON (3.11 or later; one that imports torch lends it), CXX, JOBS, BUILD, MACHINE.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: setup build demo test test-full test-asan fuzz lint lint-full bench format doctor clean

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
BUILD ?= build
VENV := .venv
BIN := $(VENV)/bin
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"

CXX_FILES = $(shell git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp')

setup: $(VENV)/.ready

$(VENV)/.ready: tools/setup_environment.py pyproject.toml $(wildcard requirements/*.txt)
	$(PYTHON) tools/setup_environment.py $(VENV)
	@touch $@

# ninja knows best what has to be built; it is asked every time and answers within a second.
build: $(BUILD)/build.ninja
	@$(IN_VENV) cmake --build $(BUILD) -j $(JOBS)
	@$(IN_VENV) cmake --install $(BUILD) --prefix python > /dev/null

$(BUILD)/build.ninja: $(VENV)/.ready
	@$(IN_VENV) cmake -S . -B $(BUILD) -G Ninja -DPython3_EXECUTABLE=$(CURDIR)/$(BIN)/python \
	  $$(command -v ccache > /dev/null && echo -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
	@touch $@

demo: build
	$(BIN)/python -m tilewise demo $(DEMO)

# Compilers and emulators for the machines whose kernels are tested too; never needed to build.
$(VENV)/.cross-tools: $(VENV)/.ready
	@$(PYTHON) tools/setup_environment.py --cross-tools
	@touch $@

# ctest runs these with the settings and libraries that they need.
CTEST_RUNS := $(addprefix --ignore=tests/compiler/,fuzz test_codegen.py test_codegen_tiles.py \
  test_cross_targets.py test_dot_kernel.py test_filecheck.py test_fuzz_ttir.py \
  test_guard_pages.py test_math_library.py)

test: build $(VENV)/.cross-tools
	@$(IN_VENV) ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)
	$(BIN)/python -m pytest -q -n $(JOBS) $(CTEST_RUNS) $(PYTEST)

test-full: build $(VENV)/.cross-tools
	@$(IN_VENV) ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)
	TILEWISE_TEST_FULL=1 $(BIN)/python -m pytest -q -n $(JOBS) $(CTEST_RUNS) $(PYTEST)

test-asan: setup
	@$(IN_VENV) cmake --preset core-asan -DPython3_EXECUTABLE=$(CURDIR)/$(BIN)/python > /dev/null
	@$(IN_VENV) cmake --build build-asan -j $(JOBS)
	@$(IN_VENV) ctest --test-dir build-asan --output-on-failure -j $(JOBS)

# Half of the time each; the seed is printed, so that a failure can be repeated.
ifndef SEED
SEED := $(shell echo $$RANDOM)
endif
SECONDS ?= 600
fuzz: build
	@echo "SEED=$(SEED)"
	TILEWISE_LIBRARY=$(BUILD)/tests/runtime/libtilewise_core.so $(BIN)/python \
	  tests/compiler/fuzz/run_kernels.py --seed $(SEED)000 --seconds $$(($(SECONDS) / 2))
	TILEWISE_FUZZ_TTIR=$(BUILD)/tests/compiler/fuzz_ttir TILEWISE_FUZZ_SEED=$(SEED) \
	  TILEWISE_FUZZ_ROUNDS=100000000 TILEWISE_FUZZ_SECONDS=$$(($(SECONDS) / 2)) \
	  $(BIN)/python -m pytest -q tests/compiler/test_fuzz_ttir.py

lint: $(BUILD)/build.ninja
	@$(IN_VENV) tools/lint.sh $(BUILD) changed

lint-full: $(BUILD)/build.ninja
	@$(IN_VENV) tools/lint.sh $(BUILD) all

# Results bear the machine's name: make bench MACHINE=h200 BENCH="--device cuda".
MACHINE ?= $(shell uname -m)-$(JOBS)-cores
bench: build
	@mkdir -p benchmarks/results
	$(BIN)/python benchmarks/bench_ops.py --out benchmarks/results/$(MACHINE)-operators.json $(BENCH)
	$(BIN)/python -m tilewise demo --output $(BUILD) --record benchmarks/results/$(MACHINE)-demo.json

format: setup
	@$(BIN)/clang-format -i $(CXX_FILES)
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

doctor: setup
	$(BIN)/python -m tilewise doctor

clean:
	rm -rf $(BUILD) python/tilewise/lib
