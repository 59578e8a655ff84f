// One question, one answer: which of the points count, on which grid, which model, and how far the truth has
// strayed from it before. The parts are in series, past, backtest, conformal and band; what is decided here
// is what to do when there is less history than the question deserves.
// SPDX-License-Identifier: MIT
#include "forecast.h"

#include "backtest.h"
#include "band.h"
#include "cleanup.h"
#include "clock.h"
#include "conformal.h"

#include <errno.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS        86400.0
#define CURRENT_SECONDS    60
#define DEFAULT_RESOLUTION 300.0
#define SHORT_WINDOW       3600.0 // below, the resolution is a twelfth of the window
#define COARSE_FACTOR      4      // points this many times coarser than the steps end the history

enum {
	MOST_STEPS = 288,           // of a window
	MOST_LEAD = 4096,           // steps between history and window; beyond, whole seasons are passed over
	MOST_RESOLUTIONS = 1 << 21, // in the history that is used
	DAYS_RESOLUTIONS = 1 << 17  // ... of it for the sake of day and week alone
};

static double wanted_resolution(const struct forecast_query *query) {
	double resolution = query->peak_resolution_seconds;

	if (resolution <= 0)
		resolution = query->window_seconds < SHORT_WINDOW ? query->window_seconds / 12
		                                                  : DEFAULT_RESOLUTION;
	return fmax(resolution, query->window_seconds / (MOST_RESOLUTIONS / 16.0));
}

double forecast_history_seconds(const struct forecast_query *query) {
	double least = query->history_ratio * query->window_seconds;
	double days = fmin(FORECAST_HISTORY_SECONDS, DAYS_RESOLUTIONS * wanted_resolution(query));

	return query->strict_history ? least : fmax(least, days);
}

double forecast_max_age_seconds(const struct forecast *forecast) {
	return fmax(forecast->step_seconds / 10, 1);
}

// ---- which points, which steps

struct points {
	const struct kpi_point *at;
	size_t n;
};

static double seconds_between(int64_t from_ns, int64_t to_ns) {
	return (double)(to_ns - from_ns) / (double)NS_PER_SECOND;
}

static bool is_usable(const struct kpi_point *point) {
	return isfinite(point->gbps) && point->gbps >= 0;
}

// Those at or before now, back to as long before the last of them as the query deserves.
static struct points known_points(struct points points, const struct forecast_query *query) {
	double seconds = forecast_history_seconds(query);
	size_t first;

	while (points.n > 0 &&
	       (points.at[points.n - 1].ts_ns > query->now_ns || !is_usable(&points.at[points.n - 1])))
		points.n--;
	for (first = points.n; first > 0; first--) {
		const struct kpi_point *point = &points.at[first - 1];

		if (!is_usable(point) ||
		    seconds_between(point->ts_ns, points.at[points.n - 1].ts_ns) >= seconds)
			break;
	}
	if (first == points.n && first > 0)
		first--;
	return (struct points){points.at + first, points.n - first};
}

// A measured spacing jitters; the grid shouldn't.
static double round_spacing(double seconds) {
	static const double usual[] = {1,  2,   5,   10,  15,  20,   30,   60,
	                               90, 120, 300, 600, 900, 1800, 3600, DAY_SECONDS};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (fabs(seconds - usual[i]) < 0.05 * usual[i])
			return usual[i];
	}
	return seconds;
}

static bool divides(double part, double whole) {
	double times = whole / part;

	return fabs(times - round(times)) < 1e-6;
}

// Resolution-means in a step: few enough steps for the window, and steps that divide a day where they can.
static size_t means_per_step(double resolution, double window) {
	size_t least = (size_t)fmax(ceil(window / resolution / MOST_STEPS - 1e-9), 1);

	if (!divides(resolution, DAY_SECONDS))
		return least;
	for (size_t n = least; (double)n * resolution <= DAY_SECONDS; n++) {
		if (divides((double)n * resolution, DAY_SECONDS))
			return n;
	}
	return least;
}

