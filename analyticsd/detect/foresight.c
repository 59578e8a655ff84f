// From rows to a calibrated probability.
// SPDX-License-Identifier: MIT
#include "foresight.h"

#include "array.h"
#include "classifier.h"
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SAMPLE_SECONDS 10.0 // between rows that are kept
#define WELL_KEPT      6    // of the rows that nothing follows, one of so many
#define BLOCK_SECONDS  21600
#define FOLDS          4 // a block in so many is kept from learning
#define TREES          80
#define DEPTH          10
#define LEAST_LEAF     10
#define MOST_PENDING   4096

struct row {
	int64_t ts_ns;
	float weight; // rows of this kind that it stands for
	bool is_yes, is_held_out;
	float features[N_FEATURES];
};

struct trainer {
	double horizon_seconds;
	struct row *rows;
	size_t n, capacity, n_failures;
	uint32_t port;
	int64_t last_ns;
	bool failed;
	size_t n_well;
	struct row *pending; // rows younger than the horizon, whose truth is not known yet: a ring
	size_t first, n_pending;
};

int trainer_new(double horizon_seconds, struct trainer **ret) {
	CLEANUP(trainer_freep) struct trainer *trainer = calloc(1, sizeof(*trainer));

	if (trainer == NULL)
		return -ENOMEM;
	trainer->horizon_seconds = horizon_seconds;
	trainer->last_ns = INT64_MIN;
	trainer->pending = calloc(MOST_PENDING, sizeof(*trainer->pending));
	if (trainer->pending == NULL)
		return -ENOMEM;
	*ret = trainer;
	trainer = NULL;
	return 0;
}

void trainer_free(struct trainer *trainer) {
	if (trainer == NULL)
		return;
	free(trainer->rows);
	free(trainer->pending);
	free(trainer);
}

size_t trainer_failures(const struct trainer *trainer) {
	return trainer->n_failures;
}

// Blocks of hours are kept from learning as a whole: rows near each other are alike.
static bool is_held_out(const struct trainer *trainer, int64_t ts_ns) {
	uint64_t block =
	        (uint64_t)(ts_ns / NS_PER_SECOND / BLOCK_SECONDS) * 2654435761U + trainer->port * 40503U;

	block ^= block >> 33;
	block *= 0xff51afd7ed558ccd;
	return (block >> 40) % FOLDS == 0;
}

static int keep(struct trainer *trainer, const struct row *row, bool is_yes, double weight) {
	int rc = array_room((void **)&trainer->rows, trainer->n, &trainer->capacity, sizeof(*trainer->rows));

	if (rc < 0)
		return rc;
	trainer->rows[trainer->n] = *row;
	trainer->rows[trainer->n].is_yes = is_yes;
	trainer->rows[trainer->n].weight = (float)weight;
	trainer->rows[trainer->n].is_held_out = is_held_out(trainer, row->ts_ns);
	trainer->n++;
	return 0;
}

static struct row *oldest(struct trainer *trainer) {
	return &trainer->pending[trainer->first % MOST_PENDING];
}

// Nothing followed on the oldest row within the horizon.
static int settle_oldest(struct trainer *trainer) {
	int rc = trainer->n_well++ % WELL_KEPT == 0 ? keep(trainer, oldest(trainer), false, WELL_KEPT) : 0;

	trainer->first++;
	trainer->n_pending--;
	return rc;
}

static int settle_before(struct trainer *trainer, int64_t ts_ns) {
	int64_t limit_ns = ts_ns - (int64_t)(trainer->horizon_seconds * (double)NS_PER_SECOND);
	int rc = 0;

	while (trainer->n_pending > 0 && oldest(trainer)->ts_ns < limit_ns && rc == 0)
		rc = settle_oldest(trainer);
	return rc;
}

