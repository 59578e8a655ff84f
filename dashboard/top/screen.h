// screen.h: the lists and a link's detail in a terminal, by ncurses. Keys change what is shown; main.c fetches.
// SPDX-License-Identifier: MIT
#pragma once

#include "view.h"

struct screen;

// Takes over the terminal. 'colours' false: none, whatever the terminal can. 'filter' is the one to begin with. Returns
// 0 or -ENOMEM.
int screen_open(bool colours, bool ascii, const char *filter, struct screen **ret);
void screen_close(struct screen *); // gives the terminal back; NULL is fine
DEFINE_CLEANUP(struct screen *, screen_close)

// Draws what the snapshot has; NULL: nothing was heard yet.
void screen_draw(struct screen *, const struct snapshot *);

enum screen_answer { SCREEN_GO_ON, SCREEN_WISH, SCREEN_QUIT };

// Takes the keys that wait. SCREEN_WISH: 'wish' was changed and should be fetched.
enum screen_answer screen_keys(struct screen *, const struct snapshot *, struct snapshot_wish *wish);
