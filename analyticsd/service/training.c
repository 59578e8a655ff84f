// The work of jobs and of Predict, without threads.
// SPDX-License-Identifier: MIT
#include "training.h"

#include "clock.h"
#include "lagged_points.h"
#include "trained_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_SECONDS (28 * 86400.0) // that is learnt from when no range is asked for
enum { MOST_POINTS = 1 << 23, DRIFT_LEAST = 64, DRIFT_SHARE = 20 /* of the history that was learnt from */ };

// ---- history

struct history_part {
	const char *link_id;
	enum directions direction;
	int64_t from_ns, to_ns; // [from, to)
	double step_seconds;    // 0: as they are
};

static int64_t ns_of(double seconds) {
	return seconds < 9e9 ? (int64_t)(seconds * (double)NS_PER_SECOND) : INT64_MAX / 2;
}

static int read_points(const struct training *training, const struct history_part *part,
                       struct kpi_point **ret, size_t *ret_n, struct status *status) {
	struct kpi_range range = {.link_id = part->link_id,
	                          .direction = part->direction,
	                          .kpi = 302,
	                          .from_ns = part->from_ns,
	                          .to_ns = part->to_ns,
	                          .limit = MOST_POINTS};
	int64_t next_ns = 0;
	int rc = history_kpi(training->history, &range, ret, ret_n, &next_ns, status);

	if (rc == 0 && next_ns != 0) {
		free(*ret);
		return status_set(status, STATUS_INVALID_ARGUMENT, "from_ns: more than %d samples",
		                  MOST_POINTS);
	}
	return rc;
}

// The newest of a link's history, counted back from its newest sample unless a range is asked for.
static int read_series(const struct training *training, const struct train_request *request,
                       struct lagged_series *ret, struct status *status) {
	struct history_part part = {.link_id = request->link_id,
	                            .direction = (enum directions)request->direction,
	                            .from_ns = INT64_MIN,
	                            .to_ns = INT64_MAX};
	CLEANUP(freep) struct kpi_point *points = NULL;
	struct kpi_newest newest;
	size_t n = 0;
	int rc;

	if (HAS(request, train_request, to_ns))
		part.to_ns = request->to_ns;
	rc = history_kpi_newest(training->history, part.link_id, part.direction, 302, part.to_ns - 1, &newest,
	                        status);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "link_id: '%s' has no history",
		                  part.link_id);
	part.to_ns = newest.point.ts_ns + 1;
	part.from_ns = HAS(request, train_request, from_ns) ? request->from_ns
	                                                    : newest.point.ts_ns - ns_of(HISTORY_SECONDS);
	if ((rc = read_points(training, &part, &points, &n, status)) < 0)
		return rc;
	if (n == 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "from_ns: '%s' has no history there",
		                  part.link_id);
	return lagged_from_points(points, n,
	                          HAS(request, train_request, step_seconds) ? request->step_seconds : 0, ret,
	                          status);
}

// ---- training

int training_check(const struct train_request *request, struct status *status) {
	if (!trained_name_is_known(request->model))
		return status_set(status, STATUS_INVALID_ARGUMENT, "model: no model '%s'", request->model);
	for (size_t k = 1; k < request->n_horizons; k++) {
		if (request->horizons[k].steps <= request->horizons[k - 1].steps)
			return status_set(status, STATUS_INVALID_ARGUMENT, "horizons: not ascending");
	}
	return 0;
}

static struct trained_options options_of(const struct train_request *request) {
	struct trained_options options = trained_defaults(request->model);

	options.target = request->link_id;
	options.n_lags = (uint32_t)request->lags;
	options.window = (uint32_t)request->window;
	options.seed = request->seed;
	options.n_trees = HAS(request, train_request, trees) ? (size_t)request->trees : 0;
	if (request->n_horizons > 0)
		options.n_horizons = request->n_horizons;
	for (size_t k = 0; k < request->n_horizons; k++)
		options.horizons[k] = (size_t)request->horizons[k].steps;
	return options;
}

static int fit(const struct training *training, const struct train_request *request,
               const struct lagged_series *series, struct trained *ret, struct status *status) {
	struct trained_options options = options_of(request);
	int rc = trained_fit(series, &options, training->watch, ret);

	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "link_id: '%s' has %zu steps of %g s: too few for %u lags and horizon %zu",
		                  request->link_id, series->n, series->step_seconds, options.n_lags,
		                  options.horizons[options.n_horizons - 1]);
	return rc;
}

