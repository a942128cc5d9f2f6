#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "crash/check.h"
#include "crash/recorder.h"
#include "crash/release.h"
#include "crash/world.h"

#define FDS_MAX 1024

typedef struct Known {
        ino_t inode;
        int file;
} Known;

static struct {
        char *root;
        Record *records;
        size_t n_records;
        Known *known;
        size_t n_known;
        int n_files;
        int openings[FDS_MAX]; /* of each descriptor */
        int n_openings;
        Failure failure;
        const char **calls; /* their names */
        unsigned long n_calls;
} recorder;

static Record *record_add(RecordKind kind)
{
        if ((recorder.n_records & (recorder.n_records - 1)) == 0) {
                size_t n = MAX_OF(recorder.n_records * 2, (size_t)1);

                recorder.records = realloc(recorder.records, n * sizeof(Record));
                CHECK(recorder.records);
        }
        recorder.records[recorder.n_records] = (Record) { .kind = kind, .file = -1 };
        return &recorder.records[recorder.n_records++];
}

/* Does this call fail? The caller sees why in recorder.failure. */
static bool call_fails(const char *name)
{
        const Failure *failure = &recorder.failure;

        recorder.calls = realloc(recorder.calls, (recorder.n_calls + 1) * sizeof(char *));
        CHECK(recorder.calls);
        recorder.calls[recorder.n_calls++] = name;
        if (recorder.n_calls == failure->at && failure->kind == FAILURE_KILL)
                (void)raise(SIGKILL);
        return recorder.n_calls == failure->at
               && (failure->kind == FAILURE_ERROR || failure->kind == FAILURE_LOST);
}

static size_t call_size(size_t size)
{
        bool is_short = recorder.failure.kind == FAILURE_SHORT
                        && recorder.n_calls == recorder.failure.at && size > 1;

        return is_short ? size / 2 : size;
}

static int file_of(int fd)
{
        struct stat status;

        CHECK(fstat(fd, &status) >= 0);
        for (size_t i = recorder.n_known; i-- > 0;)
                if (recorder.known[i].inode == status.st_ino)
                        return recorder.known[i].file;
        return -1;
}

static void known_add(ino_t inode, int file)
{
        recorder.known = realloc(recorder.known, (recorder.n_known + 1) * sizeof(Known));
        CHECK(recorder.known);
        recorder.known[recorder.n_known++] = (Known) { inode, file };
        recorder.n_files = MAX_OF(recorder.n_files, file + 1);
}

/* The name below root, or NULL for files that are none of ours. */
static const char *name_of(const char *path)
{
        const char *name = after_prefix(path, recorder.root);

        return name && (after_prefix(name, "/var/lib") || after_prefix(name, "/boot")) ? name
                                                                                       : NULL;
}

static char *copy_of(const char *text)
{
        char *copy = strdup(text);

        CHECK(copy);
        return copy;
}

static int on_open(const char *path, int flags, mode_t mode)
{
        struct stat status;
        int fd;

        if (call_fails("open"))
                return recorder.failure.error;
        fd = disk_io_system.open(path, flags, mode);
        CHECK(fd < FDS_MAX);
        if (fd >= 0)
                recorder.openings[fd] = ++recorder.n_openings;
        if (fd >= 0 && flags & O_CREAT && name_of(path)) {
                Record *record = record_add(RECORD_NAME);

                CHECK(flags & O_EXCL);
                CHECK(fstat(fd, &status) >= 0);
                record->add = copy_of(name_of(path));
                record->file = recorder.n_files;
                known_add(status.st_ino, record->file);
        }
        return fd;
}

static ssize_t on_read(int fd, void *data, size_t size)
{
        return call_fails("read") ? recorder.failure.error
                                  : disk_io_system.read(fd, data, call_size(size));
}

static ssize_t on_pread(int fd, void *data, size_t size, uint64_t offset)
{
        return call_fails("pread") ? recorder.failure.error
                                   : disk_io_system.pread(fd, data, call_size(size), offset);
}

static bool offset_is_in_slot(uint64_t offset)
{
        return offset >= MIB && offset < MIB + 2 * SLOT_SIZE;
}

/* A descriptor that wrote into a slot is one of the slot's device; the others are of the whole disk. */
static bool opening_is_of_partition(int opening)
{
        for (size_t i = 0; i < recorder.n_records; i++)
                if (recorder.records[i].opening == opening && recorder.records[i].in_partition)
                        return true;
        return false;
}

