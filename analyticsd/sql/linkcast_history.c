// linkcast_history.so: history as plain rows, for sqlite3 and whatever else loads SQLite extensions.
//
//     sqlite3 -readonly history.db -cmd '.load ./linkcast_history'
//     SELECT * FROM linkcast_port WHERE host = 'h1' AND name = 'net_null0' AND time >= unixepoch() - 3600;
//     SELECT time, gbps FROM linkcast_kpi WHERE link = 'A-Z' AND level = '1h' AND statistic = 'max';
//
// docs/storage.md has the columns. Only reads. Each cursor has a handle of history of its own, by the functions of the
// SQLite that loaded this, so that one process never has two copies of it at one file.
// SPDX-License-Identifier: MIT
#include "db.h"
#include "history.h"
#include "plan.h"
#include "series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT1

#define EXPORTED __attribute__((visibility("default")))

enum { LEVEL_CHOICE, STEP_CHOICE, STATISTIC_CHOICE, FILE_CHOICE, N_CHOICES };
#define CHOICES_OF_ALL                                                                                       \
	{"level TEXT HIDDEN", ROLE_CHOICE}, {"step REAL HIDDEN", ROLE_CHOICE},                               \
	        {"statistic TEXT HIDDEN", ROLE_CHOICE}, {                                                    \
		"file TEXT HIDDEN", ROLE_CHOICE                                                              \
	}

struct view {
	const char *name;
	enum series_shape shape;
	int n_keys;
	int time, n_columns; // where the time begins; all
	struct plan_column columns[PLAN_COLUMNS];
};

enum { PORT_HOST, PORT_NAME };
enum { COUNTER_HOST, COUNTER_NAME, COUNTER_COUNTER };
enum { LINK_LINK, LINK_DIRECTION, LINK_KPI };

static const struct view views[] = {
        {"linkcast_port",
         SHAPE_PORT,
         2,
         2,
         4 + N_PORT_COUNTERS + N_CHOICES,
         {{"host TEXT", ROLE_KEY},
          {"name TEXT", ROLE_KEY},
          {"time INTEGER", ROLE_SECOND},
          {"ts_ns INTEGER", ROLE_NS},
#define COUNTER(NAME, UNIT, HELP) {#NAME " INTEGER", ROLE_PLAIN},
#include "port_sample.def"
#undef COUNTER
          CHOICES_OF_ALL}},
        {"linkcast_counter",
         SHAPE_COUNTER,
         3,
         3,
         6 + N_CHOICES,
         {{"host TEXT", ROLE_KEY},
          {"name TEXT", ROLE_KEY},
          {"counter TEXT", ROLE_KEY},
          {"time INTEGER", ROLE_SECOND},
          {"ts_ns INTEGER", ROLE_NS},
          {"value INTEGER", ROLE_PLAIN},
          CHOICES_OF_ALL}},
        {"linkcast_kpi",
         SHAPE_LINK,
         3,
         3,
         6 + N_CHOICES,
         {{"link TEXT", ROLE_KEY},
          {"direction TEXT", ROLE_KEY},
          {"kpi INTEGER", ROLE_KEY},
          {"time INTEGER", ROLE_SECOND},
          {"ts_ns INTEGER", ROLE_NS},
          {"gbps REAL", ROLE_PLAIN},
          CHOICES_OF_ALL}},
};

struct table {
	sqlite3_vtab base;
	sqlite3 *db;
	const struct view *view;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct history *history;
	char *path; // of the history
	struct series_walk walk;
	sqlite3_int64 row;
};

