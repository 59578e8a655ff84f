// librte_metrics, where the process has it and the application began it.
// SPDX-License-Identifier: MIT
#include "metrics.h"

#include <rte_metrics.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#pragma weak rte_metrics_get_names
#pragma weak rte_metrics_get_values

static int count(void) {
	int n;

	if (rte_metrics_get_names == NULL || rte_metrics_get_values == NULL)
		return 0;
	n = rte_metrics_get_names(NULL, 0);
	return n > 0 ? n : 0;
}

static int add_names(struct metrics *metrics, const struct rte_metric_name *names, size_t n,
                     struct columns *columns) {
	char name[RTE_METRICS_MAX_NAME_LEN + 1];
	int rc;

	for (size_t key = 0; key < n; key++) {
		memcpy(name, names[key].name, RTE_METRICS_MAX_NAME_LEN);
		name[RTE_METRICS_MAX_NAME_LEN] = '\0';
		if ((rc = columns_add(columns, name)) < 0)
			return rc;
		if (rc == 0)
			metrics->keys[metrics->n++] = (uint16_t)key;
	}
	return 0;
}

int metrics_load(struct metrics *metrics, struct columns *columns) {
	CLEANUP(freep) struct rte_metric_name *names = NULL;
	int n = count();

	metrics_fini(metrics);
	if (n == 0)
		return -ENOTSUP;
	names = calloc((size_t)n, sizeof(*names));
	metrics->keys = calloc((size_t)n, sizeof(*metrics->keys));
	metrics->values = calloc((size_t)n, sizeof(*metrics->values));
	if (names == NULL || metrics->keys == NULL || metrics->values == NULL)
		return -ENOMEM;
	if (rte_metrics_get_names(names, (uint16_t)n) < n)
		return -ENOTSUP;
	metrics->n_known = n;
	return add_names(metrics, names, (size_t)n, columns);
}

void metrics_fini(struct metrics *metrics) {
	free(metrics->keys);
	free(metrics->values);
	memset(metrics, 0, sizeof(*metrics));
}

bool metrics_have_changed(const struct metrics *metrics) {
	return count() != metrics->n_known;
}

// Values of keys that are not told stay as they are.
static void take_values(const struct metrics *metrics, int port, struct rte_metric_value *scratch,
                        uint64_t *by_key) {
	int n = rte_metrics_get_values(port, scratch, (uint16_t)metrics->n_known);

	for (int i = 0; i < n && i < metrics->n_known; i++) {
		if (scratch[i].key < metrics->n_known && scratch[i].value != 0)
			by_key[scratch[i].key] = scratch[i].value;
	}
}

static void refresh(struct metrics *metrics, uint16_t port) {
	CLEANUP(freep) struct rte_metric_value *scratch = calloc((size_t)metrics->n_known, sizeof(*scratch));
	CLEANUP(freep) uint64_t *by_key = calloc((size_t)metrics->n_known, sizeof(*by_key));

	if (scratch == NULL || by_key == NULL)
		return; // the values before have to do
	take_values(metrics, RTE_METRICS_GLOBAL, scratch, by_key);
	take_values(metrics, port, scratch, by_key);
	for (size_t i = 0; i < metrics->n; i++)
		metrics->values[i] = by_key[metrics->keys[i]];
}

void metrics_read(struct metrics *metrics, uint16_t port, int64_t now_ns, uint64_t *ret) {
	if (metrics->n == 0)
		return;
	if (metrics->read_ns == 0 || now_ns - metrics->read_ns >= METRICS_INTERVAL_NS) {
		refresh(metrics, port);
		metrics->read_ns = now_ns;
	}
	memcpy(ret, metrics->values, metrics->n * sizeof(*ret));
}
