// What is where on the screen: a line about all, tabs, a list or a link's detail, and a line of keys.
// SPDX-License-Identifier: MIT
#include "screen.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { LINE_SUMMARY, LINE_TABS, LINE_HEAD, LINE_LIST, KEY_ESCAPE = 27, FILTER_SIZE = 64 };

static const double windows[] = {3600, 6 * 3600, 86400, 7 * 86400};

struct screen {
	bool colours, ascii, detail, typing;
	enum view_kind kind;
	struct view_order order[N_VIEWS];
	char filter[FILTER_SIZE];
	size_t at[N_VIEWS], top[N_VIEWS]; // the row under the cursor, the first that is seen
	size_t *rows;
	size_t n_rows;
};

int screen_open(bool colours, bool ascii, const char *filter, struct screen **ret) {
	struct screen *screen = calloc(1, sizeof(*screen));

	if (screen == NULL)
		return -ENOMEM;
	set_escdelay(25);
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	screen->ascii = ascii;
	snprintf(screen->filter, sizeof(screen->filter), "%s", filter);
	screen->colours = colours && has_colors();
	if (screen->colours) {
		start_color();
		use_default_colors();
		init_pair(MOOD_GOOD, COLOR_GREEN, -1);
		init_pair(MOOD_WARN, COLOR_YELLOW, -1);
		init_pair(MOOD_BAD, COLOR_RED, -1);
	}
	screen->order[VIEW_LINKS].column = 7; // the fullest first
	for (size_t v = 0; v < N_VIEWS; v++)
		screen->order[v].filter = screen->filter;
	*ret = screen;
	return 0;
}

void screen_close(struct screen *screen) {
	if (screen == NULL)
		return;
	endwin();
	free(screen->rows);
	free(screen);
}

// ---- drawing

static attr_t look_of(const struct screen *screen, enum view_mood mood) {
	if (mood == MOOD_FAINT)
		return A_DIM;
	if (!screen->colours)
		return mood == MOOD_BAD ? A_BOLD : A_NORMAL;
	return mood == MOOD_PLAIN ? A_NORMAL : COLOR_PAIR(mood) | (mood == MOOD_BAD ? A_BOLD : 0);
}

// Text in 'width' columns of the screen, cut or filled up; wide characters count as they are wide.
static void put(int y, int x, int width, bool right, const char *text) {
	wchar_t wide[VIEW_CELL_SIZE + 1];
	size_t n = mbstowcs(wide, text, VIEW_CELL_SIZE);
	int used = 0;
	size_t fits = 0;

	if (n == (size_t)-1 || width <= 0)
		return;
	for (; fits < n; fits++) {
		int one = wcwidth(wide[fits]);

		if (one < 0) {
			wide[fits] = L'?';
			one = 1;
		}
		if (used + one > width)
			break;
		used += one;
	}
	mvhline(y, x, ' ', width);
	mvaddnwstr(y, right ? x + width - used : x, wide, (int)fits);
}

static int flexible_width(const struct view *view) {
	int left = COLS;

	for (size_t c = 0; c < view->n_columns; c++)
		left -= view->columns[c].width + 1;
	return left < 8 ? 8 : left;
}

static void draw_row(const struct screen *screen, const struct snapshot *snapshot, int y, size_t row,
                     bool chosen) {
	const struct view *view = &views[screen->kind];
	char text[VIEW_CELL_SIZE];
	int x = 0;

	attrset(look_of(screen, view->mood(snapshot, row)) | (chosen ? A_REVERSE : 0));
	for (size_t c = 0; c < view->n_columns && x < COLS; c++) {
		int width = view->columns[c].width != 0 ? view->columns[c].width : flexible_width(view);

		view->columns[c].cell(snapshot, row, text);
		put(y, x, width < COLS - x ? width : COLS - x, view->columns[c].right, text);
		x += width;
		if (x < COLS)
			mvaddch(y, x, ' ');
		x++;
	}
	attrset(A_NORMAL);
}

static void draw_head(const struct screen *screen) {
	const struct view *view = &views[screen->kind];
	const struct view_order *order = &screen->order[screen->kind];
	int x = 0;

	attrset(A_BOLD | A_UNDERLINE);
	for (size_t c = 0; c < view->n_columns && x < COLS; c++) {
		int width = view->columns[c].width != 0 ? view->columns[c].width : flexible_width(view);
		char name[32];

		snprintf(name, sizeof(name), "%s%s", view->columns[c].name,
		         c != order->column ? ""
		         : order->backwards ? "^"
		                            : "v");
		put(LINE_HEAD, x, width < COLS - x ? width : COLS - x, view->columns[c].right, name);
		x += width + 1;
	}
	attrset(A_NORMAL);
}

