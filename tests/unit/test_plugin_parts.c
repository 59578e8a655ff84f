// The parts of the plugin that know nothing of DPDK: batches, settings, the gate, and redirected imports.
// SPDX-License-Identifier: MIT
#include "batch.h"
#include "clock.h"
#include "gate.h"
#include "got.h"
#include "settings.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- batches

#define WIDTH 3

static void add(struct batch *batch, uint64_t seq, int64_t now_ns) {
	const struct batch_head head = {.speed_mbps = 10, .up = true, .epoch = 1};
	const uint64_t row[WIDTH] = {seq, seq + 100, seq + 200};

	cr_assert_eq(batch_add(batch, &head, row, WIDTH, now_ns), 0);
}

Test(batch, rows_stay_in_order_and_whole) {
	struct batch batch = {0};

	for (uint64_t seq = 1; seq <= 1000; seq++)
		add(&batch, seq, 0);
	cr_assert_eq(batch.n_rows, 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		cr_assert_eq(batch.rows[i * WIDTH], i + 1);
		cr_assert_eq(batch.rows[i * WIDTH + 2], i + 201);
	}
	batch_clear(&batch);
	add(&batch, 7, 0);
	cr_assert_eq(batch.n_rows, 1);
	cr_assert_eq(batch.rows[0], 7);
	batch_fini(&batch);
	cr_assert_null(batch.rows);
}

Test(batch, at_one_hertz_every_row_is_due_at_once) {
	struct batch batch = {0};

	cr_assert_not(batch_is_due(&batch, 0, NS_PER_SECOND, BATCH_DEFAULT_NS), "an empty batch was due");
	add(&batch, 1, 5 * NS_PER_SECOND);
	cr_assert(batch_is_due(&batch, 5 * NS_PER_SECOND, NS_PER_SECOND, BATCH_DEFAULT_NS));
	batch_fini(&batch);
}

Test(batch, at_one_kilohertz_a_row_waits_but_never_beyond_the_limit) {
	struct batch batch = {0};
	int64_t now_ns = 0;

	add(&batch, 1, now_ns);
	while (!batch_is_due(&batch, now_ns, NS_PER_MS, BATCH_DEFAULT_NS))
		add(&batch, batch.n_rows + 1, now_ns += NS_PER_MS);
	cr_assert_gt(batch.n_rows, 5);
	cr_assert_leq(now_ns, BATCH_DEFAULT_NS);
	batch_fini(&batch);
}

Test(batch, a_batch_is_due_before_it_outgrows_its_size) {
	struct batch batch = {0};

	while (!batch_is_due(&batch, 0, 0, BATCH_DEFAULT_NS))
		add(&batch, batch.n_rows + 1, 0);
	cr_assert_leq(batch.n_rows * WIDTH * sizeof(uint64_t), BATCH_MAX_SIZE);
	cr_assert_gt(batch.n_rows, 1000);
	batch_fini(&batch);
}

Test(batch, another_epoch_link_state_or_width_needs_a_new_batch) {
	const struct batch_head same = {.speed_mbps = 10, .up = true, .epoch = 1};
	const struct batch_head others[] = {{.speed_mbps = 10, .up = true, .epoch = 2},
	                                    {.speed_mbps = 10, .up = false, .epoch = 1},
	                                    {.speed_mbps = 25, .up = true, .epoch = 1}};
	struct batch batch = {0};

	cr_assert_not(batch_excludes(&batch, &others[0], WIDTH), "an empty batch takes any row");
	add(&batch, 1, 0);
	cr_assert_not(batch_excludes(&batch, &same, WIDTH));
	cr_assert(batch_excludes(&batch, &same, WIDTH + 1));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert(batch_excludes(&batch, &others[i], WIDTH), "head %zu", i);
	batch_fini(&batch);
}

// ---- settings

struct interval_case {
	char text[24];
	int64_t interval_ns; // 0: refused
};

