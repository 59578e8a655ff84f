// csvtext.h: values as `export` writes and `import` reads them, exactly.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>
#include <stdio.h>

#define CSV_NUMBER_SIZE 40

// Unix time in seconds with the digits of its fraction that it has: "1078099200", "1078099200.25".
const char *csv_from_time(int64_t time_ns, char text[static CSV_NUMBER_SIZE]);

// The fewest digits that read back as the same double.
const char *csv_from_real(double value, char text[static CSV_NUMBER_SIZE]);

// Quoted where it must be.
void csv_write_text(FILE *file, const char *text);
