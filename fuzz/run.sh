#!/usr/bin/env bash
# Runs the fuzzers one after another: all of them, or those that are named. Needs a nightly compiler and cargo-fuzz.
#   RUNS=10000000 fuzz/run.sh            a long run
#   SECONDS_EACH=5 fuzz/run.sh frames    a look
#   LOOK=1 fuzz/run.sh                   3 s each, without optimisation; what takes more than two minutes to build waits
#                                        for the next look, which goes on building where this one ended
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "no nightly compiler or no cargo-fuzz here: nothing is fuzzed; tests/fuzz_seeds.rs replays the seeds" >&2
  exit 0
fi

# The product holds no unsafe code, so its own checks (overflow, bounds, debug assertions) find what a sanitizer would, at
# several times the speed. A run that takes 10 s or 1 GiB is an error; no input is longer than 8 KiB.
limits=(-timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -verbosity=0)
if [ -n "${RUNS:-}" ]; then
  limits+=("-runs=$RUNS")
else
  limits+=("-max_total_time=${SECONDS_EACH:-20}")
fi

build=(--sanitizer none --target-dir "${FUZZ_TARGET_DIR:-fuzz/target}")
if [ -n "${LOOK:-}" ]; then
  build+=(--dev)
  limits+=(-max_total_time=3 -timeout=30)
  status=0
  timeout 120 cargo +nightly fuzz build "${build[@]}" >&2 || status=$?
  if [ "$status" = 124 ]; then
    echo "the fuzzers are not built within two minutes here: nothing is fuzzed this time" >&2
    exit 0
  fi
  [ "$status" = 0 ] || exit "$status"
fi

# The settings' target writes a file a run: to memory, where the system has such a folder.
[ -d /dev/shm ] && export TMPDIR=/dev/shm

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  echo "== $target"
  nice -n 10 cargo +nightly fuzz run "${build[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${limits[@]}"
done
