# The commands of this project. `make test` is what a change must pass, on a fresh clone too.

.PHONY: run test install format check rust rust-on-redis latency page-changes repair schema schema-long clients sdk browser simulation soak nodes scale bench fuzz fuzz-look documents
.NOTPARALLEL:

SCHEMA = target/schema/bin/python tests/schema/run.py target/debug/vestibule

run:
	cargo run --release

test: install check rust schema clients fuzz-look sdk browser

install:
	@echo "== install what is missing"
	.ci/install

format:
	cargo fmt

check:
	@echo "== format and lints"
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# Unit and integration tests, some of them once more with several nodes' engine, the short soak, and whether the generated documents are up to date.
rust:
	@echo "== Rust tests"
	tests/with-postgres tests/with-redis cargo test
	tests/on-redis presence:: signals:: lists:: agents:: help:: cobrowse::

# All that holds with several nodes' engine.
rust-on-redis:
	tests/on-redis

# Signals from node to node, against one node; wants a quiet machine.
latency:
	tests/with-redis cargo test --release --test integration cluster::latency -- --ignored --nocapture

# 10,000 page changes that land on any of three nodes, with signals from all of them: about four minutes.
page-changes:
	VESTIBULE_TEST_PAGE_CHANGES=10000 tests/with-redis cargo test --test integration cluster::page_changes -- --nocapture

# The server that nodes share fails in every way, one at a time: all is right again within 2 s of its return. Wants a quiet machine.
repair:
	VESTIBULE_TEST_QUIET=1 tests/with-redis cargo test --release --test integration -- \
		cluster::failures cluster::masters cluster::sentinel --test-threads=1 --nocapture

# Calls the server as its own OpenAPI document allows and forbids, for about a minute, each time the same.
schema:
	@echo "== OpenAPI document against the server"
	cargo build --quiet
	$(SCHEMA) --generation-deterministic --max-examples 40 --phases examples,coverage,fuzzing

# The long form: other data each time, and sequences of calls.
schema-long:
	cargo build --quiet
	$(SCHEMA) --max-examples 500 --continue-on-failure

# Clients of others, as they are.
clients:
	@echo "== aiocometd-ng against the server"
	cargo build --quiet
	target/clients/bin/python tests/clients/aiocometd.py target/debug/vestibule

sdk:
	@echo "== SDK: types, tests, size"
	cd sdk && npm run --silent typecheck && npm test --silent

browser:
	@echo "== browser tests"
	cargo build
	cd sdk && npm run --silent test:browser

# Several nodes' engines, alone and with visitors, against delays, cuts and crashes, from 100,000 seeds each; a failing one is
# named, and SEED=n repeats it and tells what happens. `make rust` has 2,000 and 150.
simulation:
	SEEDS=100000 cargo test --release --lib simulation

# 10,000 page changes and 10,000 signals with sockets that die at random.
soak:
	cargo bench --bench load -- soak

# Three nodes restarted one after another under 5,000 visitors; one of three killed under 2,000.
nodes:
	tests/with-redis cargo bench --bench load -- rolling
	tests/with-redis cargo bench --bench load -- loss

# What several nodes and their server carry for each visitor, page change and signal; VESTIBULE_TEST_CLUSTER=1 is of a cluster.
scale:
	tests/with-redis cargo bench --bench load -- scale

bench:
	cargo bench --bench core

# Fuzzes every parser, or TARGET=frames alone; RUNS=10000000 is the long form, SECONDS_EACH=5 a look. Needs a nightly
# compiler and cargo-fuzz, and says so where they are missing. The seeds are replayed by `make rust` too.
fuzz:
	fuzz/run.sh $(TARGET)

# A look of 3 s at each, where there is what it needs; built outside of the clone, so that the next one finds it there.
fuzz-look:
	@echo "== fuzzers"
	LOOK=1 FUZZ_TARGET_DIR="$${XDG_CACHE_HOME:-$$HOME/.cache}/vestibule-fuzz" fuzz/run.sh

# Writes openapi/openapi.json and openapi/asyncapi.json from the Rust types.
documents:
	mkdir -p openapi
	cargo run --quiet -- openapi > openapi/new.json
	mv openapi/new.json openapi/openapi.json
	cargo run --quiet -- asyncapi > openapi/new.json
	mv openapi/new.json openapi/asyncapi.json