static struct series_grid choose_grid(struct points points, const struct forecast_query *query) {
	double recent = query->history_ratio * query->window_seconds;
	double spacing = round_spacing(series_spacing_seconds(points.at, points.n, recent));
	struct series_grid grid = {.statistic = query->statistic};

	grid.resolution_seconds = wanted_resolution(query);
	if (spacing > grid.resolution_seconds)
		grid.resolution_seconds = spacing;
	grid.per_step = means_per_step(grid.resolution_seconds, query->window_seconds);
	return grid;
}

// Where points suddenly get coarser than the steps, going back, their means say nothing of the peaks; what is
// younger is enough when it is as long as the ratio asks. Also bounds the number of steps.
static struct points fine_points(struct points points, const struct series_grid *grid,
                                 const struct forecast_query *query) {
	double enough = query->history_ratio * query->window_seconds / 2;
	double step = grid->resolution_seconds * (double)grid->per_step;
	int64_t end_ns = points.at[points.n - 1].ts_ns;

	for (size_t i = points.n; i > 1; i--) {
		double age = seconds_between(points.at[i - 2].ts_ns, end_ns);

		if (age > MOST_RESOLUTIONS * grid->resolution_seconds ||
		    (age >= enough &&
		     series_interval_seconds(points.at, points.n, i - 2) > COARSE_FACTOR * step))
			return (struct points){points.at + i - 1, points.n - i + 1};
	}
	return points;
}

// ---- the frame of an answer

