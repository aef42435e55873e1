# The commands of this project. `make test` is what a change must pass, on a fresh clone too.

.PHONY: run test install format check rust sdk browser soak bench fuzz documents
.NOTPARALLEL:

run:
	cargo run --release

test: install check rust sdk browser

install:
	@echo "== install what is missing"
	.ci/install

format:
	cargo fmt

check:
	@echo "== format and lints"
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# Unit and integration tests, the short soak, and whether the generated documents are up to date.
rust:
	@echo "== Rust tests"
	cargo test

sdk:
	@echo "== SDK: types, tests, size"
	cd sdk && npm run --silent typecheck && npm test --silent

browser:
	@echo "== browser tests"
	cargo build
	cd sdk && npm run --silent test:browser

# 10,000 page changes and 10,000 signals with sockets that die at random.
soak:
	cargo bench --bench load -- soak

bench:
	cargo bench --bench core

# Fuzzes every parser, or TARGET=frames alone; RUNS=10000000 is the long form, SECONDS_EACH=5 a look. Needs a nightly
# compiler and cargo-fuzz, and says so where they are missing. The seeds are replayed by `make rust` too.
fuzz:
	fuzz/run.sh $(TARGET)

# Writes openapi/openapi.json and openapi/asyncapi.json from the Rust types.
documents:
	mkdir -p openapi
	cargo run --quiet -- openapi > openapi/new.json
	mv openapi/new.json openapi/openapi.json
	cargo run --quiet -- asyncapi > openapi/new.json
	mv openapi/new.json openapi/asyncapi.json
