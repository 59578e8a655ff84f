// openapi.h: the HTTP interface as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from the tables of
// schema/ and routes.c.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>

// The document, which the caller frees. Returns 0 or -ENOMEM.
int openapi_text(char **ret, size_t *ret_size);
