#include <fcntl.h>
#include <openssl/evp.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "digest-file.h"

#define PIECE_SIZE \
        (256 * KIB) /* read and hashed in a millisecond, or at the speed of a slow disk */

struct DigestFile {
        sd_event_source *step;
        EVP_MD_CTX *sha256;
        int fd;
        uint64_t offset;
        DigestFileEnd on_end;
        void *userdata;
        uint8_t piece[PIECE_SIZE];
};

DigestFile *digest_file_free(DigestFile *digest)
{
        if (!digest)
                return NULL;

        sd_event_source_disable_unref(digest->step);
        EVP_MD_CTX_free(digest->sha256);
        free(digest);
        return NULL;
}

/* Returns 1 when there is more, 0 at the end of the file. */
static int digest_file_read(DigestFile *digest)
{
        ssize_t n;

        do
                n = disk_io()->pread(digest->fd, digest->piece, PIECE_SIZE, digest->offset);
        while (n == -EINTR);
        if (n <= 0)
                return (int)n;
        if (EVP_DigestUpdate(digest->sha256, digest->piece, (size_t)n) != 1)
                return -ENOMEM;

        digest->offset += (uint64_t)n;
        return 1;
}

static int on_step(_unused_ sd_event_source *source, void *userdata)
{
        uint8_t sha256[EVP_MAX_MD_SIZE] = {};
        DigestFile *digest = userdata;
        int r = digest_file_read(digest);

        if (r > 0)
                return 0;
        if (r == 0 && EVP_DigestFinal_ex(digest->sha256, sha256, NULL) != 1)
                r = -ENOMEM;
        (void)sd_event_source_set_enabled(digest->step, SD_EVENT_OFF); /* it is one that exists */
        digest->on_end(r, sha256, digest->userdata);
        return 0;
}

int digest_file_new(sd_event *event, int fd, DigestFileEnd on_end, void *userdata, DigestFile **ret)
{
        _cleanup_(digest_file_free_p) DigestFile *digest = calloc(1, sizeof(DigestFile));
        int r;

        if (!digest)
                return -ENOMEM;

        digest->fd = fd;
        digest->on_end = on_end;
        digest->userdata = userdata;
        digest->sha256 = EVP_MD_CTX_new();
        if (!digest->sha256 || EVP_DigestInit_ex(digest->sha256, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* else the cache has the last word */
        r = sd_event_add_defer(event, &digest->step, on_step, digest);
        if (r >= 0)
                r = sd_event_source_set_enabled(digest->step, SD_EVENT_ON);
        if (r >= 0) /* what is asked on the bus comes first */
                r = sd_event_source_set_priority(digest->step, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(digest);
        return 0;
}
