#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/loader.h"
#include "crash/recorder.h"
#include "double/boot-bls.h"
#include "double/boot-grub.h"

#define BOOT    "/boot"
#define GRUBENV BOOT "/grub/grubenv"
#define KERNEL  BOOT "/sluice/vmlinuz-%c"
#define FILES   64

static LoaderKind kind_used = LOADER_GPT;

static const char *const uuids[] = { LOADER_UUID_A, LOADER_UUID_B };

/* What a boot loader would start. */
typedef struct Start {
        int slot;
        int kernel; /* number of its file, or -1 */
} Start;

void loader_change_done(LoaderChange *change)
{
        free(change->file);
        free(change->data);
        free(change->from);
        free(change->to);
        *change = (LoaderChange) {};
}

void loader_change_apply(const LoaderChange *change, World *world)
{
        if (change->file)
                world_write(world, world_find(world, change->file), 0, (uint8_t *)change->data,
                            change->size);
        if (change->from) {
                world_add_name(world, change->to, world_find(world, change->from));
                world_remove_name(world, change->from);
        }
}

static char *path_below(const char *root, const char *name)
{
        char *path;

        CHECK(text_format(&path, "%s%s", root, name) >= 0);
        return path;
}

void loader_change_record(const LoaderChange *change, const char *root)
{
        if (change->file) {
                _cleanup_free_ char *path = path_below(root, change->file);

                recorder_add_write(path, (uint8_t *)change->data, change->size);
        }
        if (change->from) {
                _cleanup_free_ char *from = path_below(root, change->from),
                                    *to = path_below(root, change->to);

                recorder_add_rename(from, to);
        }
}

void loader_use(LoaderKind kind)
{
        kind_used = kind;
        releases_use_uki(kind == LOADER_UKI);
}

LoaderKind loader_kind(void)
{
        return kind_used;
}

const char *loader_setting(void)
{
        static const char *const settings[_LOADER_MAX] = {
                [LOADER_GPT] = "gpt",
                [LOADER_GRUB] = "grub",
                [LOADER_SYSTEMD] = "systemd-boot",
                [LOADER_UKI] = "systemd-boot",
        };

        return settings[kind_used];
}

static void world_add_file(World *world, const char *name, const void *data, size_t size)
{
        int file = (int)world->n_files;

        world_write(world, file, 0, data, size);
        world_add_name(world, name, file);
}

static void world_add_grubenv(World *world)
{
        static const char text[] =
                "# GRUB Environment Block\nsluice_order=A B\nsluice_ok_a=1\nsluice_tries_a=0\n"
                "sluice_ok_b=1\nsluice_tries_b=0\nsaved_entry=somebody else's\n";
        char env[BOOT_GRUBENV_SIZE];

        memset(env, '#', sizeof(env));
        memcpy(env, text, strlen(text));
        world_add_name(world, BOOT "/grub", -1);
        world_add_file(world, GRUBENV, env, sizeof(env));
}

static void world_add_entry(World *world, int slot, const Release *release)
{
        _cleanup_free_ char *name = NULL, *text = NULL;
        char letter = (char)('a' + slot);

        if (kind_used == LOADER_UKI) {
                CHECK(text_format(&name, BOOT "/EFI/Linux/sluice-%c_%s.efi", letter,
                                  release->version)
                      >= 0);
                world_add_file(world, name, release->kernel, release->kernel_size);
                return;
        }
        CHECK(text_format(&name, BOOT "/loader/entries/sluice-%c_%s.conf", letter, release->version)
              >= 0);
        CHECK(text_format(&text,
                          "title Test\nsort-key test\nversion %s\nlinux /sluice/vmlinuz-%c\n"
                          "options mount.usr=PARTUUID=%s\n",
                          release->version, letter, uuids[slot])
              >= 0);
        world_add_file(world, name, text, strlen(text));
}

void loader_world(World *world)
{
        static const char *const directories[] = {
                BOOT "/EFI",    BOOT "/EFI/Linux", BOOT "/loader", BOOT "/loader/entries",
                BOOT "/sluice",
        };
        static const ReleaseNumber numbers[] = { RELEASE_INSTALLED, RELEASE_OLD };

        if (kind_used == LOADER_GPT)
                return;
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                world_add_name(world, directories[i], -1);
        for (int slot = 0; slot < 2; slot++) {
                const Release *release = release_get(numbers[slot]);
                _cleanup_free_ char *name = NULL;

                CHECK(text_format(&name, KERNEL, 'a' + slot) >= 0);
                if (kind_used != LOADER_UKI)
                        world_add_file(world, name, release->kernel, release->kernel_size);
                if (kind_used != LOADER_GRUB)
                        world_add_entry(world, slot, release);
        }
        if (kind_used == LOADER_GRUB)
                world_add_grubenv(world);
}

static World *walk_world;
static size_t walk_root;

static int walk_entry(const char *path, const struct stat *status, _unused_ int type,
                      _unused_ struct FTW *walk)
{
        _cleanup_free_ char *data = NULL;
        const char *name = path + walk_root;
        size_t size;

        if (S_ISDIR(status->st_mode)) {
                if (!streq(name, BOOT))
                        world_add_name(walk_world, name, -1);
                return 0;
        }
        CHECK(file_read(NULL, path, MIB, &data, &size) >= 0);
        world_add_file(walk_world, name, data, size);
        return 0;
}

void loader_read(const char *root, World *world)
{
        _cleanup_free_ char *path = path_below(root, BOOT);

        walk_world = world;
        walk_root = strlen(root);
        (void)nftw(path, walk_entry, 16, FTW_PHYS); /* with GPT there is none */
}

