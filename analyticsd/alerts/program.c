// Running a program.
// SPDX-License-Identifier: MIT
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_SIZE 240

struct program {
	pid_t pid;
	int pid_fd, input, output; // -1: closed
	const char *body;
	size_t sent, size;
	char printed[OUTPUT_SIZE];
	size_t n_printed;
	bool was_killed;
};

static void close_fd(int *fd) {
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// The child has default signals: analyticsd blocks those that end it.
static int spawn(struct program *program, char *const *argv, int in, int out) {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
	                         POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(&program->pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0) {
		program->pid = 0;
		return -rc;
	}
	return 0;
}

static int make_pipe(int ret[static 2], int own) {
	if (pipe2(ret, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(ret[own], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int program_start(char *const *argv, const char *body, struct program **ret) {
	CLEANUP(program_freep) struct program *program = calloc(1, sizeof(*program));
	int in[2] = {-1, -1}, out[2] = {-1, -1}, rc;

	if (program == NULL)
		return -ENOMEM;
	program->pid_fd = program->input = program->output = -1;
	program->body = body;
	program->size = strlen(body);
	rc = make_pipe(in, 1);
	program->input = in[1];
	if (rc == 0) {
		rc = make_pipe(out, 0);
		program->output = out[0];
	}
	if (rc == 0)
		rc = spawn(program, argv, in[0], out[1]);
	close_fd(&in[0]);
	close_fd(&out[1]);
	if (rc < 0)
		return rc;
	program->pid_fd = (int)syscall(SYS_pidfd_open, program->pid, 0);
	if (program->pid_fd < 0)
		return -errno;
	*ret = program;
	program = NULL;
	return 0;
}

void program_kill(struct program *program) {
	program->was_killed = true;
	if (program->pid > 0)
		kill(-program->pid, SIGKILL);
}

void program_free(struct program *program) {
	if (program == NULL)
		return;
	if (program->pid > 0) {
		program_kill(program);
		while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	close_fd(&program->pid_fd);
	close_fd(&program->input);
	close_fd(&program->output);
	free(program);
}

int program_polls(const struct program *program, struct pollfd ret[static PROGRAM_POLLS]) {
	int n = 0;

	ret[n++] = (struct pollfd){program->pid_fd, POLLIN, 0};
	if (program->input >= 0)
		ret[n++] = (struct pollfd){program->input, POLLOUT, 0};
	if (program->output >= 0)
		ret[n++] = (struct pollfd){program->output, POLLIN, 0};
	return n;
}

// A program that doesn't read its input, or closes it, is none that failed.
static void feed(struct program *program) {
	while (program->input >= 0) {
		ssize_t n =
		        write(program->input, program->body + program->sent, program->size - program->sent);

		if (n < 0 && errno == EAGAIN)
			return;
		program->sent += n > 0 ? (size_t)n : 0;
		if (n < 0 || program->sent == program->size)
			close_fd(&program->input);
	}
}

static void drain(struct program *program) {
	while (program->output >= 0) {
		char text[4096];
		ssize_t n = read(program->output, text, sizeof(text));
		size_t room = sizeof(program->printed) - 1 - program->n_printed;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(&program->output);
			return;
		}
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(program->printed + program->n_printed, text, room);
		program->n_printed += room;
	}
}

// What a terminal would act upon, or JSON refuse, is not passed on.
static void clean(struct program *program) {
	for (size_t i = 0; i < program->n_printed; i++) {
		unsigned char c = (unsigned char)program->printed[i];

		if (c < 0x20 || c >= 0x7f)
			program->printed[i] = ' ';
	}
	while (program->n_printed > 0 && program->printed[program->n_printed - 1] == ' ')
		program->printed[--program->n_printed] = '\0';
}

bool program_advance(struct program *program, bool *ret_ok, char *text, size_t size) {
	siginfo_t info = {0};
	const char *colon;
	int status;

	feed(program);
	drain(program);
	if (waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	kill(-program->pid, SIGKILL); // what it left behind, while its group is surely still its own
	if (waitpid(program->pid, &status, 0) != program->pid)
		return false;
	program->pid = 0;
	drain(program);
	clean(program);
	colon = program->n_printed > 0 ? ": " : "";
	*ret_ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (program->was_killed)
		snprintf(text, size, "killed: its time was over%s%s", colon, program->printed);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "ended by signal %d%s%s", WTERMSIG(status), colon, program->printed);
	else
		snprintf(text, size, "exit status %d%s%s", WEXITSTATUS(status), colon, program->printed);
	return true;
}
