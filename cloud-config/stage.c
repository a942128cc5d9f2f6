#include <fcntl.h>
#include <stdio.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "cloud-config/stage.h"

static void staged_file_done(StagedFile *file)
{
        free(file->path);
        free(file->temporary);
        *file = (StagedFile) {};
}

void stage_done(Stage *stage)
{
        for (size_t i = 0; i < stage->n_files; i++) {
                if (stage->files[i].temporary)
                        (void)disk_io()->unlink(
                                stage->files[i].temporary); /* it may never have been made */
                staged_file_done(&stage->files[i]);
        }
        free(stage->files);
        *stage = (Stage) {};
}

static int stage_push(Stage *stage, StagedFile *file)
{
        StagedFile *files;

        files = reallocarray(stage->files, stage->n_files + 1, sizeof(StagedFile));
        if (!files)
                return -ENOMEM;

        stage->files = files;
        files[stage->n_files++] = *file;
        *file = (StagedFile) {};
        return 0;
}

static int temporary_give(int fd, uid_t uid, gid_t gid)
{
        struct stat status;
        int r;

        r = RET_ERRNO(fstat(fd, &status));
        if (r >= 0 && (status.st_uid != uid || status.st_gid != gid))
                r = RET_ERRNO(fchown(fd, uid, gid));
        return r;
}

int stage_add(Stage *stage, const char *root, const char *path, const char *text, mode_t mode,
              uid_t uid, gid_t gid)
{
        _cleanup_(staged_file_done) StagedFile file = {};
        _cleanup_close_ int fd = -1;
        int r;

        r = root_join(root, path, &file.path);
        if (r < 0)
                return r;
        if (!text)
                return stage_push(stage, &file);

        r = parents_make(file.path, 0755);
        if (r < 0)
                return r;
        fd = temporary_create(file.path, &file.temporary);
        if (fd < 0)
                return fd;
        r = temporary_give(fd, uid, gid);
        if (r >= 0)
                r = temporary_fill(fd, text, strlen(text), mode);
        if (r >= 0)
                r = stage_push(stage, &file);
        if (r < 0)
                (void)disk_io()->unlink(file.temporary); /* the first error is the one to report */
        return r;
}

int stage_add_link(Stage *stage, const char *root, const char *path, const char *target)
{
        _cleanup_(staged_file_done) StagedFile file = {};
        int r;

        r = root_join(root, path, &file.path);
        if (r < 0)
                return r;
        r = parents_make(file.path, 0755);
        if (r < 0)
                return r;

        do {
                text_clear(&file.temporary);
                r = temporary_name(file.path, &file.temporary);
                if (r >= 0)
                        r = RET_ERRNO(symlink(target, file.temporary));
        } while (r == -EEXIST);
        return r < 0 ? r : stage_push(stage, &file);
}

static int staged_file_commit(StagedFile *file)
{
        int r;

        if (file->temporary)
                r = disk_io()->rename(file->temporary, file->path);
        else
                r = disk_io()->unlink(file->path);
        if (r < 0 && !(r == -ENOENT && !file->temporary))
                return r;

        free(file->temporary);
        file->temporary = NULL;
        return r == -ENOENT ? 0 : directory_sync_of(file->path);
}

int stage_commit(Stage *stage, const char **ret_path)
{
        int r;

        for (size_t i = 0; i < stage->n_files; i++) {
                r = staged_file_commit(&stage->files[i]);
                if (r < 0) {
                        *ret_path = stage->files[i].path;
                        return r;
                }
        }

        return 0;
}
