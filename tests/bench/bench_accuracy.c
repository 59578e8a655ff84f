// Linkcast's own answers for bench_accuracy.py: reads tasks, one a line
// (`bench_accuracy [MODEL]`; `id group step_seconds period horizon strict n value...`, tabs between the fields, spaces between the values),
// and prints for each `id model cold_ms cached_ms peak path upper` in the same form. Tasks of a group are links
// asked at the same moment: they lend each other errors, as those of a topology do.
// SPDX-License-Identifier: MIT
#include "forecast.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TASKS = 256 };

static const char *model = "auto";

struct task {
	char *id, *group;
	double step_seconds;
	size_t horizon;
	bool strict;
	struct kpi_point *points;
	size_t n;
};

static void task_fini(struct task *task) {
	free(task->id);
	free(task->group);
	free(task->points);
	*task = (struct task){0};
}

static char *field(char **rest) {
	char *text = strsep(rest, "\t");

	if (text == NULL) {
		fprintf(stderr, "bench_accuracy: a field is missing\n");
		exit(1);
	}
	return text;
}

static double number(char **rest) {
	return strtod(field(rest), NULL);
}

static void parse(char *line, struct task *ret) {
	char *rest = line, *value;
	size_t n;

	ret->id = strdup(field(&rest));
	ret->group = strdup(field(&rest));
	ret->step_seconds = number(&rest);
	(void)field(&rest); // the period is found from the data
	ret->horizon = (size_t)number(&rest);
	ret->strict = number(&rest) > 0;
	n = (size_t)number(&rest);
	ret->points = calloc(n + 1, sizeof(*ret->points));
	for (size_t i = 0; i < n && (value = strsep(&rest, " ")) != NULL; i++) {
		double gbps = strtod(value, NULL);

		if (isnan(gbps))
			continue;
		ret->points[ret->n++] = (struct kpi_point){
		        (int64_t)((double)(i + 1) * ret->step_seconds * (double)NS_PER_SECOND), gbps};
	}
}

static double cpu_ms(void) {
	return (double)clock_read_ns(CLOCK_THREAD_CPUTIME_ID) / 1e6;
}

static struct forecast_query query_of(const struct task *task, size_t n) {
	return (struct forecast_query){
	        .now_ns = task->points[n - 1].ts_ns,
	        .start_ns = task->points[n - 1].ts_ns,
	        .window_seconds = (double)task->horizon * task->step_seconds,
	        .peak_resolution_seconds = task->step_seconds,
	        .statistic = STATISTIC_PEAK,
	        .quantile = 0.95,
	        .model = model,
	        .history_ratio = FORECAST_HISTORY_RATIO,
	        .strict_history = task->strict,
	        .series = true,
	        .each_step = true,
	};
}

static int learn(const struct task *task, size_t n, struct forecast_state **state, double *ret_ms) {
	struct forecast_query query = query_of(task, n);
	double before = cpu_ms();
	int rc = forecast_learn(state, task->points, n, &query);

	*ret_ms = cpu_ms() - before;
	return rc;
}

static void print_row(const struct band_point *series, size_t n, bool upper) {
	for (size_t i = 0; i < n; i++)
		printf("%s%.7g", i > 0 ? " " : "\t", upper ? series[i].upper : series[i].median);
}

// The CPU of asking again when one more sample is there.
static int ask_again(const struct task *task, double *ret_ms) {
	CLEANUP(forecast_state_freep) struct forecast_state *state = NULL;
	double ignored;
	int rc;

	if ((rc = learn(task, task->n - 1, &state, &ignored)) < 0)
		return rc;
	return learn(task, task->n, &state, ret_ms);
}

static int print_answer(const struct task *task, const struct forecast_state *state,
                        const struct forecast_pool *pool, double cold_ms) {
	struct forecast_query query = query_of(task, task->n);
	double before = cpu_ms(), answer_ms, again_ms;
	struct forecast forecast;
	int rc;

	if ((rc = forecast_answer(state, &query, pool, &forecast)) < 0)
		return rc;
	answer_ms = cpu_ms() - before;
	if ((rc = ask_again(task, &again_ms)) == 0) {
		printf("%s\t%s\t%.4f\t%.4f\t%.7g", task->id, forecast.model, cold_ms + answer_ms,
		       again_ms + answer_ms, forecast.value_gbps);
		print_row(forecast.series, forecast.n_series, false);
		print_row(forecast.series, forecast.n_series, true);
		printf("\n");
	}
	forecast_fini(&forecast);
	return rc;
}

// ---- a group: everybody learns, then everybody answers

struct group {
	struct task tasks[MOST_TASKS];
	struct forecast_state *states[MOST_TASKS];
	double cold_ms[MOST_TASKS];
	size_t n;
};

static void group_fini(struct group *group) {
	for (size_t i = 0; i < group->n; i++) {
		task_fini(&group->tasks[i]);
		forecast_state_free(group->states[i]);
		group->states[i] = NULL;
	}
	group->n = 0;
}

static int answer_group(struct group *group) {
	CLEANUP(forecast_pool_freep) struct forecast_pool *pool = NULL;
	int rc = forecast_pool_new(&pool);

	for (size_t i = 0; i < group->n && rc == 0; i++) {
		rc = learn(&group->tasks[i], group->tasks[i].n, &group->states[i], &group->cold_ms[i]);
		if (rc == 0)
			rc = forecast_pool_add(pool, group->states[i]);
	}
	if (rc < 0)
		return rc;
	forecast_pool_sort(pool);
	for (size_t i = 0; i < group->n && rc == 0; i++)
		rc = print_answer(&group->tasks[i], group->states[i], pool, group->cold_ms[i]);
	return rc;
}

int main(int argc, char **argv) {
	static struct group group;
	CLEANUP(freep) char *line = NULL;
	size_t room = 0;
	bool more = true;
	int rc = 0;

	if (argc > 1)
		model = argv[1];
	while (more && rc == 0) {
		struct task task = {0};

		more = getline(&line, &room, stdin) > 0;
		if (more)
			parse(line, &task);
		if (group.n > 0 &&
		    (!more || group.n == MOST_TASKS || strcmp(task.group, group.tasks[0].group) != 0)) {
			rc = answer_group(&group);
			group_fini(&group);
		}
		if (more)
			group.tasks[group.n++] = task;
	}
	group_fini(&group);
	if (rc < 0)
		fprintf(stderr, "bench_accuracy: %s\n", strerror(-rc));
	return rc < 0;
}
