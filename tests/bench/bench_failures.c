// How well failures are told beforehand on simulated ports: learnt on some seeds, tried on others, with one kind of fault
// never learnt, once for each kind; beside naive rules. Prints a table, and CPU time a row.
//
// usage: bench_failures [WEEKS [STEP_SECONDS]]
// SPDX-License-Identifier: MIT
#include "simulate.h"
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEARN_SEEDS 3
#define TEST_SEEDS  3
#define FIRST_LEARN 1
#define FIRST_TEST  1001
#define WEEK        604800.0

struct bench {
	double weeks, step;
	size_t n_rows;
};

// Counters of a row are of one second.
static struct trial_row row_of(const struct sim_row *sim, double step, bool was_up) {
	const uint64_t counts[N_PORT_COUNTERS] = {
	        [COUNTER_rx_packets] = sim->rx_packets, [COUNTER_tx_packets] = sim->tx_packets,
	        [COUNTER_rx_bytes] = sim->rx_bytes,     [COUNTER_tx_bytes] = sim->tx_bytes,
	        [COUNTER_rx_missed] = sim->rx_missed,   [COUNTER_rx_errors] = sim->rx_errors,
	        [COUNTER_tx_errors] = sim->tx_errors,   [COUNTER_rx_nombuf] = sim->rx_nombuf,
	};
	struct trial_row row = {
	        .observation = {.ts_ns = sim->ts_ns,
	                        .seconds = step,
	                        .up = sim->up,
	                        .n_down = was_up && !sim->up,
	                        .speed_bps = NAN,
	                        .latency_ms = sim->latency > 0 ? sim->latency : NAN},
	        .failed = sim->state == SIM_FAILED,
	        .degrading = sim->state == SIM_DEGRADING,
	        .kind = fault_names[sim->fault].name,
	        .value = NAN,
	};

	for (int i = 0; i < N_PORT_COUNTERS; i++)
		row.observation.counters[i] = (double)counts[i] * step;
	return row;
}

static void feed(struct bench *bench, struct trial *trial, uint64_t seed, bool learns, const char *skip) {
	struct simulate_options options = {.profile = PROFILE_failure,
	                                   .seed = seed,
	                                   .start_ns = SIMULATE_START_NS,
	                                   .step_seconds = bench->step};
	size_t n = (size_t)(bench->weeks * WEEK / bench->step);
	struct simulator *simulator;
	bool was_up = true;

	if (simulator_new(&options, &simulator) < 0 || trial_next_port(trial) < 0)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		struct sim_row sim;
		struct trial_row row;

		simulator_next(simulator, &sim);
		row = row_of(&sim, bench->step, was_up);
		was_up = sim.up;
		if ((learns ? trial_learn(trial, &row, skip) : trial_test(trial, &row, true)) < 0)
			exit(1);
	}
	bench->n_rows += n;
	simulator_free(simulator);
}

static void print_left_out(struct trial *trial, const char *skip) {
	struct trial_kind *kinds;
	size_t n;

	if (trial_kinds(trial, &kinds, &n) < 0)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(kinds[i].name, skip) == 0)
			printf("  of the kind that was left out, together: %zu of %zu warned of, lead %.2f "
			       "of the signs\n",
			       kinds[i].warned, kinds[i].events, kinds[i].lead_share);
	}
	free(kinds);
}

static void run(struct bench *bench, const char *skip) {
	struct trial_options options = {FORESIGHT_HORIZON_SECONDS, 3600, 0.5, 1, 1};
	struct trial_result results[N_METHODS];
	struct trial *trial;

	if (trial_new(&options, &trial) < 0)
		exit(1);
	for (uint64_t i = 0; i < LEARN_SEEDS; i++)
		feed(bench, trial, FIRST_LEARN + i, true, skip);
	if (trial_train(trial) < 0)
		exit(1);
	for (uint64_t i = 0; i < TEST_SEEDS; i++)
		feed(bench, trial, FIRST_TEST + i, false, NULL);
	if (trial_results(trial, results) < 0)
		exit(1);
	printf("\nleft out: %s; tried on %.1f port-weeks without failures\n", skip, trial_weeks(trial));
	printf("  %-32s %6s %6s %9s %6s %9s %9s %8s %6s\n", "method", "events", "warned", "precision",
	       "recall", "false/wk", "lead s", "of signs", "PR-AUC");
	for (int m = 0; m < N_METHODS; m++)
		printf("  %-32s %6zu %6zu %9.3f %6.3f %9.2f %9.0f %8.2f %6.3f\n", results[m].name,
		       results[m].events, results[m].warned, results[m].precision, results[m].recall,
		       results[m].false_per_week, results[m].lead_seconds, results[m].lead_share,
		       results[m].pr_auc);
	print_left_out(trial, skip);
	fflush(stdout);
	trial_free(trial);
}

int main(int argc, char **argv) {
	struct bench bench = {argc > 1 ? atof(argv[1]) : 2, argc > 2 ? atof(argv[2]) : 1, 0};
	double seconds;

	if (!(bench.weeks > 0) || !(bench.step > 0)) {
		fprintf(stderr, "usage: bench_failures [WEEKS [STEP_SECONDS]]\n");
		return 2;
	}
	for (int kind = 1; kind < N_FAULTS; kind++)
		run(&bench, fault_names[kind].name);
	seconds = (double)clock() / CLOCKS_PER_SEC;
	printf("\n%.2f microseconds of CPU a row, simulation and training included\n",
	       seconds * 1e6 / (double)bench.n_rows);
	return 0;
}
