// One fault after the other: healthy, degrading, failed, repaired.
// SPDX-License-Identifier: MIT
#include "faults.h"

#include <math.h>

enum { STREAM_PLAN = 101, STREAM_DRAW = 102 };
#define LEAST_FAILED_SECONDS 60
#define MOST_FAILED_SECONDS  600

const struct named fault_names[N_FAULTS] = {
        {"", ""},
#define FAULT(NAME, LEAST, MOST, HELP) {#NAME, HELP},
#include "faults.def"
#undef FAULT
};

static const struct range {
	double least, most; // minutes of degradation
} degradations[N_FAULTS] = {
        {0, 0},
#define FAULT(NAME, LEAST, MOST, HELP) {LEAST, MOST},
#include "faults.def"
#undef FAULT
};

static enum fault draw_kind(struct faults *faults) {
	enum fault kind;

	do
		kind = (enum fault)(1 + noise_next(&faults->plan) % (N_FAULTS - 1));
	while ((faults->kinds & 1U << kind) == 0);
	return kind;
}

// The next fault after a repair.
static void plan_next(struct faults *faults) {
	const struct range *range;
	double ratio;

	faults->kind = draw_kind(faults);
	range = &degradations[faults->kind];
	ratio = range->most / range->least;
	faults->onset = faults->end + faults->every_seconds * noise_uniform(&faults->plan, 0.5, 1.5);
	faults->failure = faults->onset + 60 * range->least * pow(ratio, noise_uniform(&faults->plan, 0, 1));
	faults->end =
	        faults->failure + noise_uniform(&faults->plan, LEAST_FAILED_SECONDS, MOST_FAILED_SECONDS);
}

void faults_init(struct faults *faults, uint64_t seed, unsigned kinds, double every_seconds) {
	*faults = (struct faults){.kinds = kinds, .every_seconds = every_seconds};
	noise_init(&faults->plan, seed, STREAM_PLAN);
	noise_init(&faults->draw, seed, STREAM_DRAW);
	plan_next(faults);
}

// ---- what each kind does; 'progress' is 0 at the first sign and 1 when it fails

static void take_down(struct sim_row *row) {
	row->up = false;
	row->rx_packets = row->tx_packets = row->rx_missed = row->rx_errors = row->rx_nombuf = 0;
	row->latency = 0;
}

static void lose(struct sim_row *row, uint64_t *counter, double share) {
	uint64_t lost = (uint64_t)((double)row->rx_packets * fmin(share, 1));

	*counter += lost;
	row->rx_packets -= lost;
	row->tx_packets -= row->tx_packets < lost ? row->tx_packets : lost;
}

static void degrade_optics(struct faults *faults, double progress, struct sim_row *row) {
	double ratio = pow(10, -7 + 5.3 * progress);
	uint64_t errors = noise_poisson(&faults->draw, (double)row->rx_packets * ratio);

	lose(row, &row->rx_errors, (double)errors / fmax((double)row->rx_packets, 1));
}

static void exhaust_buffers(struct faults *faults, double progress, struct sim_row *row) {
	double luck = noise_uniform(&faults->draw, 0, 1), share = noise_uniform(&faults->draw, 0.001, 0.05);

	if (luck < 0.5 * progress)
		lose(row, &row->rx_nombuf, share * progress);
	row->latency *= 1 + progress;
}

static void flap(struct faults *faults, double at, double step, double progress, struct sim_row *row) {
	double interval = 15 + 600 * pow(1 - progress, 2);

	if (at >= faults->down_until && noise_uniform(&faults->draw, 0, 1) < 1 - exp(-step / interval))
		faults->down_until = at + noise_uniform(&faults->draw, 1, 4);
	if (at < faults->down_until)
		take_down(row);
}

static void drop_silently(double share, struct sim_row *row) {
	row->tx_packets = (uint64_t)((double)row->tx_packets * (1 - share));
}

// Latency of a queue that is served at a rate, towards a full buffer.
static void overload(struct faults *faults, double share, struct sim_row *row) {
	double target = (1 + 0.4 * fmax(share - 0.9, 0)) * SIMULATE_CAPACITY *
	                (1 + 0.02 * noise_normal(&faults->draw));
	double offered = row->offered + fmin(share, 1) * fmax(target - row->offered, 0);
	double load = fmin(offered / SIMULATE_CAPACITY, 0.99);
	double excess = fmax(offered - SIMULATE_CAPACITY, 0);

	row->offered = offered;
	row->rx_packets = (uint64_t)(offered - excess);
	row->tx_packets = row->rx_packets;
	row->rx_missed += (uint64_t)excess;
	row->latency += 0.05 * load / (1 - load);
}

static void leak(struct faults *faults, double progress, struct sim_row *row) {
	double share = noise_uniform(&faults->draw, 0, 0.02);

	row->latency *= 1 + 3 * progress * progress;
	if (progress > 0.8)
		lose(row, &row->rx_nombuf, share * (progress - 0.8) / 0.2);
}

static void degrade(struct faults *faults, double at, double step, double progress, struct sim_row *row) {
	switch (faults->kind) {
	case FAULT_degrading_optics:
		degrade_optics(faults, progress, row);
		break;
	case FAULT_buffer_exhaustion:
		exhaust_buffers(faults, progress, row);
		break;
	case FAULT_flapping:
		flap(faults, at, step, progress, row);
		break;
	case FAULT_silent_drop:
		drop_silently(pow(10, -4 + 3.4 * progress), row);
		break;
	case FAULT_overload:
		overload(faults, progress, row);
		break;
	default:
		leak(faults, progress, row);
	}
}

static void fail(struct faults *faults, struct sim_row *row) {
	double share = noise_uniform(&faults->draw, 0, 1);

	switch (faults->kind) {
	case FAULT_degrading_optics:
	case FAULT_flapping:
		take_down(row);
		break;
	case FAULT_buffer_exhaustion:
		lose(row, &row->rx_nombuf, 0.33 + 0.33 * share);
		row->latency *= 3;
		break;
	case FAULT_silent_drop:
		drop_silently(0.6 + 0.3 * share, row);
		break;
	case FAULT_overload:
		overload(faults, 1.75, row);
		break;
	default:
		lose(row, &row->rx_nombuf, 1);
		row->tx_packets = 0;
		row->latency = 0;
	}
}

void faults_apply(struct faults *faults, double at, double step_seconds, struct sim_row *row) {
	while (at >= faults->end)
		plan_next(faults);
	row->state = at >= faults->failure ? SIM_FAILED : at >= faults->onset ? SIM_DEGRADING : SIM_NORMAL;
	row->fault = row->state == SIM_NORMAL ? FAULT_NONE : faults->kind;
	if (row->state == SIM_FAILED)
		fail(faults, row);
	else if (row->state == SIM_DEGRADING)
		degrade(faults, at, step_seconds, (at - faults->onset) / (faults->failure - faults->onset),
		        row);
}