static void draw_list(struct screen *screen, const struct snapshot *snapshot) {
	size_t seen = LINES > LINE_LIST + 1 ? (size_t)(LINES - LINE_LIST - 1) : 0;
	size_t *at = &screen->at[screen->kind], *top = &screen->top[screen->kind];

	draw_head(screen);
	if (screen->n_rows == 0)
		mvprintw(LINE_LIST, 0, "no %s%s", views[screen->kind].name,
		         screen->filter[0] != '\0' ? " that match" : "");
	if (*at >= screen->n_rows)
		*at = screen->n_rows > 0 ? screen->n_rows - 1 : 0;
	if (*at < *top)
		*top = *at;
	if (seen > 0 && *at >= *top + seen)
		*top = *at - seen + 1;
	for (size_t i = 0; i < seen && *top + i < screen->n_rows; i++)
		draw_row(screen, snapshot, LINE_LIST + (int)i, screen->rows[*top + i], *top + i == *at);
}

static void draw_sparkline(const struct screen *screen, int y, const double *values, size_t n, double top) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (file == NULL)
		return;
	view_sparkline(values, n, top, COLS > 2 ? COLS - 2 : 1, screen->ascii, file);
	if (fclose(file) == 0)
		mvaddstr(y, 1, text);
	free(text);
}

static double most_of(const double *values, size_t n, double most) {
	for (size_t i = 0; i < n; i++)
		most = fmax(most, values[i]);
	return most;
}

static void draw_detail(const struct screen *screen, const struct snapshot *snapshot) {
	const struct snapshot_wish *wish = &snapshot->wish;
	const struct link_forecast *forecast = snapshot->detail.forecast;
	size_t n_past = snapshot->detail.n_past, n_next;
	CLEANUP(freep) double *values = NULL;
	char past[DURATION_TEXT_SIZE], next[DURATION_TEXT_SIZE];
	double top;

	if (forecast == NULL) {
		mvprintw(LINE_HEAD, 0, "asking ...");
		return;
	}
	attrset(A_BOLD);
	mvprintw(LINE_HEAD, 0, "%s, %s", wish->link_id, choice_word(&directions_choices, wish->direction));
	attrset(A_NORMAL);
	n_next = forecast->n_series;
	values = calloc(n_past + 2 * n_next + 1, sizeof(*values));
	if (values == NULL)
		return;
	for (size_t i = 0; i < n_past; i++)
		values[i] = snapshot->detail.past[i].gbps;
	for (size_t i = 0; i < n_next; i++) {
		values[n_past + i] = forecast->series[i].median;
		values[n_past + n_next + i] = forecast->series[i].upper;
	}
	top = most_of(values, n_past + 2 * n_next, 0);

	mvprintw(LINE_LIST, 0, "state %s; used %.3f Gbps now, %.3f forecast, %.3f reserved",
	         choice_word(&states_choices, forecast->state), forecast->current_used_capacity_gbps,
	         forecast->forecast_used_capacity_gbps, forecast->reserved_gbps);
	if (HAS(forecast, link_forecast, total_capacity_gbps))
		printw(" of %.3g", forecast->total_capacity_gbps);
	mvprintw(LINE_LIST + 1, 0, "model %s of %lld samples, step %g s, calibrated on %lld windows",
	         forecast->model, (long long)forecast->samples, forecast->step_seconds,
	         (long long)forecast->calibration_windows);
	if (HAS(forecast, link_forecast, backtest_mase))
		printw(", MASE %.2f", forecast->backtest_mase);
	if (HAS(forecast, link_forecast, coverage))
		printw(", covered %.0f%%", 100 * forecast->coverage);
	if (forecast->fallback_reason != NULL)
		mvprintw(LINE_LIST + 2, 0, "because: %s", forecast->fallback_reason);
	text_from_seconds(wish->past_seconds, past);
	text_from_seconds(wish->window_seconds, next);
	mvprintw(LINE_LIST + 4, 0, "used, last %s (0 to %.3g Gbps)", past, top);
	draw_sparkline(screen, LINE_LIST + 5, values, n_past, top);
	mvprintw(LINE_LIST + 7, 0, "forecast, next %s: middle, and upper end of the band", next);
	draw_sparkline(screen, LINE_LIST + 8, values + n_past, n_next, top);
	draw_sparkline(screen, LINE_LIST + 9, values + n_past + n_next, n_next, top);
}

static void draw_tabs(const struct screen *screen) {
	move(LINE_TABS, 0);
	for (size_t v = 0; v < N_VIEWS; v++) {
		attrset(v == screen->kind ? A_REVERSE : A_NORMAL);
		printw(" %zu %s ", v + 1, views[v].name);
	}
	attrset(A_NORMAL);
	if (screen->typing || screen->filter[0] != '\0')
		printw("  filter: %s%s", screen->filter, screen->typing ? "_" : "");
}

