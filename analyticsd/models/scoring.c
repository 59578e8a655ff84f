// Sums of errors.
// SPDX-License-Identifier: MIT
#include "scoring.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <string.h>

const double scoring_probabilities[SCORING_QUANTILES] = {0.005, 0.025, 0.05, 0.1,   0.25, 0.5,
                                                         0.75,  0.9,   0.95, 0.975, 0.995};

static double pinball(double away, double probability) {
	return away >= 0 ? probability * away : (probability - 1) * away;
}

void scoring_add(struct scoring *scoring, double predicted, double truth, const double *residuals) {
	double error = truth - predicted, size = fabs(truth) + fabs(predicted), sum = 0;

	scoring->n++;
	scoring->absolute += fabs(error);
	scoring->squares += error * error;
	scoring->relative += size > 0 ? 2 * fabs(error) / size : 0;
	if (residuals == NULL)
		return;
	for (int q = 0; q < SCORING_QUANTILES; q++)
		sum += pinball(error - residuals[q], scoring_probabilities[q]);
	scoring->pinball += sum / SCORING_QUANTILES;
	scoring->covered += error >= residuals[SCORING_LOWER] && error <= residuals[SCORING_UPPER];
}

struct score scoring_end(const struct scoring *scoring, double unit) {
	double n = (double)scoring->n;
	struct score score = {.n = scoring->n};

	if (scoring->n == 0)
		return score;
	score.mae = scoring->absolute / n;
	score.rmse = sqrt(scoring->squares / n);
	score.mase = unit > 0 ? score.mae / unit : 0;
	score.smape = scoring->relative / n;
	score.pinball = scoring->pinball / n;
	score.coverage = (double)scoring->covered / n;
	return score;
}

void scoring_quantiles(double *residuals, size_t n, double ret[static SCORING_QUANTILES]) {
	memset(ret, 0, SCORING_QUANTILES * sizeof(*ret));
	if (n == 0)
		return;
	gsl_sort(residuals, 1, n);
	for (int q = 0; q < SCORING_QUANTILES; q++) {
		double p = scoring_probabilities[q];
		double rank = p > 0.5   ? ceil(p * (double)(n + 1)) - 1
		              : p < 0.5 ? floor(p * (double)(n + 1)) - 1
		                        : 0.5 * (double)(n - 1);

		ret[q] = residuals[(size_t)fmin(fmax(rank, 0), (double)(n - 1))];
	}
}

bool scoring_is_unlikely(size_t n_outside, size_t n) {
	return n_outside > 0 && gsl_cdf_binomial_Q((unsigned)(n_outside - 1), 0.05, (unsigned)n) < 1e-6;
}
