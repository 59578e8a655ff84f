// simulate: a made-up port's traffic as CSV, a row at a time, and as the schedule that traffic generators follow
// (docs/schedule.md). What is drawn is simulate/'s; what is written how is decided here.
// SPDX-License-Identifier: MIT
#include "arguments.h"
#include "clock.h"
#include "commands.h"
#include "csvtext.h"
#include "progress.h"
#include "simulate.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WEEK_SECONDS          604800.0
#define MOST_ROWS             1e10
#define DEFAULT_SLOT_SECONDS  60.0
#define ROWS_BETWEEN_PROGRESS 8192

struct simulate_arguments {
	struct ctl *ctl;
	const char *path, *schedule_path;
	double weeks, slot_seconds;
	struct simulate_options options;
};

enum { OPTION_START = 256, OPTION_FAULTS, OPTION_FAULT_EVERY, OPTION_SCHEDULE, OPTION_SLOT };

static const struct argp_option simulate_options[] = {
        {"profile", 'p', "NAME", 0, "kind of traffic (default: sinusoidal)", 0},
        {"weeks", 'w', "NUMBER", 0, "length (default: 1)", 0},
        {"step", 's', "TIME", 0, "from row to row (default: 1s)", 0},
        {"seed", 'r', "NUMBER", 0, "the same seed draws the same traffic (default: 1)", 0},
        {"output", 'o', "FILE.csv", 0, "where the rows go; - is standard output", 0},
        {"start", OPTION_START, "TIME", 0, "of the first row (default: 2024-01-01T00:00:00Z, a Monday)", 0},
        {"faults", OPTION_FAULTS, "NAME[,NAME...]", 0, "failure: only these kinds", 0},
        {"fault-every", OPTION_FAULT_EVERY, "TIME", 0,
         "failure: mean time from repair to the next first sign (default: 8h)", 0},
        {"schedule", OPTION_SCHEDULE, "FILE.csv", 0,
         "also write the load over time for a traffic generator: seconds,mult,fault", 0},
        {"slot", OPTION_SLOT, "TIME", 0, "of the schedule (default: 60s, or the step if longer)", 0},
        {0},
};

static int find_name(const struct named *names, int n, const char *text, size_t size) {
	for (int i = 0; i < n; i++) {
		if (strlen(names[i].name) == size && strncmp(names[i].name, text, size) == 0)
			return i;
	}
	return -1;
}

static enum profile parse_profile(const char *text, struct argp_state *state) {
	int profile = find_name(profile_names, N_PROFILES, text, strlen(text));

	if (profile < 0)
		argp_error(state, "--profile: there is no '%s'", text);
	return (enum profile)profile;
}

static unsigned parse_faults(const char *text, struct argp_state *state) {
	unsigned kinds = 0;

	for (;;) {
		size_t size = strcspn(text, ",");
		int kind = size == 0 ? -1 : find_name(fault_names, N_FAULTS, text, size);

		if (kind < 0)
			argp_error(state, "--faults: there is no '%.*s'", (int)size, text);
		kinds |= 1U << kind;
		if (text[size] == '\0')
			return kinds;
		text += size + 1;
	}
}

static void check_all(const struct simulate_arguments *arguments, struct argp_state *state) {
	const struct simulate_options *options = &arguments->options;
	bool faulty = options->faults != 0 || options->fault_every_seconds > 0;

	if (arguments->path == NULL && arguments->schedule_path == NULL)
		argp_error(state, "one of --output and --schedule is required");
	if (faulty && options->profile != PROFILE_failure)
		argp_error(state, "--faults and --fault-every belong to --profile failure");
	if (arguments->slot_seconds > 0 && arguments->schedule_path == NULL)
		argp_error(state, "--slot belongs to --schedule");
	if (arguments->slot_seconds > 0 && arguments->slot_seconds < options->step_seconds)
		argp_error(state, "--slot is shorter than --step: there would be gaps");
	if (arguments->weeks * WEEK_SECONDS / options->step_seconds > MOST_ROWS)
		argp_error(state, "more than %g rows", MOST_ROWS);
	if (arguments->weeks * WEEK_SECONDS < options->step_seconds)
		argp_error(state, "--step is longer than --weeks");
}

