// Finding features.
// SPDX-License-Identifier: MIT
#include "matrix.h"

#include <string.h>

size_t matrix_features(const struct matrix *matrix) {
	size_t n = 0;

	for (size_t g = 0; g < matrix->n_groups; g++)
		n += matrix->groups[g].n_features;
	return n;
}

const uint8_t *matrix_column(const struct matrix *matrix, size_t feature, size_t *ret_stride) {
	const struct feature_group *group = matrix->groups;

	while (feature >= group->n_features) {
		feature -= group->n_features;
		group++;
	}
	*ret_stride = group->stride;
	return group->bytes + feature;
}

void matrix_row(const struct matrix *matrix, size_t row, uint8_t *ret) {
	for (size_t g = 0; g < matrix->n_groups; g++) {
		const struct feature_group *group = &matrix->groups[g];

		memcpy(ret, group->bytes + row * group->stride, group->n_features);
		ret += group->n_features;
	}
}
