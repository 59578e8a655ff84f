// A file keeps its last synced bytes and the writes since; all else goes to the real file system.
// SPDX-License-Identifier: MIT
#include "faulty_vfs.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX   16
#define SECTOR_SIZE 512

struct change {
	sqlite3_int64 offset;
	int size; // -1: the file was cut at 'offset'
	uint8_t *data;
};

struct disk_file {
	char path[256];
	uint8_t *synced;
	size_t synced_size;
	struct change *changes;
	size_t n_changes;
};

struct faulty_file {
	sqlite3_file base;
	struct disk_file *disk; // NULL: not recorded
	sqlite3_file real[];
};

static sqlite3_vfs *real_vfs;
static struct disk_file files[FILES_MAX];
static size_t n_files;
static long fail_in, fail_read_in, power_in;
static int fail_result;
static bool fail_for_good, has_failed, is_dark, is_recording;

static sqlite3_file *real_of(sqlite3_file *file) {
	return ((struct faulty_file *)file)->real;
}

// Returns what a write or sync is to say; 'result' where it fails for another reason than a full disk.
static int count_down(int result) {
	if (is_dark)
		return SQLITE_IOERR;
	if (power_in > 0 && --power_in == 0) {
		is_dark = true;
		return SQLITE_IOERR;
	}
	if (fail_in > 0 && --fail_in == 0) {
		has_failed = true;
		fail_in = fail_for_good ? 1 : 0;
		return fail_result == SQLITE_FULL ? SQLITE_FULL : result;
	}
	return SQLITE_OK;
}

static void apply(uint8_t **bytes, size_t *size, const struct change *change, const uint8_t *keep) {
	size_t end = (size_t)change->offset + (change->size > 0 ? (size_t)change->size : 0);

	if (change->size < 0 && (size_t)change->offset >= *size)
		return;
	if (change->size < 0) {
		*size = (size_t)change->offset;
		return;
	}
	if (end > *size) {
		*bytes = realloc(*bytes, end);
		memset(*bytes + *size, 0, end - *size);
		*size = end;
	}
	for (int at = 0; at < change->size; at += SECTOR_SIZE) {
		int some = change->size - at < SECTOR_SIZE ? change->size - at : SECTOR_SIZE;

		if (keep == NULL || keep[at / SECTOR_SIZE])
			memcpy(*bytes + change->offset + at, change->data + at, (size_t)some);
	}
}

static void record(struct disk_file *disk, sqlite3_int64 offset, const void *data, int size) {
	struct change *change;

	if (disk == NULL || !is_recording)
		return;
	disk->changes = reallocarray(disk->changes, disk->n_changes + 1, sizeof(*disk->changes));
	change = &disk->changes[disk->n_changes++];
	*change = (struct change){offset, size, NULL};
	if (size > 0) {
		change->data = malloc((size_t)size);
		memcpy(change->data, data, (size_t)size);
	}
}

static void forget_changes(struct disk_file *disk) {
	for (size_t i = 0; i < disk->n_changes; i++)
		free(disk->changes[i].data);
	free(disk->changes);
	disk->changes = NULL;
	disk->n_changes = 0;
}

// ---- a file's methods