// A failure began: what is younger than the horizon came before it.
static int settle_failure(struct trainer *trainer) {
	int rc = 0;

	trainer->n_failures++;
	for (; trainer->n_pending > 0 && rc == 0; trainer->first++, trainer->n_pending--)
		rc = keep(trainer, oldest(trainer), true, 1);
	return rc;
}

void trainer_next_port(struct trainer *trainer) {
	trainer->port++;
	trainer->n_pending = 0; // what follows on them was not seen
	trainer->last_ns = INT64_MIN;
	trainer->failed = false;
}

int trainer_add(struct trainer *trainer, int64_t ts_ns, const float values[static N_FEATURES],
                enum truth truth) {
	bool begins = truth == TRUTH_FAILED && !trainer->failed;
	struct row *row;
	int rc;

	trainer->failed = truth == TRUTH_FAILED;
	if ((rc = settle_before(trainer, ts_ns)) < 0)
		return rc;
	if (begins)
		return settle_failure(trainer);
	if (truth == TRUTH_UNKNOWN)
		trainer->n_pending = 0;
	if (truth != TRUTH_WELL ||
	    (trainer->last_ns != INT64_MIN &&
	     ts_ns - trainer->last_ns < (int64_t)(SAMPLE_SECONDS * 0.95 * (double)NS_PER_SECOND)))
		return 0;
	if (trainer->n_pending == MOST_PENDING && (rc = settle_oldest(trainer)) < 0)
		return rc;
	row = &trainer->pending[(trainer->first + trainer->n_pending++) % MOST_PENDING];
	row->ts_ns = ts_ns;
	memcpy(row->features, values, sizeof(row->features));
	trainer->last_ns = ts_ns;
	return 0;
}

// ---- calibration

struct step {
	float score, probability; // from this score on
};

struct foresight {
	struct foresight_report report;
	struct classifier *classifier;
	uint32_t n_steps;
	struct step *steps; // both ascending
	float typical[N_FEATURES];
};

void foresight_free(struct foresight *foresight) {
	if (foresight == NULL)
		return;
	classifier_free(foresight->classifier);
	free(foresight->steps);
	free(foresight);
}

const struct foresight_report *foresight_report(const struct foresight *foresight) {
	return &foresight->report;
}

struct scored {
	double score, weight, yes;
};

static int compare_scored(const void *a, const void *b) {
	double left = ((const struct scored *)a)->score, right = ((const struct scored *)b)->score;

	return (left > right) - (left < right);
}

// Pools neighbours until the share of yes ascends (pool adjacent violators). Each pool is given half a yes and half a
// no beside its own, so that nothing is told to be certain.
static int fit_steps(struct foresight *foresight, struct scored *scored, size_t n) {
	size_t n_pools = 0;

	qsort(scored, n, sizeof(*scored), compare_scored);
	for (size_t i = 0; i < n; i++) {
		scored[n_pools++] = scored[i];
		while (n_pools > 1 && scored[n_pools - 2].yes * scored[n_pools - 1].weight >=
		                              scored[n_pools - 1].yes * scored[n_pools - 2].weight) {
			scored[n_pools - 2].yes += scored[n_pools - 1].yes;
			scored[n_pools - 2].weight += scored[n_pools - 1].weight;
			n_pools--;
		}
	}
	foresight->steps = calloc(n_pools + 1, sizeof(*foresight->steps));
	if (foresight->steps == NULL)
		return -ENOMEM;
	foresight->n_steps = (uint32_t)n_pools;
	for (size_t i = 0; i < n_pools; i++)
		foresight->steps[i] = (struct step){(float)scored[i].score,
		                                    (float)((scored[i].yes + 0.5) / (scored[i].weight + 1))};
	for (size_t i = 1; i < n_pools; i++)
		foresight->steps[i].probability =
		        fmaxf(foresight->steps[i].probability, foresight->steps[i - 1].probability);
	return 0;
}

