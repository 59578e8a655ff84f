// History against a plain list: whatever comes in, in whatever order and however it is committed, sealed, rolled back and
// opened again, comes out at any level as the list says.
// SPDX-License-Identifier: MIT
#include "history.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_SEEDS   40
#define N_STEPS   60
#define ROWS_MAX  6000
#define N_NAMES   10
#define BATCH_MAX 60
#define WIDTH     (2 + N_NAMES)
#define START_NS  (1700000000 * NS_PER_SECOND)

static const char *const names[][N_NAMES] = {
        {"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors",
         "rx_nombuf"},
        {"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors",
         "rx_nombuf", "q0", "q1"},
        {"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors",
         "rx_nombuf", "q1", "q0"},
};
static const size_t n_names[] = {8, 10, 10};
static const char *const asked[] = {"tx_bytes", "q0", "rx_packets"};

struct model_row {
	uint64_t instance, seq;
	int64_t epoch, ts_ns;
	int set;
	uint64_t values[N_NAMES];
	bool stored, committed;
};

struct model_point {
	int64_t ts_ns;
	double gbps;
	enum kpi_source source;
	bool committed;
};

// One port and one link.
struct model {
	struct model_row rows[ROWS_MAX];
	size_t n;
	struct model_point points[ROWS_MAX];
	size_t n_points;
};

static struct model *model;
static struct history *history;
static char path[64];
static struct status status;

static uint64_t pick(uint64_t n) {
	return (uint64_t)random() % n;
}

static void open_history(size_t memory) {
	const struct history_options options = {.write = true, .memory = memory};

	cr_assert_eq(history_open_with(path, &options, &history, &status), 0, "%s", status.message);
}

// ---- what the list says

static int compare_rows(const void *a, const void *b) {
	const struct model_row *left = *(const struct model_row *const *)a,
	                       *right = *(const struct model_row *const *)b;

	return (left->ts_ns > right->ts_ns) - (left->ts_ns < right->ts_ns);
}

static int64_t floor_to(int64_t ts_ns, int64_t step_ns) {
	return step_ns > 0 ? ts_ns / step_ns * step_ns : ts_ns;
}

static int find_counter(int set, const char *name) {
	for (size_t i = 0; i < n_names[set]; i++) {
		if (strcmp(names[set][i], name) == 0)
			return (int)i;
	}
	return -1;
}

static uint64_t rate_of(const struct model_row *before, const struct model_row *row, int counter) {
	uint64_t older, newer;
	int was;

	if (before == NULL || before->instance != row->instance || before->epoch != row->epoch ||
	    before->seq + 1 != row->seq)
		return 0;
	was = find_counter(before->set, names[row->set][counter]);
	if (was < 0)
		return 0;
	older = before->values[was];
	newer = row->values[counter];
	return newer < older
	               ? 0
	               : (uint64_t)((double)(newer - older) * (1e9 / (double)(row->ts_ns - before->ts_ns)));
}

// Rows of [ts, value...] that a range should give.
static size_t expect_rows(const struct port_range *range, int64_t step_ns, uint64_t *out) {
	static struct model_row *sorted[ROWS_MAX];
	size_t n_sorted = 0, n = 0, width = 1 + range->n_counters;
	int64_t last_step = INT64_MIN;

	for (size_t i = 0; i < model->n; i++) {
		if (model->rows[i].stored)
			sorted[n_sorted++] = &model->rows[i];
	}
	qsort(sorted, n_sorted, sizeof(struct model_row *), compare_rows);
	for (size_t i = 0; i < n_sorted; i++) {
		const struct model_row *row = sorted[i], *before = i > 0 ? sorted[i - 1] : NULL;
		int64_t step = floor_to(row->ts_ns, step_ns);
		bool has_all = true, again = n > 0 && step_ns > 0 && step == last_step;
		uint64_t *at = out + (again ? n - 1 : n) * width;

		for (size_t k = 0; k < range->n_counters; k++)
			has_all &= find_counter(row->set, range->counters[k]) >= 0;
		if (!has_all || row->ts_ns < range->from_ns || row->ts_ns >= range->to_ns)
			continue;
		at[0] = (uint64_t)row->ts_ns;
		for (size_t k = 0; k < range->n_counters; k++) {
			int counter = find_counter(row->set, range->counters[k]);
			uint64_t rate = rate_of(before, row, counter);

			if (range->value == PORT_LAST)
				at[1 + k] = row->values[counter];
			else if (range->value == PORT_ROWS)
				at[1 + k] = 1 + (again ? at[1 + k] : 0);
			else
				at[1 + k] = again && at[1 + k] > rate ? at[1 + k] : rate;
		}
		n += !again;
		last_step = step;
	}
	return n;
}

