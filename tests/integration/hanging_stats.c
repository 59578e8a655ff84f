// Drivers that take their time, for tests: preloaded, it holds the sampler's calls of rte_eth_stats_get().
// Other threads' calls pass.
//   HANGING_STATS=FILE  a call hangs while the file is there
//   LINGERING_STATS=US  a call takes that long; a port that is gone by then was read while the host took it
//   away,
//                       and that ends the process
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct rte_eth_stats;

__attribute__((visibility("default"))) int rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats);

static void nap(long us) {
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void hang(void) {
	const char *trigger = getenv("HANGING_STATS");

	while (trigger != NULL && access(trigger, F_OK) == 0)
		nap(1000);
}

static void linger(uint16_t port) {
	const char *us = getenv("LINGERING_STATS");
	void *symbol = dlsym(RTLD_DEFAULT, "rte_eth_dev_is_valid_port");
	int (*is_valid)(uint16_t);

	if (us == NULL || symbol == NULL)
		return;
	memcpy(&is_valid, &symbol, sizeof(is_valid));
	nap(strtol(us, NULL, 10));
	if (is_valid(port))
		return;
	fprintf(stderr, "port %u was taken away while it was read\n", port);
	abort();
}

int rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats) {
	int (*real)(uint16_t, struct rte_eth_stats *);
	void *symbol = dlsym(RTLD_NEXT, "rte_eth_stats_get");
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	if (strcmp(name, "linkcast") == 0) {
		hang();
		linger(port);
	}
	if (symbol == NULL)
		return -1;
	memcpy(&real, &symbol, sizeof(real));
	return real(port, stats);
}