static double calibrate(const struct foresight *foresight, double score) {
	size_t low = 0, high = foresight->n_steps;

	if (foresight->n_steps == 0)
		return score;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (score >= (double)foresight->steps[middle].score)
			low = middle + 1;
		else
			high = middle;
	}
	return (double)foresight->steps[low > 0 ? low - 1 : 0].probability;
}

// ---- training

struct table {
	float *values;
	double *targets;
	size_t n;
};

static void table_fini(struct table *table) {
	free(table->values);
	free(table->targets);
}

static int collect(const struct trainer *trainer, struct table *ret) {
	ret->values = calloc(trainer->n + 1, sizeof(trainer->rows[0].features));
	ret->targets = calloc(trainer->n + 1, sizeof(*ret->targets));
	if (ret->values == NULL || ret->targets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < trainer->n; i++) {
		const struct row *row = &trainer->rows[i];

		if (row->is_held_out)
			continue;
		memcpy(ret->values + ret->n * N_FEATURES, row->features, sizeof(row->features));
		ret->targets[ret->n++] = row->is_yes;
	}
	return 0;
}

static int compare_floats(const void *a, const void *b) {
	float left = *(const float *)a, right = *(const float *)b;

	return (left > right) - (left < right);
}

// The median of each feature while all is well: what an answer is compared with to explain it.
static int find_typical(struct foresight *foresight, const struct trainer *trainer) {
	CLEANUP(freep) float *column = calloc(trainer->n + 1, sizeof(*column));

	if (column == NULL)
		return -ENOMEM;
	for (int f = 0; f < N_FEATURES; f++) {
		size_t n = 0;

		for (size_t i = 0; i < trainer->n; i++) {
			if (!trainer->rows[i].is_yes)
				column[n++] = trainer->rows[i].features[f];
		}
		qsort(column, n, sizeof(*column), compare_floats);
		foresight->typical[f] = n > 0 ? column[n / 2] : 0;
	}
	return 0;
}

static int score_held_out(struct foresight *foresight, const struct trainer *trainer) {
	CLEANUP(freep) struct scored *scored = malloc((trainer->n + 1) * sizeof(*scored));
	double yes = 0, all = 0, error = 0, climate;
	size_t n = 0;
	int rc;

	if (scored == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < trainer->n; i++) {
		const struct row *row = &trainer->rows[i];
		double weight = (double)row->weight;

		if (!row->is_held_out)
			continue;
		scored[n++] = (struct scored){classifier_ask(foresight->classifier, row->features), weight,
		                              row->is_yes ? weight : 0};
		yes += row->is_yes ? weight : 0;
		all += weight;
	}
	foresight->report.brier = foresight->report.brier_climate = NAN;
	if (yes == 0 || yes == all)
		return 0; // nothing to calibrate with: the forest's own shares
	if ((rc = fit_steps(foresight, scored, n)) < 0)
		return rc;
	climate = yes / all;
	for (size_t i = 0; i < trainer->n; i++) {
		const struct row *row = &trainer->rows[i];

		if (row->is_held_out)
			error += (double)row->weight *
			         pow(foresight_ask(foresight, row->features, NULL, 0) - row->is_yes, 2);
	}
	foresight->report.brier = error / all;
	foresight->report.brier_climate = climate * (1 - climate);
	return 0;
}

static void report(const struct trainer *trainer, struct foresight_report *ret) {
	*ret = (struct foresight_report){
	        .horizon_seconds = trainer->horizon_seconds,
	        .failures = trainer->n_failures,
	        .rows = trainer->n,
	        .from_ns = INT64_MAX,
	        .to_ns = INT64_MIN,
	};
	for (size_t i = 0; i < trainer->n; i++) {
		int64_t ts_ns = trainer->rows[i].ts_ns;

		ret->from_ns = ts_ns < ret->from_ns ? ts_ns : ret->from_ns;
		ret->to_ns = ts_ns > ret->to_ns ? ts_ns : ret->to_ns;
	}
}

