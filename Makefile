# A thin wrapper over meson. `make demo` and `make test` are all that a newcomer needs.
BUILD ?= build
MESON_ARGS ?=

.PHONY: all deps demo test bench bench-plugin bench-history bench-forecast bench-accuracy bench-topology bench-learners bench-path bench-serve bench-failures bench-dashboard lint format asan tsan fuzz soak-history cover install uninstall deb test-deb clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_ARGS) >/dev/null

deps:
	@tools/deps

# ONCE=1: exit when the story is told, non-zero if a step did not happen as described
demo: deps all
	@tools/demo --build $(BUILD) $(if $(ONCE),--once)

test: deps all
	@tools/run-tests $(BUILD)

bench: bench-plugin bench-history bench-forecast bench-path bench-serve bench-failures bench-dashboard

# Prometheus and VictoriaMetrics take part when they are installed (prometheus victoria-metrics)
bench-history: deps all
	@/usr/bin/python3 tests/bench/bench_history.py --build $(BUILD) $(ARGS)

bench-plugin: deps all
	@/usr/bin/python3 tests/bench/bench_plugin.py --build $(BUILD)

bench-forecast: bench-accuracy bench-topology bench-learners

# R's forecast package and scikit-learn take part when they are installed (r-cran-forecast python3-sklearn);
# ARGS="FILE..." adds series of your own (`timestamp_unix,value[,link]`), --m4 FILE the hourly ones of that competition
bench-accuracy: all
	@tests/bench/bench_accuracy.py --build $(BUILD) --output docs/accuracy.md data/abilene/loads.csv \
		data/facebook/pod_a.csv.gz data/ec2/network_in.csv.gz $(ARGS)

# A thousand links at once through the daemon
bench-topology: all
	@/usr/bin/python3 tests/bench/bench_topology.py --build $(BUILD) $(ARGS)

# Forest and boosting against scikit-learn and xgboost, where they are installed (python3-sklearn python3-xgboost)
bench-learners: deps all
	@/usr/bin/python3 tests/bench/bench_learners.py --build $(BUILD) $(ARGS)

# ARGS="--streams 1000" and so on
bench-dashboard: deps all
	@/usr/bin/python3 tests/bench/bench_dashboard.py --build $(BUILD) $(ARGS)

# igraph, LEMON and Boost take part when they are installed (libigraph-dev liblemon-dev libboost-graph-dev);
# ARGS="--large FILE..." adds half a million nodes, and topologies of your own; "--files FILE..." only those
bench-path: all
	@ninja -C $(BUILD) tests/bench/bench_path >/dev/null && $(BUILD)/tests/bench/bench_path $(ARGS)

# FILE=germany50.txt: over another topology
bench-serve: all
	@ninja -C $(BUILD) tests/bench/bench_serve >/dev/null && tests/bench/bench_serve.sh $(BUILD) $(FILE)

# failures told beforehand, on simulated ports; ARGS="WEEKS STEP_SECONDS"
bench-failures: all
	@ninja -C $(BUILD) tests/bench/bench_failures >/dev/null && $(BUILD)/tests/bench/bench_failures $(ARGS)

lint: deps
	@tools/lint

format:
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

# Of the daemon: alerts, actions and jobs, whose threads only a whole daemon has
SANITIZED = integration_alerts integration_actions integration_failures integration_learning

# Criterion exits 0 when a test leaks: a report on disk is what fails here.
asan: deps
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-asan
	@rm -f build-asan/report.*
	@ASAN_OPTIONS=log_path=$(CURDIR)/build-asan/report UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		sh -c 'tools/run-tests build-asan --suite unit --suite property --suite fuzz && \
			tools/run-tests build-asan $(SANITIZED)'
	@! cat build-asan/report.* 2>/dev/null

# Criterion does not run under TSan: the races are looked for by plain programs, and in the daemon.
tsan: deps
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false >/dev/null
	@ninja -C build-tsan
	@rm -f build-tsan/report.*
	@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/stress/tsan.supp:halt_on_error=1:log_path=$(CURDIR)/build-tsan/report \
		sh -c 'tools/run-tests build-tsan --suite stress && tools/run-tests build-tsan $(SANITIZED)'
	@! cat build-tsan/report.* 2>/dev/null

# Longer than a test may take: KILLS of a writer at random moments, SECONDS of readers beside one under ASan
soak-history: all
	@$(BUILD)/tests/stress/stress_history_kills $(or $(KILLS),10000) $(or $(SEED),1)
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-asan tests/stress/stress_history_readers
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build-asan/tests/stress/stress_history_readers $(or $(SECONDS),60)

# SECONDS=600 for each target
fuzz: deps
	@tests/fuzz/run $(or $(SECONDS),60)

cover: deps
	@[ -f build-cover/build.ninja ] || meson setup build-cover -Db_coverage=true >/dev/null
	@tools/run-tests build-cover && ninja -C build-cover coverage-text && cat build-cover/meson-logs/coverage.txt

# Debian packages, in the folder above
deb:
	@dpkg-buildpackage -us -uc -b

# The same, then installed, run and purged in a fresh Debian 12 (root and a network are needed)
test-deb:
	@tools/test-deb

install: all
	@meson install -C $(BUILD)

uninstall:
	@ninja -C $(BUILD) uninstall

clean:
	@rm -rf build build-asan build-tsan build-lint build-cover build-fuzz
