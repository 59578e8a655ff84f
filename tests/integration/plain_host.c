// A DPDK application that is not testpmd, for tests: starts a net_null port, waits for the end of its input,
// and goes. Built with EXPORTING it is a host like a static testpmd: it takes commands through an exported
// testpmd_add_driver_commands() and has a prompt of its own. Where rte_lcore_register_usage_cb() is there, it says
// that its lcores are busy for a quarter of the time.
// SPDX-License-Identifier: MIT
#include <cmdline.h>
#include <cmdline_socket.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <sys/queue.h>
#include <unistd.h>

#define MAX_COMMANDS 64

static cmdline_parse_ctx_t commands[MAX_COMMANDS + 1];

#ifdef EXPORTING
struct testpmd_driver_commands {
	TAILQ_ENTRY(testpmd_driver_commands) next;
	struct {
		cmdline_parse_inst_t *command;
		const char *help;
	} commands[];
};

__attribute__((visibility("default"))) void testpmd_add_driver_commands(struct testpmd_driver_commands *list);

void testpmd_add_driver_commands(struct testpmd_driver_commands *list) {
	for (size_t i = 0; i < MAX_COMMANDS && list->commands[i].command != NULL; i++)
		commands[i] = list->commands[i].command;
}
#endif

struct lcore_usage {
	uint64_t total_cycles;
	uint64_t busy_cycles;
};

void rte_lcore_register_usage_cb(int (*usage)(unsigned int lcore, struct lcore_usage *ret));
#pragma weak rte_lcore_register_usage_cb

static int tell_usage(unsigned int lcore, struct lcore_usage *ret) {
	static uint64_t cycles[RTE_MAX_LCORE];

	cycles[lcore] += 1000;
	*ret = (struct lcore_usage){4 * cycles[lcore], cycles[lcore]};
	return 0;
}

static int start_port(uint16_t port) {
	struct rte_mempool *pool = rte_pktmbuf_pool_create("pool", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	struct rte_eth_conf conf = {0};

	if (pool == NULL || rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(port, 0, 64, 0, NULL) != 0)
		return -1;
	return rte_eth_dev_start(port);
}

static void serve(void) {
	struct cmdline *prompt;
	char byte;

	if (commands[0] == NULL) {
		printf("Press enter to exit\n");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
			;
		return;
	}
	prompt = cmdline_stdin_new(commands, "testpmd> ");
	if (prompt == NULL)
		return;
	cmdline_interact(prompt);
	cmdline_stdin_exit(prompt);
}

int main(int argc, char *argv[]) {
	if (rte_eal_init(argc, argv) < 0)
		return 1;
	if (rte_lcore_register_usage_cb != NULL)
		rte_lcore_register_usage_cb(tell_usage);
	if (start_port(0) != 0)
		return 1;
	serve();
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