int foresight_train(const struct trainer *trainer, uint64_t seed, const atomic_bool *stop,
                    struct foresight **ret) {
	struct classifier_options options = {TREES, DEPTH, LEAST_LEAF, seed};
	CLEANUP(foresight_freep) struct foresight *foresight = calloc(1, sizeof(*foresight));
	CLEANUP(table_fini) struct table table = {0};
	struct classifier_rows rows;
	int rc;

	if (foresight == NULL)
		return -ENOMEM;
	if (trainer->n_failures < FORESIGHT_LEAST_FAILURES)
		return -ENODATA;
	if ((rc = collect(trainer, &table)) < 0 || (rc = find_typical(foresight, trainer)) < 0)
		return rc;
	rows = (struct classifier_rows){table.values, table.targets, table.n, N_FEATURES};
	report(trainer, &foresight->report);
	if ((rc = classifier_train(&rows, &options, stop, &foresight->classifier)) < 0)
		return rc == -EINVAL ? -ENODATA : rc;
	if ((rc = score_held_out(foresight, trainer)) < 0)
		return rc;
	*ret = foresight;
	foresight = NULL;
	return 0;
}

// ---- asking

static void note_factor(struct foresight_factor *factors, size_t n, struct foresight_factor factor) {
	for (size_t i = 0; i < n; i++) {
		if (fabs(factor.weight) > fabs(factors[i].weight)) {
			struct foresight_factor smaller = factors[i];

			factors[i] = factor;
			factor = smaller;
		}
	}
}

// A feature's weight is what its value alone makes of a row in which all others are as usual.
static void explain(const struct foresight *foresight, const float values[static N_FEATURES],
                    struct foresight_factor *factors, size_t n_factors) {
	double usual = calibrate(foresight, classifier_ask(foresight->classifier, foresight->typical));
	float row[N_FEATURES];

	memset(factors, 0, n_factors * sizeof(*factors));
	memcpy(row, foresight->typical, sizeof(row));
	for (int f = 0; f < N_FEATURES; f++) {
		row[f] = values[f];
		note_factor(
		        factors, n_factors,
		        (struct foresight_factor){
		                (enum feature)f, (double)values[f],
		                calibrate(foresight, classifier_ask(foresight->classifier, row)) - usual});
		row[f] = foresight->typical[f];
	}
}

double foresight_ask(const struct foresight *foresight, const float values[static N_FEATURES],
                     struct foresight_factor *factors, size_t n_factors) {
	if (factors != NULL)
		explain(foresight, values, factors, n_factors);
	return calibrate(foresight, classifier_ask(foresight->classifier, values));
}

// ---- on disk: a head, the names of the features, the steps, the classifier, a checksum of all that

#define MAGIC "LCFAIL1"

struct file_head {
	char magic[8];
	struct foresight_report report;
	float typical[N_FEATURES];
	uint32_t n_features, n_steps;
	uint64_t features; // checksum of their names
};

// FNV-1a, 64 bits (RFC 9923).
static uint64_t checksum(uint64_t sum, const void *data, size_t size) {
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum;
}

#define CHECKSUM_START 0xcbf29ce484222325

static uint64_t names_checksum(void) {
	uint64_t sum = CHECKSUM_START;

	for (int i = 0; i < N_FEATURES; i++)
		sum = checksum(sum, features[i].name, strlen(features[i].name) + 1);
	return sum;
}