void screen_draw(struct screen *screen, const struct snapshot *snapshot) {
	char summary[VIEW_CELL_SIZE];

	erase();
	draw_tabs(screen);
	free(screen->rows);
	screen->rows = NULL;
	screen->n_rows = 0;
	if (snapshot == NULL) {
		put(LINE_SUMMARY, 0, COLS, false, "asking analyticsd ...");
		refresh();
		return;
	}
	view_summary(snapshot, summary, sizeof(summary));
	put(LINE_SUMMARY, 0, COLS, false, summary);
	if (view_rows(&views[screen->kind], snapshot, &screen->order[screen->kind], &screen->rows,
	              &screen->n_rows) == 0) {
		if (screen->detail)
			draw_detail(screen, snapshot);
		else
			draw_list(screen, snapshot);
	}
	if (snapshot->error[0] != '\0') {
		attrset(look_of(screen, MOOD_BAD));
		put(LINES - 1, 0, COLS, false, snapshot->error);
		attrset(A_NORMAL);
	} else {
		put(LINES - 1, 0, COLS, false,
		    screen->detail ? "Esc back  w window  q quit"
		                   : "Tab view  Up/Down  Enter detail  s sort by  r reverse  / filter  w "
		                     "window  q quit");
	}
	refresh();
}

// ---- keys

static void move_by(struct screen *screen, long by) {
	size_t *at = &screen->at[screen->kind];
	size_t last = screen->n_rows > 0 ? screen->n_rows - 1 : 0;

	if (by < 0)
		*at = *at < (size_t)-by ? 0 : *at - (size_t)-by;
	else
		*at = last - *at < (size_t)by ? last : *at + (size_t)by;
}

static void type(struct screen *screen, int key) {
	size_t n = strlen(screen->filter);

	if (key == '\n' || key == KEY_ENTER || key == KEY_ESCAPE) {
		screen->typing = false;
		if (key == KEY_ESCAPE)
			screen->filter[0] = '\0';
	} else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && n > 0) {
		while (n > 0 && ((unsigned char)screen->filter[--n] & 0xc0) == 0x80)
			continue; // the bytes that follow in UTF-8
		screen->filter[n] = '\0';
	} else if (key >= ' ' && key <= 0xff && key != 127 && n + 1 < FILTER_SIZE) {
		screen->filter[n] = (char)key;
		screen->filter[n + 1] = '\0';
	}
}

static void next_window(struct snapshot_wish *wish) {
	const size_t n = sizeof(windows) / sizeof(windows[0]);
	size_t i = 0;

	while (i < n && windows[i] <= wish->window_seconds)
		i++;
	wish->window_seconds = windows[i % n];
}

static bool open_detail(struct screen *screen, const struct snapshot *snapshot, struct snapshot_wish *wish) {
	const struct link_forecast *forecast;

	if (screen->kind != VIEW_LINKS || snapshot == NULL || screen->at[VIEW_LINKS] >= screen->n_rows)
		return false;
	forecast = snapshot->links[screen->rows[screen->at[VIEW_LINKS]]].forecast;
	snprintf(wish->link_id, sizeof(wish->link_id), "%s", forecast->link_id);
	wish->direction = forecast->direction;
	screen->detail = true;
	return true;
}

static void show(struct screen *screen, size_t kind) {
	screen->kind = (enum view_kind)(kind % N_VIEWS);
	screen->detail = false;
}

// Returns whether the wish was changed.
static bool take_key(struct screen *screen, const struct snapshot *snapshot, int key,
                     struct snapshot_wish *wish) {
	struct view_order *order = &screen->order[screen->kind];
	long page = LINES > LINE_LIST + 2 ? LINES - LINE_LIST - 2 : 1;

	switch (key) {
	case '\t':
		show(screen, screen->kind + 1U);
		break;
	case '1':
	case '2':
	case '3':
		show(screen, (size_t)(key - '1'));
		break;
	case KEY_UP:
	case 'k':
		move_by(screen, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_by(screen, 1);
		break;
	case KEY_PPAGE:
		move_by(screen, -page);
		break;
	case KEY_NPAGE:
		move_by(screen, page);
		break;
	case KEY_HOME:
		screen->at[screen->kind] = 0;
		break;
	case KEY_END:
		move_by(screen, INT32_MAX);
		break;
	case 's':
		order->column = (order->column + 1) % views[screen->kind].n_columns;
		break;
	case 'r':
		order->backwards = !order->backwards;
		break;
	case '/':
		screen->typing = true;
		break;
	case 'w':
		next_window(wish);
		return true;
	case '\n':
	case KEY_ENTER:
		return open_detail(screen, snapshot, wish);
	case KEY_ESCAPE:
	case KEY_BACKSPACE:
		if (!screen->detail)
			screen->filter[0] = '\0';
		screen->detail = false;
		wish->link_id[0] = '\0';
		return true;
	default:
		break; // a resize is drawn as any other key
	}
	return false;
}

enum screen_answer screen_keys(struct screen *screen, const struct snapshot *snapshot,
                               struct snapshot_wish *wish) {
	bool changed = false;
	int key;

	while ((key = getch()) != ERR) {
		if (screen->typing)
			type(screen, key);
		else if (key == 'q')
			return SCREEN_QUIT;
		else
			changed = take_key(screen, snapshot, key, wish) || changed;
	}
	return changed ? SCREEN_WISH : SCREEN_GO_ON;
}
