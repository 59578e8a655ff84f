// Which CPUs the plugin may use. Only this file knows EAL's lcores.
// SPDX-License-Identifier: MIT
#include "cores.h"

#include <rte_lcore.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

#pragma weak rte_eal_lcore_role
#pragma weak rte_lcore_cpuset
#pragma weak rte_get_main_lcore

static cpu_set_t process_cpus;

void cores_remember(void) {
	if (sched_getaffinity(0, sizeof(process_cpus), &process_cpus) < 0)
		CPU_ZERO(&process_cpus);
}

// Removes from 'cpus' what EAL's lcores run on.
static void remove_lcores(cpu_set_t *cpus, bool workers_only) {
	for (unsigned int lcore = 0; lcore < RTE_MAX_LCORE; lcore++) {
		cpu_set_t taken;

		if (rte_eal_lcore_role(lcore) == ROLE_OFF || (workers_only && lcore == rte_get_main_lcore()))
			continue;
		taken = rte_lcore_cpuset(lcore);
		CPU_AND(&taken, &taken, cpus);
		CPU_XOR(cpus, cpus, &taken);
	}
}

static cpu_set_t allowed_cpus(void) {
	cpu_set_t cpus = process_cpus;

	if (rte_eal_lcore_role == NULL || rte_lcore_cpuset == NULL || rte_get_main_lcore == NULL)
		return cpus;
	remove_lcores(&cpus, false);
	if (CPU_COUNT(&cpus) > 0)
		return cpus;
	cpus = process_cpus;
	remove_lcores(&cpus, true);
	if (CPU_COUNT(&cpus) > 0)
		return cpus;
	return rte_lcore_cpuset(rte_get_main_lcore());
}

int cores_thread_create(const char *name, void *(*run)(void *), void *context, pthread_t *ret) {
	cpu_set_t cpus = allowed_cpus();
	pthread_attr_t attributes;
	sigset_t all;
	int rc;

	sigfillset(&all);
	if ((rc = pthread_attr_init(&attributes)) != 0)
		return -rc;
	rc = pthread_attr_setsigmask_np(&attributes, &all);
	if (rc == 0 && CPU_COUNT(&cpus) > 0)
		rc = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	if (rc == 0)
		rc = pthread_create(ret, &attributes, run, context);
	pthread_attr_destroy(&attributes);
	if (rc == 0)
		pthread_setname_np(*ret, name);
	return -rc;
}
