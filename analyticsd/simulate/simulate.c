// The profiles: how much traffic there is at a moment, and a port's view of it.
// SPDX-License-Identifier: MIT
#include "simulate.h"

#include "clock.h"
#include "faults.h"
#include "noise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { DAY = 86400, HOUR = 3600, STREAM_TRAFFIC = 1, STREAM_PORT = 2, STREAM_LEVEL = 3, STREAM_DROPS = 4 };
#define LOWEST              20000.0
#define NOISE               5000.0
#define ALL_FAULTS          (((1U << N_FAULTS) - 1) & ~1U)
#define DEFAULT_FAULT_EVERY (8.0 * HOUR)

const struct named profile_names[N_PROFILES] = {
#define PROFILE(NAME, HELP) {#NAME, HELP},
#include "profiles.def"
#undef PROFILE
};

// A process that holds a level until a moment: bursts, shifts, surges.
struct level {
	double value, until;
	bool high;
};

struct simulator {
	struct simulate_options options;
	struct noise traffic, port, levels;
	struct faults faults;
	struct level level;
	double deviation; // correlated noise, share of the traffic
	size_t n;         // rows so far
	int64_t day;      // whose drops are drawn
	uint32_t drop_seconds[10];
	int n_drops;
};

int simulator_new(const struct simulate_options *options, struct simulator **ret) {
	struct simulator *simulator = calloc(1, sizeof(*simulator));
	unsigned kinds = options->faults & ALL_FAULTS;

	if (simulator == NULL)
		return -ENOMEM;
	simulator->options = *options;
	simulator->day = INT64_MIN;
	simulator->level.value = 1;
	noise_init(&simulator->traffic, options->seed, STREAM_TRAFFIC);
	noise_init(&simulator->port, options->seed, STREAM_PORT);
	noise_init(&simulator->levels, options->seed, STREAM_LEVEL);
	faults_init(&simulator->faults, options->seed, kinds != 0 ? kinds : ALL_FAULTS,
	            options->fault_every_seconds > 0 ? options->fault_every_seconds : DEFAULT_FAULT_EVERY);

	*ret = simulator;
	return 0;
}

void simulator_free(struct simulator *simulator) {
	free(simulator);
}

static int64_t floor_divide(int64_t value, int64_t by) {
	return value / by - (value % by < 0);
}

static double second_of_day(int64_t ts_ns) {
	int64_t day = floor_divide(ts_ns, DAY * NS_PER_SECOND);

	return (double)(ts_ns - day * DAY * NS_PER_SECOND) / (double)NS_PER_SECOND;
}

// ---- shapes

static double hump(double hour, double at, double width) {
	double away = fabs(hour - at);

	away = fmin(away, 24 - away);
	return exp(-away * away / (2 * width * width));
}

static double day_shape(double second) {
	double hour = second / HOUR;

	return 0.15 + 0.55 * hump(hour, 11, 3) + 0.7 * hump(hour, 20, 2.5);
}

// From noon to noon, so that no midnight shows a step. Day 0 of Unix time was a Thursday.
static double week_shape(int64_t ts_ns) {
	static const double days[7] = {1, 0.98, 0.75, 0.65, 1, 1.02, 1.01};
	int64_t noon_ns = ts_ns - DAY / 2 * NS_PER_SECOND;
	int64_t day = floor_divide(noon_ns, DAY * NS_PER_SECOND);
	double share = second_of_day(noon_ns) / DAY;
	int64_t weekday = day - 7 * floor_divide(day, 7);

	return days[weekday] * (1 - share) + days[(weekday + 1) % 7] * share;
}

static double weekly(int64_t ts_ns) {
	return SIMULATE_NOMINAL * day_shape(second_of_day(ts_ns)) * week_shape(ts_ns);
}

static double sine(int64_t ts_ns) {
	double angle = (second_of_day(ts_ns) - 8.0 * HOUR) / DAY * 2 * M_PI;

	return LOWEST + (sin(angle) + 1) / 2 * (SIMULATE_NOMINAL - LOWEST);
}

// ---- levels

// Quiet for about a minute, then a burst whose length has a heavy tail (Pareto, shape 1.5).
static void next_burst(struct simulator *simulator) {
	struct level *level = &simulator->level;
	struct noise *noise = &simulator->levels;

	level->high = !level->high;
	if (level->high) {
		level->value = 0.1 + fmin(0.15 * exp(0.8 * noise_normal(noise)), 1.2);
		level->until += fmin(2 * pow(1 - noise_uniform(noise, 0, 1), -1 / 1.5), 900);
	} else {
		level->value = noise_uniform(noise, 0.03, 0.08);
		level->until += noise_exponential(noise, 60);
	}
}

static void next_shift(struct simulator *simulator) {
	struct level *level = &simulator->level;

	if (level->until > 0)
		level->value = fmin(fmax(level->value * noise_uniform(&simulator->levels, 0.6, 1.5), 0.4), 2);
	level->until += noise_uniform(&simulator->levels, 1.0 * DAY, 4.0 * DAY);
}

// Now and then more traffic than usual, which is no fault.
static void next_surge(struct simulator *simulator) {
	struct level *level = &simulator->level;

	level->high = level->until > 0 && !level->high;
	level->value = level->high ? noise_uniform(&simulator->levels, 1.15, 1.4) : 1;
	level->until += level->high ? noise_uniform(&simulator->levels, 300, 1200)
	                            : noise_exponential(&simulator->levels, 18.0 * HOUR);
}

