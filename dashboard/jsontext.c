// Escapes of JSON strings.
// SPDX-License-Identifier: MIT
#include "jsontext.h"

void jsontext_string(FILE *file, const char *text) {
	fputc('"', file);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(file, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(file, "\\u%04x", byte);
		else
			fputc(byte, file);
	}
	fputc('"', file);
}