static int keep(const struct training *training, const struct trained *trained,
                const struct train_request *request, const char *model_id, int64_t refits, struct bytes *ret,
                struct status *status) {
	CLEANUP(bytes_fini) struct bytes model = {0}, encoded = {0}, summary = {0};
	struct stored_model stored = {.model_id = model_id,
	                              .link_id = request->link_id,
	                              .direction = (enum directions)request->direction,
	                              .trained_ns = training->now_ns,
	                              .refits = refits};
	struct trained_model message;
	struct trained_view view;
	int rc;

	if ((rc = trained_to_bytes(trained, &model)) < 0)
		return rc;
	trained_view_model(trained, model.size, &view, &message);
	message.model_id = model_id;
	message.link_id = request->link_id;
	SET(&message, trained_model, direction, request->direction);
	SET(&message, trained_model, trained_ns, training->now_ns);
	SET(&message, trained_model, refits, refits);
	if ((rc = message_encode(&trained_model_message, &message, &summary)) < 0 ||
	    (rc = message_encode(&train_request_message, request, &encoded)) < 0)
		return rc;
	stored.request = encoded;
	stored.summary = summary;
	stored.model = model;
	if ((rc = model_store_put(training->state, &stored, status)) < 0)
		return rc;
	*ret = summary;
	summary = (struct bytes){0};
	return 0;
}

int training_train(const struct training *training, const struct train_request *request, const char *model_id,
                   int64_t refits, struct bytes *ret, struct status *status) {
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	CLEANUP(trained_fini) struct trained trained = {0};
	int rc;

	if ((rc = read_series(training, request, &series, status)) < 0 ||
	    (rc = fit(training, request, &series, &trained, status)) < 0)
		return rc;
	return keep(training, &trained, request, model_id, refits, ret, status);
}

// ---- kept models

struct loaded {
	struct trained trained;
	char link_id[LIMIT_ID_SIZE + 1];
	enum directions direction;
	struct status *status;
};

static void loaded_fini(struct loaded *loaded) {
	trained_fini(&loaded->trained);
}

static int load(void *context, const struct stored_model *model) {
	struct loaded *loaded = context;

	if (strlen(model->link_id) > LIMIT_ID_SIZE)
		return -EBADMSG;
	strcpy(loaded->link_id, model->link_id);
	loaded->direction = model->direction;
	return trained_from_bytes(model->model.data, model->model.size, &loaded->trained, loaded->status);
}

// The model's own history and what was measured since; '*ret_first' is where that begins.
static int read_since(const struct training *training, const struct loaded *loaded, struct lagged_series *ret,
                      size_t *ret_first, struct status *status) {
	const struct trained *trained = &loaded->trained;
	struct history_part part = {loaded->link_id, loaded->direction, trained->to_ns + 1,
	                            training->now_ns + 1, 0};
	CLEANUP(freep) struct kpi_point *points = NULL;
	size_t n = 0, filled = 0;
	int rc;

	if ((rc = read_points(training, &part, &points, &n, status)) < 0)
		return rc;
	if (n == 0)
		return 1;
	if ((rc = lagged_continue(&trained->tail, points, n, ret, &filled, status)) < 0)
		return rc;
	// The tail ends with what was learnt from, unless all of it lies too far back.
	*ret_first = ret->start_ns == trained->tail.start_ns ? trained->tail.n : 0;
	return 0;
}

// ---- evaluation

struct span {
	const struct lagged_series *series;
	size_t first, last;
};

static void note(void *context, const struct trained_point *point) {
	struct span *span = context;

	if (span->last == 0)
		span->first = point->step;
	span->first = point->step < span->first ? point->step : span->first;
	span->last = point->step > span->last ? point->step : span->last;
}

static int score(const struct training *training, const struct trained *trained,
                 const struct lagged_series *series, size_t first, struct bytes *ret, struct status *status) {
	struct score scores[LEARNER_HORIZONS][N_CONTESTANTS];
	struct span span = {.series = series};
	struct evaluation evaluation;
	struct trained_view view;
	int rc = trained_evaluate(trained, series, first, training->watch, note, &span, scores);

	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "too little history that the model did not learn from");
	if (rc < 0)
		return rc;
	trained_view_evaluation(trained, scores, lagged_time_ns(series, span.first),
	                        lagged_time_ns(series, span.last), &view, &evaluation);
	return message_encode(&evaluation_message, &evaluation, ret);
}

