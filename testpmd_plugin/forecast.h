// forecast.h: asking analyticsd what a port's link will carry.
// SPDX-License-Identifier: MIT
#pragma once

#include "settings.h"
#include "status.h"

#include <stdio.h>

struct forecast_question {
	char server[ENDPOINT_SIZE];
	char host[LIMIT_ID_SIZE + 1];
	char port_name[PORT_NAME_SIZE];
	char link[LIMIT_ID_SIZE + 1]; // "": the one that analyticsd has the port bound to
	double window_seconds;
};

// Asks on a thread of its own, off the forwarding cores, and prints the answer. Returns within about
// CLIENT_TIMEOUT_MS: 0, or a negative errno with 'status' (-EHOSTUNREACH: nobody answers).
int forecast_print(const struct forecast_question *, FILE *out, struct status *status);
