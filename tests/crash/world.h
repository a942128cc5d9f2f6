/*
 * What is on a host's media: the bytes of the disk, the state files, the boot partition, their names. Worlds are made from the
 * records of a run (recorder.h), and put into a directory to let the real code run in them.
 */
#pragma once

#include "base/macros.h"

#define WORLD_DISK  0 /* the file that is the disk image */
#define WORLD_STATE "/var/lib/updated"
#define WORLD_BOOT  "/boot"

typedef struct WorldFile {
        uint8_t *data;
        size_t size;
} WorldFile;

typedef struct WorldName {
        char *name; /* "/var/lib/updated/state" */
        int file;   /* -1: a directory */
} WorldName;

typedef struct World {
        WorldFile *files;
        size_t n_files;
        WorldName *names;
        size_t n_names;
} World;

/* A new world has a disk with this content, and no state. */
void world_init(World *world, const uint8_t *disk, size_t size);
void world_done(World *world);

/* A copy; with share_disk the disk's bytes stay those of the original, and belong to it. */
void world_copy(const World *from, bool share_disk, World *ret);
void world_done_shared(World *world); /* of a copy that shares the disk */

/* Files grow as they are written to. */
void world_write(World *world, int file, uint64_t offset, const uint8_t *data, size_t size);
void world_add_name(World *world, const char *name, int file);
void world_remove_name(World *world, const char *name);

/* Not there unless all directories above it are there. -1: no file. */
int world_find(const World *world, const char *name);

/* Is it a file that the daemon would look at, and not what a power cut left of writing one? */
bool world_name_is_temporary(const char *name);

/* Puts disk.img and the state files below root. Old state files are removed. */
void world_materialize(const World *world, const char *root);
