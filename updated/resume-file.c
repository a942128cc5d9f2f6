#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "resume-file.h"

#define RESUME_FORMAT 1
#define RESUME_MODE   0600

/* What has to be the same, as text. The rest of the block is zero. */
static int block_print(const UpdatePlan *plan, const char *slot_uuid, char ret[RESUME_OFFSET])
{
        _cleanup_free_ char *sha256 = NULL;
        int n, r;

        r = hex_encode(plan->sha256, SHA256_SIZE, &sha256);
        if (r < 0)
                return r;

        memset(ret, 0, RESUME_OFFSET);
        n = snprintf(ret, RESUME_OFFSET,
                     "RESUME=%d\nSHA256=%s\nSIZE=%llu\nSLOT=%s\nTARGET_OFFSET=%llu\n"
                     "TARGET_SIZE=%llu\n",
                     RESUME_FORMAT, sha256, (unsigned long long)plan->size, slot_uuid,
                     (unsigned long long)plan->target_offset,
                     (unsigned long long)plan->target_size);
        return n >= RESUME_OFFSET ? -E2BIG : 0;
}

/* -EBADMSG: it is none of ours, or of another version of this program. */
static int resume_file_find(const char *root, const char block[RESUME_OFFSET], int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        char found[RESUME_OFFSET];
        struct stat status;
        int r;

        fd = root_open(root, RESUME_PATH, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) || status.st_size != RESUME_SIZE)
                return -EBADMSG;
        r = pread_full(fd, found, sizeof(found), 0);
        if (r < 0)
                return r;
        if (memcmp(found, block, sizeof(found)) != 0)
                return -ESTALE;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

int resume_file_open(const char *root, const UpdatePlan *plan, const char *slot_uuid, int *ret_fd,
                     bool *ret_lost)
{
        char content[RESUME_SIZE] = {};
        int fd, r;

        if (!plan->announced)
                return -EINVAL;
        r = block_print(plan, slot_uuid, content);
        if (r < 0)
                return r;
        r = resume_file_find(root, content, ret_fd);
        *ret_lost = r < 0 && r != -ENOENT;
        if (r >= 0)
                return 1;

        r = file_replace(root, RESUME_PATH, content, sizeof(content), RESUME_MODE);
        if (r < 0)
                return r;
        fd = root_open(root, RESUME_PATH, O_RDWR | O_NOFOLLOW, 0);
        if (fd < 0)
                return fd;

        *ret_fd = fd;
        return 0;
}

int resume_file_remove(const char *root)
{
        return file_remove(root, RESUME_PATH);
}
