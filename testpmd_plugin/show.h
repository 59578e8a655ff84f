// show.h: what `analytics show ...` prints.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stdio.h>

int show_status(FILE *out, struct status *status);
int show_ports(FILE *out, struct status *status);
int show_config(FILE *out, struct status *status);