static void record_data(int fd, const void *data, size_t size, uint64_t offset)
{
        int file = file_of(fd);
        Record *record;

        if (file < 0)
                return;
        record = record_add(RECORD_DATA);
        record->file = file;
        record->opening = recorder.openings[fd];
        record->in_partition = file == WORLD_DISK && offset_is_in_slot(offset);
        record->offset = offset;
        record->size = size;
        record->data = malloc(size);
        CHECK(record->data);
        memcpy(record->data, data, size);
        if (file != WORLD_DISK)
                return;
        record->before = malloc(size);
        CHECK(record->before && pread(fd, record->before, size, (off_t)offset) == (ssize_t)size);
}

static ssize_t flipped_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        _cleanup_free_ uint8_t *copy = malloc(size);

        CHECK(copy && size > 0);
        memcpy(copy, data, size);
        copy[size / 2] ^= 0x10;
        record_data(fd, copy, size, offset);
        return disk_io_system.pwrite(fd, copy, size, offset);
}

static ssize_t on_pwrite(int fd, const void *data, size_t size, uint64_t offset)
{
        if (call_fails("pwrite"))
                return recorder.failure.error;
        if (recorder.failure.kind == FAILURE_FLIP && recorder.n_calls == recorder.failure.at)
                return flipped_pwrite(fd, data, size, offset);
        size = call_size(size);
        record_data(fd, data, size, offset);
        return disk_io_system.pwrite(fd, data, size, offset);
}

static ssize_t on_write(int fd, const void *data, size_t size)
{
        off_t offset = lseek(fd, 0, SEEK_CUR);

        if (call_fails("write"))
                return recorder.failure.error;
        size = call_size(size);
        if (offset >= 0)
                record_data(fd, data, size, (uint64_t)offset);
        return disk_io_system.write(fd, data, size);
}

/* Files of ours only grow so, with zeros. */
static int on_truncate(int fd, uint64_t size)
{
        _cleanup_free_ uint8_t *zeros = NULL;
        struct stat status;

        if (call_fails("ftruncate"))
                return recorder.failure.error;
        CHECK(fstat(fd, &status) >= 0 && size >= (uint64_t)status.st_size); /* nothing shrinks */
        zeros = calloc(1, (size_t)size - (size_t)status.st_size);
        CHECK(zeros);
        record_data(fd, zeros, (size_t)size - (size_t)status.st_size, (uint64_t)status.st_size);
        return disk_io_system.truncate(fd, size);
}

/* Neither bytes nor size change: there is nothing to be lost. */
static int on_allocate(int fd, uint64_t size)
{
        return call_fails("fallocate") ? recorder.failure.error : disk_io_system.allocate(fd, size);
}

static int on_zero(int fd, uint64_t offset, uint64_t size)
{
        _cleanup_free_ uint8_t *zeros = calloc(1, size);

        if (call_fails("fallocate"))
                return recorder.failure.error;
        CHECK(zeros);
        record_data(fd, zeros, (size_t)size, offset);
        return disk_io_system.zero(fd, offset, size);
}

/* The page cache forgets what never reached the medium: what was there before is there again. */
static void disk_lose(int fd)
{
        bool in_partition = opening_is_of_partition(recorder.openings[fd]);
        Record *lost;

        for (size_t i = recorder.n_records; i-- > 0;) {
                const Record *record = &recorder.records[i];

                if (record->file != WORLD_DISK || record->in_partition != in_partition)
                        continue;
                if (record->kind != RECORD_DATA)
                        break;
                CHECK(pwrite(fd, record->before, record->size, (off_t)record->offset)
                      == (ssize_t)record->size);
        }
        lost = record_add(RECORD_LOST);
        lost->file = WORLD_DISK;
        lost->in_partition = in_partition;
}

