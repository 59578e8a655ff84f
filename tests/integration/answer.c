// The library that redirected.c imports from.
// SPDX-License-Identifier: MIT
int answer(void);
int other_answer(void);

int answer(void) {
	return 1;
}

int other_answer(void) {
	return 3;
}
