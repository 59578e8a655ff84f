// Signals and the watchdog. A daemon that doesn't answer is not kept alive by a thread that has nothing to do with it:
// each sign of life is an answer of the API.
// SPDX-License-Identifier: MIT
#include "supervisor.h"

#include "clock.h"
#include "codec.h"
#include "log.h"
#include "notify.h"
#include "service.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define SIGNS_A_PERIOD 3

static int answers(void *context, int timeout_ms) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	const int no_linger = 0;
	void *socket;
	zmq_pollitem_t item;
	int rc;

	if ((rc = request_encode(OP_PING, NULL, NULL, &frame)) < 0)
		return rc;
	socket = zmq_socket(context, ZMQ_REQ);
	if (socket == NULL)
		return -ENOMEM;
	zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	item = (zmq_pollitem_t){socket, 0, ZMQ_POLLIN, 0};
	if (zmq_connect(socket, SERVICE_INPROC) != 0 ||
	    zmq_send(socket, frame.data, frame.size, ZMQ_DONTWAIT) < 0)
		rc = -errno;
	else if (zmq_poll(&item, 1, timeout_ms) <= 0)
		rc = -ETIMEDOUT;
	zmq_close(socket);
	return rc;
}

static void tell(const char *state) {
	int rc = notify_manager(state);

	if (rc < 0)
		log_warning("cannot tell the service manager %s: %s", state, strerror(-rc));
}

int supervise(void *context, const sigset_t *signals, void (*reload)(void *), void *reload_context) {
	const int64_t sign_ns = notify_watchdog_ns() / SIGNS_A_PERIOD;
	const struct timespec timeout = {sign_ns / NS_PER_SECOND, sign_ns % NS_PER_SECOND};
	int number;

	tell("READY=1");
	for (;;) {
		number = sign_ns > 0 ? sigtimedwait(signals, NULL, &timeout) : sigwaitinfo(signals, NULL);
		if (number == SIGHUP) {
			reload(reload_context);
		} else if (number > 0) {
			tell("STOPPING=1");
			return number;
		} else if (errno == EAGAIN) {
			int rc = answers(context, (int)(sign_ns / NS_PER_MS));

			if (rc == 0)
				tell("WATCHDOG=1");
			else
				log_warning("the API gives no sign of life: %s", strerror(-rc));
		}
	}
}
