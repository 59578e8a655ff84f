// A driver whose stats call hangs, for tests: preloaded, it holds the sampler's calls of rte_eth_stats_get()
// while the file named by $HANGING_STATS is there. Other threads' calls pass. SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct rte_eth_stats;

__attribute__((visibility("default"))) int rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats);

int rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats) {
	const struct timespec nap = {.tv_nsec = 1000000};
	const char *trigger = getenv("HANGING_STATS");
	int (*real)(uint16_t, struct rte_eth_stats *);
	void *symbol = dlsym(RTLD_NEXT, "rte_eth_stats_get");
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	while (trigger != NULL && strcmp(name, "linkcast") == 0 && access(trigger, F_OK) == 0)
		nanosleep(&nap, NULL);
	if (symbol == NULL)
		return -1;
	memcpy(&real, &symbol, sizeof(real));
	return real(port, stats);
}
