// The shared-risk groups of a topology: their names sorted, and the links of each.
// SPDX-License-Identifier: MIT
#include "graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t count_memberships(const struct topology *topology) {
	size_t n = 0;

	for (size_t i = 0; i < topology->n_links; i++)
		n += topology->links[i].n_srlg;
	return n;
}

static void sort_names(struct srlgs *srlgs, const struct topology *topology, size_t n_memberships) {
	size_t n = 0;

	for (size_t i = 0; i < topology->n_links; i++) {
		for (size_t j = 0; j < topology->links[i].n_srlg; j++)
			srlgs->names[n++] = topology->links[i].srlg[j];
	}
	qsort(srlgs->names, n_memberships, sizeof(*srlgs->names), compare_names);
	for (size_t i = 0; i < n_memberships; i++) {
		if (srlgs->n == 0 || strcmp(srlgs->names[srlgs->n - 1], srlgs->names[i]) != 0)
			srlgs->names[srlgs->n++] = srlgs->names[i];
	}
}

static uint32_t number_of(const struct srlgs *srlgs, const char *name) {
	const char **found = bsearch(&name, srlgs->names, srlgs->n, sizeof(*srlgs->names), compare_names);

	return (uint32_t)(found - srlgs->names);
}

static void fill_links(struct srlgs *srlgs, const struct topology *topology) {
	uint32_t n = 0;

	for (uint32_t i = 0; i < topology->n_links; i++) {
		srlgs->of_link[i] = n;
		for (size_t j = 0; j < topology->links[i].n_srlg; j++)
			srlgs->groups[n++] = number_of(srlgs, topology->links[i].srlg[j]);
	}
	srlgs->of_link[topology->n_links] = n;
}

// Counting sort of the memberships by group.
static void fill_groups(struct srlgs *srlgs, const struct topology *topology, uint32_t *next) {
	uint32_t n_links = (uint32_t)topology->n_links;

	for (uint32_t i = 0; i < srlgs->of_link[n_links]; i++)
		srlgs->of_group[srlgs->groups[i] + 1]++;
	for (uint32_t group = 0; group < srlgs->n; group++)
		srlgs->of_group[group + 1] += srlgs->of_group[group];
	memcpy(next, srlgs->of_group, srlgs->n * sizeof(*next));
	for (uint32_t link = 0; link < n_links; link++) {
		for (uint32_t i = srlgs->of_link[link]; i < srlgs->of_link[link + 1]; i++)
			srlgs->links[next[srlgs->groups[i]]++] = link;
	}
}

int srlgs_new(const struct topology *topology, struct srlgs **ret) {
	size_t n_memberships = count_memberships(topology);
	CLEANUP(freep) uint32_t *next = NULL;
	struct srlgs *srlgs;

	if (n_memberships == 0)
		return 0;
	if (n_memberships >= UINT32_MAX)
		return -E2BIG;
	srlgs = calloc(1, sizeof(*srlgs));
	if (srlgs == NULL)
		return -ENOMEM;
	srlgs->names = malloc(n_memberships * sizeof(*srlgs->names));
	srlgs->of_link = calloc(topology->n_links + 1, sizeof(*srlgs->of_link));
	srlgs->groups = calloc(n_memberships, sizeof(*srlgs->groups));
	srlgs->links = malloc(n_memberships * sizeof(*srlgs->links));
	srlgs->of_group = calloc(n_memberships + 1, sizeof(*srlgs->of_group));
	next = malloc(n_memberships * sizeof(*next));
	if (srlgs->names == NULL || srlgs->of_link == NULL || srlgs->groups == NULL || srlgs->links == NULL ||
	    srlgs->of_group == NULL || next == NULL) {
		srlgs_free(srlgs);
		return -ENOMEM;
	}
	sort_names(srlgs, topology, n_memberships);
	fill_links(srlgs, topology);
	fill_groups(srlgs, topology, next);
	*ret = srlgs;
	return 0;
}

void srlgs_free(struct srlgs *srlgs) {
	if (srlgs == NULL)
		return;
	free(srlgs->names);
	free(srlgs->of_link);
	free(srlgs->groups);
	free(srlgs->of_group);
	free(srlgs->links);
	free(srlgs);
}
