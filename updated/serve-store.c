#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/progress.h"
#include "base/text.h"
#include "serve-store.h"

#define CHUNK_SIZE ((size_t)(256 * KIB))

typedef struct Digests {
        EVP_MD_CTX *sha256;
        EVP_MD_CTX *sha1;
} Digests;

static void digests_done(Digests *digests)
{
        EVP_MD_CTX_free(digests->sha256);
        EVP_MD_CTX_free(digests->sha1);
}

static int digests_start(Digests *digests)
{
        digests->sha256 = EVP_MD_CTX_new();
        digests->sha1 = EVP_MD_CTX_new();
        if (!digests->sha256 || !digests->sha1)
                return -ENOMEM;

        if (EVP_DigestInit_ex(digests->sha256, EVP_sha256(), NULL) != 1
            || EVP_DigestInit_ex(digests->sha1, EVP_sha1(), NULL) != 1)
                return -EOPNOTSUPP;
        return 0;
}

static int digests_update(Digests *digests, const void *data, size_t size)
{
        return EVP_DigestUpdate(digests->sha256, data, size) == 1
                               && EVP_DigestUpdate(digests->sha1, data, size) == 1
                       ? 0
                       : -EIO;
}

static int digests_finish(Digests *digests, StoredPayload *payload)
{
        uint8_t sha256[EVP_MAX_MD_SIZE], sha1[EVP_MAX_MD_SIZE];
        unsigned sha256_size, sha1_size;
        int r;

        if (EVP_DigestFinal_ex(digests->sha256, sha256, &sha256_size) != 1
            || EVP_DigestFinal_ex(digests->sha1, sha1, &sha1_size) != 1)
                return -EIO;

        r = hex_encode(sha256, sha256_size, &payload->sha256);
        if (r < 0)
                return r;
        r = base64_encode(sha256, sha256_size, &payload->sha256_base64);
        if (r < 0)
                return r;

        return base64_encode(sha1, sha1_size, &payload->sha1_base64);
}

/*
 * Shares the blocks where the file system can, else copies. Never a hard link: that would change
 * whenever somebody writes to the original.
 */
static int fd_copy(int from, int to, Progress *progress)
{
        _cleanup_free_ char *chunk = NULL;
        uint64_t done = 0;
        int r;

        if (ioctl(to, FICLONE, from) == 0)
                return 0;

        chunk = malloc(CHUNK_SIZE);
        if (!chunk)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read_some(from, chunk, CHUNK_SIZE);
                if (n <= 0)
                        return (int)n;

                r = write_full(to, chunk, (size_t)n);
                if (r < 0)
                        return r;
                done += (uint64_t)n;
                progress_update(progress, done);
        }
}

static int fd_digest(int fd, StoredPayload *payload)
{
        _cleanup_(digests_done) Digests digests = {};
        _cleanup_free_ char *chunk = malloc(CHUNK_SIZE);
        struct stat status;
        int r;

        if (!chunk)
                return -ENOMEM;
        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        r = digests_start(&digests);
        if (r < 0)
                return r;

        payload->size = (uint64_t)status.st_size;
        for (uint64_t done = 0; done < payload->size;) {
                size_t n = (size_t)MIN_OF(payload->size - done, CHUNK_SIZE);

                r = pread_full(fd, chunk, n, done);
                if (r < 0)
                        return r;
                r = digests_update(&digests, chunk, n);
                if (r < 0)
                        return r;
                done += n;
        }

        return digests_finish(&digests, payload);
}

static int payload_check(int fd)
{
        char magic[sizeof(STORE_MAGIC) - 1];
        struct stat status;
        int r;

        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        if (S_ISDIR(status.st_mode))
                return -EISDIR;
        if (!S_ISREG(status.st_mode))
                return -EBADMSG;

        r = pread_full(fd, magic, sizeof(magic), 0);
        if (r < 0)
                return r == -ENODATA ? -EBADMSG : r;
        return memcmp(magic, STORE_MAGIC, sizeof(magic)) == 0 ? 0 : -EBADMSG;
}

static int store_path(const char *directory, const char *sha256, char **ret)
{
        if (text_format(ret, "%s/" STORE_DIRECTORY "/%s", directory, sha256) < 0)
                return -ENOMEM;
        return 0;
}

/* Copies, checks, digests and syncs; to is the temporary file. */
static int store_fill(int from, int to, Progress *progress, StoredPayload *payload)
{
        int r;

        r = fd_copy(from, to, progress);
        if (r < 0)
                return r;
        r = payload_check(to); /* what was copied may differ from what was looked at */
        if (r < 0)
                return r;
        r = fd_digest(to, payload);
        if (r < 0)
                return r;
        r = RET_ERRNO(fchmod(to, 0644));
        if (r < 0)
                return r;

        return RET_ERRNO(fsync(to));
}

static int store_receive(const char *directory, int from, Progress *progress,
                         StoredPayload *payload)
{
        _cleanup_free_ char *temporary = NULL, *path = NULL;
        _cleanup_close_ int to = -1;
        int r;

        r = store_path(directory, ".incoming.XXXXXX", &temporary);
        if (r < 0)
                return r;
        r = parents_make(temporary, 0755);
        if (r < 0)
                return r;

        to = RET_ERRNO(mkostemp(temporary, O_CLOEXEC));
        if (to < 0)
                return to;
        r = store_fill(from, to, progress, payload);
        if (r >= 0)
                r = store_path(directory, payload->sha256, &path);
        if (r >= 0)
                r = RET_ERRNO(rename(temporary, path));
        if (r < 0) {
                (void)unlink(temporary); /* the first error is the one to report */
                return r;
        }

        return directory_sync_of(path);
}

int store_add(const char *directory, const char *path, FILE *stream, StoredPayload *ret)
{
        _cleanup_(stored_payload_done) StoredPayload payload = {};
        _cleanup_close_ int fd = -1;
        struct stat status;
        Progress progress;
        int r;

        fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        if (fd < 0)
                return fd;
        r = payload_check(fd); /* before gigabytes of something else are copied */
        if (r < 0)
                return r;
        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;

        progress_start(&progress, stream, "publishing", (uint64_t)status.st_size);
        r = store_receive(directory, fd, &progress, &payload);
        progress_finish(&progress, payload.size);
        if (r < 0)
                return r;

        *ret = payload;
        payload = (StoredPayload) {};
        return 0;
}

int store_open(const char *directory, const char *sha256)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = store_path(directory, sha256, &path);
        if (r < 0)
                return r;

        return RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

int store_remove(const char *directory, const char *sha256)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = store_path(directory, sha256, &path);
        if (r < 0)
                return r;

        return file_remove(NULL, path);
}

void stored_payload_done(StoredPayload *payload)
{
        free(payload->sha256);
        free(payload->sha256_base64);
        free(payload->sha1_base64);
        *payload = (StoredPayload) {};
}
