// simulate: a made-up port's traffic as CSV, a row at a time, and as the schedule that traffic generators follow
// (docs/schedule.md). What is drawn is simulate/'s; what is written how is decided here.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "csvtext.h"
#include "options.h"
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
	const char *path, *schedule_path, *faults;
	int profile;
	int64_t seed;
	double weeks, slot_seconds;
	struct simulate_options options; // from what is above, and directly
};

static const char *const profile_words[] = {
#define PROFILE(NAME, HELP) #NAME,
#include "profiles.def"
#undef PROFILE
};

static const struct choices profiles = {"profiles", profile_words, N_PROFILES};

static const struct command_option option_table[] = {
        {"profile", 'p', "NAME", "kind of traffic (default: sinusoidal)", VALUE_CHOICE,
         TO(simulate_arguments, profile), .choices = &profiles},
        {"weeks", 'w', "NUMBER", "length (default: 1)", VALUE_REAL, TO(simulate_arguments, weeks),
         .min = 1e-6, .max = 5200},
        {"step", 's', "TIME", "from row to row (default: 1s)", VALUE_SECONDS,
         TO(simulate_arguments, options.step_seconds)},
        {"seed", 'r', "NUMBER", "the same seed draws the same traffic (default: 1)", VALUE_NUMBER,
         TO(simulate_arguments, seed), .min = 0, .max = 9e15},
        {"output", 'o', "FILE.csv", "where the rows go; - is standard output", VALUE_TEXT,
         TO(simulate_arguments, path)},
        {"start", 0, "TIME", "of the first row (default: 2024-01-01T00:00:00Z, a Monday)", VALUE_TIME,
         TO(simulate_arguments, options.start_ns)},
        {"faults", 0, "NAME[,NAME...]", "failure: only these kinds", VALUE_TEXT,
         TO(simulate_arguments, faults)},
        {"fault-every", 0, "TIME", "failure: mean time from repair to the next first sign (default: 8h)",
         VALUE_SECONDS, TO(simulate_arguments, options.fault_every_seconds)},
        {"schedule", 0, "FILE.csv",
         "also write the load over time for a traffic generator: seconds,mult,fault", VALUE_TEXT,
         TO(simulate_arguments, schedule_path)},
        {"slot", 0, "TIME", "of the schedule (default: 60s, or the step if longer)", VALUE_SECONDS,
         TO(simulate_arguments, slot_seconds)},
        {0},
};

// The bits of a list of faults; 0 where one is none, which '*ret_wrong' then begins with.
static unsigned parse_faults(const char *text, const char **ret_wrong) {
	unsigned kinds = 0;

	for (;;) {
		size_t size = strcspn(text, ",");
		int kind = 1;

		while (kind < N_FAULTS && (strlen(fault_names[kind].name) != size ||
		                           strncmp(fault_names[kind].name, text, size) != 0))
			kind++;
		*ret_wrong = text;
		if (kind == N_FAULTS)
			return 0;
		kinds |= 1U << kind;
		if (text[size] == '\0')
			return kinds;
		text += size + 1;
	}
}

static void check(const void *values, struct argp_state *state) {
	const struct simulate_arguments *arguments = values;
	const struct simulate_options *wanted = &arguments->options;
	bool faulty = arguments->faults != NULL || wanted->fault_every_seconds > 0;
	const char *wrong;

	if (arguments->path == NULL && arguments->schedule_path == NULL)
		argp_error(state, "one of --output and --schedule is required");
	if (faulty && arguments->profile != PROFILE_failure)
		argp_error(state, "--faults and --fault-every belong to --profile failure");
	if (arguments->faults != NULL && parse_faults(arguments->faults, &wrong) == 0)
		argp_error(state, "--faults: there is no '%.*s'", (int)strcspn(wrong, ","), wrong);
	if (arguments->slot_seconds > 0 && arguments->schedule_path == NULL)
		argp_error(state, "--slot belongs to --schedule");
	if (arguments->slot_seconds > 0 && arguments->slot_seconds < wanted->step_seconds)
		argp_error(state, "--slot is shorter than --step: there would be gaps");
	if (arguments->weeks * WEEK_SECONDS / wanted->step_seconds > MOST_ROWS)
		argp_error(state, "more than %g rows", MOST_ROWS);
	if (arguments->weeks * WEEK_SECONDS < wanted->step_seconds)
		argp_error(state, "--step is longer than --weeks");
}

const struct command_form simulate_form = {
        .options = option_table,
        .doc = "Writes the traffic of a port that was never there, for trying models and detectors on."
               "\vProfiles:\n"
#define PROFILE(NAME, HELP) "  " #NAME ": " HELP "\n"
#include "profiles.def"
#undef PROFILE
               "\nFaults of the profile failure:\n"
#define FAULT(NAME, LEAST, MOST, HELP) "  " #NAME ": " HELP "\n"
#include "faults.def"
#undef FAULT
        ,
        .check = check,
};

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

int command_simulate(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct simulate_arguments arguments = {
	        .ctl = ctl, .profile = PROFILE_sinusoidal, .seed = 1, .weeks = 1};
	const char *wrong;

	arguments.options = (struct simulate_options){.start_ns = SIMULATE_START_NS, .step_seconds = 1};
	options_parse(ctl, &simulate_form, argc, argv, &arguments);
	arguments.options.profile = (enum profile)arguments.profile;
	arguments.options.seed = (uint64_t)arguments.seed;
	if (arguments.faults != NULL)
		arguments.options.faults = parse_faults(arguments.faults, &wrong);
	return simulate(&arguments, status);
}
