// Key files, allow-lists and who a peer is.
// SPDX-License-Identifier: MIT
#include "keys.h"
#include "zap.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct status status;

static void setup(void) {
	strcpy(folder, "/tmp/linkcast-keys-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void teardown(void) {
	unlink(path);
	rmdir(folder);
}

TestSuite(keys, .init = setup, .fini = teardown);

static void write_file(const char *text, mode_t mode) {
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	cr_assert_eq(chmod(path, mode), 0);
}

Test(keys, a_pair_comes_back_from_its_file) {
	struct keypair keys, back;
	char public[KEY_TEXT_SIZE];

	cr_assert_eq(keypair_new(&keys, &status), 0);
	cr_assert_eq(keypair_write(&keys, path, &status), 0, "%s", status.message);
	cr_assert_eq(keypair_read(path, &back, &status), 0, "%s", status.message);
	cr_assert_str_eq(back.public, keys.public);
	cr_assert_str_eq(back.secret, keys.secret);
	cr_assert_eq(key_read_public(path, public, &status), 0);
	cr_assert_str_eq(public, keys.public);
	cr_assert_lt(keypair_write(&keys, path, &status), 0);
	cr_assert_eq(status.code, STATUS_ALREADY_EXISTS);
}

Test(keys, a_file_that_others_may_touch_is_refused) {
	static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
	struct keypair keys;

	cr_assert_eq(keypair_new(&keys, &status), 0);
	cr_assert_eq(keypair_write(&keys, path, &status), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		cr_assert_eq(chmod(path, modes[i]), 0);
		cr_assert_lt(keypair_read(path, &keys, &status), 0);
		cr_assert_eq(status.code, STATUS_PERMISSION_DENIED);
		cr_assert_null(strstr(status.message, keys.secret));
	}
}

Test(keys, halves_of_two_pairs_are_no_pair) {
	struct keypair one, other, back;

	cr_assert_eq(keypair_new(&one, &status), 0);
	cr_assert_eq(keypair_new(&other, &status), 0);
	memcpy(one.public, other.public, sizeof(one.public));
	cr_assert_eq(keypair_write(&one, path, &status), 0);
	cr_assert_eq(keypair_read(path, &back, &status), -EINVAL);
	cr_assert_null(strstr(status.message, one.secret));
}

Test(keys, what_is_no_key_is_refused) {
	struct keypair keys;
	char public[KEY_TEXT_SIZE];

	cr_assert_not(key_is_valid(""));
	cr_assert_not(key_is_valid("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"));
	cr_assert(key_is_valid("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"));
	cr_assert_not(key_is_valid("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\""));
	cr_assert_eq(key_read_public("/nowhere/at/all", public, &status), -EINVAL);
	write_file("public = short\nsecret = also\n", 0600);
	cr_assert_eq(keypair_read(path, &keys, &status), -EINVAL);
	cr_assert_eq(key_read_public(path, public, &status), -EINVAL);
}

#define KEY  "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY2 "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

Test(keys, the_list_tells_who_a_key_is_and_may_what) {
	CLEANUP(allow_list_freep) struct allow_list *list = NULL;
	struct peer peer;

	write_file("# comment\n\n" KEY " publish,read probe-1\n  " KEY2 "\tadmin  boss # no\n", 0644);
	cr_assert_lt(allow_list_read(path, &list, &status), 0); // five words
	write_file("# comment\n\n" KEY " publish,read probe-1\n  " KEY2 "\tadmin  boss\n", 0644);
	cr_assert_eq(allow_list_read(path, &list, &status), 0, "%s", status.message);
	cr_assert(allow_list_find(list, KEY, &peer));
	cr_assert_str_eq(peer.name, "probe-1");
	cr_assert(peer_may(&peer, ROLE_PUBLISH) && peer_may(&peer, ROLE_READ) && peer_may(&peer, ROLE_ANY));
	cr_assert(!peer_may(&peer, ROLE_ADMIN) && !peer_may(&peer, ROLE_ADMIT));
	cr_assert(allow_list_find(list, KEY2, &peer));
	cr_assert(peer_may(&peer, ROLE_ADMIN) && !peer_may(&peer, ROLE_READ));
	cr_assert_not(allow_list_find(list, "x", &peer));
}

Test(keys, a_bad_line_is_named_and_nothing_of_the_list_is_taken) {
	static const char *const bad[] = {
	        "short read a\n",
	        KEY " read\n",
	        KEY " \n",
	        KEY " Read a\n",
	        KEY " read,,admin a\n",
	        KEY " read, a b\n",
	        KEY " read a\001\n",
	        KEY " read a\n" KEY " admin b\n",
	};
	struct allow_list *list = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(bad[i], 0644);
		cr_assert_lt(allow_list_read(path, &list, &status), 0, "%s", bad[i]);
		cr_assert_not_null(strstr(status.message, "line "), "%s", status.message);
		cr_assert_null(list);
	}
}

Test(keys, only_no_user_id_at_all_is_the_local_one) {
	static const char *const bad[] = {" ", "read", "read ", "king me", ",read me"};
	struct peer peer;

	peer_read("", 0, &peer);
	cr_assert_str_eq(peer.name, "local");
	cr_assert(peer_may(&peer, ROLE_ADMIN) && peer_may(&peer, ROLE_PUBLISH));
	peer_read("read,admit me", 13, &peer);
	cr_assert_str_eq(peer.name, "me");
	cr_assert(peer_may(&peer, ROLE_ADMIT) && !peer_may(&peer, ROLE_ADMIN));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		peer_read(bad[i], strlen(bad[i]), &peer);
		cr_assert(!peer_may(&peer, ROLE_ADMIN) && !peer_may(&peer, ROLE_PUBLISH), "%s", bad[i]);
	}
}
