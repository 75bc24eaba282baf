# The front door. `make` builds build/cellblock, `make help` names the rest. Meson does the work below build/.

.DEFAULT_GOAL := build/cellblock
.DELETE_ON_ERROR:

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
SUITES ?=

# Ninja takes all cores; NINJAFLAGS=-j2 takes fewer.
NINJAFLAGS ?=
ninja = ninja $(NINJAFLAGS) -C

# Packages

.PHONY: deps deps-demo deps-test deps-bench
deps:
	@tools/deps build
deps-demo:
	@tools/deps demo
deps-test:
	@tools/deps test
deps-bench:
	@tools/deps bench

# One directory a kind of build. Meson reconfigures by itself when a build file changes.
#   release  what is installed, and nothing that only tests need
#   checked  the same with -Werror and the unit tests
#   asan     with AddressSanitizer and UndefinedBehaviorSanitizer
#   fuzz     with both and libFuzzer, by clang

meson = @mkdir -p build && meson setup $(@D) $(1) >build/setup.log 2>&1 || { cat build/setup.log; exit 1; }
sanitizers = --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false

build/release/build.ninja: | deps
	$(call meson,-Dtests=false)

build/checked/build.ninja: | deps-test
	$(call meson,--werror)

build/asan/build.ninja: | deps-test
	$(call meson,$(sanitizers))

build/fuzz/build.ninja: export CC = clang
build/fuzz/build.ninja: | deps-test
	$(call meson,$(sanitizers) -Dfuzz=true -Dtests=false)

# Whether something is to be done is for Ninja to know: it is always asked.
.PHONY: release
release: deps build/release/build.ninja
	@$(ninja) build/release

build/cellblock: release
	@cmp -s build/release/src/cli/cellblock $@ || install -m 755 build/release/src/cli/cellblock $@

.PHONY: build-tests
build-tests: deps-test build/cellblock build/checked/build.ninja build/asan/build.ninja build/fuzz/build.ninja
	@$(ninja) build/checked
	@$(ninja) build/asan
	@$(ninja) build/fuzz fuzz-targets
	@tools/test-env

.PHONY: demo test bench lint fuzz install clean help
demo: deps-demo build/cellblock
	@demo/run

test: build-tests
	@tools/run-tests $(SUITES)

bench: deps-bench build/cellblock
	@bench/run

lint: deps-test build/checked/build.ninja
	@$(ninja) build/checked
	@tools/check-layout

fuzz: deps-test build/fuzz/build.ninja
	@$(ninja) build/fuzz fuzz-targets
	@tools/run-tests --fuzz-seconds=$(FUZZ_SECONDS) fuzz

install: build/cellblock
	install -D -m 755 build/cellblock $(DESTDIR)$(PREFIX)/bin/cellblock

clean:
	rm -rf build

help:
	@echo 'make            build build/cellblock (missing Debian packages are installed first)'
	@echo 'make demo       a conversation with the server: state, packages, a figure, an error, a timeout'
	@echo 'make test       all tests; SUITES="unit kernel" runs some (tools/run-tests --list names them)'
	@echo 'make bench      measure against what else one would use'
	@echo 'make lint       compile with -Werror, and check the layout of the source'
	@echo 'make fuzz       fuzz for FUZZ_SECONDS=600 a target'
	@echo 'make install    to PREFIX=/usr/local, below DESTDIR='
	@echo 'make clean      remove build/'
