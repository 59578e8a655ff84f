// What was used is asked of analyticsd as means over equal steps, few enough to be told apart in a picture.
// SPDX-License-Identifier: MIT
#include "forecast_plot.h"

#include "clock.h"
#include "kpi_pages.h"
#include "plot.h"
#include "text.h"

#include <math.h>
#include <stdio.h>

#define STEPS      1000 // of what was used
#define BEFORE     3    // windows of history before the forecast
#define TITLE_SIZE 800
#define NAME_SIZE  100

struct span {
	int64_t from_ns, to_ns;
	double step_seconds;
};

// The history before the forecast, and its window, in case that it is over.
static struct span span_of(const struct link_forecast *forecast) {
	const struct band_point *first = &forecast->series[0],
	                        *last = &forecast->series[forecast->n_series - 1];
	int64_t window_ns = last->ts_ns - first->ts_ns + (int64_t)(forecast->step_seconds * NS_PER_SECOND);
	struct span span = {first->ts_ns - (BEFORE + 1) * window_ns, last->ts_ns + 1, 0};

	if (span.from_ns < 0)
		span.from_ns = 0;
	span.step_seconds = fmax(forecast->step_seconds,
	                         (double)(span.to_ns - span.from_ns) / (double)NS_PER_SECOND / STEPS);
	return span;
}

static int add_points(void *context, const struct kpi_point *points, size_t n) {
	for (size_t i = 0; i < n; i++)
		plot_add(context, &(struct plot_point){points[i].ts_ns, points[i].gbps, NAN, NAN, NAN});
	return 0;
}

static int add_used(struct ctl *ctl, const struct link_forecast *forecast, const struct span *span,
                    struct plot *plot, struct status *status) {
	struct kpi_query query;

	kpi_query_init(&query);
	query.link_id = forecast->link_id;
	query.direction = forecast->direction;
	query.from_ns = span->from_ns;
	query.to_ns = span->to_ns;
	SET(&query, kpi_query, step_seconds, span->step_seconds);
	return kpi_pages(ctl, &query, add_points, plot, status);
}

static int draw(const struct link_forecast_query *query, const struct link_forecast *forecast,
                const struct plot *plot, const char *path, struct status *status) {
	char title[TITLE_SIZE], window[DURATION_TEXT_SIZE], total[NAME_SIZE] = "", band[NAME_SIZE],
	                                                    level[NAME_SIZE];
	const struct plot_words words = {.title = title,
	                                 .y_axis = "Gbps",
	                                 .actual = "used",
	                                 .middle = "median",
	                                 .band = band,
	                                 .level_name = level,
	                                 .level = forecast->forecast_used_capacity_gbps};

	if (HAS(forecast, link_forecast, total_capacity_gbps))
		snprintf(total, sizeof(total), ", total %.4g Gbps", forecast->total_capacity_gbps);
	snprintf(title, sizeof(title), "%s %s, forecast of %s by %s%s", forecast->link_id,
	         choice_word(&directions_choices, forecast->direction),
	         text_from_seconds(query->forecast_window_seconds, window), forecast->model, total);
	snprintf(band, sizeof(band), "band at %g %%", 100 * query->quantile);
	snprintf(level, sizeof(level), "%s at %g %%: %.4g Gbps",
	         choice_word(&statistics_choices, query->statistic), 100 * query->quantile,
	         forecast->forecast_used_capacity_gbps);
	return plot_draw(plot, &words, path, status);
}

int forecast_plot(struct ctl *ctl, const struct link_forecast_query *query,
                  const struct link_forecast *forecast, const char *path, struct status *status) {
	CLEANUP(plot_fini) struct plot plot = {0};
	struct span span;
	int rc;

	if (forecast->n_series == 0)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "the forecast of link '%s' has no series to draw", forecast->link_id);
	span = span_of(forecast);
	if ((rc = plot_init(&plot, STEPS + 2 + forecast->n_series)) < 0 ||
	    (rc = add_used(ctl, forecast, &span, &plot, status)) < 0)
		return rc;
	for (size_t i = 0; i < forecast->n_series; i++) {
		const struct band_point *point = &forecast->series[i];

		plot_add(&plot,
		         &(struct plot_point){point->ts_ns, NAN, point->median, point->lower, point->upper});
	}
	return draw(query, forecast, &plot, path, status);
}
