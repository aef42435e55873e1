#!/usr/bin/env bash
# Runs the fuzzers one after another: all of them, or those that are named. Needs a nightly compiler and cargo-fuzz.
#   RUNS=10000000 fuzz/run.sh            a long run
#   SECONDS_EACH=5 fuzz/run.sh frames    a look
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "no nightly compiler or no cargo-fuzz here: nothing is fuzzed; tests/fuzz_seeds.rs replays the seeds" >&2
  exit 0
fi

# The product holds no unsafe code, so its own checks (overflow, bounds, debug assertions) find what a sanitizer would, at
# several times the speed. A run that takes 5 s, 1 GiB, or more than 8 KiB of input is an error, or is not made.
limits=(-timeout=5 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -verbosity=0)
[ -n "${RUNS:-}" ] && limits+=("-runs=$RUNS")
[ -n "${SECONDS_EACH:-}" ] && limits+=("-max_total_time=$SECONDS_EACH")
[ "${#limits[@]}" -gt 5 ] || limits+=(-runs=200000 -max_total_time=60)

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
cargo +nightly fuzz build --sanitizer none "${targets[@]/#/--bin=}" 2>/dev/null || cargo +nightly fuzz build --sanitizer none
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  echo "== $target"
  nice -n 10 cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${limits[@]}"
done
