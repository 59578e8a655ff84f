// A seeded model of ports; nothing of it is fitted to a codec.
// SPDX-License-Identifier: MIT
#include "history_workload.h"

#include <math.h>

const char *const workload_names[WORKLOAD_COUNTERS] = {
        "rx_packets",
        "tx_packets",
        "rx_bytes",
        "tx_bytes",
        "rx_missed",
        "rx_errors",
        "tx_errors",
        "rx_nombuf",
        "rx_unicast_packets",
        "rx_multicast_packets",
        "rx_broadcast_packets",
        "rx_size_64_packets",
        "rx_q0_packets",
        "rx_q1_packets",
        "tx_multicast_packets",
        "tx_q0_packets",
};

enum {
	RX_PACKETS = 2,
	TX_PACKETS,
	RX_BYTES,
	TX_BYTES,
	RX_MISSED,
	RX_ERRORS,
	TX_ERRORS,
	RX_NOMBUF,
	RX_UNICAST,
	RX_MULTICAST,
	RX_BROADCAST,
	RX_SIZE_64,
	RX_Q0,
	RX_Q1,
	TX_MULTICAST,
	TX_Q0
};

// splitmix64 (Steele, Lea, Flood 2014)
static uint64_t draw(struct workload *workload) {
	uint64_t z = workload->state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static double draw_real(struct workload *workload) {
	return (double)(draw(workload) >> 11) * 0x1p-53;
}

// About normal, mean 0 and deviation 1: four uniform ones.
static double draw_noise(struct workload *workload) {
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += draw_real(workload) - 0.5;
	return sum * sqrt(3);
}

// So many of rare events with this mean in a second.
static uint64_t draw_rare(struct workload *workload, double mean) {
	double left = exp(-mean);
	uint64_t n = 0;

	for (double p = draw_real(workload); p > left && n < 100; n++)
		p *= draw_real(workload);
	return n;
}

void workload_init(struct workload *workload, uint64_t seed) {
	static const double gbps[] = {1, 10, 10, 25, 100};

	*workload = (struct workload){.state = seed};
	for (size_t i = 0; i < WORKLOAD_PORTS; i++) {
		struct workload_port *port = &workload->ports[i];
		double load = draw_real(workload) * draw_real(workload); // most links are far from full

		port->size = 200 + 900 * draw_real(workload);
		port->packets = load * gbps[draw(workload) % 5] * 1e9 / 8 / port->size;
		port->noise = 0.002 + 0.05 * draw_real(workload) * draw_real(workload);
		port->phase = draw_real(workload) / 12;
		port->row[1] = (uint64_t)WORKLOAD_START_NS + draw(workload) % 1000000000;
		if (draw(workload) % 5 == 0)
			port->packets = 0; // nothing plugged in
		for (size_t c = 2; port->packets > 0 && c < WORKLOAD_WIDTH; c++)
			port->row[c] = draw(workload) >> (24 + draw(workload) % 16);
	}
}

static void move(struct workload *workload, struct workload_port *port, int way, double day) {
	uint64_t packets, bytes, *row = port->row;

	port->level[way] = 0.95 * port->level[way] + 0.3 * port->noise * draw_noise(workload);
	packets =
	        (uint64_t)fmax(0, port->packets * day * (way == 0 ? 1 : 0.7) *
	                                  (1 + port->level[way] + 0.3 * port->noise * draw_noise(workload)));
	bytes = (uint64_t)((double)packets * port->size * (1 + 0.01 * draw_noise(workload)));
	if (way == 0) {
		uint64_t multicast = draw_rare(workload, 2), broadcast = draw_rare(workload, 0.3);
		uint64_t q0 = (uint64_t)((double)packets * (0.5 + 0.004 * draw_noise(workload)));

		row[RX_PACKETS] += packets + multicast + broadcast;
		row[RX_BYTES] += bytes + 86 * multicast + 60 * broadcast;
		row[RX_UNICAST] += packets;
		row[RX_MULTICAST] += multicast;
		row[RX_BROADCAST] += broadcast;
		row[RX_SIZE_64] += (uint64_t)((double)packets * (0.2 + 0.01 * draw_noise(workload)));
		row[RX_Q0] += q0;
		row[RX_Q1] += packets - q0;
		if (draw(workload) % 2000 == 0)
			row[RX_MISSED] += 1 + draw(workload) % 500;
		row[RX_ERRORS] += draw(workload) % 5000 == 0;
	} else {
		uint64_t multicast = draw_rare(workload, 0.5);

		row[TX_PACKETS] += packets + multicast;
		row[TX_BYTES] += bytes + 110 * multicast;
		row[TX_MULTICAST] += multicast;
		row[TX_Q0] += packets;
	}
}

void workload_step_port(struct workload *workload, struct workload_port *port) {
	double seconds = (double)(port->row[1] - (uint64_t)WORKLOAD_START_NS) * 1e-9;
	double day = 0.6 + 0.4 * sin(2 * M_PI * (seconds / 86400 + port->phase));
	uint64_t late_ns = (uint64_t)(3000 * fabs(draw_noise(workload)));

	if (draw(workload) % 100 == 0)
		late_ns += draw(workload) % 200000;
	port->row[0]++;
	port->row[1] = port->row[1] / 1000000 * 1000000 + 1000000000 + late_ns; // absolute deadlines
	if (port->packets > 0) {
		move(workload, port, 0, day);
		move(workload, port, 1, day);
	}
}

void workload_step(struct workload *workload) {
	for (size_t i = 0; i < WORKLOAD_PORTS; i++)
		workload_step_port(workload, &workload->ports[i]);
}