static int evaluate_kept(const struct training *training, const char *model_id, struct bytes *ret,
                         struct status *status) {
	CLEANUP(loaded_fini) struct loaded loaded = {.status = status};
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	size_t first = 0;
	int rc;

	if ((rc = model_store_get(training->state, model_id, load, &loaded, status)) < 0 ||
	    (rc = read_since(training, &loaded, &series, &first, status)) < 0)
		return rc;
	if (rc > 0)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "model_id: nothing was measured since '%s' was trained", model_id);
	return score(training, &loaded.trained, &series, first, ret, status);
}

static int evaluate_new(const struct training *training, const struct train_request *request,
                        struct bytes *ret, struct status *status) {
	CLEANUP(lagged_series_fini) struct lagged_series series = {0}, older = {0};
	CLEANUP(trained_fini) struct trained trained = {0};
	int rc;

	if ((rc = read_series(training, request, &series, status)) < 0 ||
	    (rc = trained_older(&series, &older)) < 0 ||
	    (rc = fit(training, request, &older, &trained, status)) < 0)
		return rc;
	return score(training, &trained, &series, older.n, ret, status);
}

int training_evaluate(const struct training *training, const struct evaluate_request *request,
                      struct bytes *ret, struct status *status) {
	if (request->model_id != NULL)
		return evaluate_kept(training, request->model_id, ret, status);
	return evaluate_new(training, request->train, ret, status);
}

// ---- prediction

// From the values that the request brings, or from what was measured since.
static int newest_values(const struct training *training, const struct loaded *loaded,
                         const struct predict_request *request, struct lagged_series *ret, size_t *ret_filled,
                         struct status *status) {
	size_t first = 0;

	if (HAS(request, predict_request, samples) && request->n_samples > 0)
		return lagged_continue(&loaded->trained.tail, request->samples, request->n_samples, ret,
		                       ret_filled, status);
	return read_since(training, loaded, ret, &first, status);
}

int training_predict(const struct training *training, const struct predict_request *request,
                     struct document *memory, struct prediction_list *ret, struct status *status) {
	CLEANUP(loaded_fini) struct loaded loaded = {.status = status};
	CLEANUP(lagged_series_fini) struct lagged_series joined = {0};
	const struct lagged_series *series = &joined;
	struct trained_point points[LEARNER_HORIZONS];
	struct prediction *predictions;
	size_t filled = 0;
	char *names;
	int rc;

	if ((rc = model_store_get(training->state, request->model_id, load, &loaded, status)) < 0 ||
	    (rc = newest_values(training, &loaded, request, &joined, &filled, status)) < 0)
		return rc;
	if (rc > 0)
		series = &loaded.trained.tail;
	rc = trained_predict(&loaded.trained, series, points);
	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "samples: %zu values are too few: the model looks back further", series->n);
	if (rc < 0)
		return rc;
	predictions = document_alloc(memory, LEARNER_HORIZONS * sizeof(*predictions));
	names = document_alloc(memory, TRAINED_NAME + TRAINED_TARGET);
	if (predictions == NULL || names == NULL)
		return -ENOMEM;
	trained_view_predictions(&loaded.trained, series, filled, points, predictions, ret);
	ret->model = strcpy(names, loaded.trained.name);
	ret->target = strcpy(names + TRAINED_NAME, ret->target);
	return 0;
}

// ---- drift

struct outside {
	const struct trained *trained;
	size_t n, n_outside;
};

static void count_outside(void *context, const struct trained_point *point) {
	struct outside *outside = context;
	const double *residuals = outside->trained->horizons[0].residuals[CONTESTANT_MODEL];
	double error = point->truth - point->predicted;

	if (point->horizon != 0 || isnan(point->truth))
		return;
	outside->n++;
	outside->n_outside += error < residuals[0] || error > residuals[SCORING_QUANTILES - 1];
}

int training_has_drifted(const struct training *training, const char *model_id, struct status *status) {
	CLEANUP(loaded_fini) struct loaded loaded = {.status = status};
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	struct score scores[LEARNER_HORIZONS][N_CONTESTANTS];
	struct outside outside = {.trained = &loaded.trained};
	size_t first = 0, least;
	int rc;

	if ((rc = model_store_get(training->state, model_id, load, &loaded, status)) < 0 ||
	    (rc = read_since(training, &loaded, &series, &first, status)) < 0)
		return rc;
	least = loaded.trained.n_steps / DRIFT_SHARE;
	if (rc > 0 || series.n - first < (least > DRIFT_LEAST ? least : DRIFT_LEAST))
		return 0;
	rc = trained_evaluate(&loaded.trained, &series, first, training->watch, count_outside, &outside,
	                      scores);
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	return outside.n > 0 && scoring_is_unlikely(outside.n_outside, outside.n);
}