static double level_at(struct simulator *simulator, double at, void (*next)(struct simulator *)) {
	while (at >= simulator->level.until)
		next(simulator);
	return simulator->level.value;
}

// ---- rows

// Noise that remembers about a minute.
static double correlated(struct simulator *simulator, double deviation) {
	double keep = exp(-simulator->options.step_seconds / 60);

	if (simulator->n == 0)
		keep = 0;
	simulator->deviation = keep * simulator->deviation +
	                       deviation * sqrt(1 - keep * keep) * noise_normal(&simulator->traffic);
	return 1 + simulator->deviation + deviation / 3 * noise_normal(&simulator->traffic);
}

static double offered(struct simulator *simulator, int64_t ts_ns, double at) {
	switch (simulator->options.profile) {
	case PROFILE_sinusoidal:
		return sine(ts_ns) + noise_uniform(&simulator->traffic, -NOISE, NOISE);
	case PROFILE_trend:
		return weekly(ts_ns) * (1 + 0.02 * at / DAY) * correlated(simulator, 0.03);
	case PROFILE_bursty:
		return SIMULATE_NOMINAL * level_at(simulator, at, next_burst) * correlated(simulator, 0.1);
	case PROFILE_shift:
		return weekly(ts_ns) * level_at(simulator, at, next_shift) * correlated(simulator, 0.03);
	case PROFILE_failure:
		return weekly(ts_ns) * level_at(simulator, at, next_surge) * correlated(simulator, 0.03);
	default:
		return weekly(ts_ns) * correlated(simulator, 0.03);
	}
}

// One to ten seconds of each day lose a packet.
static bool has_drop(struct simulator *simulator, int64_t ts_ns) {
	int64_t day = floor_divide(ts_ns, DAY * NS_PER_SECOND);
	uint32_t second = (uint32_t)second_of_day(ts_ns);
	struct noise noise;

	if (day != simulator->day) {
		simulator->day = day;
		noise_init(&noise, simulator->options.seed ^ (uint64_t)day * 0x9e3779b9, STREAM_DROPS);
		simulator->n_drops = 1 + (int)(noise_next(&noise) % 10);
		for (int i = 0; i < simulator->n_drops; i++)
			simulator->drop_seconds[i] = (uint32_t)(noise_next(&noise) % DAY);
	}
	for (int i = 0; i < simulator->n_drops; i++) {
		if (simulator->drop_seconds[i] == second)
			return true;
	}
	return false;
}

// Errors that any port sees once in a while.
static void add_specks(struct simulator *simulator, struct sim_row *row) {
	double luck = noise_uniform(&simulator->port, 0, 1);
	double burst = noise_uniform(&simulator->port, 5, 50);

	if (luck < 1.0 / (12 * HOUR))
		row->rx_errors += (uint64_t)burst;
	else if (luck < 2e-4)
		row->rx_errors += 1;
}

static void look_at_port(struct simulator *simulator, double at, struct sim_row *row) {
	double size = 640 + 60 * noise_uniform(&simulator->port, -1, 1);
	double kept = 1 - 0.002 * fabs(noise_normal(&simulator->port));

	row->tx_packets = (uint64_t)((double)row->rx_packets * kept);
	add_specks(simulator, row);
	faults_apply(&simulator->faults, at, simulator->options.step_seconds, row);
	row->rx_bytes = (uint64_t)((double)row->rx_packets * size);
	row->tx_bytes = (uint64_t)((double)row->tx_packets * size);
	row->packet_drops = row->rx_missed + row->rx_nombuf;
}

void simulator_next(struct simulator *simulator, struct sim_row *ret) {
	double at = (double)simulator->n * simulator->options.step_seconds;
	struct sim_row row = {.up = true};
	double hour, rx;

	row.ts_ns = simulator->options.start_ns + (int64_t)llround(at * (double)NS_PER_SECOND);
	hour = second_of_day(row.ts_ns) / HOUR;
	row.day = hour >= 7 && hour < 22;
	row.offered = fmax(offered(simulator, row.ts_ns, at), 0);
	row.rx_packets = (uint64_t)row.offered;
	rx = (double)row.rx_packets;
	row.latency = 0.1 + 1.5 * rx / SIMULATE_NOMINAL;
	if (simulator->options.profile == PROFILE_failure) {
		row.latency += 0.02 * noise_normal(&simulator->port);
		row.latency = fmax(row.latency, 0.01);
		look_at_port(simulator, at, &row);
	} else {
		row.tx_packets = (uint64_t)(rx * noise_uniform(&simulator->port, 0.95, 1.05));
		row.latency += noise_uniform(&simulator->port, -0.1, 0.1);
		row.packet_drops = has_drop(simulator, row.ts_ns);
	}
	simulator->n++;

	*ret = row;
}

const char *simulator_label(const struct simulator *simulator, const struct sim_row *row) {
	static const char *const states[] = {"normal", "degrading", "failed"};

	if (simulator->options.profile == PROFILE_failure)
		return states[row->state];
	return row->day ? "normal_day" : "normal_night";
}
