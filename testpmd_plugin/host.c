// Changing the host from inside. A stock testpmd exports nothing, so its imported functions are redirected:
// those that make a prompt get a longer list of commands, those that change ports are put inside the gate.
// Port calls are redirected in DPDK's own libraries too, since a bonding driver starts its members itself.
// SPDX-License-Identifier: MIT
#include "host.h"

#include "cores.h"
#include "gate.h"
#include "got.h"

#include <cmdline.h>
#include <rte_eal.h>
#include <rte_version.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#pragma weak rte_eal_get_runtime_dir
#pragma weak rte_version

struct rte_eth_conf;
struct rte_device;

static struct cmdline_inst *const *host_commands;
static struct host_events host_events;
static enum host_entry entry;

// ---- the prompt

static size_t count(struct cmdline_inst *const *commands) {
	size_t n = 0;

	while (commands[n] != NULL)
		n++;
	return n;
}

// The host's commands and ours. cmdline keeps the list as long as it lives, and a host makes few of them, so
// lists are kept for good; one that is asked for again is found.
static cmdline_parse_ctx_t *extended(cmdline_parse_ctx_t *context) {
	static struct list {
		struct list *next;
		size_t n_theirs;
		cmdline_parse_ctx_t commands[];
	} * lists;
	size_t n_theirs = count(context), n_ours = count(host_commands);
	struct list *list = lists;

	while (list != NULL && (list->n_theirs != n_theirs ||
	                        memcmp(list->commands, context, n_theirs * sizeof(*context)) != 0))
		list = list->next;
	if (list != NULL)
		return list->commands;
	list = calloc(1, sizeof(*list) + (n_theirs + n_ours + 1) * sizeof(*context));
	if (list == NULL)
		return context; // a prompt without our commands is better than none
	memcpy(list->commands, context, n_theirs * sizeof(*context));
	memcpy(list->commands + n_theirs, host_commands, n_ours * sizeof(*context));
	list->n_theirs = n_theirs;
	list->next = lists;
	lists = list;
	return list->commands;
}

static struct cmdline *(*real_cmdline_new)(cmdline_parse_ctx_t *, const char *, int, int);
static struct cmdline *(*real_cmdline_stdin_new)(cmdline_parse_ctx_t *, const char *);
static struct cmdline *(*real_cmdline_file_new)(cmdline_parse_ctx_t *, const char *, const char *);

static struct cmdline *our_cmdline_new(cmdline_parse_ctx_t *context, const char *prompt, int in, int out) {
	return real_cmdline_new(extended(context), prompt, in, out);
}

static struct cmdline *our_cmdline_stdin_new(cmdline_parse_ctx_t *context, const char *prompt) {
	return real_cmdline_stdin_new(extended(context), prompt);
}

static struct cmdline *our_cmdline_file_new(cmdline_parse_ctx_t *context, const char *prompt,
                                            const char *path) {
	return real_cmdline_file_new(extended(context), prompt, path);
}

// What testpmd (22.07 and later) takes from drivers. It is not in an installed header.
struct driver_commands {
	TAILQ_ENTRY(driver_commands) next;
	struct {
		struct cmdline_inst *command;
		const char *help;
	} commands[];
};

static int register_exported(void (*add)(struct driver_commands *)) {
	size_t n = count(host_commands);
	struct driver_commands *list = calloc(1, sizeof(*list) + (n + 1) * sizeof(list->commands[0]));

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		list->commands[i].command = host_commands[i];
		list->commands[i].help = host_commands[i]->help_str;
	}
	add(list);
	return 0;
}

// ---- calls that change ports

static int (*real_configure)(uint16_t, uint16_t, uint16_t, const struct rte_eth_conf *);
static int (*real_start)(uint16_t);
static int (*real_stop)(uint16_t);
static int (*real_close)(uint16_t);
static int (*real_reset)(uint16_t);
static int (*real_stats_reset)(uint16_t);
static int (*real_xstats_reset)(uint16_t);
static int (*real_probe)(const char *);
static int (*real_remove)(struct rte_device *);
static int (*real_hotplug_add)(const char *, const char *, const char *);
static int (*real_hotplug_remove)(const char *, const char *);
static int (*real_cleanup)(void);
static void (*real_exit)(int, const char *, ...);

static int our_configure(uint16_t port, uint16_t n_rx, uint16_t n_tx, const struct rte_eth_conf *conf) {
	int rc;

	gate_host_enter();
	rc = real_configure(port, n_rx, n_tx, conf);
	gate_host_leave();
	return rc;
}

