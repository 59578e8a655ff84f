// jsontext.h: JSON text, piece by piece, to a stream. For what is not a message of schema/.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdio.h>

// A string with its quotes (RFC 8259). Bytes that are not ASCII go as they are.
void jsontext_string(FILE *, const char *text);
