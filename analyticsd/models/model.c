// The table of models. Adding one is its file, a line in models.def and a line in meson.build.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <string.h>

const struct model *const model_table[] = {
#define MODEL(SYMBOL) &model_##SYMBOL,
#include "models.def"
#undef MODEL
};

const size_t model_table_size = sizeof(model_table) / sizeof(model_table[0]);

const struct model *model_find(const char *name) {
	for (size_t i = 0; i < model_table_size; i++) {
		if (strcmp(model_table[i]->name, name) == 0)
			return model_table[i];
	}
	return NULL;
}

size_t model_index(const struct model *model) {
	size_t i = 0;

	while (i < model_table_size && model_table[i] != model)
		i++;
	return i;
}

size_t model_least_one(const struct model *model, const struct past *past) {
	(void)model;
	(void)past;
	return 1;
}
