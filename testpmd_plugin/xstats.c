// Extended statistics by id: the names, which are long, are asked for once, and the values by their numbers.
// SPDX-License-Identifier: MIT
#include "xstats.h"

#include <rte_ethdev.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#pragma weak rte_eth_xstats_get_names
#pragma weak rte_eth_xstats_get_by_id

static int count(uint16_t port) {
	if (rte_eth_xstats_get_names == NULL || rte_eth_xstats_get_by_id == NULL)
		return -ENOTSUP;
	return rte_eth_xstats_get_names(port, NULL, 0);
}

static int add_names(struct xstats *xstats, const struct rte_eth_xstat_name *names, size_t n,
                     struct columns *columns) {
	char name[RTE_ETH_XSTATS_NAME_SIZE + 1];
	int rc;

	for (size_t id = 0; id < n; id++) {
		memcpy(name, names[id].name, RTE_ETH_XSTATS_NAME_SIZE);
		name[RTE_ETH_XSTATS_NAME_SIZE] = '\0';
		if ((rc = columns_add(columns, name)) < 0)
			return rc;
		if (rc == 0)
			xstats->ids[xstats->n++] = id;
	}
	return 0;
}

int xstats_load(struct xstats *xstats, uint16_t port, struct columns *columns) {
	CLEANUP(freep) struct rte_eth_xstat_name *names = NULL;
	int n = count(port);

	xstats_fini(xstats);
	if (n <= 0)
		return -ENOTSUP;
	names = calloc((size_t)n, sizeof(*names));
	xstats->ids = calloc((size_t)n, sizeof(*xstats->ids));
	if (names == NULL || xstats->ids == NULL)
		return -ENOMEM;
	if (rte_eth_xstats_get_names(port, names, (unsigned int)n) != n)
		return -EAGAIN;
	xstats->n_driver = n;
	return add_names(xstats, names, (size_t)n, columns);
}

void xstats_fini(struct xstats *xstats) {
	free(xstats->ids);
	memset(xstats, 0, sizeof(*xstats));
}

bool xstats_have_changed(const struct xstats *xstats, uint16_t port) {
	int n = count(port);

	return (n > 0 ? n : 0) != xstats->n_driver;
}

int xstats_read(const struct xstats *xstats, uint16_t port, uint64_t *ret) {
	if (xstats->n == 0)
		return 0;
	if (rte_eth_xstats_get_by_id(port, xstats->ids, ret, (unsigned int)xstats->n) != (int)xstats->n)
		return -EAGAIN;
	return 0;
}
