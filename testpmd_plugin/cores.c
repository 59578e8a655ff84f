// Which CPUs the plugin may use. Only this file knows EAL's lcores.
// SPDX-License-Identifier: MIT
#include "cores.h"

#include "message.h"

#include <rte_lcore.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

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

// ---- what EAL's lcores do

struct lcore_list {
	struct lcore lcores[RTE_MAX_LCORE];
	struct lcore_cycles cycles[RTE_MAX_LCORE]; // at the look before
};

static _Atomic lcore_usage_fn host_usage;

void cores_set_usage(lcore_usage_fn usage) {
	atomic_store(&host_usage, usage);
}

int lcore_list_new(struct lcore_list **ret) {
	struct lcore_list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	*ret = list;
	return 0;
}

void lcore_list_free(struct lcore_list *list) {
	free(list);
}

static enum lcore_roles role_of(unsigned int lcore, enum rte_lcore_role_t role) {
	if (role == ROLE_SERVICE)
		return LCORE_ROLE_SERVICE;
	if (role == ROLE_NON_EAL)
		return LCORE_ROLE_NON_EAL;
	return rte_get_main_lcore != NULL && lcore == rte_get_main_lcore() ? LCORE_ROLE_MAIN
	                                                                   : LCORE_ROLE_WORKER;
}

// Counters that went back were reset: nothing can be told until the next look.
static void take_busy(unsigned int lcore, struct lcore_cycles *before, struct lcore *ret) {
	lcore_usage_fn usage = atomic_load(&host_usage);
	struct lcore_cycles now = {0};

	if (usage == NULL || usage(lcore, &now) != 0)
		return;
	if (before->total > 0 && now.total > before->total && now.busy >= before->busy &&
	    now.busy - before->busy <= now.total - before->total)
		SET(ret, lcore, busy,
		    (double)(now.busy - before->busy) / (double)(now.total - before->total));
	*before = now;
}

struct lcore *lcore_list_look(struct lcore_list *list, size_t *ret_n) {
	size_t n = 0;

	for (unsigned int id = 0; rte_eal_lcore_role != NULL && id < RTE_MAX_LCORE; id++) {
		enum rte_lcore_role_t role = rte_eal_lcore_role(id);
		struct lcore *lcore = &list->lcores[n];

		if (role == ROLE_OFF)
			continue;
		lcore_init(lcore);
		lcore->lcore = id;
		lcore->role = (int)role_of(id, role);
		take_busy(id, &list->cycles[id], lcore);
		n++;
	}
	*ret_n = n;
	return list->lcores;
}