static int our_start(uint16_t port) {
	static atomic_flag told = ATOMIC_FLAG_INIT;
	int rc;

	gate_host_enter();
	rc = real_start(port);
	if (rc == 0)
		gate_port_started(port);
	gate_host_leave();
	if (rc == 0 && !atomic_flag_test_and_set(&told))
		host_events.port_started();
	return rc;
}

// Not from inside another call of the host: then nobody can read.
static void tell_ending(uint16_t port) {
	int saved_errno = errno;

	if (gate_is_free() && gate_port(port).started)
		host_events.port_ending(port);
	errno = saved_errno;
}

static int our_stop(uint16_t port) {
	int rc;

	tell_ending(port);
	gate_host_enter();
	rc = real_stop(port);
	if (rc == 0)
		gate_port_stopped(port);
	gate_host_leave();
	return rc;
}

static int our_close(uint16_t port) {
	int rc;

	tell_ending(port);
	gate_host_enter();
	rc = real_close(port);
	gate_port_stopped(port);
	gate_host_leave();
	return rc;
}

static int our_reset(uint16_t port) {
	int rc;

	tell_ending(port);
	gate_host_enter();
	rc = real_reset(port);
	gate_port_stopped(port);
	gate_host_leave();
	return rc;
}

static int our_stats_reset(uint16_t port) {
	int rc;

	tell_ending(port);
	gate_host_enter();
	rc = real_stats_reset(port);
	gate_port_reset(port);
	gate_host_leave();
	return rc;
}

static int our_xstats_reset(uint16_t port) {
	int rc;

	tell_ending(port);
	gate_host_enter();
	rc = real_xstats_reset(port);
	gate_port_reset(port);
	gate_host_leave();
	return rc;
}

static int our_probe(const char *devargs) {
	int rc;

	gate_host_enter();
	rc = real_probe(devargs);
	gate_host_leave();
	return rc;
}

static int our_remove(struct rte_device *device) {
	int rc;

	gate_host_enter();
	rc = real_remove(device);
	gate_host_leave();
	return rc;
}

static int our_hotplug_add(const char *bus, const char *device, const char *arguments) {
	int rc;

	gate_host_enter();
	rc = real_hotplug_add(bus, device, arguments);
	gate_host_leave();
	return rc;
}

static int our_hotplug_remove(const char *bus, const char *device) {
	int rc;

	gate_host_enter();
	rc = real_hotplug_remove(bus, device);
	gate_host_leave();
	return rc;
}

// From here on the host is inside for good: a sampler that hangs in a driver finds nothing to read any more.
static int our_cleanup(void) {
	host_events.leaving();
	gate_host_enter();
	return real_cleanup();
}