// ---- checking

static const int64_t level_steps[] = {0, 0, NS_PER_SECOND, 60 * NS_PER_SECOND, 3600 * NS_PER_SECOND};

static void check_port(struct history *handle) {
	static uint64_t expected[ROWS_MAX * 4];
	static const int64_t steps[] = {0,
	                                0,
	                                NS_PER_SECOND,
	                                7 * NS_PER_SECOND,
	                                60 * NS_PER_SECOND,
	                                180 * NS_PER_SECOND,
	                                3600 * NS_PER_SECOND};
	size_t first = pick(3), n_counters = 1 + pick(3 - first);
	struct port_range range = {
	        .host = "h",
	        .name = "p",
	        .counters = (const char *const *)asked + first,
	        .n_counters = n_counters,
	        .step_ns = steps[pick(7)],
	        .limit = pick(2) == 0 ? SIZE_MAX : 1 + pick(200),
	        .value = (enum port_value)pick(3),
	};
	int64_t step_ns, next_ns;
	size_t n_expected, at = 0;

	if (range.step_ns == 0)
		range.level = (enum history_level)pick(N_LEVELS);
	step_ns = range.step_ns > 0 ? range.step_ns : level_steps[range.level];
	// a range cuts steps of rows only where the steps themselves begin
	range.from_ns =
	        floor_to(START_NS - 100 * NS_PER_SECOND + (int64_t)pick(4000) * NS_PER_SECOND, step_ns);
	range.to_ns = pick(2) == 0 ? INT64_MAX
	                           : floor_to(range.from_ns + (int64_t)pick(6000) * NS_PER_SECOND, step_ns) +
	                                     step_ns;
	n_expected = expect_rows(&range, step_ns, expected);
	do {
		uint64_t *rows = NULL;
		size_t n = 0;
		int rc = history_port(handle, &range, &rows, &n, &next_ns, &status);

		if (rc == -ENOENT && model->n == 0)
			return;
		cr_assert_eq(rc, 0, "%s", status.message);
		cr_assert_leq(n, range.limit);
		cr_assert_leq(at + n, n_expected, "level %d step %lld value %d: more rows than there are",
		              (int)range.level, (long long)range.step_ns, (int)range.value);
		for (size_t i = 0; i < n * (1 + n_counters); i++)
			cr_assert_eq(rows[i], expected[at * (1 + n_counters) + i],
			             "level %d step %lld value %d of %s, from %lld, at %llu, row %zu column "
			             "%zu: %llu, not %llu",
			             (int)range.level, (long long)range.step_ns, (int)range.value,
			             asked[first], (long long)range.from_ns, (unsigned long long)rows[0],
			             at + i / (1 + n_counters), i % (1 + n_counters),
			             (unsigned long long)rows[i],
			             (unsigned long long)expected[at * (1 + n_counters) + i]);
		at += n;
		free(rows);
		range.from_ns = next_ns;
	} while (next_ns != 0);
	cr_assert_eq(at, n_expected, "level %d step %lld value %d: %zu rows, not %zu", (int)range.level,
	             (long long)range.step_ns, (int)range.value, at, n_expected);
}

static int compare_points(const void *a, const void *b) {
	const struct model_point *left = a, *right = b;

	return (left->ts_ns > right->ts_ns) - (left->ts_ns < right->ts_ns);
}

