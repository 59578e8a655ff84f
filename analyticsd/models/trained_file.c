// The layout is told by the writers; each reader stands behind its writer and checks what the writer can't get
// wrong but a file can.
// SPDX-License-Identifier: MIT
#include "trained_file.h"

#include "octets.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC "LCMODEL"
enum { MAGIC_SIZE = 8 /* with its NUL */, VERSION = 1, CHECKSUM_SIZE = 4, LEAF_BYTES = 6, SPLIT_BYTES = 3 };

// ---- trees, in preorder: a node's feature + 1 and bin, or 0 and the leaf's value

static int put_tree(struct octets_out *out, const struct tree *tree) {
	CLEANUP(freep) uint32_t *waiting = malloc((tree->n_nodes + 1) * sizeof(*waiting));
	size_t n = 0;

	if (waiting == NULL)
		return -ENOMEM;
	octets_put_u64(out, tree->n_nodes);
	waiting[n++] = 0;
	while (n > 0) {
		const struct tree_node *node = &tree->nodes[waiting[--n]];

		if ((node->left & TREE_LEAF) != 0) {
			octets_put_u16(out, 0);
			octets_put_float(out, node->value);
			continue;
		}
		octets_put_u16(out, (uint16_t)(node->feature + 1));
		octets_put_u8(out, node->bin);
		waiting[n++] = node->left + 1;
		waiting[n++] = node->left;
	}
	return 0;
}

static int get_tree(struct octets_in *in, size_t n_features, struct tree *ret) {
	size_t n_nodes = octets_get_count(in, SPLIT_BYTES, TREE_MOST_NODES);
	CLEANUP(freep) uint32_t *waiting = malloc((n_nodes + 1) * sizeof(*waiting));
	struct tree_node *nodes = malloc((n_nodes + 1) * sizeof(*nodes));
	size_t n = 0, taken = 1;

	if (waiting == NULL || nodes == NULL) {
		free(nodes);
		return -ENOMEM;
	}
	in->failed |= n_nodes == 0;
	waiting[n++] = 0;
	while (n > 0 && !in->failed) {
		struct tree_node *node = &nodes[waiting[--n]];
		uint16_t feature = octets_get_u16(in);

		if (feature == 0) {
			*node = (struct tree_node){.left = TREE_LEAF, .value = octets_get_float(in)};
			continue;
		}
		*node = (struct tree_node){.left = (uint32_t)taken,
		                           .feature = (uint16_t)(feature - 1),
		                           .bin = octets_get_u8(in)};
		in->failed |= feature > n_features || taken + 2 > n_nodes;
		if (in->failed)
			break;
		waiting[n++] = (uint32_t)taken + 1;
		waiting[n++] = (uint32_t)taken;
		taken += 2;
	}
	in->failed |= taken != n_nodes;
	*ret = (struct tree){nodes, n_nodes};
	return 0;
}

// ---- the learner

static void put_reals(struct octets_out *out, const double *values, size_t n) {
	for (size_t i = 0; i < n; i++)
		octets_put_real(out, values[i]);
}

static void get_reals(struct octets_in *in, double *ret, size_t n) {
	for (size_t i = 0; i < n; i++)
		ret[i] = octets_get_real(in);
}

// Only the edges that are there; the others are infinite.
static void put_binning(struct octets_out *out, const struct binning *binning) {
	size_t n = 0;

	while (n < BINNING_EDGES && isfinite(binning->edges[n]))
		n++;
	octets_put_u64(out, n);
	put_reals(out, binning->edges, n);
}

static void get_binning(struct octets_in *in, struct binning *ret) {
	size_t n = octets_get_count(in, sizeof(double), BINNING_EDGES);

	get_reals(in, ret->edges, n);
	for (size_t i = 1; i < n; i++)
		in->failed |= !(ret->edges[i - 1] < ret->edges[i]);
	for (size_t i = n; i < BINNING_EDGES; i++)
		ret->edges[i] = INFINITY;
}

