// Normal equations and their Cholesky solution by GSL. A sliver of ridge keeps them positive definite.
// SPDX-License-Identifier: MIT
#include "normal.h"

#include <errno.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// GSL's default is to abort; we look at return values.
static void quiet_gsl(void) {
	gsl_set_error_handler_off();
}

int normal_init(struct normal *normal, size_t n_columns) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, quiet_gsl);
	normal->n_columns = n_columns;
	normal->rows = 0;
	normal->products = calloc(n_columns * n_columns, sizeof(double));
	normal->targets = calloc(n_columns, sizeof(double));
	if (normal->products == NULL || normal->targets == NULL) {
		normal_fini(normal);
		return -ENOMEM;
	}
	return 0;
}

void normal_fini(struct normal *normal) {
	free(normal->products);
	free(normal->targets);
	normal->products = NULL;
	normal->targets = NULL;
}

void normal_add(struct normal *normal, const double *x, double y) {
	for (size_t i = 0; i < normal->n_columns; i++) {
		double *row = normal->products + i * normal->n_columns;

		for (size_t k = 0; k <= i; k++)
			row[k] += x[i] * x[k];
		normal->targets[i] += x[i] * y;
	}
	normal->rows++;
}

void normal_solve(const struct normal *normal, size_t n, double ridge, double *ret) {
	double square[NORMAL_MOST * NORMAL_MOST];
	gsl_matrix_view matrix = gsl_matrix_view_array(square, n, n);
	gsl_vector_view vector = gsl_vector_view_array(ret, n);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k <= i; k++)
			square[i * n + k] = normal->products[i * normal->n_columns + k];
		square[i * n + i] += normal->rows * (i == 0 ? 1e-12 : ridge + 1e-9);
		ret[i] = normal->targets[i];
	}
	if (normal->rows > 0 && gsl_linalg_cholesky_decomp1(&matrix.matrix) == GSL_SUCCESS &&
	    gsl_linalg_cholesky_svx(&matrix.matrix, &vector.vector) == GSL_SUCCESS)
		return;
	memset(ret, 0, n * sizeof(*ret));
}
