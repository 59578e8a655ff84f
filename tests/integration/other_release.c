// For tests: a process that says it runs DPDK of another release.
// SPDX-License-Identifier: MIT
const char *rte_version(void);

__attribute__((visibility("default"))) const char *rte_version(void) {
	return "DPDK 99.07.0";
}
