#include <fcntl.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/disk-io.h"
#include "base/io.h"
#include "base/log.h"
#include "package-store.h"

#define RECORD_MAX  (4 * PACKAGES_MAX) /* of several versions */
#define RECORD_MODE 0644
#define IMAGE_MODE  0644

static void entry_done(PackageEntry *entry)
{
        free(entry->name);
        free(entry->directory);
        free(entry->version);
        *entry = (PackageEntry) {};
}

void package_record_done(PackageRecord *record)
{
        for (size_t i = 0; i < record->n_items; i++)
                entry_done(&record->items[i]);
        free(record->items);
        *record = (PackageRecord) {};
}

/* Takes the entry over, also when it fails. */
static int record_add(PackageRecord *record, PackageEntry *entry)
{
        PackageEntry *grown = NULL;

        if (record->n_items < RECORD_MAX)
                grown = reallocarray(record->items, record->n_items + 1, sizeof(PackageEntry));
        if (!grown) {
                entry_done(entry);
                return record->n_items < RECORD_MAX ? -ENOMEM : -E2BIG;
        }

        record->items = grown;
        record->items[record->n_items++] = *entry;
        return 0;
}

/* Only what package_record_print() may have written. */
static bool directory_is_valid(const char *directory)
{
        size_t n = strlen(directory);

        return *directory == '/' && !strstr(directory, "/../")
               && !(n >= 3 && streq(directory + n - 3, "/.."));
}

/* "SHA256", as it was written once, or "SHA256:IMAGE_SHA256" */
static int hashes_take(char *word, PackageEntry *entry)
{
        const char *sha256 = strsep(&word, ":");
        int r;

        r = hex_decode(sha256, entry->sha256, SHA256_SIZE);
        if (r < 0 || !word)
                return r;
        entry->hashed = true;
        return hex_decode(word, entry->image_sha256, SHA256_SIZE);
}

/* SHA256[:IMAGE_SHA256] VERSION NAME DIRECTORY */
static int record_take_line(PackageRecord *record, char *line)
{
        char *hashes = strsep(&line, " ");
        const char *version = strsep(&line, " "), *name = strsep(&line, " "), *directory = line;
        PackageEntry entry = {};
        int r;

        if (!version || !name || !directory || !package_word_is_valid(version)
            || !package_word_is_valid(name) || !directory_is_valid(directory)
            || hashes_take(hashes, &entry) < 0)
                return 0;

        r = text_set(&entry.version, version);
        if (r >= 0)
                r = text_set(&entry.name, name);
        if (r >= 0)
                r = text_set(&entry.directory, directory);
        if (r < 0) {
                entry_done(&entry);
                return r;
        }
        return record_add(record, &entry);
}

int package_record_parse(const char *text, PackageRecord *ret)
{
        _cleanup_(package_record_done) PackageRecord record = {};
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;
        int r;

        if (!copy)
                return -ENOMEM;
        while ((line = strsep(&rest, "\n"))) {
                r = record_take_line(&record, line);
                if (r < 0)
                        return r;
        }

        *ret = record;
        record = (PackageRecord) {};
        return 0;
}

int package_record_print(const PackageRecord *record, char **ret)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_MAX(IO_SMALL_FILE_MAX);
        int r = 0;

        for (size_t i = 0; i < record->n_items && r >= 0; i++) {
                const PackageEntry *entry = &record->items[i];
                _cleanup_free_ char *sha256 = NULL, *image = NULL;

                r = hex_encode(entry->sha256, SHA256_SIZE, &sha256);
                if (r >= 0 && entry->hashed)
                        r = hex_encode(entry->image_sha256, SHA256_SIZE, &image);
                if (r >= 0)
                        r = buffer_appendf(&text, "%s%s%s %s %s %s\n", sha256, image ? ":" : "",
                                           image ? image : "", entry->version, entry->name,
                                           entry->directory);
        }
        return r < 0 ? r : buffer_take_text(&text, ret, NULL);
}

int package_record_read(const char *root, PackageRecord *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, PACKAGES_PATH, IO_SMALL_FILE_MAX, &text, NULL);
        if (r >= 0)
                r = package_record_parse(text, ret);
        if (r >= 0 || r == -ENOMEM)
                return r;
        if (r != -ENOENT)
                (void)log_warning_errno(r,
                                        PACKAGES_PATH " can not be read, going on without it: %m");

        *ret = (PackageRecord) {};
        return 0;
}

static int record_write(const char *root, const PackageRecord *record)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = package_record_print(record, &text);
        return r < 0 ? r : file_replace(root, PACKAGES_PATH, text, strlen(text), RECORD_MODE);
}

bool package_is_there(const char *root, const PackageEntry *entry)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        struct stat status;

        if (package_path(entry->directory, entry->name, entry->version, &path) < 0)
                return false;
        fd = root_open(root, path, O_RDONLY | O_NONBLOCK, 0);
        return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
}

static bool entry_is_of(const PackageEntry *entry, const PlannedPackage *package)
{
        return streq(entry->name, package->name) && streq(entry->version, package->version)
               && streq(entry->directory, package->directory);
}

/* The entry of a package, or NULL. */
static PackageEntry *record_find(PackageRecord *record, const PlannedPackage *package)
{
        for (size_t i = 0; i < record->n_items; i++)
                if (entry_is_of(&record->items[i], package))
                        return &record->items[i];
        return NULL;
}