static error_t parse_simulate(int key, char *text, struct argp_state *state) {
	struct simulate_arguments *arguments = state->input;
	struct simulate_options *options = &arguments->options;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = arguments->ctl;
		return 0;
	case 'p':
		options->profile = parse_profile(text, state);
		return 0;
	case 'w':
		arguments->weeks = argument_real(state, "weeks", text, 1e-6, 5200);
		return 0;
	case 's':
		options->step_seconds = argument_seconds(state, "step", text);
		return 0;
	case 'r':
		options->seed = (uint64_t)argument_number(state, "seed", text, 0, INT64_MAX);
		return 0;
	case 'o':
		arguments->path = text;
		return 0;
	case OPTION_START:
		options->start_ns = argument_time(state, arguments->ctl, "start", text);
		return 0;
	case OPTION_FAULTS:
		options->faults = parse_faults(text, state);
		return 0;
	case OPTION_FAULT_EVERY:
		options->fault_every_seconds = argument_seconds(state, "fault-every", text);
		return 0;
	case OPTION_SCHEDULE:
		arguments->schedule_path = text;
		return 0;
	case OPTION_SLOT:
		arguments->slot_seconds = argument_seconds(state, "slot", text);
		return 0;
	case ARGP_KEY_END:
		check_all(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

// ---- files

struct output {
	FILE *file; // NULL: not wanted
	const char *path;
};

static int open_output(struct output *output, const char *path, struct status *status) {
	*output = (struct output){.path = path};
	if (path == NULL)
		return 0;
	output->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	if (output->file != NULL)
		return 0;
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
}

static void output_fini(struct output *output) {
	if (output->file != NULL && output->file != stdout)
		fclose(output->file);
}

// A file that is not whole is told, not left to be found out.
static int close_output(struct output *output, struct status *status) {
	FILE *file = output->file;
	bool failed;

	if (file == NULL)
		return 0;
	output->file = NULL;
	failed = ferror(file) != 0;
	failed |= (file == stdout ? fflush(file) : fclose(file)) != 0;
	if (!failed)
		return 0;
	(void)status_set(status, STATUS_INTERNAL, "%s: %s", output->path, strerror(errno));
	return -EIO;
}

// ---- rows

struct simulation {
	const struct simulate_arguments *arguments;
	struct simulator *simulator;
	struct output rows, schedule;
	int64_t n, failures, last_ns;
	bool failed;
	struct {
		double seconds, until, sum;
		size_t n;
		enum fault fault;
	} slot;
	struct progress progress;
};

static void simulation_fini(struct simulation *simulation) {
	simulator_free(simulation->simulator);
	output_fini(&simulation->rows);
	output_fini(&simulation->schedule);
	progress_fini(&simulation->progress);
}

static void write_names(const struct simulation *simulation) {
	FILE *file = simulation->rows.file;

	if (file == NULL)
		return;
	fputs("timestamp,rx_packets,tx_packets,packet_drops,latency,label", file);
	if (simulation->arguments->options.profile == PROFILE_failure)
		fputs(",rx_bytes,tx_bytes,rx_missed,rx_errors,tx_errors,rx_nombuf,up,fault", file);
	fputc('\n', file);
}

static void write_row(const struct simulation *simulation, const struct sim_row *row) {
	FILE *file = simulation->rows.file;
	char time[CSV_NUMBER_SIZE];

	if (file == NULL)
		return;
	fprintf(file, "%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,%s", csv_from_time(row->ts_ns, time),
	        row->rx_packets, row->tx_packets, row->packet_drops, row->latency,
	        simulator_label(simulation->simulator, row));
	if (simulation->arguments->options.profile == PROFILE_failure)
		fprintf(file,
		        ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%d,%s",
		        row->rx_bytes, row->tx_bytes, row->rx_missed, row->rx_errors, row->tx_errors,
		        row->rx_nombuf, row->up, fault_names[row->fault].name);
	fputc('\n', file);
}

static void write_slot(struct simulation *simulation) {
	if (simulation->slot.n == 0)
		return;
	fprintf(simulation->schedule.file, "%.10g,%.6f,%s\n",
	        simulation->slot.until - simulation->slot.seconds,
	        simulation->slot.sum / (double)simulation->slot.n / SIMULATE_NOMINAL,
	        fault_names[simulation->slot.fault].name);
	simulation->slot.sum = 0;
	simulation->slot.n = 0;
	simulation->slot.fault = FAULT_NONE;
}

// The mean of what was offered in a slot, and the fault that showed in it.
static void add_to_slot(struct simulation *simulation, const struct sim_row *row, double at) {
	if (simulation->schedule.file == NULL)
		return;
	if (at >= simulation->slot.until - 1e-9) {
		write_slot(simulation);
		simulation->slot.until =
		        (floor(at / simulation->slot.seconds + 1e-9) + 1) * simulation->slot.seconds;
	}
	simulation->slot.sum += row->offered;
	simulation->slot.n++;
	if (row->fault != FAULT_NONE)
		simulation->slot.fault = row->fault;
}

static void run(struct simulation *simulation) {
	const struct simulate_arguments *arguments = simulation->arguments;
	double step = arguments->options.step_seconds;
	int64_t n = (int64_t)llround(arguments->weeks * WEEK_SECONDS / step);
	struct sim_row row;

	write_names(simulation);
	if (simulation->schedule.file != NULL)
		fputs("seconds,mult,fault\n", simulation->schedule.file);
	for (; simulation->n < n; simulation->n++) {
		simulator_next(simulation->simulator, &row);
		write_row(simulation, &row);
		add_to_slot(simulation, &row, (double)simulation->n * step);
		simulation->failures += row.state == SIM_FAILED && !simulation->failed;
		simulation->failed = row.state == SIM_FAILED;
		simulation->last_ns = row.ts_ns;
		if (simulation->n % ROWS_BETWEEN_PROGRESS == 0)
			progress_update(&simulation->progress, clock_mono_ns(), (size_t)simulation->n,
			                (size_t)n);
	}
	if (simulation->schedule.file != NULL)
		write_slot(simulation);
}

static int print_report(const struct simulation *simulation) {
	const struct simulate_options *options = &simulation->arguments->options;
	struct simulation_report report = {.profile = profile_names[options->profile].name,
	                                   .rows = simulation->n,
	                                   .seed = options->seed,
	                                   .from_ns = options->start_ns,
	                                   .to_ns = simulation->last_ns,
	                                   .failures = simulation->failures};
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];

	if (simulation->arguments->ctl->json)
		return ctl_print_json(&simulation_report_message, &report);
	printf("%" PRId64 " rows, %s to %s, profile %s, seed %" PRIu64, report.rows,
	       text_from_time_ns(report.from_ns, from), text_from_time_ns(report.to_ns, to), report.profile,
	       report.seed);
	if (options->profile == PROFILE_failure)
		printf(", %" PRId64 " failures", report.failures);
	putchar('\n');
	return 0;
}

static int simulate(const struct simulate_arguments *arguments, struct status *status) {
	CLEANUP(simulation_fini) struct simulation simulation = {.arguments = arguments};
	bool to_stdout = arguments->path != NULL && strcmp(arguments->path, "-") == 0;
	int rc;

	simulation.slot.seconds = arguments->slot_seconds > 0
	                                  ? arguments->slot_seconds
	                                  : fmax(DEFAULT_SLOT_SECONDS, arguments->options.step_seconds);
	if ((rc = simulator_new(&arguments->options, &simulation.simulator)) < 0 ||
	    (rc = open_output(&simulation.rows, arguments->path, status)) < 0 ||
	    (rc = open_output(&simulation.schedule, arguments->schedule_path, status)) < 0)
		return rc;
	progress_init(&simulation.progress, clock_mono_ns());
	run(&simulation);
	progress_fini(&simulation.progress);
	if ((rc = close_output(&simulation.rows, status)) < 0 ||
	    (rc = close_output(&simulation.schedule, status)) < 0)
		return rc;
	return to_stdout ? 0 : print_report(&simulation);
}

// The help with the lists of names, which are tables elsewhere.
static char *describe(void) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (file == NULL)
		return NULL;
	fputs("Writes the traffic of a port that was never there, for trying models and detectors on."
	      "\vProfiles:\n",
	      file);
	for (int i = 0; i < N_PROFILES; i++)
		fprintf(file, "  %-18s %s\n", profile_names[i].name, profile_names[i].help);
	fputs("\nFaults of the profile failure:\n", file);
	for (int i = 1; i < N_FAULTS; i++)
		fprintf(file, "  %-18s %s\n", fault_names[i].name, fault_names[i].help);
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

int command_simulate(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(freep) char *doc = describe();
	const struct argp argp = {.options = simulate_options,
	                          .parser = parse_simulate,
	                          .doc = doc,
	                          .children = common_children};
	struct simulate_arguments arguments = {.ctl = ctl, .weeks = 1};

	if (doc == NULL)
		return -ENOMEM;
	arguments.options = (struct simulate_options){
	        .profile = PROFILE_sinusoidal, .seed = 1, .start_ns = SIMULATE_START_NS, .step_seconds = 1};
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	return simulate(&arguments, status);
}
