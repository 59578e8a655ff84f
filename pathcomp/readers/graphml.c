// Topologies in GraphML as the Topology Zoo has it: label, Longitude and Latitude of nodes, LinkSpeedRaw (bit/s)
// of edges. An edge is called by its id where it has one, else by its ends. Zoo maps have loops at places
// outside; they are left out with a warning. No entity is expanded and nothing is fetched. Only this file
// knows libxml2.
// SPDX-License-Identifier: MIT
#include "builder.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define BPS_PER_GBPS 1e9
#define NAME_SIZE    (2 * LIMIT_ID_SIZE + 8)

// Which <data key="..."> holds what, by the <key attr.name="..."> that declares it.
enum { LABEL, LONGITUDE, LATITUDE, SPEED, EDGE_ID, N_FACTS };

static const struct {
	const char *of, *name;
} facts[N_FACTS] = {
        [LABEL] = {"node", "label"},       [LONGITUDE] = {"node", "Longitude"},
        [LATITUDE] = {"node", "Latitude"}, [SPEED] = {"edge", "LinkSpeedRaw"},
        [EDGE_ID] = {"edge", "id"},
};

struct reading {
	struct builder builder;
	xmlChar *keys[N_FACTS];
	bool directed;
};

static void reading_fini(struct reading *reading) {
	for (int i = 0; i < N_FACTS; i++)
		xmlFree(reading->keys[i]);
	builder_fini(&reading->builder);
}

static void text_free(xmlChar **text) {
	xmlFree(*text);
}