static int record_add_planned(PackageRecord *record, const PlannedPackage *package)
{
        PackageEntry entry = {};
        int r;

        r = text_set(&entry.name, package->name);
        if (r >= 0)
                r = text_set(&entry.directory, package->directory);
        if (r >= 0)
                r = text_set(&entry.version, package->version);
        if (r < 0) {
                entry_done(&entry);
                return r;
        }
        return record_add(record, &entry);
}

static int package_paths(const char *directory, const char *name, const char *version, char **ret,
                         char **ret_temporary)
{
        int r;

        r = package_path(directory, name, version, ret);
        return r < 0 ? r : package_path_temporary(directory, name, version, ret_temporary);
}

/* Durable: the image is made of this package, and has that hash; NULL: nobody knows it yet. */
static int package_note(const char *root, const PlannedPackage *package, const uint8_t *image)
{
        _cleanup_(package_record_done) PackageRecord record = {};
        PackageEntry *entry;
        int r;

        r = package_record_read(root, &record);
        if (r >= 0 && !record_find(&record, package))
                r = record_add_planned(&record, package);
        if (r < 0)
                return r;

        entry = record_find(&record, package);
        memcpy(entry->sha256, package->sha256, SHA256_SIZE);
        entry->hashed = image;
        if (image)
                memcpy(entry->image_sha256, image, SHA256_SIZE);
        return record_write(root, &record);
}

int package_find(const char *root, const PlannedPackage *package, int *ret_fd,
                 uint8_t ret_sha256[static SHA256_SIZE])
{
        _cleanup_(package_record_done) PackageRecord record = {};
        _cleanup_free_ char *path = NULL;
        const PackageEntry *entry;
        int fd, r;

        r = package_record_read(root, &record);
        if (r < 0)
                return r;
        entry = record_find(&record, package);
        if (!entry || !entry->hashed || memcmp(entry->sha256, package->sha256, SHA256_SIZE) != 0
            || !package_is_there(root, entry))
                return 0;
        r = package_path(package->directory, package->name, package->version, &path);
        if (r < 0)
                return r;
        fd = root_open(root, path, O_RDONLY, 0);
        if (fd < 0)
                return 0; /* what can not be read is none */

        memcpy(ret_sha256, entry->image_sha256, SHA256_SIZE);
        *ret_fd = fd;
        return 1;
}

int package_begin(const char *root, const PlannedPackage *package, int *ret_fd)
{
        _cleanup_free_ char *path = NULL, *temporary = NULL, *full = NULL;
        int fd, r;

        r = package_paths(package->directory, package->name, package->version, &path, &temporary);
        if (r >= 0)
                r = root_join(root, temporary, &full);
        if (r >= 0)
                r = parents_make(full, 0755);
        /* Before the note is another one: afterwards a file of that name is what the note says. */
        if (r >= 0)
                r = file_remove(root, path);
        if (r >= 0)
                r = package_note(root, package, NULL);
        if (r >= 0)
                r = file_remove(root, temporary); /* of an attempt that did not come to its end */
        if (r < 0)
                return r;
        fd = root_open(root, temporary, O_RDWR | O_CREAT | O_EXCL, IMAGE_MODE);
        if (fd < 0)
                return fd;

        *ret_fd = fd;
        return 0;
}

int package_commit(const char *root, const PlannedPackage *package, int fd,
                   const uint8_t *image_sha256)
{
        _cleanup_free_ char *path = NULL, *temporary = NULL, *from = NULL, *to = NULL;
        int r;

        r = package_paths(package->directory, package->name, package->version, &path, &temporary);
        if (r >= 0)
                r = root_join(root, temporary, &from);
        if (r >= 0)
                r = root_join(root, path, &to);
        if (r >= 0)
                r = disk_io()->sync(fd);
        if (r >= 0 && image_sha256)
                r = package_note(root, package, image_sha256);
        if (r >= 0)
                r = disk_io()->rename(from, to);
        return r < 0 ? r : directory_sync_of(to);
}

void package_discard(const char *root, const PlannedPackage *package)
{
        _cleanup_free_ char *temporary = NULL;
        int r;

        r = package_path_temporary(package->directory, package->name, package->version, &temporary);
        if (r >= 0)
                r = file_remove(root, temporary);
        if (r < 0) /* no harm: packages_collect() comes by */
                log_debug("removing an image that is not whole: %s", strerror(-r));
}

static int entry_remove(const char *root, const PackageEntry *entry)
{
        _cleanup_free_ char *path = NULL, *temporary = NULL;
        int r;

        r = package_paths(entry->directory, entry->name, entry->version, &path, &temporary);
        if (r >= 0)
                r = file_remove(root, temporary);
        return r < 0 ? r : file_remove(root, path);
}

static bool entry_is_kept(const PackageEntry *entry, const TextList *keep)
{
        for (size_t i = 0; i < keep->n_items; i++)
                if (streq(entry->version, keep->items[i]))
                        return true;
        return false;
}

int packages_collect(const char *root, const TextList *keep)
{
        _cleanup_(package_record_done) PackageRecord record = {};
        size_t n = 0, n_before;
        int r, error = 0;

        r = package_record_read(root, &record);
        if (r < 0)
                return r;

        n_before = record.n_items;
        for (size_t i = 0; i < n_before; i++) {
                PackageEntry *entry = &record.items[i];

                r = entry_is_kept(entry, keep) ? 1 : entry_remove(root, entry);
                if (r < 0)
                        error = r;
                if (r == 0) {
                        log_info("the image %s of version %s is removed: no slot needs it",
                                 entry->name, entry->version);
                        entry_done(entry);
                        continue;
                }
                record.items[n++] = *entry;
        }
        record.n_items = n;

        r = n < n_before ? record_write(root, &record) : 0;
        return r < 0 ? r : error;
}
