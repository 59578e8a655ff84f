// The topology with the answer in it: links of the first path in one colour, of further paths in another, of
// the cut in a third.
// SPDX-License-Identifier: MIT
#include "draw.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SVG_WIDTH  1000.0
#define SVG_MARGIN 40.0

enum role { BESIDE, FIRST, FURTHER, CUT, N_ROLES };

static const struct {
	const char *colour;
	double width;
} looks[N_ROLES] = {
        [BESIDE] = {"#b0b0b0", 1},
        [FIRST] = {"#1a6fc4", 4},
        [FURTHER] = {"#2a9d55", 4},
        [CUT] = {"#c8322b", 3},
};

// What each link is in the answer. The caller frees it.
static uint8_t *find_roles(const struct answer *answer) {
	uint8_t *roles = calloc(answer->snapshot->topology.topology.n_links + 1, 1);

	if (roles == NULL)
		return NULL;
	for (size_t i = answer->paths.n; i-- > 0;) {
		const struct pathcomp_path *path = &answer->paths.list[i];

		for (size_t j = 0; j < path->n_arcs; j++)
			roles[pathcomp_arc_link(path->arcs[j])] = i == 0 ? FIRST : FURTHER;
	}
	for (size_t i = 0; i < answer->block.n_cut; i++)
		roles[pathcomp_arc_link(answer->block.cut[i])] = CUT;
	return roles;
}

static bool is_end(const struct answer *answer, const char *node) {
	return strcmp(node, answer->query->from) == 0 || strcmp(node, answer->query->to) == 0;
}

// ---- Graphviz

static void put_quoted(const char *text, FILE *file) {
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

int draw_dot(const struct answer *answer, FILE *file) {
	const struct topology *topology = &answer->snapshot->topology.topology;
	CLEANUP(freep) uint8_t *roles = find_roles(answer);

	if (roles == NULL)
		return -ENOMEM;
	fputs("digraph ", file);
	put_quoted(topology->topology_id, file);
	fputs(" {\n\tnode [shape=box];\n", file);
	for (size_t i = 0; i < topology->n_nodes; i++) {
		const struct node *node = &topology->nodes[i];

		fputc('\t', file);
		put_quoted(node->id, file);
		fprintf(file, " [penwidth=%d", is_end(answer, node->id) ? 3 : 1);
		if (HAS(node, node, x) && HAS(node, node, y))
			fprintf(file, ", pos=\"%.9g,%.9g\"", node->x, node->y);
		fputs("];\n", file);
	}
	for (size_t i = 0; i < topology->n_links; i++) {
		const struct link *link = &topology->links[i];

		fputc('\t', file);
		put_quoted(link->a, file);
		fputs(" -> ", file);
		put_quoted(link->z, file);
		fputs(" [label=", file);
		put_quoted(link->id, file);
		fprintf(file, ", color=\"%s\", penwidth=%g%s];\n", looks[roles[i]].colour,
		        looks[roles[i]].width, link->bidirectional ? ", dir=none" : "");
	}
	fputs("}\n", file);
	return 0;
}

// ---- SVG

struct map {
	double left, right, bottom, top;
	double scale;
};

static bool has_place(const struct node *node) {
	return HAS(node, node, x) && HAS(node, node, y);
}

// Returns false when no node has a place.
static bool map_init(struct map *map, const struct topology *topology) {
	double extent;

	*map = (struct map){INFINITY, -INFINITY, INFINITY, -INFINITY, 0};
	for (size_t i = 0; i < topology->n_nodes; i++) {
		const struct node *node = &topology->nodes[i];

		if (!has_place(node))
			continue;
		map->left = fmin(map->left, node->x);
		map->right = fmax(map->right, node->x);
		map->bottom = fmin(map->bottom, node->y);
		map->top = fmax(map->top, node->y);
	}
	extent = fmax(map->right - map->left, map->top - map->bottom);
	map->scale = extent > 0 ? (SVG_WIDTH - 2 * SVG_MARGIN) / extent : 1;
	return map->left <= map->right;
}

static double map_x(const struct map *map, const struct node *node) {
	return SVG_MARGIN + (node->x - map->left) * map->scale;
}

static double map_y(const struct map *map, const struct node *node) {
	return SVG_MARGIN + (map->top - node->y) * map->scale;
}

static void put_escaped(const char *text, FILE *file) {
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '&':
			fputs("&amp;", file);
			break;
		default:
			fputc(*text, file);
		}
	}
}

static const struct node *node_at(const struct answer *answer, const char *id) {
	uint32_t number = 0;

	(void)pathcomp_graph_find_node(answer->snapshot->graph, id, &number);
	return &answer->snapshot->topology.topology
	                .nodes[pathcomp_graph_node_index(answer->snapshot->graph, number)];
}

// Links of one role, so that those of the answer lie above the others.
static void draw_links(const struct answer *answer, const struct map *map, const uint8_t *roles,
                       enum role role, FILE *file) {
	const struct topology *topology = &answer->snapshot->topology.topology;

	for (size_t i = 0; i < topology->n_links; i++) {
		const struct node *a, *z;

		if (roles[i] != role)
			continue;
		a = node_at(answer, topology->links[i].a);
		z = node_at(answer, topology->links[i].z);
		if (!has_place(a) || !has_place(z))
			continue;
		fprintf(file,
		        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
		        "stroke-width=\"%g\"><title>",
		        map_x(map, a), map_y(map, a), map_x(map, z), map_y(map, z), looks[role].colour,
		        looks[role].width);
		put_escaped(topology->links[i].id, file);
		fputs("</title></line>\n", file);
	}
}

static void draw_node(const struct answer *answer, const struct map *map, const struct node *node,
                      FILE *file) {
	fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"#303030\"/>\n", map_x(map, node),
	        map_y(map, node), is_end(answer, node->id) ? 7 : 3);
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" font-family=\"sans-serif\" font-size=\"12\">",
	        map_x(map, node) + 8, map_y(map, node) - 6);
	put_escaped(node->id, file);
	fputs("</text>\n", file);
}

int draw_svg(const struct answer *answer, FILE *file, struct status *status) {
	const struct topology *topology = &answer->snapshot->topology.topology;
	CLEANUP(freep) uint8_t *roles = find_roles(answer);
	struct map map;
	double height;

	if (roles == NULL)
		return -ENOMEM;
	if (!map_init(&map, topology))
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "--svg: no node of topology '%s' has x and y", topology->topology_id);
	height = (map.top - map.bottom) * map.scale + 2 * SVG_MARGIN;
	fprintf(file,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\">\n"
	        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
	        SVG_WIDTH, height);
	for (int role = 0; role < N_ROLES; role++)
		draw_links(answer, &map, roles, (enum role)role, file);
	for (size_t i = 0; i < topology->n_nodes; i++) {
		if (has_place(&topology->nodes[i]))
			draw_node(answer, &map, &topology->nodes[i], file);
	}
	fputs("</svg>\n", file);
	return 0;
}
