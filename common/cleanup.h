// cleanup.h: scope-bound destruction, so that an early return leaks nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdlib.h>

#define CLEANUP(FUNCTION) __attribute__((cleanup(FUNCTION)))

// DEFINE_CLEANUP(struct store *, store_close) makes store_closep for CLEANUP().
#define DEFINE_CLEANUP(TYPE, FUNCTION)                                                                       \
	static inline void FUNCTION##p(TYPE *object) {                                                       \
		if (*object != NULL)                                                                         \
			FUNCTION(*object);                                                                   \
	}

static inline void freep(void *pointer) {
	free(*(void **)pointer);
}