static int put_learner(struct octets_out *out, const struct learner *learner) {
	octets_put_u32(out, learner->shape.n_lags);
	octets_put_u32(out, learner->shape.window);
	octets_put_u8(out, learner->shape.seasons);
	octets_put_u8(out, learner->shape.weeks);
	octets_put_u8(out, learner->linear);
	octets_put_real(out, learner->lowest);
	octets_put_real(out, learner->highest);
	put_binning(out, &learner->bins.value);
	put_binning(out, &learner->bins.mean);
	put_binning(out, &learner->bins.deviation);
	for (size_t k = 0; k < learner->n_horizons; k++) {
		const struct learner_horizon *horizon = &learner->horizons[k];

		octets_put_u8(out, horizon->has_day);
		put_reals(out, horizon->linear, LAGGED_LINEAR);
		octets_put_real(out, horizon->ensemble.base);
		octets_put_real(out, horizon->ensemble.scale);
		octets_put_u64(out, horizon->ensemble.n_trees);
		for (size_t i = 0; i < horizon->ensemble.n_trees; i++) {
			if (put_tree(out, &horizon->ensemble.trees[i]) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int get_ensemble(struct octets_in *in, size_t n_features, struct ensemble *ret) {
	size_t n;

	ret->base = octets_get_real(in);
	ret->scale = octets_get_real(in);
	n = octets_get_count(in, sizeof(uint64_t) + LEAF_BYTES, ENSEMBLE_MOST_TREES);
	ret->trees = calloc(n + 1, sizeof(*ret->trees));
	if (ret->trees == NULL)
		return -ENOMEM;
	in->failed |= n == 0;
	while (ret->n_trees < n && !in->failed) {
		if (get_tree(in, n_features, &ret->trees[ret->n_trees++]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static uint32_t get_within(struct octets_in *in, uint32_t most) {
	uint32_t value = octets_get_u32(in);

	in->failed |= value < 1 || value > most;
	return in->failed ? 1 : value;
}

static int get_learner(struct octets_in *in, const struct trained *trained, struct learner *ret) {
	ret->shape.n_lags = get_within(in, LAGGED_MOST_LAGS);
	ret->shape.window = get_within(in, LAGGED_MOST_WINDOW);
	ret->shape.seasons = octets_get_u8(in) != 0;
	ret->shape.weeks = octets_get_u8(in) != 0;
	ret->shape.step_seconds = trained->step_seconds;
	ret->linear = octets_get_u8(in) != 0;
	ret->lowest = octets_get_real(in);
	ret->highest = octets_get_real(in);
	in->failed |= !(ret->lowest <= ret->highest);
	get_binning(in, &ret->bins.value);
	get_binning(in, &ret->bins.mean);
	get_binning(in, &ret->bins.deviation);
	while (ret->n_horizons < trained->n_horizons && !in->failed) {
		struct learner_horizon *horizon = &ret->horizons[ret->n_horizons];

		horizon->steps = trained->horizons[ret->n_horizons++].steps;
		horizon->has_day = octets_get_u8(in) != 0;
		get_reals(in, horizon->linear, LAGGED_LINEAR);
		if (get_ensemble(in, lagged_features(&ret->shape), &horizon->ensemble) < 0)
			return -ENOMEM;
	}
	return 0;
}

// ---- what every model has

static void put_text(struct octets_out *out, const char *text) {
	octets_put_u16(out, (uint16_t)strlen(text));
	octets_put(out, text, strlen(text));
}

// Printable, or UTF-8 as it was given: no control characters, which terminals would obey.
static void get_text(struct octets_in *in, char *ret, size_t size) {
	size_t n = octets_get_u16(in);

	in->failed |= n >= size;
	if (in->failed)
		n = 0;
	octets_get(in, ret, n);
	ret[n] = '\0';
	for (size_t i = 0; i < n; i++)
		in->failed |= (unsigned char)ret[i] < ' ' || ret[i] == 0x7f;
}

static void put_score(struct octets_out *out, const struct score *score) {
	octets_put_u64(out, score->n);
	octets_put_real(out, score->mae);
	octets_put_real(out, score->rmse);
	octets_put_real(out, score->mase);
	octets_put_real(out, score->smape);
}

static void get_score(struct octets_in *in, struct score *ret) {
	ret->n = (size_t)octets_get_u64(in);
	ret->mae = octets_get_real(in);
	ret->rmse = octets_get_real(in);
	ret->mase = octets_get_real(in);
	ret->smape = octets_get_real(in);
}

static void put_horizons(struct octets_out *out, const struct trained *trained) {
	octets_put_u8(out, (uint8_t)trained->n_horizons);
	for (size_t k = 0; k < trained->n_horizons; k++) {
		octets_put_u64(out, trained->horizons[k].steps);
		for (int c = 0; c < N_CONTESTANTS; c++) {
			put_reals(out, trained->horizons[k].residuals[c], SCORING_QUANTILES);
			put_score(out, &trained->horizons[k].scores[c]);
		}
	}
}

static void get_horizons(struct octets_in *in, struct trained *trained) {
	uint64_t least = 1;

	trained->n_horizons = octets_get_u8(in);
	in->failed |= trained->n_horizons < 1 || trained->n_horizons > LEARNER_HORIZONS;
	for (size_t k = 0; k < trained->n_horizons && !in->failed; k++) {
		struct trained_horizon *horizon = &trained->horizons[k];

		horizon->steps = (size_t)octets_get_number(in, least, LAGGED_MOST_HORIZON);
		least = horizon->steps + 1;
		for (int c = 0; c < N_CONTESTANTS; c++) {
			get_reals(in, horizon->residuals[c], SCORING_QUANTILES);
			get_score(in, &horizon->scores[c]);
		}
	}
}

static void put_tail(struct octets_out *out, const struct lagged_series *tail) {
	octets_put_u64(out, (uint64_t)tail->start_ns);
	octets_put_u64(out, tail->n);
	for (size_t t = 0; t < tail->n; t++)
		octets_put_float(out, tail->known[t] ? (float)tail->values[t] : NAN);
}

static int get_tail(struct octets_in *in, double step_seconds, struct lagged_series *ret) {
	int64_t start_ns = (int64_t)octets_get_u64(in);
	size_t n = octets_get_count(in, sizeof(float), TRAINED_MOST_TAIL);
	int rc;

	lagged_series_init(ret, start_ns, step_seconds);
	in->failed |= n == 0;
	for (size_t t = 0; t < n && !in->failed; t++) {
		uint32_t bits = octets_get_u32(in);
		float value;

		memcpy(&value, &bits, sizeof(value));
		in->failed |= isinf(value) || (t == 0 && isnan(value));
		if (!in->failed && (rc = lagged_series_add(ret, (double)value)) < 0)
			return rc;
	}
	return 0;
}

static int put_all(struct octets_out *out, const struct trained *trained) {
	octets_put(out, MAGIC, MAGIC_SIZE);
	octets_put_u32(out, VERSION);
	put_text(out, trained->name);
	put_text(out, trained->target);
	octets_put_u64(out, (uint64_t)trained->from_ns);
	octets_put_u64(out, (uint64_t)trained->to_ns);
	octets_put_u64(out, trained->n_steps);
	octets_put_real(out, trained->step_seconds);
	octets_put_real(out, trained->unit);
	octets_put_u64(out, trained->seed);
	put_horizons(out, trained);
	put_tail(out, &trained->tail);
	octets_put_u8(out, trained->is_learner);
	if (trained->is_learner && put_learner(out, &trained->learner) < 0)
		return -ENOMEM;
	octets_put_u32(out, (uint32_t)crc32_z(0, out->data, out->size));
	return out->failed ? -ENOMEM : 0;
}

static int get_all(struct octets_in *in, struct trained *trained) {
	int rc;

	get_text(in, trained->name, sizeof(trained->name));
	get_text(in, trained->target, sizeof(trained->target));
	trained->from_ns = (int64_t)octets_get_u64(in);
	trained->to_ns = (int64_t)octets_get_u64(in);
	trained->n_steps = (size_t)octets_get_number(in, 1, LAGGED_MOST_STEPS);
	trained->step_seconds = octets_get_real(in);
	in->failed |= !(trained->step_seconds >= 1e-6 && trained->step_seconds <= 1e9);
	trained->unit = octets_get_real(in);
	trained->seed = octets_get_u64(in);
	get_horizons(in, trained);
	if (!in->failed && (rc = get_tail(in, trained->step_seconds, &trained->tail)) < 0)
		return rc;
	trained->is_learner = octets_get_u8(in) != 0;
	if (trained->is_learner && !in->failed && (rc = get_learner(in, trained, &trained->learner)) < 0)
		return rc;
	in->failed |= in->at != in->end || !trained_name_is_known(trained->name) ||
	              trained->is_learner != trained_name_is_learner(trained->name);
	return 0;
}

int trained_to_bytes(const struct trained *trained, struct bytes *ret) {
	struct octets_out out = {0};

	if (put_all(&out, trained) < 0) {
		free(out.data);
		return -ENOMEM;
	}
	*ret = (struct bytes){out.data, out.size};
	return 0;
}

// What is wrong with the bytes as such.
static int check_frame(const uint8_t *data, size_t size, struct status *status) {
	struct octets_in head = {data, data + size, false};
	struct octets_in tail;
	char magic[MAGIC_SIZE];
	uint32_t version;

	octets_get(&head, magic, sizeof(magic));
	version = octets_get_u32(&head);
	if (head.failed || memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "not a model of this program");
	if (version != VERSION)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "a model of version %u: this program reads version %d", version, VERSION);
	if ((size_t)(head.end - head.at) < CHECKSUM_SIZE)
		return status_set(status, STATUS_INVALID_ARGUMENT, "the model is cut short");
	tail = (struct octets_in){head.end - CHECKSUM_SIZE, head.end, false};
	if (octets_get_u32(&tail) != (uint32_t)crc32_z(0, data, size - CHECKSUM_SIZE))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "the model is cut short or damaged: its checksum is wrong");
	return 0;
}

int trained_from_bytes(const void *data, size_t size, struct trained *ret, struct status *status) {
	const uint8_t *bytes = data;
	struct trained trained = {0};
	struct octets_in in;
	int rc;

	if ((rc = check_frame(bytes, size, status)) < 0)
		return rc;
	in = (struct octets_in){bytes + MAGIC_SIZE + sizeof(uint32_t), bytes + size - CHECKSUM_SIZE, false};
	if ((rc = get_all(&in, &trained)) < 0 || in.failed) {
		trained_fini(&trained);
		return rc < 0 ? rc
		              : status_set(status, STATUS_INVALID_ARGUMENT,
		                           "the model holds what no model can hold");
	}

	*ret = trained;
	return 0;
}

// ---- files

static int fail(const char *path, int error, struct status *status) {
	(void)status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(error));
	return -error;
}

static int write_all(int fd, const struct bytes *bytes) {
	size_t done = 0;

	while (done < bytes->size) {
		ssize_t n = write(fd, bytes->data + done, bytes->size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int trained_save(const struct trained *trained, const char *path, struct status *status) {
	CLEANUP(bytes_fini) struct bytes bytes = {0};
	CLEANUP(freep) char *beside = NULL;
	int fd, rc;

	if ((rc = trained_to_bytes(trained, &bytes)) < 0)
		return rc;
	if (asprintf(&beside, "%s.XXXXXX", path) < 0) {
		beside = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return fail(path, errno, status);
	rc = write_all(fd, &bytes);
	if (rc == 0 && fchmod(fd, 0644) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(beside, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(beside);
		return fail(path, -rc, status);
	}
	return 0;
}

static int read_all(int fd, struct bytes *ret) {
	struct stat file;

	if (fstat(fd, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EINVAL;
	if ((size_t)file.st_size > TRAINED_FILE_MOST_BYTES)
		return -EFBIG;
	ret->data = malloc((size_t)file.st_size + 1);
	if (ret->data == NULL)
		return -ENOMEM;
	while (ret->size < (size_t)file.st_size) {
		ssize_t n = read(fd, ret->data + ret->size, (size_t)file.st_size - ret->size);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		ret->size += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int trained_load(const char *path, struct trained *ret, struct status *status) {
	CLEANUP(bytes_fini) struct bytes bytes = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return fail(path, errno, status);
	rc = read_all(fd, &bytes);
	close(fd);
	if (rc < 0)
		return fail(path, -rc, status);
	if ((rc = trained_from_bytes(bytes.data, bytes.size, ret, status)) < 0)
		status_prefix(status, "%s: ", path);
	return rc;
}
