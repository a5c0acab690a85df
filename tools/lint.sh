#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every check that needs no running program: `make lint`. All of them run even if one finds
# something; the exit status says whether all were content.
#
# usage: tools/lint.sh BUILD_FOLDER changed|all    (which files clang-tidy reads)
set -u
cd "$(dirname "$0")/.."
build=$1
scope=$2
failed=()

check() {
  local name=$1
  shift
  local start=$SECONDS
  if "$@"; then
    echo "lint: $name: ok ($((SECONDS - start)) s)"
  else
    echo "lint: $name: FAILED"
    failed+=("$name")
  fi
}

mapfile -t cxx < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp')

# clang-tidy takes 10 s a file where ATen is included. Asked for what changed, it reads the files
# that differ from the main branch, and always the parser, which takes its input from outside.
tidy_files() {
  if [[ $scope == all ]]; then
    git ls-files -- 'src/*.cpp'
  else
    { git diff --name-only --diff-filter=d HEAD -- 'src/*.cpp'
      git diff --name-only --diff-filter=d origin/main...HEAD -- 'src/*.cpp' 2>/dev/null
      git ls-files -- 'src/base/*.cpp' 'src/compiler/ttir/*.cpp'
    } | sort -u
  fi
}

clang_tidy() {
  local files
  mapfile -t files < <(tidy_files)
  ((${#files[@]})) || return 0
  run-clang-tidy.py -quiet -p "$build" -j "$(nproc)" -extra-arg=-Wno-ignored-gch \
    -extra-arg=-Wno-unknown-warning-option "${files[@]/#/$PWD/}" \
    > "$build/clang-tidy.log" 2>&1 && return 0
  grep -E 'error:|warning:' "$build/clang-tidy.log" | sed "s|$PWD/||" | sort -u | head -50
  return 1
}

check clang-format clang-format --dry-run --Werror "${cxx[@]}"
check ruff ruff check -q .
check ruff-format ruff format -q --check .
check mypy mypy --no-error-summary
check codespell codespell
check layering python tools/check_layering.py
check duplicates python tools/check_duplicates.py
check clang-tidy clang_tidy

if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]} (make format repairs formatting)"
  exit 1
fi
echo "lint: all checks passed"
