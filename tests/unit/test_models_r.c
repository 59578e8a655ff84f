// Models beside R 4.2 (forecast 8.20) on R's own series `lh` (luteinizing hormone, 48 values; P. Diggle, Time Series: A
// Biostatistical Introduction, 1990). Above each number stands the command that made it; `x` is as.numeric(lh).
// SPDX-License-Identifier: MIT
#include "model.h"

#include "autoregress.h"
#include "conformal.h"
#include "normal.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 48 };

static double lh[N] = {2.4, 2.4, 2.4, 2.2, 2.1, 1.5, 2.3, 2.3, 2.5, 2.0, 1.9, 1.7, 2.2, 1.8, 3.2, 3.2,
                       2.7, 2.2, 2.2, 1.9, 1.9, 1.8, 2.7, 3.0, 2.3, 2.0, 2.0, 2.9, 2.9, 2.7, 2.7, 2.3,
                       2.6, 2.4, 1.8, 1.7, 1.5, 1.4, 2.1, 3.3, 3.5, 3.5, 3.1, 2.6, 2.1, 3.4, 3.0, 2.9};
static bool known[N];

static void run(const struct model *model, struct season season, size_t ahead, double *ret) {
	struct past past = {
	        .values = lh, .calm = lh, .known = known, .n = N, .n_known = N, .scale = 1, .thin = 1};
	void *fit;

	for (size_t t = 0; t < N; t++)
		known[t] = true;
	past.season = season;
	cr_assert_eq(model->create(model, &past, &fit), 0);
	cr_assert_eq(model->update(fit, &past, N), 0);
	model->predict(fit, &past, ahead, ret);
	model->destroy(fit);
}

// naive(x, h = 3)$mean
Test(models_r, last_is_naive) {
	double path[3];

	run(&model_last, (struct season){0}, 3, path);
	for (int h = 0; h < 3; h++)
		cr_assert_float_eq(path[h], 2.9, 1e-12);
}

// rwf(x, h = 3, drift = TRUE)$mean
Test(models_r, drift_is_a_random_walk_with_drift) {
	static const double expected[] = {2.9106382979, 2.9212765957, 2.9319148936};
	double path[3];

	run(&model_drift, (struct season){0}, 3, path);
	for (int h = 0; h < 3; h++)
		cr_assert_float_eq(path[h], expected[h], 1e-9);
}

// snaive(ts(x, frequency = 12), h = 13)$mean
Test(models_r, seasonal_is_seasonal_naive) {
	static const double expected[] = {1.5, 1.4, 2.1, 3.3, 3.5, 3.5, 3.1, 2.6, 2.1, 3.4, 3.0, 2.9, 1.5};
	double path[13];

	run(&model_seasonal, (struct season){.found = 12}, 13, path);
	for (int h = 0; h < 13; h++)
		cr_assert_float_eq(path[h], expected[h], 1e-12, "step %d", h);
}

// for (a in c(.02, .08, .25, .5, .85)) { h <- HoltWinters(x, alpha = a, beta = FALSE, gamma = FALSE, l.start = x[1])
//   print(c(h$coefficients["a"], sum(abs(residuals(h))))) }
Test(models_r, ets_without_trend_is_simple_smoothing_at_the_best_rate) {
	double path[2];

	run(&model_ets, (struct season){0}, 2, path);
	cr_assert_float_eq(path[0], 2.9199080487, 1e-9, "%.10f", path[0]);
	cr_assert_float_eq(path[1], 2.9199080487, 1e-9);
}

// t <- 0:47; coef(lm(x ~ cos(2*pi*t/12) + sin(2*pi*t/12)))
Test(models_r, least_squares_is_lm) {
	static const double expected[] = {2.4, -0.1799438895, 0.1511858737};
	struct normal normal;
	double coefficients[3];

	cr_assert_eq(normal_init(&normal, 3), 0);
	for (int t = 0; t < N; t++)
		normal_add(&normal, (double[]){1, cos(2 * M_PI * t / 12), sin(2 * M_PI * t / 12)}, lh[t]);
	normal_solve(&normal, 3, 0, coefficients);
	for (int i = 0; i < 3; i++)
		cr_assert_float_eq(coefficients[i], expected[i], 1e-6);
	normal_fini(&normal);
}

// y <- embed(x, 13); coef(lm(y[, 1] ~ y[, 2:3])); mean(y[, 2:13])
Test(models_r, autoregression_is_lm_on_the_lags_about_their_mean) {
	static const double expected[] = {0.720410, -0.262592};
	struct autoregress ar;
	double path[2];

	cr_assert_eq(autoregress_init(&ar), 0);
	for (int t = AUTOREGRESS_ORDER; t < N; t++)
		autoregress_add(&ar, &lh[t]);
	autoregress_solve(&ar);
	cr_assert_float_eq(ar.coefficients[1], expected[0], 1e-3, "%g", ar.coefficients[1]);
	cr_assert_float_eq(ar.coefficients[2], expected[1], 1e-3, "%g", ar.coefficients[2]);
	for (int lag = 3; lag <= AUTOREGRESS_ORDER; lag++)
		cr_assert_float_eq(ar.coefficients[lag], 0, 0, "Akaike's criterion wants two");
	cr_assert_float_eq(ar.coefficients[0], 2.336806 * (1 - expected[0] - expected[1]), 2e-3);
	autoregress_predict(&ar, &lh[N - AUTOREGRESS_ORDER], 2, path);
	cr_assert_float_eq(path[0],
	                   2.336806 + expected[0] * (2.9 - 2.336806) + expected[1] * (3.0 - 2.336806), 2e-3);
	autoregress_fini(&ar);
}

// quantile(x, c(.5, .9), type = 1); with windows without end the next one's rank is no higher
Test(models_r, conformal_quantile_is_the_quantile_at_the_next_rank) {
	struct conformal_errors errors = {.values = lh, .n = N, .independent = 1e9};
	double quantile;

	cr_assert_eq(conformal_quantile(&errors, NULL, 0.5, &quantile), 0);
	cr_assert_float_eq(quantile, 2.3, 1e-12);
	cr_assert_eq(conformal_quantile(&errors, NULL, 0.9, &quantile), 0);
	cr_assert_float_eq(quantile, 3.2, 1e-12);
}

// e <- x[1:6] - 2; mean(e) + qt(.95, 5) * sd(e) * sqrt(6 / 5 * (1 + 1 / 6))
Test(models_r, few_errors_get_students_tail) {
	double errors_of_six[6], quantile;
	struct conformal_errors errors = {.values = errors_of_six, .n = 6, .independent = 6};

	for (int i = 0; i < 6; i++)
		errors_of_six[i] = lh[i] - 2;
	cr_assert_eq(conformal_quantile(&errors, NULL, 0.95, &quantile), 0);
	cr_assert_float_eq(quantile, 1.0017172353, 1e-9, "%.10f", quantile);
}