static int file_close(sqlite3_file *file) {
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset) {
	if (fail_read_in > 0 && --fail_read_in == 0) {
		has_failed = true;
		return SQLITE_IOERR_READ;
	}
	return real_of(file)->pMethods->xRead(real_of(file), data, size, offset);
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
	int result = count_down(SQLITE_IOERR_WRITE);

	if (result != SQLITE_OK && !is_dark) // a part of it may be there
		(void)real_of(file)->pMethods->xWrite(real_of(file), data, size / 2, offset);
	if (result != SQLITE_OK)
		return result;
	record(((struct faulty_file *)file)->disk, offset, data, size);
	return real_of(file)->pMethods->xWrite(real_of(file), data, size, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
	int result = count_down(SQLITE_IOERR_TRUNCATE);

	if (result != SQLITE_OK)
		return result;
	record(((struct faulty_file *)file)->disk, size, NULL, -1);
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags) {
	struct disk_file *disk = ((struct faulty_file *)file)->disk;
	int result = count_down(SQLITE_IOERR_FSYNC);

	(void)flags;
	if (result != SQLITE_OK)
		return result;
	for (size_t i = 0; disk != NULL && i < disk->n_changes; i++)
		apply(&disk->synced, &disk->synced_size, &disk->changes[i], NULL);
	if (disk != NULL)
		forget_changes(disk);
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int lock) {
	return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock) {
	return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int file_check_lock(sqlite3_file *file, int *ret) {
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int file_control(sqlite3_file *file, int op, void *argument) {
	return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int file_sector(sqlite3_file *file) {
	(void)file;
	return SECTOR_SIZE;
}

static int file_traits(sqlite3_file *file) {
	(void)file;
	return 0; // nothing is promised: no safe append, no atomic write
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret) {
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int shm_lock(sqlite3_file *file, int offset, int n, int flags) {
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shm_barrier(sqlite3_file *file) {
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shm_unmap(sqlite3_file *file, int remove) {
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector,
        .xDeviceCharacteristics = file_traits,
        .xShmMap = shm_map,
        .xShmLock = shm_lock,
        .xShmBarrier = shm_barrier,
        .xShmUnmap = shm_unmap,
};

// ---- the file system

static struct disk_file *find_disk(const char *path) {
	for (size_t i = 0; i < n_files; i++) {
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	}
	if (n_files == FILES_MAX)
		return NULL;
	snprintf(files[n_files].path, sizeof(files[n_files].path), "%s", path);
	return &files[n_files++];
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
	struct faulty_file *faulty = (struct faulty_file *)file;
	int result;

	(void)vfs;
	file->pMethods = NULL;
	faulty->disk = NULL;
	result = real_vfs->xOpen(real_vfs, name, faulty->real, flags, ret_flags);
	if (result != SQLITE_OK)
		return result;
	if (name != NULL && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0)
		faulty->disk = find_disk(name);
	file->pMethods = &methods;
	return SQLITE_OK;
}

// What was deleted is empty when it is made again; that the folder was not synced is not what is tried here.
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
	struct disk_file *disk = find_disk(name);

	(void)vfs;
	if (is_dark)
		return SQLITE_IOERR_DELETE;
	if (disk != NULL) {
		forget_changes(disk);
		disk->synced_size = 0;
	}
	return real_vfs->xDelete(real_vfs, name, sync);
}

void faulty_install(void) {
	static sqlite3_vfs vfs;

	real_vfs = sqlite3_vfs_find("unix");
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	sqlite3_vfs_register(&vfs, 1);
}

void faulty_fail(long nth, int result, bool for_good) {
	fail_in = nth;
	fail_result = result;
	fail_for_good = for_good;
	has_failed = false;
}

void faulty_fail_read(long nth) {
	fail_read_in = nth;
	has_failed = false;
}

bool faulty_has_failed(void) {
	return has_failed;
}

void faulty_lose_power(long nth) {
	power_in = nth;
	is_dark = false;
	is_recording = true;
}

void faulty_put_back(void) {
	uint8_t keep[1 << 12];

	for (size_t i = 0; i < n_files; i++) {
		struct disk_file *disk = &files[i];
		FILE *file;

		for (size_t c = 0; c < disk->n_changes; c++) {
			bool some = random() % 4 == 0,
			     all = random() % 2 == 0; // a part, all, or nothing of it

			for (size_t k = 0; k < sizeof(keep); k++)
				keep[k] = some ? random() % 2 == 0 : all;
			if (some || all)
				apply(&disk->synced, &disk->synced_size, &disk->changes[c], keep);
		}
		forget_changes(disk);
		file = fopen(disk->path, "w");
		if (file != NULL) {
			if (disk->synced_size > 0)
				fwrite(disk->synced, 1, disk->synced_size, file);
			fclose(file);
		}
		free(disk->synced);
		*disk = (struct disk_file){.path = ""};
	}
	n_files = 0;
	power_in = 0;
	is_dark = is_recording = false;
}