static int fail(struct table *table, int rc, const struct status *status) {
	sqlite3_free(table->base.zErrMsg);
	table->base.zErrMsg =
	        sqlite3_mprintf("%s", status->message[0] != '\0' ? status->message : strerror(-rc));
	return rc == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

// ---- tables

static int table_connect(sqlite3 *db, void *view_of, int argc, const char *const *argv, sqlite3_vtab **ret,
                         char **ret_error) {
	const struct view *view = view_of;
	sqlite3_str *text = sqlite3_str_new(db);
	struct table *table = sqlite3_malloc(sizeof(*table));
	char *declaration;
	int result;

	(void)argc;
	(void)argv;
	(void)ret_error;
	for (int i = 0; i < view->n_columns; i++)
		sqlite3_str_appendf(text, "%s%s", i == 0 ? "CREATE TABLE x(" : ", ", view->columns[i].name);
	sqlite3_str_appendall(text, ")");
	declaration = sqlite3_str_finish(text);
	result = table != NULL && declaration != NULL ? sqlite3_declare_vtab(db, declaration) : SQLITE_NOMEM;
	sqlite3_free(declaration);
	if (result != SQLITE_OK) {
		sqlite3_free(table);
		return result;
	}
	*table = (struct table){.db = db, .view = view};
	*ret = &table->base;
	return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base) {
	sqlite3_free(base);
	return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
	const struct view *view = ((struct table *)base)->view;

	return plan_choose(info, view->columns, view->n_columns, view->n_keys);
}

// ---- cursors

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret) {
	struct cursor *cursor = calloc(1, sizeof(*cursor));

	(void)base;
	if (cursor == NULL)
		return SQLITE_NOMEM;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static void close_history(struct cursor *cursor) {
	series_fini(&cursor->walk);
	if (cursor->history != NULL)
		history_read_end(cursor->history);
	history_close(cursor->history);
	free(cursor->path);
	cursor->history = NULL;
	cursor->path = NULL;
}

static int cursor_close(sqlite3_vtab_cursor *base) {
	struct cursor *cursor = (struct cursor *)base;

	close_history(cursor);
	free(cursor);
	return SQLITE_OK;
}

// The state that the history is in now is what the cursor sees until it is used anew.
static int open_history(struct cursor *cursor, const char *path, struct status *status) {
	int rc;

	if (cursor->history != NULL && strcmp(cursor->path, path) == 0) {
		history_read_end(cursor->history);
		return history_read_begin(cursor->history, status);
	}
	close_history(cursor);
	cursor->path = strdup(path);
	if (cursor->path == NULL)
		return -ENOMEM;
	if ((rc = history_open(path, false, &cursor->history, status)) < 0)
		return rc;
	return history_read_begin(cursor->history, status);
}

static int read_word(const char *what, const struct choices *choices, const char *word, int *ret,
                     struct status *status) {
	if (word == NULL || choice_find(choices, word, ret) == 0)
		return 0;
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s '%.80s' is not known", what, word);
}

static int read_step(const char *text, int64_t *ret, struct status *status) {
	double seconds = text != NULL ? strtod(text, NULL) : 0;

	if (text != NULL && !(seconds >= 1e-6 && seconds <= 1e9))
		return status_set(status, STATUS_INVALID_ARGUMENT, "step '%.80s' is no number of seconds",
		                  text);
	*ret = llround(seconds * 1e9);
	return 0;
}

static int read_wanted(const struct view *view, const struct plan *plan, struct series_wanted *ret,
                       struct status *status) {
	const char *const *choices = plan->equal + view->n_columns - N_CHOICES;
	const struct choices *statistics =
	        view->shape == SHAPE_LINK ? &kpi_values_choices : &port_values_choices;
	int level = LEVEL_AUTO, statistic = 0, rc;

	*ret = (struct series_wanted){.shape = view->shape, .from_ns = plan->from_ns, .to_ns = plan->to_ns};
	if (view->shape == SHAPE_LINK) {
		ret->link_id = plan->equal[LINK_LINK];
		ret->direction = plan->equal[LINK_DIRECTION];
		ret->kpi = plan->equal[LINK_KPI] != NULL ? atoll(plan->equal[LINK_KPI]) : 0;
	} else {
		ret->host = plan->equal[PORT_HOST];
		ret->name = plan->equal[PORT_NAME];
		ret->counter = view->shape == SHAPE_COUNTER ? plan->equal[COUNTER_COUNTER] : NULL;
	}
	if ((rc = read_word("level", &query_levels_choices, choices[LEVEL_CHOICE], &level, status)) < 0 ||
	    (rc = read_word("statistic", statistics, choices[STATISTIC_CHOICE], &statistic, status)) < 0 ||
	    (rc = read_step(choices[STEP_CHOICE], &ret->step_ns, status)) < 0)
		return rc;
	ret->level = (enum history_level)level;
	ret->port_value = (enum port_value)statistic;
	ret->kpi_value = (enum kpi_value)statistic;
	return 0;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc,
                         sqlite3_value **argv) {
	struct cursor *cursor = (struct cursor *)base;
	struct table *table = (struct table *)base->pVtab;
	const struct view *view = table->view;
	struct status status = {.message = ""};
	struct series_wanted wanted;
	struct plan plan;
	const char *path;
	int rc;

	(void)number;
	cursor->row = 0;
	plan_read(text, argc, argv, view->columns, &plan);
	path = plan.equal[view->n_columns - N_CHOICES + FILE_CHOICE];
	if (path == NULL)
		path = sqlite3_db_filename(table->db, "main");
	if (path == NULL || path[0] == '\0') {
		(void)status_set(&status, STATUS_INVALID_ARGUMENT,
		                 "no history is open: open history.db, or say file = '/path/history.db'");
		return fail(table, -EINVAL, &status);
	}
	if ((rc = read_wanted(view, &plan, &wanted, &status)) < 0 ||
	    (rc = open_history(cursor, path, &status)) < 0 ||
	    (rc = series_begin(&cursor->walk, cursor->history, &wanted, &status)) < 0)
		return fail(table, rc, &status);
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base) {
	struct cursor *cursor = (struct cursor *)base;
	struct status status = {.message = ""};
	int rc = series_next(&cursor->walk, &status);

	cursor->row++;
	return rc < 0 ? fail((struct table *)base->pVtab, rc, &status) : SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *base) {
	return series_at_end(&((struct cursor *)base)->walk);
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret) {
	*ret = ((struct cursor *)base)->row;
	return SQLITE_OK;
}

// ---- values

static void result_text(sqlite3_context *context, const char *text) {
	sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

// A number that SQLite's integers can't hold is its digits.
static void result_counter(sqlite3_context *context, uint64_t value) {
	char text[24];

	if (value <= INT64_MAX)
		sqlite3_result_int64(context, (int64_t)value);
	else
		result_text(context, sqlite3_snprintf(sizeof(text), text, "%llu", (unsigned long long)value));
}

static void result_key(sqlite3_context *context, const struct view *view, const struct series_item *item,
                       int column) {
	if (view->shape != SHAPE_LINK)
		result_text(context, column == COUNTER_HOST   ? item->host
		                     : column == COUNTER_NAME ? item->name
		                                              : item->counter);
	else if (column == LINK_KPI)
		sqlite3_result_int64(context, item->kpi);
	else
		result_text(context, column == LINK_LINK
		                             ? item->link_id
		                             : choice_word(&directions_choices, (int)item->direction));
}

static int64_t second_of(int64_t ts_ns) {
	return ts_ns / 1000000000 - (ts_ns % 1000000000 < 0);
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
	const struct view *view = ((struct table *)base->pVtab)->view;
	const struct series_walk *walk = &((struct cursor *)base)->walk;

	if (column < view->time)
		result_key(context, view, series_item(walk), column);
	else if (column == view->time)
		sqlite3_result_int64(context, second_of(series_time(walk)));
	else if (column == view->time + 1)
		sqlite3_result_int64(context, series_time(walk));
	else if (column >= view->n_columns - N_CHOICES)
		sqlite3_result_null(context); // how it was read is the query's to know
	else if (view->shape == SHAPE_LINK)
		sqlite3_result_double(context, series_gbps(walk));
	else
		result_counter(context, series_counter(walk, (size_t)(column - view->time - 2)));
	return SQLITE_OK;
}

// Without xCreate a table exists as soon as the module does, in whatever database is open.
static const sqlite3_module module = {
        .iVersion = 0,
        .xConnect = table_connect,
        .xBestIndex = table_best_index,
        .xDisconnect = table_disconnect,
        .xOpen = cursor_open,
        .xClose = cursor_close,
        .xFilter = cursor_filter,
        .xNext = cursor_next,
        .xEof = cursor_eof,
        .xColumn = cursor_column,
        .xRowid = cursor_rowid,
};

EXPORTED int sqlite3_linkcasthistory_init(sqlite3 *db, char **ret_error, const sqlite3_api_routines *api);

int sqlite3_linkcasthistory_init(sqlite3 *db, char **ret_error, const sqlite3_api_routines *api) {
	int result = SQLITE_OK;

	(void)ret_error;
	SQLITE_EXTENSION_INIT2(api);
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]) && result == SQLITE_OK; i++)
		result = sqlite3_create_module(db, views[i].name, &module, (void *)&views[i]);
	return result;
}
