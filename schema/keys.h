// keys.h: CURVE keys: their files, and what a ZeroMQ socket needs of them before it binds or connects. Keys
// are for TCP; who reaches an ipc socket is its file's business, so the functions for sockets leave ipc as it
// is, whatever keys there are.
//
// A key file has the lines `public = KEY` and `secret = KEY` (Z85, as zmq_curve_keypair() makes them) and is
// refused when group or others may touch it. Secrets are wiped when they were handed over, and are in no message.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stdbool.h>

#define KEY_TEXT_SIZE 41 // 40 characters of Z85 and a NUL

struct keypair {
	char public[KEY_TEXT_SIZE];
	char secret[KEY_TEXT_SIZE];
};

// A new pair. Returns 0, or -ENOSYS when libzmq has no CURVE.
int keypair_new(struct keypair *ret, struct status *status);

// Writes a new file of mode 0600. Returns 0 or a negative errno with 'status': one that is there is never
// overwritten.
int keypair_write(const struct keypair *, const char *path, struct status *status);

// Returns 0, or a negative errno with 'status', which names the file and never what is in it.
int keypair_read(const char *path, struct keypair *ret, struct status *status);

// Forgets the secret.
void keypair_wipe(struct keypair *);

// Is this a public key in Z85?
bool key_is_valid(const char *text);

// 'given' is a public key itself, or the path of a key file or of a file with just the public key. Returns 0 or
// a negative errno with 'status'.
int key_read_public(const char *given, char ret[static KEY_TEXT_SIZE], struct status *status);

// Before a bind to 'endpoint': over tcp the socket takes CURVE clients only, whom the process's ZAP handler
// allows to 'domain'; everything else is bound without keys. 'keys' NULL: without keys everywhere. One socket may
// be bound to endpoints of either kind, those of tcp last: libzmq does not take a domain back. Returns 0 or a
// negative errno with 'status'.
int keys_before_bind(void *socket, const char *endpoint, const struct keypair *keys, const char *domain,
                     struct status *status);

// Before a connect to 'endpoint': over tcp with the keys given, or, without them, plain. 'server' is the public
// key of the other side.
int keys_before_connect(void *socket, const char *endpoint, const struct keypair *keys, const char *server,
                        struct status *status);

// The same with the keys of the environment: $LINKCAST_CURVE_SERVER (the server's public key, or a file with it)
// and $LINKCAST_CURVE_KEY (the key file of this client). Over tcp it takes both or none; one alone is an error.
int keys_before_connect_environment(void *socket, const char *endpoint, struct status *status);

// Is the environment's server key set? Then tcp is under CURVE.
bool keys_in_environment(void);
