#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/scene.h"

#define SECTOR 512

static char *scene_directory;
static unsigned scene_cases;
static bool scene_failed, scene_full;

static int entry_remove(const char *path, _unused_ const struct stat *status, _unused_ int type,
                        _unused_ struct FTW *walk)
{
        return remove(path);
}

void scene_begin(int argc, char **argv)
{
        const char *full = getenv("SLUICE_TEST_FULL");

        CHECK(argc == 2);
        scene_full = full && streq(full, "1");
        log_open(argv[0]);
        log_set_max_level(-1); /* thousands of daemons have nothing to say */
        scene_directory = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/sluice-crash-XXXXXX"
                                                               : "/tmp/sluice-crash-XXXXXX");
        CHECK(scene_directory && mkdtemp(scene_directory));
        releases_make(scene_directory, argv[1]);
        host_init(scene_directory);
}

void scene_end(void)
{
        releases_done();
        recorder_done();
        (void)nftw(scene_directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS); /* it is temporary */
        free(scene_directory);
}

const char *scene_root(void)
{
        return scene_directory;
}

bool scene_is_full(void)
{
        return scene_full;
}

void scene_case(const char *name, const char *violation)
{
        printf("%sok %u - %s\n", violation ? "not " : "", ++scene_cases, name);
        if (violation)
                printf("# %s\n", violation);
        (void)fflush(stdout);
        scene_failed = scene_failed || violation;
}

int scene_finish(void)
{
        printf("1..%u\n", scene_cases);
        return scene_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void scene_disk(World *world)
{
        _cleanup_free_ char *path = NULL, *data = NULL;
        size_t size;

        CHECK(text_format(&path, "%s/disk.img", scene_directory) >= 0);
        CHECK(file_read(NULL, path, 64 * MIB, &data, &size) >= 0);
        world_write(world, WORLD_DISK, 0, (const uint8_t *)data, size);
}

void scene_know(const World *world)
{
        _cleanup_free_ char *disk = NULL;

        CHECK(text_format(&disk, "%s/disk.img", scene_directory) >= 0);
        recorder_know(disk, WORLD_DISK);
        for (size_t i = 0; i < world->n_names; i++) {
                _cleanup_free_ char *path = NULL;

                if (world->names[i].file < 0 || world_find(world, world->names[i].name) < 0)
                        continue;
                CHECK(text_format(&path, "%s%s", scene_directory, world->names[i].name) >= 0);
                recorder_know(path, world->names[i].file);
        }
}

const Release *scene_boot(void)
{
        const Release *release;
        World before = {}, after = {};
        LoaderChange change = {};

        scene_disk(&before);
        release = host_boot_changing(scene_directory, &change);
        loader_change_record(&change, scene_directory);
        loader_change_done(&change);
        scene_disk(&after);
        for (size_t i = 0; i < before.files[WORLD_DISK].size; i += SECTOR)
                if (memcmp(before.files[WORLD_DISK].data + i, after.files[WORLD_DISK].data + i,
                           SECTOR)
                    != 0)
                        recorder_add_disk(i, after.files[WORLD_DISK].data + i, SECTOR);
        world_done(&before);
        world_done(&after);
        return release;
}
