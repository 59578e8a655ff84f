// print_services.h: services for people, or as the messages they are.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

#include <stdbool.h>
#include <stdio.h>

// Return 0 or a negative errno.
int print_services(const struct service_list *, bool json, FILE *);
// With its decisions, where it has them.
int print_service(const struct service_view *, bool json, FILE *);