static int sync_record(int fd, const char *call, int (*sync)(int fd))
{
        char link[sizeof("/proc/self/fd/") + DECIMAL_MAX], path[4096] = {};
        int file = file_of(fd), r;
        struct stat status;

        if (call_fails(call)) {
                if (file == WORLD_DISK && recorder.failure.kind == FAILURE_LOST)
                        disk_lose(fd);
                return recorder.failure.error;
        }
        r = sync(fd);
        if (r < 0 || fstat(fd, &status) < 0)
                return r;
        if (file >= 0) {
                bool in_partition = opening_is_of_partition(recorder.openings[fd]);
                Record *record = record_add(RECORD_SYNC_FILE);

                record->file = file;
                record->in_partition = in_partition && file == WORLD_DISK;
        }
        if (file < 0 && S_ISDIR(status.st_mode)) {
                (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                CHECK(readlink(link, path, sizeof(path) - 1) > 0);
                if (name_of(path))
                        record_add(RECORD_SYNC_DIRECTORY)->add = copy_of(name_of(path));
        }
        return r;
}

static int on_sync(int fd)
{
        return sync_record(fd, "fsync", disk_io_system.sync);
}

static int on_sync_data(int fd)
{
        return sync_record(fd, "fdatasync", disk_io_system.sync_data);
}

static int on_rename(const char *from, const char *to)
{
        struct stat status;
        Record *record;
        int r;

        if (call_fails("rename"))
                return recorder.failure.error;
        r = disk_io_system.rename(from, to);
        if (r < 0 || !name_of(to))
                return r;
        CHECK(stat(to, &status) >= 0);
        record = record_add(RECORD_NAME);
        record->add = copy_of(name_of(to));
        record->remove = copy_of(name_of(from));
        for (size_t i = 0; i < recorder.n_known; i++)
                if (recorder.known[i].inode == status.st_ino)
                        record->file = recorder.known[i].file;
        CHECK(record->file >= 0);
        return r;
}

static int on_unlink(const char *path)
{
        int r;

        if (call_fails("unlink"))
                return recorder.failure.error;
        r = disk_io_system.unlink(path);
        if (r >= 0 && name_of(path))
                record_add(RECORD_NAME)->remove = copy_of(name_of(path));
        return r;
}

static int on_mkdir(const char *path, mode_t mode)
{
        int r;

        if (call_fails("mkdir"))
                return recorder.failure.error;
        r = disk_io_system.mkdir(path, mode);
        if (r >= 0 && name_of(path))
                record_add(RECORD_NAME)->add = copy_of(name_of(path));
        return r;
}

static const DiskIo recording = {
        .open = on_open,
        .read = on_read,
        .write = on_write,
        .pread = on_pread,
        .pwrite = on_pwrite,
        .truncate = on_truncate,
        .allocate = on_allocate,
        .zero = on_zero,
        .sync = on_sync,
        .sync_data = on_sync_data,
        .rename = on_rename,
        .unlink = on_unlink,
        .mkdir = on_mkdir,
};

void records_free(Record *records, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(records[i].data);
                free(records[i].before);
                free(records[i].add);
                free(records[i].remove);
        }
        free(records);
}

void recorder_done(void)
{
        records_free(recorder.records, recorder.n_records);
        free(recorder.calls);
        free(recorder.known);
        free(recorder.root);
        memset(&recorder, 0, sizeof(recorder));
}

void recorder_begin(const char *root, const Failure *failure)
{
        recorder_done();
        recorder.root = copy_of(root);
        if (failure)
                recorder.failure = *failure;
        disk_io_set(&recording);
}

void recorder_know(const char *path, int file)
{
        struct stat status;

        CHECK(stat(path, &status) >= 0);
        known_add(status.st_ino, file);
}

void recorder_end(void)
{
        disk_io_set(NULL);
}

Record *recorder_take(size_t *ret_n)
{
        *ret_n = recorder.n_records;
        recorder.n_records = 0;
        return TAKE_PTR(recorder.records);
}

unsigned long recorder_calls(void)
{
        return recorder.n_calls;
}

const char *recorder_call(unsigned long n)
{
        return n > 0 && n <= recorder.n_calls ? recorder.calls[n - 1] : "";
}

static int file_at(const char *path)
{
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

        CHECK(fd >= 0 && file_of(fd) >= 0);
        return file_of(fd);
}

void recorder_add_write(const char *path, const uint8_t *data, size_t size)
{
        int file = file_at(path);
        Record *record = record_add(RECORD_DATA);

        record->file = file;
        record->size = size;
        record->data = malloc(size);
        CHECK(record->data);
        memcpy(record->data, data, size);
        record_add(RECORD_SYNC_FILE)->file = file;
}

void recorder_add_rename(const char *from, const char *to)
{
        int file = file_at(to);
        Record *record = record_add(RECORD_NAME);
        char *directory = copy_of(name_of(to));

        record->file = file;
        record->add = copy_of(name_of(to));
        record->remove = copy_of(name_of(from));
        *strrchr(directory, '/') = 0;
        record_add(RECORD_SYNC_DIRECTORY)->add = directory;
}

void recorder_add_disk(uint64_t offset, const uint8_t *data, size_t size)
{
        Record *record = record_add(RECORD_DATA);

        record->file = WORLD_DISK;
        record->offset = offset;
        record->size = size;
        record->data = malloc(size);
        record->before = calloc(1, size);
        CHECK(record->data && record->before);
        memcpy(record->data, data, size);
        record_add(RECORD_SYNC_FILE)->file = WORLD_DISK;
}
