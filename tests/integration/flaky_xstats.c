// A driver that changes its mind, for tests: preloaded, the last of a port's extended statistics comes and goes every
// few calls, and an id that is away is refused, as drivers do.
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CALLS_A_CHANGE 50

struct rte_eth_xstat_name;

__attribute__((visibility("default"))) int
rte_eth_xstats_get_names(uint16_t port, struct rte_eth_xstat_name *names, unsigned int size);
__attribute__((visibility("default"))) int rte_eth_xstats_get_by_id(uint16_t port, const uint64_t *ids,
                                                                    uint64_t *values, unsigned int size);

static _Atomic unsigned int calls;

static int is_away(void) {
	return atomic_fetch_add(&calls, 1) / CALLS_A_CHANGE % 2 != 0;
}

int rte_eth_xstats_get_names(uint16_t port, struct rte_eth_xstat_name *names, unsigned int size) {
	void *symbol = dlsym(RTLD_NEXT, "rte_eth_xstats_get_names");
	int (*real)(uint16_t, struct rte_eth_xstat_name *, unsigned int);
	int n;

	if (symbol == NULL)
		return -1;
	memcpy(&real, &symbol, sizeof(real));
	n = real(port, NULL, 0);
	if (n <= 0)
		return n;
	if (names != NULL && size >= (unsigned int)n)
		n = real(port, names, size);
	return n - is_away();
}

int rte_eth_xstats_get_by_id(uint16_t port, const uint64_t *ids, uint64_t *values, unsigned int size) {
	void *symbol = dlsym(RTLD_NEXT, "rte_eth_xstats_get_by_id");
	int (*real)(uint16_t, const uint64_t *, uint64_t *, unsigned int);
	int (*count)(uint16_t, struct rte_eth_xstat_name *, unsigned int);
	void *names = dlsym(RTLD_NEXT, "rte_eth_xstats_get_names");
	int n;

	if (symbol == NULL || names == NULL)
		return -1;
	memcpy(&real, &symbol, sizeof(real));
	memcpy(&count, &names, sizeof(count));
	n = count(port, NULL, 0) - is_away();
	for (unsigned int i = 0; ids != NULL && i < size; i++) {
		if (ids[i] >= (uint64_t)(n > 0 ? n : 0))
			return -1;
	}
	return real(port, ids, values, size);
}
