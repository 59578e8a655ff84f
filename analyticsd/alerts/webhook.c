// One POST.
// SPDX-License-Identifier: MIT
#include "webhook.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 256
#define CONNECT_MS  10000L
#define ANSWER_SIZE 160 // of the receiver's answer, that is kept

struct webhook {
	CURL *handle;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	char answer[ANSWER_SIZE];
	size_t answer_size;
};

int webhook_sign(const char *secret, int64_t now_s, const char *body, char ret[static SIGNATURE_SIZE]) {
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	CLEANUP(freep) char *text = NULL;
	char *at = ret;
	int length = asprintf(&text, "%lld.%s", (long long)now_s, body);

	if (length < 0)
		return -EIO;
	if (HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, (size_t)length,
	         digest, &size) == NULL)
		return -EIO;
	at += sprintf(at, "sha256=");
	for (unsigned i = 0; i < size; i++)
		at += sprintf(at, "%02x", digest[i]);
	return 0;
}

// The first of the answer is kept, the rest is read and dropped.
static size_t take_answer(char *data, size_t size, size_t n, void *context) {
	struct webhook *webhook = context;
	size_t room = sizeof(webhook->answer) - 1 - webhook->answer_size, all = size * n;
	size_t taken = all < room ? all : room;

	memcpy(webhook->answer + webhook->answer_size, data, taken);
	webhook->answer_size += taken;
	return all;
}

static int add_header(struct webhook *webhook, const char *name, const char *value) {
	char line[HEADER_SIZE];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(webhook->headers, line);
	if (longer == NULL)
		return -ENOMEM;
	webhook->headers = longer;
	return 0;
}

static int add_headers(struct webhook *webhook, const struct action *action, const char *delivery,
                       const char *body, int64_t now_s) {
	char signature[SIGNATURE_SIZE], time[32];
	int rc;

	snprintf(time, sizeof(time), "%lld", (long long)now_s);
	if ((rc = add_header(webhook, "Content-Type", "application/json")) < 0 ||
	    (rc = add_header(webhook, "X-Linkcast-Delivery", delivery)) < 0 ||
	    (rc = add_header(webhook, "X-Linkcast-Timestamp", time)) < 0)
		return rc;
	if (action->secret == NULL)
		return 0;
	if ((rc = webhook_sign(action->secret, now_s, body, signature)) < 0)
		return rc;
	return add_header(webhook, "X-Linkcast-Signature", signature);
}

int webhook_new(const struct action *action, const char *delivery, const char *body, int64_t now_s,
                struct webhook **ret) {
	CLEANUP(webhook_freep) struct webhook *webhook = calloc(1, sizeof(*webhook));
	int rc;

	if (webhook == NULL)
		return -ENOMEM;
	webhook->handle = curl_easy_init();
	if (webhook->handle == NULL)
		return -ENOMEM;
	if ((rc = add_headers(webhook, action, delivery, body, now_s)) < 0)
		return rc;
	curl_easy_setopt(webhook->handle, CURLOPT_URL, action->url);
	curl_easy_setopt(webhook->handle, CURLOPT_HTTPHEADER, webhook->headers);
	curl_easy_setopt(webhook->handle, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(webhook->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	curl_easy_setopt(webhook->handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(webhook->handle, CURLOPT_TIMEOUT_MS, (long)(action->timeout_seconds * 1000));
	curl_easy_setopt(webhook->handle, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(webhook->handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(webhook->handle, CURLOPT_USERAGENT, "linkcast/" LINKCAST_VERSION);
	curl_easy_setopt(webhook->handle, CURLOPT_ERRORBUFFER, webhook->error);
	curl_easy_setopt(webhook->handle, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(webhook->handle, CURLOPT_WRITEDATA, webhook);
	*ret = webhook;
	webhook = NULL;
	return 0;
}

void webhook_free(struct webhook *webhook) {
	if (webhook == NULL)
		return;
	if (webhook->handle != NULL)
		curl_easy_cleanup(webhook->handle);
	curl_slist_free_all(webhook->headers);
	free(webhook);
}

void *webhook_handle(const struct webhook *webhook) {
	return webhook->handle;
}

bool webhook_ended(const struct webhook *webhook, int result, char *text, size_t size) {
	long status = 0;

	if (result != CURLE_OK) {
		snprintf(text, size, "%s",
		         webhook->error[0] != '\0' ? webhook->error : curl_easy_strerror((CURLcode)result));
		return false;
	}
	curl_easy_getinfo(webhook->handle, CURLINFO_RESPONSE_CODE, &status);
	snprintf(text, size, "HTTP %ld%s%s", status, webhook->answer_size > 0 ? ": " : "", webhook->answer);
	return status >= 200 && status < 300;
}