/* The files of a world's boot partition, as BLS sees them: from the name of the partition on. */
static size_t files_of(const World *world, BootBlsFile *files)
{
        size_t n = 0;

        for (size_t i = 0; i < world->n_names && n < FILES; i++) {
                const char *name = after_prefix(world->names[i].name, BOOT "/");
                int file = world_find(world, world->names[i].name);

                if (name && file >= 0)
                        files[n++] = (BootBlsFile) { name, (char *)world->files[file].data,
                                                     world->files[file].size };
        }
        return n;
}

static Start entry_start(const World *world, const BootBlsEntry *entry)
{
        const char *name = strrchr(entry->file->name, '/') + 1;
        _cleanup_free_ char *kernel = path_below(BOOT, entry->kernel);
        Start start = { .kernel = world_find(world, kernel) };

        start.slot = name[strlen("sluice-")] == 'a' ? 0 : 1;
        if (*entry->part_uuid)
                start.slot = strcasecmp(entry->part_uuid, uuids[0]) == 0 ? 0 : 1;
        return start;
}

static Start bls_choose(const World *world, LoaderChange *change)
{
        BootBlsFile files[FILES];
        BootBlsEntry entry;

        if (boot_bls_choose(files, files_of(world, files), &entry) < 0)
                return (Start) { .slot = -1 };
        if (*entry.counted_down)
                CHECK(text_format(&change->from, BOOT "/%s", entry.file->name) >= 0
                      && text_format(&change->to, BOOT "/%s", entry.counted_down) >= 0);
        return entry_start(world, &entry);
}

static Start grub_start(const World *world, char letter)
{
        _cleanup_free_ char *kernel = NULL;

        CHECK(text_format(&kernel, KERNEL, letter == 'A' ? 'a' : 'b') >= 0);
        return (Start) { .slot = letter - 'A', .kernel = world_find(world, kernel) };
}

static Start grub_choose(const World *world, LoaderChange *change)
{
        int file = world_find(world, GRUBENV), letter;

        if (file < 0 || world->files[file].size != BOOT_GRUBENV_SIZE)
                return (Start) { .slot = -1 };
        change->data = malloc(BOOT_GRUBENV_SIZE);
        CHECK(change->data);
        memcpy(change->data, world->files[file].data, BOOT_GRUBENV_SIZE);
        letter = boot_grub_choose(change->data);
        if (letter < 0)
                return (Start) { .slot = -1 };

        change->file = strdup(GRUBENV);
        CHECK(change->file);
        change->size = BOOT_GRUBENV_SIZE;
        return grub_start(world, (char)letter);
}

static Start loader_choose(const World *world, LoaderChange *change)
{
        return kind_used == LOADER_GRUB ? grub_choose(world, change) : bls_choose(world, change);
}

/* As the boot loader does it: in place, by renaming. */
static void change_real(const char *root, const LoaderChange *change)
{
        if (change->file) {
                _cleanup_free_ char *path = path_below(root, change->file);
                _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

                CHECK(fd >= 0);
                CHECK(pwrite(fd, change->data, change->size, 0) == (ssize_t)change->size);
        }
        if (change->from) {
                _cleanup_free_ char *from = path_below(root, change->from),
                                    *to = path_below(root, change->to);

                CHECK(rename(from, to) == 0);
        }
}

int loader_boot(const char *root, LoaderChange *ret)
{
        World world = {};
        Start start;

        world_write(&world, WORLD_DISK, 0, NULL, 0);
        loader_read(root, &world);
        start = loader_choose(&world, ret);
        change_real(root, ret);
        world_done(&world);
        return start.slot;
}

/* A slot that may be started holds a release, and starts with the kernel of that release. */
static char *start_violation(const World *world, Start start, const char *rule)
{
        const uint8_t *disk = world->files[WORLD_DISK].data;
        const WorldFile *kernel = start.kernel >= 0 ? &world->files[start.kernel] : NULL;
        const Release *release;
        char *text = NULL;

        release = release_of(disk + MIB + (size_t)start.slot * SLOT_SIZE);
        if (!release)
                CHECK(text_format(&text, "%s: slot %c may be started and is not complete", rule,
                                  'A' + start.slot)
                      >= 0);
        else if (!kernel || kernel->size != release->kernel_size
                 || memcmp(kernel->data, release->kernel, kernel->size) != 0)
                CHECK(text_format(&text, "%s: slot %c, version %s, does not have its kernel", rule,
                                  'A' + start.slot, release->version)
                      >= 0);
        return text;
}

static char *grub_violation(const World *world)
{
        const WorldFile *env = &world->files[world_find(world, GRUBENV)];
        char *text = NULL;

        for (char slot = 'A'; slot <= 'B' && !text; slot++)
                if (boot_grub_is_selectable((char *)env->data, slot))
                        text = start_violation(world, grub_start(world, slot), "I2");
        return text;
}

/* Each entry may be started when the others fail. */
static char *bls_violation(const World *world)
{
        BootBlsFile files[FILES];
        size_t n = files_of(world, files);
        char *text = NULL;

        for (size_t i = 0; i < n && !text; i++) {
                BootBlsEntry entry;

                if (boot_bls_read(&files[i], &entry))
                        text = start_violation(world, entry_start(world, &entry), "I2");
        }
        return text;
}

char *loader_violation(const World *world)
{
        LoaderChange change = {};
        Start start = loader_choose(world, &change);
        char *text;

        loader_change_done(&change);
        if (start.slot < 0)
                return strdup("I1: the boot loader finds no slot to start");
        text = start_violation(world, start, "I1");
        if (!text)
                text = kind_used == LOADER_GRUB ? grub_violation(world) : bls_violation(world);
        return text;
}
