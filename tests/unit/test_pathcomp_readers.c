// Topology files: what they become, and what is said of those that are wrong. Files live in memory.
// SPDX-License-Identifier: MIT
#include "reader.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NODES "id,name,x,y\n0,\"A\",1.5,-2\n1,\"B\",3,4\n2,\"C\",,\n"
#define LINKS "id,src,dst,directed,capacity,cost,latency_us\n"

struct reading {
	struct topology topology;
	struct document *document;
	struct status status;
	char warning[STATUS_MESSAGE_SIZE];
	int n_warnings;
};

static int memory_file(const char *text, char path[static 32]) {
	int fd = memfd_create("topology", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void warn(void *context, const char *text) {
	struct reading *reading = context;

	reading->n_warnings++;
	snprintf(reading->warning, sizeof(reading->warning), "%s", text);
}

static int read_csv(struct reading *reading, const char *nodes, const char *links, double scale) {
	const struct reader_options options = {.capacity_scale = scale, .warn = warn, .context = reading};
	char nodes_path[32], links_path[32];
	int nodes_fd = memory_file(nodes, nodes_path), links_fd = memory_file(links, links_path), rc;

	*reading = (struct reading){0};
	rc = reader_read_csv(nodes_path, links_path, &options, &reading->topology, &reading->document,
	                     &reading->status);
	close(nodes_fd);
	close(links_fd);
	return rc;
}

Test(readers, csv_becomes_a_topology) {
	struct reading r;
	const struct link *link;

	cr_assert_eq(read_csv(&r, NODES, LINKS "ab,0,1,0,9920.0,133.0,662\nbc,1,2,1,0,,\n", 1e-3), 0, "%s",
	             r.status.message);
	cr_assert_eq(r.topology.n_nodes, 3);
	cr_assert_str_eq(r.topology.nodes[0].id, "A");
	cr_assert(HAS(&r.topology.nodes[0], node, y) && r.topology.nodes[0].y == -2);
	cr_assert_not(HAS(&r.topology.nodes[2], node, x));
	link = &r.topology.links[0];
	cr_assert_str_eq(link->id, "ab");
	cr_assert_str_eq(link->z, "B");
	cr_assert(link->bidirectional && link->admin_up);
	cr_assert_float_eq(link->total_capacity_gbps, 9.92, 1e-12);
	cr_assert_float_eq(link->latency_ms, 0.662, 1e-12);
	cr_assert_eq(link->cost, 133);
	link = &r.topology.links[1];
	cr_assert_not(link->bidirectional);
	cr_assert_not(HAS(link, link, total_capacity_gbps), "a capacity of 0 is one that isn't known");
	cr_assert_not(HAS(link, link, latency_ms));
	cr_assert_eq(link->cost, 1);
	document_close(r.document);
}

Test(readers, columns_come_in_any_order_and_further_ones_are_passed_over) {
	struct reading r;

	cr_assert_eq(read_csv(&r, "colour,id\nred,a\nblue,b\n", "dst,id,note,src\nb,ab,x,a\n", 1), 0, "%s",
	             r.status.message);
	cr_assert_str_eq(r.topology.links[0].a, "a");
	cr_assert_str_eq(r.topology.links[0].z, "b");
	document_close(r.document);
}

Test(readers, repeated_names_get_a_suffix_and_a_warning) {
	struct reading r;

	// the third X must not take the name that a node has of its own
	cr_assert_eq(read_csv(&r, "id,name\n0,X\n1,X#2\n2,X\n3,X\n", LINKS "l,0,2,0,1,1,1\n", 1), 0, "%s",
	             r.status.message);
	cr_assert_str_eq(r.topology.nodes[2].id, "X#3");
	cr_assert_str_eq(r.topology.nodes[3].id, "X#4");
	cr_assert_str_eq(r.topology.links[0].z, "X#3");
	cr_assert_eq(r.n_warnings, 2);
	cr_assert(strstr(r.warning, ":5: name 'X'") != NULL, "%s", r.warning);
	document_close(r.document);
}

struct bad_csv {
	char nodes[96], links[160];
	char says[64]; // in the message, with the line
};

ParameterizedTestParameters(readers, broken_csv_is_refused_with_its_line) {
	static struct bad_csv cases[] = {
	        {NODES, LINKS "ab,0,1,0,1,1,1\ncd,0,9,0,1,1,1\n", ":3: dst: no node '9'"},
	        {NODES, LINKS "ab,0,1,0,1,1,1\nab,1,2,0,1,1,1\n", ":3: this link id is there before: 'ab'"},
	        {"id,name\n0,A\n0,B\n", LINKS, ":3: this node id is there before: '0'"},
	        {NODES, LINKS "ab,0,1,0,nan,1,1\n", ":2: capacity: must be a number"},
	        {NODES, LINKS "ab,0,1,0,-5,1,1\n", ":2: capacity: must be a number"},
	        {NODES, LINKS "ab,0,1,0,inf,1,1\n", ":2: capacity: must be a number"},
	        {NODES, LINKS "ab,0,1,0,1e999,1,1\n", ":2: capacity: must be a number"},
	        {NODES, LINKS "ab,0,1,0,1,-1,1\n", ":2: cost: must be a number"},
	        {NODES, LINKS "ab,0,1,0,1,1,x\n", ":2: latency_us: must be a number"},
	        {NODES, LINKS "ab,0,1,2,1,1,1\n", ":2: directed: must be 0 or 1, not '2'"},
	        {NODES, LINKS "ab,0,1\n", ":2: 3 fields, fewer than there are columns"},
	        {NODES, LINKS "ab,0,1,0,1,1,1\nbb,1,1,0,1,1,1\n", ":3: src and dst are the same node 'B'"},
	        {NODES, LINKS ",0,1,0,1,1,1\n", ":2: not an id"},
	        {NODES, LINKS "ab,0,1,0,1,1,1\n\"cd,0,1\n", ":3: broken quoting"},
	        {"id,name\n0,A\n,B\n", LINKS, ":3: no id"},
	        {"id,x\n0,wide\n", LINKS, ":2: x: must be a number"},
	        {"name,x\nA,1\n", LINKS, ":1: no column 'id'"},
	        {NODES, "id,src\nab,0\n", ":1: no column 'dst'"},
	        {"", LINKS, ": empty"},
	        {"id\n", LINKS, "nodes: a topology needs at least one"},
	};
	return cr_make_param_array(struct bad_csv, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_csv *c, readers, broken_csv_is_refused_with_its_line) {
	struct reading r;

	cr_assert_eq(read_csv(&r, c->nodes, c->links, 1), -EINVAL, "%s was taken", c->says);
	cr_assert(strstr(r.status.message, c->says) != NULL, "'%s' doesn't say '%s'", r.status.message,
	          c->says);
	cr_assert(strstr(r.status.message, "/proc/self/fd/") == r.status.message, "the file isn't named: %s",
	          r.status.message);
	cr_assert_null(r.document);
}

struct bad_json {
	char text[200];
	char says[64];
};

ParameterizedTestParameters(readers, wrong_json_is_refused_with_its_element) {
	static struct bad_json cases[] = {
	        {"{\"nodes\":[],\"links\":[]}", "nodes: a topology needs at least one"},
	        {"{\"links\":[]}", "nodes: missing"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[{\"id\":\"l\",\"a\":\"a\",\"z\":\"b\"}]}",
	         "links[0] 'l': no node 'b'"},
	        {"{\"nodes\":[{\"id\":\"a\"},{\"id\":\"a\"}],\"links\":[]}",
	         "nodes[1]: id 'a' is there twice"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[{\"id\":\"l\",\"a\":\"a\",\"z\":\"b\","
	         "\"total_capacity_gbps\":-1}]}",
	         "links[0].total_capacity_gbps: must be at least 0"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[{\"id\":\"l\",\"a\":\"a\",\"z\":\"b\","
	         "\"total_capacity_gbps\":NaN}]}",
	         "line 1"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\n\"links\":[}", "line 2"},
	        {"{\"nodes\":[{\"id\":7}],\"links\":[]}", "nodes[0].id: must be text"},
	        {"{\"nodes\":[{\"id\":\"a\"}]\n \"links\":[]}", "line 2, column 2: ',' expected"},
	        {"{\"nodes\":[{\"id\":\"a\"}, {\"id\":\"b\"} 7],\"links\":[]}", "',' expected"},
	        {"{\"nodes\":[{\"id\":\"a\"},],\"links\":[]}", "line 1"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[],}", "'\"' expected"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[]", "',' expected"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[{\"id\":\"l\"", "line 1"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[]} {}", "end of file expected"},
	        {"{\"nodes\":[{\"id\":\"a\"}],\"links\":[],\"nodes\":[]}", "duplicate object key"},
	        {"{\"nodes\":[{\"id\":\"a\",\"id\":\"b\"}],\"links\":[]}", "duplicate object key"},
	        {"[]", "not a JSON object"},
	        {"", "line 1"},
	};
	return cr_make_param_array(struct bad_json, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_json *c, readers, wrong_json_is_refused_with_its_element) {
	const struct reader_options options = {.capacity_scale = 1};
	struct document *document = NULL;
	struct topology topology;
	struct status status = {0};

	cr_assert_eq(reader_parse_json("x.json", c->text, strlen(c->text), &options, &topology, &document,
	                               &status),
	             -EINVAL, "%s was taken", c->text);
	cr_assert(strstr(status.message, c->says) != NULL, "'%s' doesn't say '%s'", status.message, c->says);
	cr_assert(strstr(status.message, "x.json: ") == status.message, "%s", status.message);
}

struct told {
	char lines[16][200];
	size_t n;
};

static void note(void *context, const char *line) {
	struct told *told = context;

	cr_assert_lt(told->n, sizeof(told->lines) / sizeof(told->lines[0]), "one more: %s", line);
	snprintf(told->lines[told->n++], sizeof(told->lines[0]), "%s", line);
}

Test(readers, every_field_of_a_wrong_kind_is_told) {
	static const char text[] =
	        "{\"nodes\":[{\"id\":7},{\"id\":\"b\",\"x\":\"west\"}],\n\"links\":[{\"id\":\"l\",\"a\":"
	        "\"b\","
	        "\"z\":\"b\",\"cost\":-1,\"bidirectional\":1},{\"id\":\"m\",\"a\":\"b\",\"srlg\":[5]},3,"
	        "{\"id\":\"n\",\"a\":\"b\",\"z\":\"c\"},{\"id\":\"n\",\"a\":\"d\",\"z\":\"b\",\"cost\":1},"
	        "{\"a\":\"b\",\"z\":\"c\"}]}";
	static const char *const expected[] = {
	        "x.json: nodes[0].id: must be text",
	        "x.json: nodes[1].x: must be a number",
	        "x.json: links[0].bidirectional: must be true or false",
	        "x.json: links[0].cost: must be from 0 to 1000000000",
	        "x.json: links[1].z: missing",
	        "x.json: links[1].srlg: must be text",
	        "x.json: links[2]: must be a map",
	        "x.json: links[5].id: missing",
	        "x.json: links[0] 'l': both ends are 'b'",
	        "x.json: links[3] 'n': no node 'c'",
	        "x.json: links[4]: id 'n' is there twice",
	        "x.json: links[4] 'n': no node 'd'",
	};
	struct told told = {0};
	const struct reader_options options = {.capacity_scale = 1, .defect = note, .context = &told};
	struct document *document = NULL;
	struct topology topology;
	struct status status = {0};

	cr_assert_eq(reader_parse_json("x.json", text, strlen(text), &options, &topology, &document, &status),
	             -EINVAL);
	cr_assert_eq(told.n, sizeof(expected) / sizeof(expected[0]), "%zu: %s", told.n, status.message);
	for (size_t i = 0; i < told.n; i++)
		cr_expect_str_eq(told.lines[i], expected[i]);
	cr_assert(strstr(status.message, "12 defects") != NULL, "%s", status.message);
}

// ---- GraphML and SNDlib

typedef int (*parse_fn)(const char *path, const char *text, size_t size, const struct reader_options *,
                        struct topology *ret, struct document **ret_document, struct status *);

static int parse(struct reading *reading, parse_fn parse_text, const char *text) {
	const struct reader_options options = {.capacity_scale = 1, .warn = warn, .context = reading};

	*reading = (struct reading){0};
	return parse_text("x", text, strlen(text), &options, &reading->topology, &reading->document,
	                  &reading->status);
}

#define GRAPHML(DEFAULT, BODY)                                                                               \
	"<?xml version=\"1.0\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"               \
	"<key attr.name=\"label\" for=\"node\" id=\"d1\"/><key attr.name=\"label\" for=\"graph\" "           \
	"id=\"d9\"/><key attr.name=\"Longitude\" for=\"node\" id=\"d2\"/><key attr.name=\"Latitude\" "       \
	"for=\"node\" id=\"d3\"/><key attr.name=\"LinkSpeedRaw\" for=\"edge\" id=\"d4\"/>\n"                 \
	"<graph edgedefault=\"" DEFAULT "\">\n" BODY "</graph></graphml>\n"
#define NODE(ID, LABEL) "<node id=\"" ID "\"><data key=\"d1\">" LABEL "</data></node>\n"

Test(readers, graphml_becomes_a_topology) {
	struct reading r;

	cr_assert_eq(parse(&r, reader_parse_graphml,
	                   GRAPHML("undirected",
	                           "<edge source=\"0\" target=\"1\"><data key=\"d4\">1e10</data></edge>\n"
	                           "<node id=\"0\"><data key=\"d1\">Paris</data><data key=\"d2\">2.35</data>"
	                           "<data key=\"d3\">48.9</data></node>\n" NODE("1", "Rome")
	                                   NODE("2", "Rome") "<edge source=\"1\" target=\"0\"/>\n<edge "
	                                                     "source=\"2\" target=\"2\"/>\n"
	                                                     "<edge id=\"e\" source=\"1\" target=\"2\" "
	                                                     "directed=\"true\"/>\n")),
	             0, "%s", r.status.message);
	cr_assert_eq(r.topology.n_nodes, 3);
	cr_assert_str_eq(r.topology.nodes[0].id, "Paris");
	cr_assert_float_eq(r.topology.nodes[0].x, 2.35, 1e-12);
	cr_assert_not(HAS(&r.topology.nodes[1], node, x));
	cr_assert_str_eq(r.topology.nodes[2].id, "Rome#2");
	cr_assert_eq(r.topology.n_links, 3);
	cr_assert_eq(r.n_warnings, 2, "%s", r.warning); // Rome, and the loop that is left out
	cr_assert_str_eq(r.topology.links[0].id, "0-1");
	cr_assert_eq(r.topology.links[0].total_capacity_gbps, 10);
	cr_assert(r.topology.links[0].bidirectional);
	cr_assert_not(HAS(&r.topology.links[1], link, total_capacity_gbps));
	cr_assert_str_eq(r.topology.links[2].id, "e");
	cr_assert_not(r.topology.links[2].bidirectional);
	document_close(r.document);
}

#define SNDLIB "?SNDlib native format; type: network; version: 1.0\n# a comment ( with parentheses\n"

Test(readers, sndlib_becomes_a_topology) {
	struct reading r;

	cr_assert_eq(parse(&r, reader_parse_sndlib,
	                   SNDLIB
	                   "META (\n unit = MBITPERSEC\n)\nNODES (\n A ( -84.4 33.75 )\n B\n C ( 1 2 )\n)\n"
	                   "LINKS (\n AB ( A B ) 9920.00 0.00 7.00 0.00 ( 40000.00 133.00 )\n"
	                   " BC ( B C ) 0.00 0.00 0.00 0.00 ( 1 2 3 4 )\n CA ( C A ) 1 0 0 0\n)\n"
	                   "DEMANDS (\n d ( A B ) 1 2.0 UNLIMITED\n)\n"),
	             0, "%s", r.status.message);
	cr_assert_eq(r.topology.n_nodes, 3);
	cr_assert_eq(r.topology.n_links, 3);
	cr_assert_float_eq(r.topology.nodes[0].y, 33.75, 1e-12);
	cr_assert_not(HAS(&r.topology.nodes[1], node, x));
	cr_assert_float_eq(r.topology.links[0].total_capacity_gbps, 9.92, 1e-12);
	cr_assert_eq(r.topology.links[0].cost, 7);
	cr_assert_not(HAS(&r.topology.links[1], link, total_capacity_gbps));
	cr_assert_eq(r.topology.links[1].cost, 1);
	cr_assert_float_eq(r.topology.links[2].total_capacity_gbps, 0.001, 1e-12);
	document_close(r.document);
}

struct bad_text {
	char text[900];
	char says[80];
	bool sndlib;
};

ParameterizedTestParameters(readers, wrong_maps_are_refused_with_their_line) {
	static struct bad_text cases[] = {
	        {GRAPHML("undirected", NODE("0", "A") "<edge source=\"0\" target=\"7\"/>\n"),
	         "x:6: dst: no node '7'", false},
	        {GRAPHML("undirected", NODE("0", "A") NODE("0", "B")), "x:6: this node id is there before",
	         false},
	        {GRAPHML("undirected", "<node/>\n"), "x:5: <node>: no id", false},
	        {GRAPHML("undirected", "<node id=\"0\"><data key=\"d2\">far</data></node>\n"),
	         "x:5: Longitude: must be a number", false},
	        {GRAPHML("undirected", ""), "nodes: a topology needs at least one", false},
	        {"<graphml><graph></graphml>", "x:1: ", false},
	        {"<svg/>", "x: not GraphML", false},
	        {"", "x:1: ", false},
	        {"<!DOCTYPE g [<!ENTITY a SYSTEM \"/etc/passwd\">]><graphml><graph><node "
	         "id=\"&a;\"/></graph></graphml>",
	         "x:1: ", false},
	        {"NODES ( A )", "x:1: not SNDlib", true},
	        {SNDLIB "NODES (\n A\n", "a section is not closed", true},
	        {SNDLIB "NODES (\n A ( 1 )\n)", "x:4: expected a latitude", true},
	        {SNDLIB "NODES (\n A ( 1 x )\n)", "x:4: latitude: must be a number", true},
	        {SNDLIB "NODES ( A B )\nLINKS (\n l ( A Z ) 1 0 0 0\n)", "x:5: dst: no node 'Z'", true},
	        {SNDLIB "NODES ( A B )\nLINKS (\n l ( A B ) 1 0\n)", "x:6: expected routing cost", true},
	        {SNDLIB "NODES ( A B )\nLINKS (\n l ( A B ) -1 0 0 0\n)", "x:5: pre-installed capacity",
	         true},
	        {SNDLIB "LANES ( A )", "x:3: expected META", true},
	        {SNDLIB, "nodes: a topology needs at least one", true},
	};
	return cr_make_param_array(struct bad_text, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_text *c, readers, wrong_maps_are_refused_with_their_line) {
	struct reading r;

	cr_assert_eq(parse(&r, c->sndlib ? reader_parse_sndlib : reader_parse_graphml, c->text), -EINVAL,
	             "%s was taken", c->text);
	cr_assert(strstr(r.status.message, c->says) != NULL, "'%s' doesn't say '%s'", r.status.message,
	          c->says);
}

Test(readers, a_file_that_is_not_there_is_told_apart) {
	const struct reader_options options = {.capacity_scale = 1};
	struct document *document = NULL;
	struct topology topology;
	struct status status = {0};

	cr_assert_eq(reader_read("/nonexistent/x.json", &options, &topology, &document, &status), -ENOENT);
	cr_assert(strstr(status.message, "/nonexistent/x.json: ") != NULL, "%s", status.message);
	cr_assert_eq(reader_read("/nonexistent/x.links.csv", &options, &topology, &document, &status),
	             -ENOENT);
	cr_assert(strstr(status.message, "/nonexistent/x.nodes.csv: ") != NULL, "%s", status.message);
}

Test(readers, units_of_capacity) {
	double scale = 0;

	cr_assert_eq(reader_unit_scale("mbps", &scale), 0);
	cr_assert_float_eq(scale, 1e-3, 1e-15);
	cr_assert_eq(reader_unit_scale("Tbps", &scale), 0);
	cr_assert_eq(scale, 1e3);
	cr_assert_eq(reader_unit_scale("GB", &scale), -EINVAL);
	cr_assert_eq(scale, 1e3);
}