int foresight_save(const struct foresight *foresight, struct bytes *ret) {
	struct file_head head;
	uint64_t sum;
	int rc;

	memset(&head, 0, sizeof(head));
	memcpy(head.magic, MAGIC, sizeof(MAGIC));
	head.report = foresight->report;
	memcpy(head.typical, foresight->typical, sizeof(head.typical));
	head.n_features = N_FEATURES;
	head.n_steps = foresight->n_steps;
	head.features = names_checksum();
	*ret = (struct bytes){0};
	if ((rc = bytes_append(ret, &head, sizeof(head))) < 0 ||
	    (rc = bytes_append(ret, foresight->steps, foresight->n_steps * sizeof(*foresight->steps))) < 0 ||
	    (rc = classifier_save(foresight->classifier, ret)) < 0) {
		bytes_fini(ret);
		return rc;
	}
	sum = checksum(CHECKSUM_START, ret->data, ret->size);
	if ((rc = bytes_append(ret, &sum, sizeof(sum))) < 0)
		bytes_fini(ret);
	return rc;
}

static int read_head(const struct bytes *bytes, struct file_head *ret) {
	uint64_t sum;

	if (bytes->size < sizeof(*ret) + sizeof(sum))
		return -EBADMSG;
	memcpy(&sum, bytes->data + bytes->size - sizeof(sum), sizeof(sum));
	if (sum != checksum(CHECKSUM_START, bytes->data, bytes->size - sizeof(sum)))
		return -EBADMSG;
	memcpy(ret, bytes->data, sizeof(*ret));
	if (memcmp(ret->magic, MAGIC, sizeof(MAGIC)) != 0)
		return -EBADMSG;
	if (ret->n_features != N_FEATURES || ret->features != names_checksum())
		return -ENOTSUP;
	if (ret->n_steps > (bytes->size - sizeof(*ret) - sizeof(sum)) / sizeof(struct step))
		return -EBADMSG;
	return 0;
}

// What is no number would pass each comparison that follows.
static bool is_sound(const struct file_head *head) {
	const struct foresight_report *report = &head->report;

	for (int f = 0; f < N_FEATURES; f++) {
		if (!isfinite(head->typical[f]))
			return false;
	}
	return isfinite(report->horizon_seconds) && report->horizon_seconds > 0 &&
	       report->from_ns <= report->to_ns &&
	       (isnan(report->brier) || (report->brier >= 0 && report->brier <= 1)) &&
	       (isnan(report->brier_climate) || (report->brier_climate >= 0 && report->brier_climate <= 1));
}

static int read_steps(struct foresight *foresight, const uint8_t *data, uint32_t n) {
	const struct step *steps;

	foresight->steps = calloc((size_t)n + 1, sizeof(*foresight->steps));
	if (foresight->steps == NULL)
		return -ENOMEM;
	foresight->n_steps = n;
	memcpy(foresight->steps, data, n * sizeof(*foresight->steps));
	steps = foresight->steps;
	for (uint32_t i = 0; i < n; i++) {
		if (!(steps[i].probability >= 0 && steps[i].probability <= 1) || isnan(steps[i].score) ||
		    (i > 0 && steps[i].score < steps[i - 1].score))
			return -EBADMSG;
	}
	return 0;
}

int foresight_load(const struct bytes *bytes, struct foresight **ret) {
	CLEANUP(foresight_freep) struct foresight *foresight = calloc(1, sizeof(*foresight));
	struct bytes body = {bytes->data, 0};
	struct file_head head;
	size_t at;
	int rc;

	if (foresight == NULL)
		return -ENOMEM;
	if ((rc = read_head(bytes, &head)) < 0)
		return rc;
	if (!is_sound(&head))
		return -EBADMSG;
	foresight->report = head.report;
	memcpy(foresight->typical, head.typical, sizeof(head.typical));
	if ((rc = read_steps(foresight, bytes->data + sizeof(head), head.n_steps)) < 0)
		return rc;
	body.size = bytes->size - sizeof(uint64_t);
	at = sizeof(head) + head.n_steps * sizeof(*foresight->steps);
	if ((rc = classifier_load(&body, &at, &foresight->classifier)) < 0)
		return rc;
	if (at != body.size || classifier_n_features(foresight->classifier) != N_FEATURES)
		return -EBADMSG;
	*ret = foresight;
	foresight = NULL;
	return 0;
}