ParameterizedTestParameters(settings, intervals_are_taken_from_100us_to_60s) {
	static struct interval_case cases[] = {
	        {"100us", 100000},
	        {"1ms", 1000000},
	        {"250", 250000000},
	        {"0.1", 100000},
	        {"2.5", 2500000},
	        {"1s", 1000000000},
	        {"60s", INT64_C(60000000000)},
	        {"1m", INT64_C(60000000000)},
	        {"60000", INT64_C(60000000000)},
	        {"99us", 0},
	        {"0.09", 0},
	        {"61s", 0},
	        {"60001", 0},
	        {"0", 0},
	        {"", 0},
	        {"-1", 0},
	        {"1x", 0},
	        {"1 s", 0},
	        {"nan", 0},
	        {"99999999999999999999w", 0},
	};
	return cr_make_param_array(struct interval_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct interval_case *c, settings, intervals_are_taken_from_100us_to_60s) {
	struct settings settings = {.interval_ns = 7};
	struct status status = {0};
	int rc = settings_set_interval(&settings, c->text, &status);

	cr_assert_eq(rc, c->interval_ns != 0 ? 0 : -EINVAL, "'%s' gave %d", c->text, rc);
	cr_assert_eq(settings.interval_ns, c->interval_ns != 0 ? c->interval_ns : 7, "'%s'", c->text);
	cr_assert_eq(status.message[0] == '\0', rc == 0);
}

Test(settings, an_at_sign_binds) {
	struct settings settings = {0};
	struct status status;

	cr_assert_eq(settings_set_samples(&settings, "@ipc:///x/s", &status), 0);
	cr_assert_str_eq(settings.samples, "ipc:///x/s");
	cr_assert(settings.bind);
	cr_assert_eq(settings_set_samples(&settings, "nonsense", &status), -EINVAL);
	cr_assert(settings.bind, "a refused endpoint changed something");
	cr_assert_str_eq(settings.samples, "ipc:///x/s");
	cr_assert_eq(settings_set_samples(&settings, "tcp://127.0.0.1:5560", &status), 0);
	cr_assert_not(settings.bind);
}

Test(settings, a_port_has_one_link_the_last_one_set) {
	struct settings *settings = calloc(1, sizeof(*settings));
	struct status status;
	char name[PORT_NAME_SIZE];

	cr_assert_null(settings_link(settings, "net_null0"));
	cr_assert_eq(settings_set_link(settings, "net_null0", "core", &status), 0);
	cr_assert_eq(settings_set_link(settings, "net_null0", "edge", &status), 0);
	cr_assert_eq(settings->n_links, 1);
	cr_assert_str_eq(settings_link(settings, "net_null0"), "edge");
	cr_assert_eq(settings_set_link(settings, "net_null0", "a\tb", &status), -EINVAL);
	cr_assert_eq(settings_set_link(settings, "net_null0", "", &status), -EINVAL);
	cr_assert_str_eq(settings_link(settings, "net_null0"), "edge");
	for (size_t i = 1; i < SETTINGS_MAX_LINKS; i++) {
		snprintf(name, sizeof(name), "net_null%zu", i);
		cr_assert_eq(settings_set_link(settings, name, "core", &status), 0);
	}
	cr_assert_eq(settings_set_link(settings, "one more", "core", &status), -ENOBUFS);
	cr_assert_eq(settings_set_link(settings, "net_null7", "other", &status), 0);
	free(settings);
}

Test(settings, the_host_carries_a_file_prefix_unless_it_is_rte) {
	char name[LIMIT_ID_SIZE] = "", expected[2 * LIMIT_ID_SIZE], host[LIMIT_ID_SIZE + 1];
	struct status status;

	unsetenv("LINKCAST_HOST");
	gethostname(name, sizeof(name) - 1);
	snprintf(expected, sizeof(expected), "%s/left", name);
	cr_assert_eq(settings_host("left", host, &status), 0);
	cr_assert_str_eq(host, expected);
	cr_assert_eq(settings_host("rte", host, &status), 0);
	cr_assert_str_eq(host, name);
	cr_assert_eq(settings_host(NULL, host, &status), 0);
	cr_assert_str_eq(host, name);
	setenv("LINKCAST_HOST", "router-7", 1);
	cr_assert_eq(settings_host("left", host, &status), 0);
	cr_assert_str_eq(host, "router-7");
	setenv("LINKCAST_HOST", "two\nlines", 1);
	cr_assert_eq(settings_host("left", host, &status), -EINVAL);
}

Test(settings, a_wrong_variable_leaves_the_rest_in_force) {
	struct settings *settings = calloc(1, sizeof(*settings));
	struct status status;

	setenv("LINKCAST_API", "tcp://127.0.0.1:1", 1);
	setenv("LINKCAST_INTERVAL_MS", "never", 1);
	cr_assert_eq(settings_init(settings, &status), -EINVAL);
	cr_assert_not_null(strstr(status.message, "LINKCAST_INTERVAL_MS"));
	cr_assert_eq(settings->interval_ns, INTERVAL_DEFAULT_NS);
	cr_assert_str_eq(settings->server, "tcp://127.0.0.1:1");
	setenv("LINKCAST_INTERVAL_MS", "0.5", 1);
	cr_assert_eq(settings_init(settings, &status), 0);
	cr_assert_eq(settings->interval_ns, 500000);
	free(settings);
}

struct replay_case {
	char text[32];
	int64_t size; // -1: refused
};

ParameterizedTestParameters(settings, replay_takes_a_size_with_its_unit) {
	static struct replay_case cases[] = {
	        {"64MiB", 64 << 20},
	        {"64", 64 << 20},
	        {"0", 0},
	        {"512KiB", 512 << 10},
	        {"2GiB", INT64_C(2) << 30},
	        {"", -1},
	        {"MiB", -1},
	        {"-1", -1},
	        {"1.5GiB", -1},
	        {"64 MiB", -1},
	        {"64MB", -1},
	        {"1025GiB", -1},
	        {"99999999999999999999", -1},
	        {"999999999999999999999999KiB", -1},
	};
	return cr_make_param_array(struct replay_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct replay_case *c, settings, replay_takes_a_size_with_its_unit) {
	struct settings settings = {.replay_size = 7};
	struct status status = {0};
	int rc = settings_set_replay(&settings, c->text, &status);

	cr_assert_eq(rc, c->size >= 0 ? 0 : -EINVAL, "'%s' gave %d", c->text, rc);
	cr_assert_eq(settings.replay_size, c->size >= 0 ? (size_t)c->size : 7, "'%s'", c->text);
	cr_assert_eq(status.message[0] == '\0', rc == 0);
}

Test(settings, a_batch_may_wait_from_not_at_all_to_a_second) {
	struct settings settings = {.batch_ns = 7};
	struct status status;

	cr_assert_eq(settings_set_batch(&settings, "2s", &status), -EINVAL);
	cr_assert_eq(settings_set_batch(&settings, "-1", &status), -EINVAL);
	cr_assert_eq(settings.batch_ns, 7);
	cr_assert_eq(settings_set_batch(&settings, "0", &status), 0);
	cr_assert_eq(settings.batch_ns, 0);
	cr_assert_eq(settings_set_batch(&settings, "250us", &status), 0);
	cr_assert_eq(settings.batch_ns, 250000);
	cr_assert_eq(settings_set_batch(&settings, "1000", &status), 0);
	cr_assert_eq(settings.batch_ns, NS_PER_SECOND);
}

Test(settings, a_dash_unsets_a_link) {
	struct settings *settings = calloc(1, sizeof(*settings));
	struct status status;

	cr_assert_eq(settings_set_link(settings, "p0", "-", &status), -ENOENT);
	cr_assert_eq(settings_set_link(settings, "p0", "core", &status), 0);
	cr_assert_eq(settings_set_link(settings, "p1", "edge", &status), 0);
	cr_assert_eq(settings_set_link(settings, "p0", "-", &status), 0);
	cr_assert_null(settings_link(settings, "p0"));
	cr_assert_str_eq(settings_link(settings, "p1"), "edge");
	cr_assert_eq(settings->n_links, 1);
	free(settings);
}

// ---- the gate

Test(gate, a_port_is_started_between_start_and_stop_and_counts_its_resets) {
	uint32_t resets = gate_port(5).resets;

	cr_assert(gate_port(5).started, "without tracking every port counts as started");
	gate_track();
	cr_assert_not(gate_port(5).started);
	gate_port_started(5);
	cr_assert(gate_port(5).started);
	cr_assert_eq(gate_port(5).resets, resets + 1);
	gate_port_reset(5);
	cr_assert(gate_port(5).started);
	cr_assert_eq(gate_port(5).resets, resets + 2);
	gate_port_stopped(5);
	cr_assert_not(gate_port(5).started);
	cr_assert_eq(gate_port(5).resets, resets + 2);
	cr_assert_not(gate_port(4).started);
}

Test(gate, the_sampler_gives_way_to_the_host) {
	uint32_t changes = gate_changes();

	gate_host_enter();
	gate_host_enter(); // a call inside a call
	cr_assert_not(gate_sampler_enter(0));
	gate_host_leave();
	cr_assert_not(gate_sampler_enter(NS_PER_MS));
	gate_host_leave();
	cr_assert_neq(gate_changes(), changes);
	cr_assert(gate_sampler_enter(0));
	cr_assert(gate_sampler_leave());
}

Test(gate, a_host_goes_on_when_a_reading_never_ends, .timeout = 30) {
	int64_t begun_ns;

	cr_assert(gate_sampler_enter(0));
	begun_ns = clock_mono_ns();
	gate_host_enter();
	cr_assert_geq(clock_mono_ns() - begun_ns, GATE_PATIENCE_NS, "it did not wait");
	gate_host_leave();
	gate_host_enter(); // the second time it knows: no wait, or this test runs into its limit
	gate_host_leave();
	cr_assert_not(gate_sampler_leave(), "what was read meanwhile counted");
	cr_assert(gate_sampler_enter(0));
	cr_assert(gate_sampler_leave(), "the next reading counts again");
}

#define ROUNDS 20000

static _Atomic int inside;
static _Atomic int overlaps;
static _Atomic bool over;

static void *read_all_the_time(void *context) {
	(void)context;
	while (!atomic_load(&over)) {
		if (!gate_sampler_enter(NS_PER_MS))
			continue;
		if (atomic_load(&inside) != 0)
			atomic_fetch_add(&overlaps, 1);
		if (!gate_sampler_leave())
			atomic_fetch_add(&overlaps, 1);
	}
	return NULL;
}

static void *change_ports(void *context) {
	(void)context;
	for (int i = 0; i < ROUNDS; i++) {
		gate_host_enter();
		atomic_fetch_add(&inside, 1);
		atomic_fetch_sub(&inside, 1);
		gate_host_leave();
	}
	return NULL;
}

Test(gate, reading_and_changing_never_overlap, .timeout = 120) {
	pthread_t reader, hosts[2];

	cr_assert_eq(pthread_create(&reader, NULL, read_all_the_time, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&hosts[i], NULL, change_ports, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(hosts[i], NULL);
	atomic_store(&over, true);
	pthread_join(reader, NULL);
	cr_assert_eq(atomic_load(&overlaps), 0);
}

// ---- redirected imports

static pid_t our_getppid(void) {
	return 4711;
}

static int redirect_here(struct dl_phdr_info *object, size_t size, void *context) {
	(void)size;
	if (object->dlpi_name[0] != '\0')
		return 0;
	*(int *)context = got_redirect(
	        object,
	        (struct redirection[]){{.symbol = "getppid", .replacement = (void *)our_getppid},
	                               {.symbol = "no_such_function", .replacement = (void *)our_getppid}},
	        2);
	return 1;
}

// The protections of the executable's parts, in order.
static void protections(char text[static 512]) {
	FILE *maps = fopen("/proc/self/maps", "r");
	char path[512], line[1024];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	cr_assert_not_null(maps);
	cr_assert_gt(size, 0);
	path[size] = '\0';
	text[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, path) != NULL)
			strncat(text, strchr(line, ' '), 5);
	}
	fclose(maps);
}

Test(got, an_import_is_redirected_and_its_page_gets_its_protection_back) {
	char before[512], after[512];
	int written = -1;

	cr_assert_neq(getppid(), 4711);
	protections(before);
	dl_iterate_phdr(redirect_here, &written);
	protections(after);
	cr_assert_geq(written, 1, "%d slots", written);
	cr_assert_eq(getppid(), 4711);
	cr_assert_str_eq(after, before);
	cr_assert_not_null(strstr(before, "r--"));
}
