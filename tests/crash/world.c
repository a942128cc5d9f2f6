#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"
#include "crash/check.h"
#include "crash/world.h"

#define TEMPORARY_LETTERS 6

void world_init(World *world, const uint8_t *disk, size_t size)
{
        *world = (World) {};
        world_write(world, WORLD_DISK, 0, disk, size);
}

static void world_done_from(World *world, size_t first)
{
        for (size_t i = first; i < world->n_files; i++)
                free(world->files[i].data);
        for (size_t i = 0; i < world->n_names; i++)
                free(world->names[i].name);
        free(world->files);
        free(world->names);
        *world = (World) {};
}

void world_done(World *world)
{
        world_done_from(world, 0);
}

void world_done_shared(World *world)
{
        world_done_from(world, 1);
}

void world_copy(const World *from, bool share_disk, World *ret)
{
        *ret = (World) {};
        ret->files = calloc(from->n_files + 1, sizeof(WorldFile));
        CHECK(ret->files);
        ret->n_files = from->n_files;
        for (size_t i = 0; i < from->n_files; i++) {
                if (i == WORLD_DISK && share_disk)
                        ret->files[i] = from->files[i];
                else
                        world_write(ret, (int)i, 0, from->files[i].data, from->files[i].size);
        }
        for (size_t i = 0; i < from->n_names; i++)
                world_add_name(ret, from->names[i].name, from->names[i].file);
}

static void world_reserve_file(World *world, size_t file)
{
        if (file < world->n_files)
                return;
        world->files = realloc(world->files, (file + 1) * sizeof(WorldFile));
        CHECK(world->files);
        while (world->n_files <= file)
                world->files[world->n_files++] = (WorldFile) {};
}

void world_write(World *world, int file, uint64_t offset, const uint8_t *data, size_t size)
{
        size_t end = (size_t)offset + size;
        WorldFile *to;

        world_reserve_file(world, (size_t)file);
        to = &world->files[file];
        if (end > to->size) {
                to->data = realloc(to->data, end);
                CHECK(to->data);
                memset(to->data + to->size, 0, end - to->size);
                to->size = end;
        }
        if (size > 0)
                memcpy(to->data + offset, data, size);
}

static WorldName *world_name(const World *world, const char *name)
{
        for (size_t i = 0; i < world->n_names; i++)
                if (streq(world->names[i].name, name))
                        return &world->names[i];
        return NULL;
}

void world_add_name(World *world, const char *name, int file)
{
        WorldName *known = world_name(world, name);

        if (known) {
                known->file = file;
                return;
        }
        world->names = realloc(world->names, (world->n_names + 1) * sizeof(WorldName));
        CHECK(world->names);
        world->names[world->n_names] = (WorldName) { strdup(name), file };
        CHECK(world->names[world->n_names++].name);
        if (file >= 0)
                world_reserve_file(world, (size_t)file); /* it may have no bytes yet */
}

void world_remove_name(World *world, const char *name)
{
        WorldName *known = world_name(world, name);

        if (!known)
                return;
        free(known->name);
        *known = world->names[--world->n_names];
}

int world_find(const World *world, const char *name)
{
        const WorldName *known = world_name(world, name);
        const char *base = after_prefix(name, WORLD_BOOT) ? WORLD_BOOT : "/var/lib";
        _cleanup_free_ char *copy = strdup(name);

        CHECK(copy);
        for (char *slash = strrchr(copy, '/'); slash && strlen(copy) > strlen(base);
             slash = strrchr(copy, '/')) {
                *slash = 0;
                if (strlen(copy) > strlen(base) && !world_name(world, copy))
                        return -1;
        }
        return known ? known->file : -1;
}

bool world_name_is_temporary(const char *name)
{
        const char *dot = strrchr(name, '.');

        return dot
               && (strlen(dot) == TEMPORARY_LETTERS + 1 || streq(dot, ".new")
                   || streq(dot, ".part"));
}

static int entry_remove(const char *path, _unused_ const struct stat *status, _unused_ int type,
                        _unused_ struct FTW *walk)
{
        return remove(path);
}

static void file_put(const char *root, const char *name, const WorldFile *file)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;

        CHECK(text_format(&path, "%s%s", root, name) >= 0);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        CHECK(fd >= 0);
        CHECK(file->size == 0 || pwrite(fd, file->data, file->size, 0) == (ssize_t)file->size);
}

void world_materialize(const World *world, const char *root)
{
        static const char *const directories[] = { WORLD_STATE, WORLD_BOOT };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_free_ char *path = NULL;

                CHECK(text_format(&path, "%s%s", root, directories[i]) >= 0);
                (void)nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS); /* it may not be there */
                if (streq(directories[i], WORLD_BOOT)) /* it is a mount point, and always there */
                        CHECK(mkdir(path, 0755) >= 0);
        }
        file_put(root, "/disk.img", &world->files[WORLD_DISK]);

        /* Directories first, those above before those below: shorter names first. */
        for (size_t length = 0; length < 64; length++) {
                for (size_t i = 0; i < world->n_names; i++) {
                        const WorldName *name = &world->names[i];
                        _cleanup_free_ char *path = NULL;

                        if (name->file >= 0 || strlen(name->name) != length)
                                continue;
                        CHECK(text_format(&path, "%s%s", root, name->name) >= 0);
                        (void)mkdir(path, 0755); /* what lies below one that is lost is lost too */
                }
        }
        for (size_t i = 0; i < world->n_names; i++) {
                const WorldName *name = &world->names[i];

                if (name->file >= 0 && world_find(world, name->name) >= 0)
                        file_put(root, name->name, &world->files[name->file]);
        }
}
