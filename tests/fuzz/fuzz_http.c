// Any bytes over a connection to the whole gateway: it answers in HTTP or cuts the connection, and goes on. Nobody is
// behind it, so a request that the tables take is answered by 503.
// SPDX-License-Identifier: MIT
#include "gateway.h"

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_TURNS  64
#define QUIET_TURNS 4 // without a byte: nothing more will come
#define MOST_INPUT  (128 << 10)

static char folder[] = "/tmp/lcfuzzXXXXXX";
static struct gateway *gateway;

static void close_gateway(void) {
	char file[64];

	gateway_close(gateway);
	snprintf(file, sizeof(file), "%s/index.html", folder);
	unlink(file);
	rmdir(folder);
}

static void open_gateway(void) {
	const struct gateway_options options = {
	        .address = "127.0.0.1",
	        .api = "ipc:///nonexistent/api",
	        .path = "ipc:///nonexistent/path",
	        .events = "ipc:///nonexistent/events",
	        .page = folder,
	        .roles = ~0U,
	        .connections = 64,
	        .observer = {.horizons = {3600}, .n_horizons = 1, .quantile = 0.95},
	};
	struct status status;
	char file[64];
	FILE *page;

	FUZZ_CHECK(mkdtemp(folder) != NULL);
	snprintf(file, sizeof(file), "%s/index.html", folder);
	page = fopen(file, "we");
	FUZZ_CHECK(page != NULL && fputs("<!doctype html>", page) >= 0 && fclose(page) == 0);
	FUZZ_CHECK(gateway_open(&options, &gateway, &status) == 0);
	atexit(close_gateway);
}

// What has come back, of which the first bytes are kept. Returns how many there were; -1: the other end is closed.
static ssize_t take_answer(int fd, char first[static 9], size_t *ret_n) {
	char buffer[65536];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), taken;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return -1;
	taken = n > 0 && *ret_n < 9 ? (n < (ssize_t)(9 - *ret_n) ? n : (ssize_t)(9 - *ret_n)) : 0;
	memcpy(first + *ret_n, buffer, (size_t)taken);
	*ret_n += (size_t)taken;
	return n > 0 ? n : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char first[9];
	size_t n_first = 0, sent = 0;
	int fds[2], quiet = 0;

	if (gateway == NULL)
		open_gateway();
	if (size > MOST_INPUT)
		return 0;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	if (gateway_add_connection(gateway, fds[1]) < 0) { // too many: it has closed its end
		close(fds[0]);
		gateway_turn(gateway, -1, 0);
		return 0;
	}
	for (int turn = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; turn++) {
		ssize_t n = sent < size ? send(fds[0], data + sent, size - sent, MSG_NOSIGNAL) : 0;
		bool progress = n > 0;

		sent += n > 0 ? (size_t)n : 0;
		if (sent == size)
			shutdown(fds[0], SHUT_WR);
		gateway_turn(gateway, -1, 0);
		n = take_answer(fds[0], first, &n_first);
		if (n < 0)
			break;
		quiet = progress || n > 0 ? 0 : quiet + 1;
	}
	FUZZ_CHECK(memcmp(first, "HTTP/1.1 ", n_first) == 0);
	close(fds[0]);
	gateway_turn(gateway, -1, 0);
	return 0;
}