static void check_link(struct history *handle) {
	static const int64_t steps[] = {0, NS_PER_SECOND, 60 * NS_PER_SECOND, 300 * NS_PER_SECOND,
	                                7200 * NS_PER_SECOND};
	struct kpi_range range = {
	        .link_id = "L",
	        .kpi = 302,
	        .from_ns = INT64_MIN,
	        .to_ns = INT64_MAX,
	        .step_ns = steps[pick(5)],
	        .limit = SIZE_MAX,
	        .value = (enum kpi_value)pick(4),
	};
	struct kpi_point *points = NULL;
	struct kpi_newest newest;
	size_t n = 0, at = 0;
	int64_t next_ns;

	qsort(model->points, model->n_points, sizeof(model->points[0]), compare_points);
	cr_assert_eq(history_kpi(handle, &range, &points, &n, &next_ns, &status), 0, "%s", status.message);
	for (size_t i = 0; i < model->n_points; at++) {
		int64_t step = floor_to(model->points[i].ts_ns, range.step_ns);
		double sum = 0, highest = -1, last = 0, count = 0, expected;

		for (; i < model->n_points && floor_to(model->points[i].ts_ns, range.step_ns) == step;
		     i++, count++) {
			last = model->points[i].gbps;
			sum += last;
			highest = last > highest ? last : highest;
		}
		expected = range.value == KPI_MEAN   ? sum / count
		           : range.value == KPI_LAST ? last
		           : range.value == KPI_MAX  ? highest
		                                     : count;
		cr_assert_lt(at, n, "step %lld: too few points", (long long)range.step_ns);
		cr_assert_eq(points[at].ts_ns, step);
		cr_assert(points[at].gbps >= expected * (1 - 1e-12) &&
		                  points[at].gbps <= expected * (1 + 1e-12),
		          "step %lld value %d: %.17g, not %.17g", (long long)range.step_ns, (int)range.value,
		          points[at].gbps, expected);
	}
	cr_assert_eq(at, n);
	free(points);
	if (model->n_points > 0) {
		const struct model_point *some = &model->points[pick(model->n_points)];

		cr_assert_eq(history_kpi_newest(handle, "L", DIRECTION_FORWARD, 302, some->ts_ns, &newest,
		                                &status),
		             1);
		cr_assert_eq(newest.point.ts_ns, some->ts_ns);
		cr_assert_eq(newest.point.gbps, some->gbps);
		cr_assert_eq(newest.spacing_ns, some > model->points ? some->ts_ns - some[-1].ts_ns : 0);
	}
}

// ---- changing

struct world {
	uint64_t instance, next_seq;
	int64_t epoch, ts_ns, interval_ns;
	int set;
	uint64_t counters[N_NAMES];
};

static void add_to_model(const struct world *world) {
	struct model_row *row = &model->rows[model->n++];

	*row = (struct model_row){.instance = world->instance,
	                          .seq = world->next_seq,
	                          .epoch = world->epoch,
	                          .ts_ns = world->ts_ns,
	                          .set = world->set};
	memcpy(row->values, world->counters, sizeof(row->values));
}

// The next rows happen; they are given to history now, or never, or later.
static void advance(struct world *world) {
	if (pick(12) == 0)
		world->interval_ns = (int64_t[]){NS_PER_SECOND / 10, NS_PER_SECOND / 2, NS_PER_SECOND,
		                                 20 * NS_PER_SECOND}[pick(4)];
	world->ts_ns += world->interval_ns + (int64_t)pick(1000);
	for (size_t i = 0; i < N_NAMES; i++)
		world->counters[i] += i == 5 ? 0 : pick(1000) << (i == 3 ? 30 : 4);
	if (pick(150) == 0) {
		world->epoch++;
		memset(world->counters, 0, sizeof(world->counters));
	}
	if (pick(200) == 0)
		world->counters[3] = 0;
	if (pick(300) == 0)
		world->set = (int)pick(3);
	if (pick(400) == 0) {
		world->instance++;
		world->next_seq = 0;
	}
	world->next_seq++;
}

// Gives a row, alone in a message; it may be there already.
static void give(size_t i) {
	struct model_row *row = &model->rows[i];
	uint64_t values[WIDTH];
	struct sample sample = {
	        .v = 1,
	        .host = "h",
	        .instance = row->instance,
	        .name = "p",
	        .up = true,
	        .epoch = row->epoch,
	        .names = (const char **)(uintptr_t)names[row->set],
	        .n_names = n_names[row->set],
	        .rows = values,
	        .n_rows = 1,
	};
	struct sample_stored stored;

	values[0] = row->seq;
	values[1] = (uint64_t)row->ts_ns;
	memcpy(values + 2, row->values, n_names[row->set] * sizeof(*values));
	cr_assert_eq(history_add_sample(history, &sample, &stored, &status), 0, "%s", status.message);
	cr_assert_eq(stored.rows, row->stored ? 0 : 1);
	cr_assert_eq(stored.duplicates, row->stored ? 1 : 0);
	row->stored = true;
}

