// From constraints to ranges.
// SPDX-License-Identifier: MIT
#include "plan.h"

#include "clock.h"

#include <math.h>

// A constraint as two letters: 'a' + column, and one of these.
static char letter_of(unsigned char op) {
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return '=';
	case SQLITE_INDEX_CONSTRAINT_GT:
		return '>';
	case SQLITE_INDEX_CONSTRAINT_GE:
		return 'g';
	case SQLITE_INDEX_CONSTRAINT_LT:
		return '<';
	case SQLITE_INDEX_CONSTRAINT_LE:
		return 'l';
	default:
		return 0;
	}
}

static bool is_helpful(enum column_role role, char letter) {
	switch (role) {
	case ROLE_KEY:
	case ROLE_CHOICE:
		return letter == '=';
	case ROLE_NS:
	case ROLE_SECOND:
		return letter != 0;
	case ROLE_PLAIN:
		return false;
	}
	return false;
}

// Rows of one series come in the order of time.
static bool comes_in_order(const sqlite3_index_info *info, const struct plan_column *columns) {
	if (info->nOrderBy != 1 || info->aOrderBy[0].desc || info->aOrderBy[0].iColumn < 0)
		return false;
	return columns[info->aOrderBy[0].iColumn].role == ROLE_NS ||
	       columns[info->aOrderBy[0].iColumn].role == ROLE_SECOND;
}

int plan_choose(sqlite3_index_info *info, const struct plan_column *columns, int n_columns, int n_keys) {
	char *text = sqlite3_malloc(2 * info->nConstraint + 1);
	int n = 0, n_equal = 0, n_bounds = 0;
	unsigned equal = 0;

	if (text == NULL)
		return SQLITE_NOMEM;
	for (int i = 0; i < info->nConstraint; i++) {
		int column = info->aConstraint[i].iColumn;
		char letter = letter_of(info->aConstraint[i].op);
		enum column_role role;

		if (column < 0 || column >= n_columns)
			continue;
		role = columns[column].role;
		if (!info->aConstraint[i].usable) {
			if (role != ROLE_CHOICE)
				continue;
			sqlite3_free(text);
			return SQLITE_CONSTRAINT; // another order of the join knows it before
		}
		if (!is_helpful(role, letter))
			continue;
		text[2 * n] = (char)('a' + column);
		text[2 * n + 1] = letter;
		info->aConstraintUsage[i].argvIndex = ++n;
		info->aConstraintUsage[i].omit = role == ROLE_CHOICE;
		n_bounds += role == ROLE_NS || role == ROLE_SECOND;
		if (role == ROLE_KEY && (equal & (1U << column)) == 0) {
			equal |= 1U << column;
			n_equal++;
		}
	}
	text[2 * n] = '\0';
	info->idxStr = text;
	info->needToFreeIdxStr = 1;
	// Nothing is known of sizes: what matters is that keys come first, then times.
	info->estimatedCost = 1e9 / pow(100, n_equal < n_keys ? n_equal : n_keys) / (n_bounds > 0 ? 10 : 1);
	info->estimatedRows = (sqlite3_int64)info->estimatedCost;
	info->orderByConsumed = n_equal == n_keys && comes_in_order(info, columns);
	return SQLITE_OK;
}

// The first nanosecond of a second, at the ends of time where it is beyond them.
static int64_t start_of(int64_t second) {
	if (second > INT64_MAX / NS_PER_SECOND)
		return INT64_MAX;
	return second < INT64_MIN / NS_PER_SECOND ? INT64_MIN : second * NS_PER_SECOND;
}

static int64_t after(int64_t value) {
	return value < INT64_MAX ? value + 1 : INT64_MAX;
}

static void narrow(struct plan *plan, char letter, int64_t first_ns, int64_t behind_ns) {
	int64_t from_ns = INT64_MIN, to_ns = INT64_MAX;

	if (letter == '=' || letter == 'g')
		from_ns = first_ns;
	if (letter == '>')
		from_ns = behind_ns;
	if (letter == '=' || letter == 'l')
		to_ns = behind_ns;
	if (letter == '<')
		to_ns = first_ns;
	plan->from_ns = from_ns > plan->from_ns ? from_ns : plan->from_ns;
	plan->to_ns = to_ns < plan->to_ns ? to_ns : plan->to_ns;
}

// Texts that look like numbers, as strftime('%s') gives, are numbers here as they are to SQLite.
static void narrow_by(struct plan *plan, char letter, enum column_role role, sqlite3_value *value) {
	int type = sqlite3_value_numeric_type(value);
	int64_t number = sqlite3_value_int64(value);

	if (type == SQLITE_INTEGER && role == ROLE_NS)
		narrow(plan, letter, number, after(number));
	else if (type == SQLITE_INTEGER)
		narrow(plan, letter, start_of(number), start_of(after(number)));
	else if (type == SQLITE_FLOAT && role == ROLE_SECOND && fabs(sqlite3_value_double(value)) < 1e18)
		narrow(plan,
		       letter == '>'   ? 'g'
		       : letter == '<' ? 'l'
		                       : letter,
		       start_of(number - 1), start_of(number + 2));
}

void plan_read(const char *text, int n_values, sqlite3_value **values, const struct plan_column *columns,
               struct plan *ret) {
	*ret = (struct plan){.from_ns = INT64_MIN, .to_ns = INT64_MAX};
	for (int i = 0; i < n_values; i++) {
		int column = text[2 * i] - 'a';

		switch (columns[column].role) {
		case ROLE_KEY:
		case ROLE_CHOICE:
			ret->equal[column] = (const char *)sqlite3_value_text(values[i]);
			break;
		case ROLE_NS:
		case ROLE_SECOND:
			narrow_by(ret, text[2 * i + 1], columns[column].role, values[i]);
			break;
		case ROLE_PLAIN:
			break;
		}
	}
}
