// The protocol of sd_notify(3): one datagram for each state. An abstract socket's name starts with '@'.
// SPDX-License-Identifier: MIT
#include "notify.h"

#include "text.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_manager(const char *state) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	socklen_t size;
	int fd, rc = 1;

	if (path == NULL || path[0] == '\0')
		return 0;
	if ((path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
		return -EINVAL;
	strcpy(address.sun_path, path);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int64_t notify_watchdog_ns(void) {
	const char *text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
	uint64_t us, pid;

	if (text == NULL || text_to_u64(text, &us) < 0 || us == 0 || us > INT64_MAX / 1000)
		return 0;
	if (pid_text != NULL && (text_to_u64(pid_text, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0; // it means another process
	return (int64_t)us * 1000;
}