static void our_exit(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

static void our_exit(int status, const char *format, ...) {
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	host_events.leaving();
	gate_host_enter();
	real_exit(status, "%s", text);
	__builtin_unreachable();
}

// From 23.03 on an application can tell how busy its lcores are. Nobody can ask DPDK for the function that it gave, so
// it is noted on the way.
static void (*real_register_usage)(lcore_usage_fn usage);

static void our_register_usage(lcore_usage_fn usage) {
	cores_set_usage(usage);
	real_register_usage(usage);
}

// ---- putting them in place

struct hook {
	const char *symbol;
	void *ours;
	void *real; // address of the pointer to it
};

#define HOOK(SYMBOL, NAME)                                                                                   \
	{ #SYMBOL, (void *)our_##NAME, &real_##NAME }

static const struct hook prompt_hooks[] = {
        HOOK(cmdline_new, cmdline_new),
        HOOK(cmdline_stdin_new, cmdline_stdin_new),
        HOOK(cmdline_file_new, cmdline_file_new),
};

static const struct hook port_hooks[] = {
        HOOK(rte_eth_dev_configure, configure),
        HOOK(rte_eth_dev_start, start),
        HOOK(rte_eth_dev_stop, stop),
        HOOK(rte_eth_dev_close, close),
        HOOK(rte_eth_dev_reset, reset),
        HOOK(rte_eth_stats_reset, stats_reset),
        HOOK(rte_eth_xstats_reset, xstats_reset),
        HOOK(rte_dev_probe, probe),
        HOOK(rte_dev_remove, remove),
        HOOK(rte_eal_hotplug_add, hotplug_add),
        HOOK(rte_eal_hotplug_remove, hotplug_remove),
        HOOK(rte_eal_cleanup, cleanup),
        HOOK(rte_exit, exit),
        HOOK(rte_lcore_register_usage_cb, register_usage),
};

#define N_HOOKS(HOOKS) (sizeof(HOOKS) / sizeof((HOOKS)[0]))
#define MAX_HOOKS      16

struct patch {
	struct redirection redirections[MAX_HOOKS];
	size_t n;
	bool libraries; // of DPDK, besides the executable
	int rc;
};

// A function that the process does not have is not imported by anybody either.
static void prepare(struct patch *patch, const struct hook *hooks, size_t n_hooks) {
	for (size_t i = 0; i < n_hooks; i++) {
		void *real = dlsym(RTLD_DEFAULT, hooks[i].symbol);

		if (real == NULL)
			continue;
		memcpy(hooks[i].real, &real, sizeof(real));
		patch->redirections[patch->n++] =
		        (struct redirection){.symbol = hooks[i].symbol, .replacement = hooks[i].ours};
	}
}

// The executable comes first and has no name here.
static int patch_object(struct dl_phdr_info *object, size_t size, void *context) {
	struct patch *patch = context;
	bool executable = object->dlpi_name == NULL || object->dlpi_name[0] == '\0';
	int rc;

	(void)size;
	if (!executable && !(patch->libraries && strstr(object->dlpi_name, "/librte_") != NULL))
		return 0;
	rc = got_redirect(object, patch->redirections, patch->n);
	if (rc < 0)
		patch->rc = rc;
	return 0;
}

static size_t n_redirected(const struct patch *patch) {
	size_t n = 0;

	for (size_t i = 0; i < patch->n; i++)
		n += patch->redirections[i].n_slots;
	return n;
}

static int attach_prompt(void) {
	void (*add)(struct driver_commands *);
	void *exported = dlsym(RTLD_DEFAULT, "testpmd_add_driver_commands");
	struct patch patch = {0};
	int rc;

	if (exported != NULL) {
		memcpy(&add, &exported, sizeof(add));
		if ((rc = register_exported(add)) == 0)
			entry = HOST_ENTRY_EXPORTED;
		return rc;
	}
	prepare(&patch, prompt_hooks, N_HOOKS(prompt_hooks));
	dl_iterate_phdr(patch_object, &patch);
	if (n_redirected(&patch) > 0)
		entry = HOST_ENTRY_REDIRECTED;
	return patch.rc;
}

// Only when the host's own start of a port is seen can it be told which ports are started.
static int attach_ports(void) {
	struct patch patch = {.libraries = true};

	prepare(&patch, port_hooks, N_HOOKS(port_hooks));
	dl_iterate_phdr(patch_object, &patch);
	for (size_t i = 0; i < patch.n; i++) {
		if (strcmp(patch.redirections[i].symbol, "rte_eth_dev_start") == 0 &&
		    patch.redirections[i].n_slots > 0)
			gate_track();
	}
	return patch.rc;
}

int host_attach(struct cmdline_inst *const *commands, const struct host_events *events) {
	int rc_ports, rc_prompt;

	host_commands = commands;
	host_events = *events;
	rc_ports = attach_ports();
	rc_prompt = commands != NULL ? attach_prompt() : 0;
	return rc_ports < 0 ? rc_ports : rc_prompt;
}

enum host_entry host_entry(void) {
	return entry;
}

const char *host_entry_text(enum host_entry which) {
	switch (which) {
	case HOST_ENTRY_EXPORTED:
		return "exported registration";
	case HOST_ENTRY_REDIRECTED:
		return "redirected imports";
	case HOST_ENTRY_NONE:
		break;
	}
	return "none";
}

static unsigned int layout_of(unsigned int year, unsigned int month) {
	return month >= 11 ? year + 1 : year;
}

int host_check_release(struct status *status) {
	unsigned int year, month;

	if (rte_version == NULL || sscanf(rte_version(), "%*s %u.%u", &year, &month) != 2)
		return status_set(status, STATUS_FAILED_PRECONDITION, "cannot tell which DPDK this is");
	if (layout_of(year, month) == layout_of(RTE_VER_YEAR, RTE_VER_MONTH))
		return 0;
	return status_set(
	        status, STATUS_FAILED_PRECONDITION,
	        "built for DPDK %d.%02d, and this is %u.%02u, whose structures differ: build it with that "
	        "release's headers",
	        RTE_VER_YEAR, RTE_VER_MONTH, year, month);
}

// EAL's folder at run time is named by the prefix.
const char *host_file_prefix(void) {
	const char *folder = rte_eal_get_runtime_dir != NULL ? rte_eal_get_runtime_dir() : NULL;
	const char *slash = folder != NULL ? strrchr(folder, '/') : NULL;

	return slash != NULL ? slash + 1 : NULL;
}
