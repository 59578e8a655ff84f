// What DPDK has from 23.03 on and Debian's has not, for tests: a place to register how busy lcores are. DPDK itself
// keeps the function, as this does.
// SPDX-License-Identifier: MIT
struct usage;
typedef int (*usage_fn)(unsigned int lcore, struct usage *usage);

__attribute__((visibility("default"))) void rte_lcore_register_usage_cb(usage_fn usage);

void rte_lcore_register_usage_cb(usage_fn usage) {
	static usage_fn registered;

	registered = usage;
	(void)registered;
}
