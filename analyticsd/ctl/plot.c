// gnuplot reads commands and data from a pipe; no shell has a part in it.
// SPDX-License-Identifier: MIT
#include "plot.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct terminal {
	const char *ending;
	const char *command;
} terminals[] = {
        {".png", "pngcairo size 1400,640"},
        {".svg", "svg size 1400,640 dynamic"},
};

static const struct terminal *find_terminal(const char *path) {
	size_t size = strlen(path);

	for (size_t i = 0; i < sizeof(terminals) / sizeof(terminals[0]); i++) {
		size_t ending = strlen(terminals[i].ending);

		if (size > ending && strcmp(path + size - ending, terminals[i].ending) == 0)
			return &terminals[i];
	}
	return NULL;
}

static int no_terminal(const char *path, struct status *status) {
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s: a plot ends in .png or .svg", path);
}

int plot_check_path(const char *path, struct status *status) {
	return find_terminal(path) != NULL ? 0 : no_terminal(path, status);
}

int plot_init(struct plot *plot, size_t capacity) {
	*plot = (struct plot){.capacity = capacity};
	plot->points = calloc(capacity, sizeof(*plot->points));
	return plot->points != NULL ? 0 : -ENOMEM;
}

void plot_fini(struct plot *plot) {
	free(plot->points);
	*plot = (struct plot){0};
}

void plot_add(struct plot *plot, const struct plot_point *point) {
	plot->points[plot->next] = *point;
	plot->next = (plot->next + 1) % plot->capacity;
	plot->n += plot->n < plot->capacity;
}

// In gnuplot's double quotes; what has a meaning there is left out, and so are the marks of its enhanced text.
static void write_text(FILE *file, const char *text) {
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text >= ' ' && strchr("\"\\`", *text) == NULL)
			fputc(*text, file);
	}
	fputs("\" noenhanced", file);
}

static void write_data(FILE *file, const struct plot *plot) {
	fputs("$data << end_of_data\n", file);
	for (size_t i = 0; i < plot->n; i++) {
		const struct plot_point *point =
		        &plot->points[(plot->next + plot->capacity - plot->n + i) % plot->capacity];

		fprintf(file, "%.3f %.9g %.9g %.9g %.9g\n", (double)point->ts_ns / (double)NS_PER_SECOND,
		        point->actual, point->middle, point->lower, point->upper);
	}
	fputs("end_of_data\nset datafile missing \"nan\"\n", file);
}

static void write_line(FILE *file, const char *what, const char *look, const char *name) {
	fprintf(file, ", %s with lines linewidth 1.5 %s title ", what, look);
	write_text(file, name);
}

static void write_script(FILE *file, const struct plot *plot, const struct plot_words *words,
                         const struct terminal *terminal) {
	fprintf(file, "set terminal %s\nset title ", terminal->command);
	write_text(file, words->title);
	fputs("\nset ylabel ", file);
	write_text(file, words->y_axis);
	fputs("\nset xdata time\nset timefmt \"%s\"\nset format x \"%d %b\\n%H:%M\"\nset grid\n"
	      "set key below\n",
	      file);
	write_data(file, plot);
	fputs("plot $data using 1:4:5 with filledcurves fillcolor rgb \"#cfe3f5\" title ", file);
	write_text(file, words->band);
	write_line(file, "$data using 1:2", "linecolor rgb \"#444444\"", words->actual);
	write_line(file, "$data using 1:3", "linecolor rgb \"#d9480f\"", words->middle);
	if (words->level_name != NULL) {
		char level[64];

		snprintf(level, sizeof(level), "%.9g", words->level);
		write_line(file, level, "dashtype 2 linecolor rgb \"#1c5a94\"", words->level_name);
	}
	fputc('\n', file);
}

// Its input is the other end of 'ret_fd', its output the file: no name is read by anybody but the system.
static int start_gnuplot(const char *path, int *ret_fd, pid_t *ret_pid) {
	static char name[] = "gnuplot";
	char *argv[] = {name, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	rc = -posix_spawnp(ret_pid, name, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	if (rc < 0)
		close(ends[1]);
	else
		*ret_fd = ends[1];
	return rc;
}

int plot_draw(const struct plot *plot, const struct plot_words *words, const char *path,
              struct status *status) {
	const struct terminal *terminal = find_terminal(path);
	int fd = -1, rc, ended = 0;
	pid_t pid = 0;
	FILE *file;

	if (terminal == NULL)
		return no_terminal(path, status);
	signal(SIGPIPE, SIG_IGN); // a gnuplot that ends early is told by its status
	if ((rc = start_gnuplot(path, &fd, &pid)) < 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: gnuplot (package gnuplot-nox): %s",
		                  path, strerror(-rc));
	file = fdopen(fd, "w");
	if (file != NULL) {
		write_script(file, plot, words, terminal);
		rc = fclose(file) != 0 ? -errno : 0;
	} else {
		rc = -errno;
		close(fd);
	}
	while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
		continue;
	if (rc < 0 || !WIFEXITED(ended) || WEXITSTATUS(ended) != 0)
		return status_set(status, STATUS_INTERNAL, "%s: gnuplot could not draw it", path);
	return 0;
}