static void add_point(void) {
	static const double odd[] = {0, 1.0 / 3, 0.1, 1e-30, 123.456789012, 9e15};
	struct model_point point = {
	        .ts_ns = START_NS + (int64_t)pick(3000) * NS_PER_SECOND * (pick(3) == 0 ? 1 : 3),
	        .gbps = pick(40) == 0 ? odd[pick(6)] : (double)pick(1000000000) / 1e9,
	        .source = pick(2) == 0 ? KPI_APPENDED : KPI_MEASURED,
	};
	struct kpi_appended appended = {0};
	const struct model_point *there = NULL;

	for (size_t i = 0; i < model->n_points; i++) {
		if (model->points[i].ts_ns == point.ts_ns)
			there = &model->points[i];
	}
	cr_assert_eq(history_add_kpi(history, "L", DIRECTION_FORWARD, 302, point.source,
	                             &(struct kpi_point){point.ts_ns, point.gbps}, 1, &appended, &status),
	             0, "%s", status.message);
	cr_assert_eq(appended.stored, there == NULL);
	cr_assert_eq(appended.known, there != NULL && there->gbps == point.gbps);
	cr_assert_eq(appended.conflicting, there != NULL && there->gbps != point.gbps);
	if (there == NULL)
		model->points[model->n_points++] = point;
}

static void drop_points(void) {
	int64_t from_ns = START_NS + (int64_t)pick(9000) * NS_PER_SECOND,
	        to_ns = from_ns + (int64_t)pick(500) * NS_PER_SECOND;
	size_t n = 0;

	cr_assert_eq(history_drop_measured(history, "L", DIRECTION_FORWARD, from_ns, to_ns, &status), 0, "%s",
	             status.message);
	for (size_t i = 0; i < model->n_points; i++) {
		const struct model_point *point = &model->points[i];

		if (point->ts_ns <= from_ns || point->ts_ns > to_ns || point->source == KPI_APPENDED)
			model->points[n++] = *point;
	}
	model->n_points = n;
}

static void change(struct world *world) {
	for (size_t i = pick(BATCH_MAX); i > 0 && model->n < ROWS_MAX; i--) {
		advance(world);
		add_to_model(world);
		if (pick(10) > 0)
			give(model->n - 1);
	}
	for (size_t i = pick(4); i > 0 && model->n > 0; i--) // late, or again
		give(pick(model->n));
	for (size_t i = pick(20); i > 0 && model->n_points < ROWS_MAX; i--)
		add_point();
	if (pick(8) == 0)
		drop_points();
}

static void run_step(struct world *world, struct model *saved) {
	struct world before = *world;

	*saved = *model;
	cr_assert_eq(history_begin(history, &status), 0, "%s", status.message);
	change(world);
	if (pick(3) == 0) { // the writer sees what it has not committed yet
		check_port(history);
		check_link(history);
	}
	if (pick(6) == 0) {
		history_rollback(history);
		*model = *saved;
		*world = before;
	} else {
		cr_assert_eq(history_commit(history, &status), 0, "%s", status.message);
	}
	if (pick(8) == 0)
		cr_assert_eq(history_seal(history, &status), 0, "%s", status.message);
	if (pick(10) == 0)
		cr_assert_geq(
		        history_maintain(history, START_NS + (int64_t)pick(100000) * NS_PER_SECOND, &status),
		        0);
	if (pick(10) == 0) {
		history_close(history);
		open_history(pick(2) == 0 ? 0 : 30000);
	}
}

static void remove_files(void) {
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[80];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

Test(history, any_sequence_comes_out_at_any_level_as_a_plain_list_says, .timeout = 120) {
	struct model *saved = malloc(sizeof(*saved));

	model = malloc(sizeof(*model));
	cr_assert(model != NULL && saved != NULL);
	snprintf(path, sizeof(path), "/tmp/linkcast-history-%d.db", (int)getpid());
	for (unsigned seed = 1; seed <= N_SEEDS; seed++) {
		struct world world = {.instance = seed, .ts_ns = START_NS, .interval_ns = NS_PER_SECOND};
		struct history *reader = NULL;

		srandom(seed);
		memset(model, 0, sizeof(*model));
		open_history(pick(2) == 0 ? 0 : 50000);
		cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
		for (int step = 0; step < N_STEPS; step++) {
			run_step(&world, saved);
			check_port(pick(2) == 0 ? history : reader);
			check_link(pick(2) == 0 ? history : reader);
		}
		history_close(reader);
		history_close(history);
		remove_files();
	}
	free(model);
	free(saved);
}