static bool is_element(const xmlNode *node, const char *name) {
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static bool is_word(const xmlChar *text, const char *word) {
	return text != NULL && strcmp((const char *)text, word) == 0;
}

static xmlChar *attribute(xmlNode *node, const char *name) {
	return xmlGetNoNsProp(node, (const xmlChar *)name);
}

static void take_key(struct reading *reading, xmlNode *key) {
	CLEANUP(text_free) xmlChar *of = attribute(key, "for");
	CLEANUP(text_free) xmlChar *name = attribute(key, "attr.name");

	for (int i = 0; i < N_FACTS; i++) {
		if (reading->keys[i] == NULL && is_word(of, facts[i].of) && is_word(name, facts[i].name))
			reading->keys[i] = attribute(key, "id");
	}
}

// The caller frees it; NULL when the element doesn't tell.
static xmlChar *find_fact(const struct reading *reading, xmlNode *element, int fact) {
	for (xmlNode *at = element->children; at != NULL && reading->keys[fact] != NULL; at = at->next) {
		CLEANUP(text_free) xmlChar *key = is_element(at, "data") ? attribute(at, "key") : NULL;

		if (is_word(key, (const char *)reading->keys[fact]))
			return xmlNodeGetContent(at);
	}
	return NULL;
}

static int take_fact(struct reading *reading, xmlNode *element, int fact, double least, double most,
                     double *ret) {
	CLEANUP(text_free) xmlChar *text = find_fact(reading, element, fact);

	return builder_real(&reading->builder, facts[fact].name, (const char *)text, least, most, ret);
}

static int take_node(struct reading *reading, xmlNode *element) {
	CLEANUP(text_free) xmlChar *id = attribute(element, "id");
	CLEANUP(text_free) xmlChar *label = find_fact(reading, element, LABEL);
	struct node node;
	double x, y;
	int has_x, has_y;

	node_init(&node);
	if (id == NULL)
		return builder_defect(&reading->builder, "<node>: no id");
	has_x = take_fact(reading, element, LONGITUDE, -BUILDER_MAP_MAX, BUILDER_MAP_MAX, &x);
	if (has_x < 0)
		return has_x;
	has_y = take_fact(reading, element, LATITUDE, -BUILDER_MAP_MAX, BUILDER_MAP_MAX, &y);
	if (has_y < 0)
		return has_y;
	if (has_x == 0)
		SET(&node, node, x, x);
	if (has_y == 0)
		SET(&node, node, y, y);
	return builder_add_node(&reading->builder, (const char *)id,
	                        (const char *)(label != NULL && label[0] != '\0' ? label : id), node);
}

static void name_edge(const struct reading *reading, xmlNode *element, const xmlChar *source,
                      const xmlChar *target, char name[static NAME_SIZE]) {
	CLEANUP(text_free) xmlChar *own = attribute(element, "id");
	CLEANUP(text_free) xmlChar *fact = find_fact(reading, element, EDGE_ID);

	if (own != NULL && own[0] != '\0')
		snprintf(name, NAME_SIZE, "%s", (const char *)own);
	else if (fact != NULL && fact[0] != '\0')
		snprintf(name, NAME_SIZE, "%s", (const char *)fact);
	else
		snprintf(name, NAME_SIZE, "%.100s-%.100s", (const char *)source, (const char *)target);
}

static int take_edge(struct reading *reading, xmlNode *element) {
	CLEANUP(text_free) xmlChar *source = attribute(element, "source");
	CLEANUP(text_free) xmlChar *target = attribute(element, "target");
	CLEANUP(text_free) xmlChar *directed = attribute(element, "directed");
	char name[NAME_SIZE];
	struct link link;
	double bps;
	int rc;

	link_init(&link);
	if (source == NULL || target == NULL)
		return builder_defect(&reading->builder, "<edge>: no source or no target");
	if (xmlStrcmp(source, target) == 0) {
		builder_warn(&reading->builder, "left out: an edge from node '%.100s' to itself",
		             (const char *)source);
		return 0;
	}
	if ((rc = take_fact(reading, element, SPEED, 0, BUILDER_CAPACITY_MAX, &bps)) < 0)
		return rc;
	if (rc == 0 && bps > 0)
		SET(&link, link, total_capacity_gbps, bps / BPS_PER_GBPS);
	link.bidirectional = directed != NULL ? !is_word(directed, "true") : !reading->directed;
	name_edge(reading, element, source, target, name);
	return builder_add_link(&reading->builder, name, true, (const char *)source, (const char *)target,
	                        link);
}

// Edges may come before their nodes.
static int take_elements(struct reading *reading, xmlNode *graph, const char *name,
                         int (*take)(struct reading *, xmlNode *)) {
	int rc;

	for (xmlNode *at = graph->children; at != NULL; at = at->next) {
		if (!is_element(at, name))
			continue;
		reading->builder.line = (size_t)xmlGetLineNo(at);
		if ((rc = take(reading, at)) < 0)
			return rc;
	}
	return 0;
}

static int take_document(struct reading *reading, xmlDoc *document) {
	xmlNode *root = xmlDocGetRootElement(document), *graph = NULL;
	CLEANUP(text_free) xmlChar *edges = NULL;
	int rc;

	if (root == NULL || !is_element(root, "graphml"))
		return status_set(reading->builder.status, STATUS_INVALID_ARGUMENT, "%s: not GraphML",
		                  reading->builder.path);
	for (xmlNode *at = root->children; at != NULL; at = at->next) {
		if (is_element(at, "key"))
			take_key(reading, at);
		else if (is_element(at, "graph") && graph == NULL)
			graph = at;
	}
	if (graph == NULL)
		return status_set(reading->builder.status, STATUS_INVALID_ARGUMENT, "%s: no <graph>",
		                  reading->builder.path);
	edges = attribute(graph, "edgedefault");
	reading->directed = is_word(edges, "directed");
	if ((rc = take_elements(reading, graph, "node", take_node)) < 0)
		return rc;
	return take_elements(reading, graph, "edge", take_edge);
}

static int tell_broken(const char *path, const xmlParserCtxt *parser, struct status *status) {
	const xmlError *error = xmlCtxtGetLastError((void *)(uintptr_t)parser);
	char text[256] = "not XML";

	if (error != NULL && error->message != NULL)
		snprintf(text, sizeof(text), "%s", error->message);
	text[strcspn(text, "\n")] = '\0';
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s:%d: %s", path, error != NULL ? error->line : 1,
	                  text);
}

int reader_parse_graphml(const char *path, const char *text, size_t size,
                         const struct reader_options *options, struct topology *ret,
                         struct document **ret_document, struct status *status) {
	CLEANUP(reading_fini) struct reading reading = {0};
	xmlParserCtxt *parser;
	xmlDoc *document;
	int rc;

	if (size > INT_MAX)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: too large", path);
	if ((rc = builder_init(&reading.builder, path, options, status)) < 0)
		return rc;
	parser = xmlNewParserCtxt();
	if (parser == NULL)
		return -ENOMEM;
	document = xmlCtxtReadMemory(parser, text, (int)size, path, NULL,
	                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
	                                     XML_PARSE_BIG_LINES);
	rc = document == NULL ? tell_broken(path, parser, status) : take_document(&reading, document);
	xmlFreeDoc(document);
	xmlFreeParserCtxt(parser);
	if (rc < 0)
		return rc;
	reading.builder.line = 0;
	return builder_finish(&reading.builder, NULL, ret, ret_document);
}