static void set_reason(struct forecast *forecast, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void set_reason(struct forecast *forecast, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(forecast->fallback_reason, sizeof(forecast->fallback_reason), format, arguments);
	va_end(arguments);
}

static double current_use(struct points points, int64_t now_ns) {
	double sum = 0, covered = 0;

	for (size_t i = points.n; i > 0; i--) {
		double age = seconds_between(points.at[i - 1].ts_ns, now_ns);
		double interval = series_interval_seconds(points.at, points.n, i - 1);
		double part = fmin(interval, CURRENT_SECONDS - age);

		if (part <= 0)
			break;
		sum += points.at[i - 1].gbps * part;
		covered += part;
	}
	return covered > 0 ? sum / covered : points.at[points.n - 1].gbps;
}

static size_t window_steps(const struct forecast_query *query, double step_seconds) {
	return (size_t)fmax(ceil(query->window_seconds / step_seconds - 1e-6), 1);
}

static int64_t window_end_ns(const struct forecast_query *query) {
	return query->start_ns + (int64_t)(query->window_seconds * (double)NS_PER_SECOND);
}

static int new_series(struct forecast *forecast, const struct forecast_query *query, size_t n) {
	int64_t end_ns = window_end_ns(query);

	forecast->series = calloc(n, sizeof(*forecast->series));
	if (forecast->series == NULL)
		return -ENOMEM;
	forecast->n_series = n;
	for (size_t i = 0; i < n; i++) {
		double after = (double)(i + 1) * forecast->step_seconds * (double)NS_PER_SECOND;

		forecast->series[i].ts_ns = query->start_ns + (int64_t)after;
	}
	forecast->series[n - 1].ts_ns = end_ns;
	return 0;
}

// ---- what the past windows say about this one

enum extreme { HIGHEST, LOWEST, OF_STATISTIC };

// The statistic of a row of steps; those not known are passed over. NAN when too little is known.
static double summarise(const double *values, const bool *known, size_t n, enum extreme extreme,
                        enum statistics statistic) {
	double highest = -INFINITY, lowest = INFINITY, sum = 0;
	size_t n_known = 0;

	for (size_t i = 0; i < n; i++) {
		if (known != NULL && !known[i])
			continue;
		highest = fmax(highest, values[i]);
		lowest = fmin(lowest, values[i]);
		sum += values[i];
		n_known++;
	}
	if (2 * n_known < n || n_known == 0)
		return NAN;
	if (extreme == LOWEST)
		return lowest;
	if (extreme == HIGHEST || statistic == STATISTIC_PEAK)
		return highest;
	if (statistic == STATISTIC_MEAN)
		return sum / (double)n_known;
	return known == NULL || known[n - 1] ? values[n - 1] : NAN;
}

static int collect_errors(struct conformal_errors *ret, const struct backtest *test, const struct past *past,
                          enum extreme extreme, enum statistics statistic) {
	const struct backtest_plan *plan = &test->plan;

	*ret = (struct conformal_errors){.values = calloc(plan->n_origins + 1, sizeof(double))};
	if (ret->values == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_origins; i++) {
		size_t from = backtest_origin(plan, i) + plan->tested_lead;
		double truth = summarise(past->values + from, past->known + from, plan->tested_horizon,
		                         extreme, statistic);
		double said = summarise(test->paths + i * plan->tested_horizon, NULL, plan->tested_horizon,
		                        extreme, statistic);

		if (!isnan(truth))
			ret->values[ret->n++] = truth - said;
	}
	if (plan->n_origins > 0)
		ret->independent = backtest_windows(plan) * (double)ret->n / (double)plan->n_origins;
	if (plan->n_origins > 1)
		ret->overlap = (size_t)ceil((double)plan->tested_horizon / plan->stride) - 1;
	return 0;
}

static void errors_fini(struct conformal_errors *errors) {
	free(errors->values);
}

// Errors of windows shorter than the one asked for grow as those of a random walk would.
static double growth(const struct backtest_plan *plan) {
	double tested = (double)(plan->tested_lead + plan->tested_horizon);

	return sqrt(fmax((double)(plan->lead + plan->horizon) / tested, 1));
}

// Without a backtest: the spread of what there is, taken as normal and independent.
static double plain_margin(const struct past *past, double quantile, size_t steps) {
	double deviation = 0, mean = 0, n = (double)past->n_known;

	if (past->n_known < 2)
		return 0;
	for (size_t t = 0; t < past->n; t++)
		mean += past->known[t] ? past->values[t] / n : 0;
	for (size_t t = 0; t < past->n; t++)
		deviation += past->known[t] ? pow(past->values[t] - mean, 2) / (n - 1) : 0;
	return sqrt(deviation * (1 + 1 / n)) * gsl_cdf_ugaussian_Qinv((1 - quantile) / (double)steps);
}

// The quantile of an extreme or of the statistic of the window, in the history's units.
static int find_quantile(const struct backtest *test, const struct past *past,
                         const struct forecast_query *query, enum extreme extreme, double *ret) {
	CLEANUP(errors_fini) struct conformal_errors errors = {0};
	double said = summarise(test->future, NULL, test->plan.horizon, extreme, query->statistic);
	double sign = extreme == LOWEST ? -1 : 1, margin;
	bool of_extreme = extreme != OF_STATISTIC || query->statistic == STATISTIC_PEAK;
	int rc;

	if ((rc = collect_errors(&errors, test, past, extreme, query->statistic)) < 0)
		return rc;
	if (errors.n == 0) {
		*ret = said + sign * plain_margin(past, query->quantile, of_extreme ? test->plan.horizon : 1);
		return 0;
	}
	for (size_t i = 0; i < errors.n; i++)
		errors.values[i] *= sign;
	if ((rc = conformal_quantile(&errors, NULL, query->quantile, &margin)) < 0)
		return rc;
	*ret = said + sign * margin * growth(&test->plan);
	return 0;
}

static int score(struct forecast *forecast, const struct backtest *test, const struct past *past,
                 const struct forecast_query *query) {
	CLEANUP(errors_fini) struct conformal_errors errors = {0};
	double unit = backtest_unit(past);
	int rc;

	if (test->plan.n_origins == 0)
		return 0;
	forecast->backtest_mase = unit > 0 ? test->error / unit : test->error > 0 ? NAN : 0;
	if (test->plan.tested_horizon < test->plan.horizon)
		return 0;
	if ((rc = collect_errors(&errors, test, past, OF_STATISTIC, query->statistic)) < 0)
		return rc;
	forecast->calibration_windows = (size_t)(errors.independent + 1e-6);
	return conformal_coverage(&errors, query->quantile, &forecast->coverage);
}

static int fill_series(struct forecast *forecast, const struct backtest *test, const struct past *past,
                       const struct forecast_query *query, double highest) {
	CLEANUP(band_fini) struct band band = {0};
	double lowest;
	int rc;

	if ((rc = find_quantile(test, past, query, LOWEST, &lowest)) < 0)
		return rc;
	if ((rc = band_init(&band, test, past, highest, lowest)) < 0)
		return rc;
	if ((rc = new_series(forecast, query, band.n)) < 0)
		return rc;
	for (size_t i = 0; i < band.n; i++) {
		forecast->series[i].median = past_gbps(past, band.median[i]);
		forecast->series[i].lower = past_gbps(past, band.lower[i]);
		forecast->series[i].upper = past_gbps(past, band.upper[i]);
	}
	return 0;
}

// ---- which model

// Whole seasons between the history and a far window change nothing that a model could know.
static size_t shorten_lead(size_t lead, const struct season *season) {
	double period = season->week > 0 ? season->week : season->day > 0 ? season->day : season->found;

	if (lead <= MOST_LEAD)
		return lead;
	if (period <= 0 || period > MOST_LEAD)
		return MOST_LEAD;
	return lead - (size_t)lround(ceil((double)(lead - MOST_LEAD) / period) * period);
}

static int test_one(struct backtest *ret, const struct model *model, const struct past *past, size_t lead,
                    size_t horizon, struct forecast *forecast) {
	struct backtest_plan plan;

	backtest_plan(past, lead, horizon, model->least(model, past), &plan);
	forecast->model = model->name;
	return backtest_init(ret, model, past, &plan);
}

static int run_auto(struct backtest *ret, const struct past *past, size_t lead, size_t horizon,
                    struct forecast *forecast) {
	struct backtest_plan plan;
	int rc;

	backtest_plan(past, lead, horizon, 1, &plan);
	if (plan.n_origins == 0) {
		if (forecast->fallback_reason[0] == '\0')
			set_reason(forecast, "history too short for a backtest: %zu steps of %g s",
			           past->n_known, forecast->step_seconds);
		return test_one(ret, &model_mean, past, lead, horizon, forecast);
	}
	rc = backtest_choose(ret, past, &plan, &forecast->model);
	return rc == -ENOENT ? test_one(ret, &model_last, past, lead, horizon, forecast) : rc;
}

static int run_model(struct backtest *ret, const struct past *past, const struct forecast_query *query,
                     struct forecast *forecast) {
	size_t horizon = window_steps(query, forecast->step_seconds);
	double ahead = seconds_between(forecast->history_to_ns, query->start_ns) / forecast->step_seconds;
	size_t lead = shorten_lead((size_t)fmin(round(fmax(ahead, 0)), 1e15), &past->season);
	const struct model *wanted = model_find(query->model);
	size_t least = wanted != NULL ? wanted->least(wanted, past) : 0;

	if (wanted != NULL && least <= past->n)
		return test_one(ret, wanted, past, lead, horizon, forecast);
	if (wanted != NULL && least == SIZE_MAX)
		set_reason(forecast, "%s needs a season: none in %zu steps of %g s", wanted->name, past->n,
		           forecast->step_seconds);
	else if (wanted != NULL)
		set_reason(forecast, "%s needs %zu steps of %g s: there are %zu", wanted->name, least,
		           forecast->step_seconds, past->n);
	return run_auto(ret, past, lead, horizon, forecast);
}

// With the points chosen: everything from grid to answer.
static int answer(struct forecast *forecast, struct points points, const struct forecast_query *query) {
	struct series_grid grid = choose_grid(points, query);
	CLEANUP(series_fini) struct series series = {0};
	CLEANUP(past_fini) struct past past = {0};
	CLEANUP(backtest_fini) struct backtest test = {0};
	double value;
	int rc;

	points = fine_points(points, &grid, query);
	forecast->history_from_ns = points.at[0].ts_ns;
	forecast->history_to_ns = points.at[points.n - 1].ts_ns;
	forecast->samples = points.n;
	forecast->peak_resolution_seconds = grid.resolution_seconds;
	if ((rc = series_init(&series, points.at, points.n, &grid)) < 0)
		return rc;
	forecast->step_seconds = series.step_seconds;
	if ((rc = past_init(&past, &series)) < 0)
		return rc;
	if ((rc = run_model(&test, &past, query, forecast)) < 0)
		return rc;
	if ((rc = find_quantile(&test, &past, query, OF_STATISTIC, &value)) < 0)
		return rc;
	forecast->value_gbps = past_gbps(&past, value);
	if (query->series && (rc = fill_series(forecast, &test, &past, query, value)) < 0)
		return rc;
	return score(forecast, &test, &past, query);
}

static int answer_without_history(struct forecast *forecast, const struct forecast_query *query) {
	double resolution = wanted_resolution(query);
	int rc;

	forecast->current_gbps = forecast->value_gbps = query->fallback_gbps;
	forecast->model = model_last.name;
	forecast->peak_resolution_seconds = resolution;
	forecast->step_seconds = resolution * (double)means_per_step(resolution, query->window_seconds);
	set_reason(forecast, "no history");
	if (!query->series)
		return 0;
	if ((rc = new_series(forecast, query, window_steps(query, forecast->step_seconds))) < 0)
		return rc;
	for (size_t i = 0; i < forecast->n_series; i++) {
		struct band_point *point = &forecast->series[i];

		point->median = point->lower = point->upper = query->fallback_gbps;
	}
	return 0;
}

// The band belongs to the peak, whatever statistic was asked for.
static int add_peak_series(struct forecast *forecast, struct points points,
                           const struct forecast_query *query) {
	struct forecast_query peak_query = *query;
	struct forecast peak = {0};
	int rc;

	peak_query.statistic = STATISTIC_PEAK;
	if ((rc = answer(&peak, points, &peak_query)) < 0) {
		forecast_fini(&peak);
		return rc;
	}
	forecast->series = peak.series;
	forecast->n_series = peak.n_series;
	return 0;
}

int forecast_compute(const struct kpi_point *points, size_t n_points, const struct forecast_query *query,
                     struct forecast *ret) {
	struct forecast forecast = {.staleness_seconds = NAN, .backtest_mase = NAN, .coverage = NAN};
	struct forecast_query plain = *query;
	struct points known;
	int rc;

	if (strcmp(query->model, "auto") != 0 && model_find(query->model) == NULL)
		return -EINVAL;
	known = known_points((struct points){points, n_points}, query);
	if (known.n == 0) {
		rc = answer_without_history(&forecast, query);
	} else {
		forecast.current_gbps = current_use(known, query->now_ns);
		forecast.staleness_seconds = seconds_between(known.at[known.n - 1].ts_ns, query->now_ns);
		plain.series = query->series && query->statistic == STATISTIC_PEAK;
		rc = answer(&forecast, known, &plain);
		if (rc == 0 && query->series && !plain.series)
			rc = add_peak_series(&forecast, known, query);
	}
	if (rc < 0) {
		forecast_fini(&forecast);
		return rc;
	}

	*ret = forecast;
	return 0;
}

void forecast_fini(struct forecast *forecast) {
	free(forecast->series);
	forecast->series = NULL;
	forecast->n_series = 0;
}
