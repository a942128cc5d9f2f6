#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "double/boot-loader.h"
#include "double/disk.h"
#include "manager.h"

#define DISK_SIZE (8 * MIB)
#define TURNS_MAX 1000 /* of the event loop, in one attempt */

#define SETTINGS                                                             \
        "SERVER=http://localhost/v1/update/\nDISK=/disk.img\nWORKER_USER=\n" \
        "OEM_SYSEXT_DIRECTORY=" PACKAGE_DIRECTORY "\n"

static unsigned n_boots;

static void file_set(const char *root, const char *name, const char *format, ...) _printf_(3, 4);
static void file_set(const char *root, const char *name, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        CHECK(text_vformat(&text, format, arguments) >= 0);
        va_end(arguments);
        CHECK(file_replace(root, name, text, strlen(text), 0644) >= 0);
}

void host_init(const char *root)
{
        _cleanup_free_ char *key = NULL, *path = NULL, *state = NULL;

        CHECK(text_format(&path, "%s/key.pub.pem", root) >= 0
              && text_format(&state, "%s/var/lib/x", root) >= 0);
        CHECK(file_read(NULL, path, 64 * KIB, &key, NULL) >= 0);
        file_set(root, "/usr/share/update_engine/update-payload-key.pub.pem", "%s", key);
        file_set(root, "/etc/coreos/update.conf", SETTINGS);
        file_set(root, "/etc/oem-release", "ID=crash\n");
        file_set(root, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        CHECK(parents_make(state, 0755) >= 0);
}

void host_make_ill(const char *root, const Release *release)
{
        _cleanup_free_ char *script = NULL;

        CHECK(text_format(&script, "#!/bin/sh\n[ \"$SLUICE_VERSION\" != %s ]\n", release->version)
              >= 0);
        CHECK(file_replace(root, TRIAL_HOOKS "/10-ill", script, strlen(script), 0755) >= 0);
        file_set(root, "/etc/coreos/update.conf", SETTINGS "HEALTH_FAILURE=reboot\n");
}

static void world_add_file(World *world, const char *name, const uint8_t *data, size_t size)
{
        int file = (int)world->n_files;

        world_write(world, file, 0, data, size);
        world_add_name(world, name, file);
}

/* As earlier updates left them. */
static void world_add_packages(World *world)
{
        _cleanup_(package_record_done) PackageRecord record = {};
        _cleanup_free_ char *text = NULL;
        PackageEntry entries[] = { {}, {} };

        world_add_name(world, WORLD_STATE, -1);
        world_add_name(world, PACKAGE_DIRECTORY, -1);
        for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
                const Release *release = release_get(i == 0 ? RELEASE_OLD : RELEASE_INSTALLED);

                world_add_file(world, release->package_path, release->package_image, PACKAGE_SIZE);
                entries[i] = (PackageEntry) { .name = strdup(PACKAGE_NAME),
                                              .directory = strdup(PACKAGE_DIRECTORY),
                                              .version = strdup(release->version) };
                memcpy(entries[i].sha256, release->package_sha256, SHA256_SIZE);
        }
        record.items = malloc(sizeof(entries));
        CHECK(record.items);
        memcpy(record.items, entries, sizeof(entries));
        record.n_items = ELEMENTSOF(entries);
        CHECK(package_record_print(&record, &text) >= 0);
        world_add_file(world, PACKAGES_PATH, (const uint8_t *)text, strlen(text));
}

void host_world(const char *root, unsigned sector_size, World *ret)
{
        const bool gpt = loader_kind() == LOADER_GPT;
        const DiskPartition layout[] = {
                { "USR-A", DISK_TYPE_USR, LOADER_UUID_A, SLOT_SIZE,
                  gpt ? DISK_BOOT_BITS(2, 0, 1) : 0 },
                { "USR-B", DISK_TYPE_USR, LOADER_UUID_B, SLOT_SIZE,
                  gpt ? DISK_BOOT_BITS(1, 0, 1) : 0 },
        };
        _cleanup_free_ char *path = NULL, *disk = NULL;
        size_t size;

        CHECK(text_format(&path, "%s/new.img", root) >= 0);
        CHECK(disk_make(path, DISK_SIZE, sector_size, layout, 2) >= 0);
        CHECK(file_read(NULL, path, DISK_SIZE, &disk, &size) >= 0);
        memcpy(disk + MIB, release_get(RELEASE_INSTALLED)->image, IMAGE_SIZE);
        memcpy(disk + MIB + SLOT_SIZE, release_get(RELEASE_OLD)->image, IMAGE_SIZE);
        world_init(ret, (uint8_t *)disk, size);
        loader_world(ret);
        file_set(root, "/usr/share/coreos/update.conf", "BOOT_CHOOSER=%s\n", loader_setting());
        world_add_packages(ret);
}

/* The release in a slot, read from the file. */
static const Release *slot_release(const char *disk, uint64_t offset)
{
        _cleanup_free_ uint8_t *slot = malloc(SLOT_SIZE);
        _cleanup_close_ int fd = open(disk, O_RDONLY | O_CLOEXEC);

        CHECK(slot && pread_full(fd, slot, SLOT_SIZE, offset) >= 0);
        return release_of(slot);
}

/* By the rule of the boot loader in use: where the slot is on the disk, and its UUID. */
static int slot_choose(const char *root, const char *disk, LoaderChange *change, BootChoice *ret)
{
        int slot;

        if (loader_kind() == LOADER_GPT)
                return boot_loader_choose(disk, ret);
        slot = loader_boot(root, change);
        if (slot < 0)
                return -ENODEV;
        ret->offset = MIB + (uint64_t)slot * SLOT_SIZE;
        return text_set(&ret->part_uuid, slot == 0 ? LOADER_UUID_A : LOADER_UUID_B);
}

const Release *host_boot(const char *root)
{
        LoaderChange change = {};
        const Release *release = host_boot_changing(root, &change);

        loader_change_done(&change);
        return release;
}

const Release *host_boot_changing(const char *root, LoaderChange *change)
{
        _cleanup_(boot_choice_done) BootChoice choice = {};
        _cleanup_free_ char *disk = NULL;
        const Release *release;

        CHECK(text_format(&disk, "%s/disk.img", root) >= 0);
        if (slot_choose(root, disk, change, &choice) < 0)
                return NULL;
        release = slot_release(disk, choice.offset);
        if (!release)
                return NULL;

        file_set(root, "/proc/cmdline", "mount.usr=PARTUUID=%s", choice.part_uuid);
        file_set(root, "/proc/sys/kernel/random/boot_id", "%08x-0000-4000-8000-000000000000",
                 ++n_boots);
        file_set(root, "/usr/share/coreos/release",
                 "COREOS_RELEASE_VERSION=%s\nCOREOS_RELEASE_BOARD=amd64-usr\n"
                 "COREOS_RELEASE_APPID={e96281a6-d1af-4bde-9a0a-97b76e56dc57}\n",
                 release->version);
        return release;
}

/* Until trial and attempt are over, and everything that it left to do at once is done. */
static void loop_run(sd_event *event, const Manager *manager)
{
        for (unsigned turns = 0; manager->attempt || manager->trial; turns++)
                CHECK(turns < TURNS_MAX && sd_event_run(event, USEC_PER_SEC) >= 0);
        while (sd_event_run(event, 0) > 0)
                ;
}

static void session_fill(const Manager *manager, Session *ret)
{
        const UpdateFailure *failure = &manager->last_error;

        ret->staged = manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT;
        ret->good = manager->slots.gpt.n_partitions > 0 && slots_running_is_good(&manager->slots);
        ret->ill = manager->ill;
        ret->refused = !is_empty(manager->state.failed_sha256);
        if (failure->code != UPDATE_ERROR_NONE && failure->code != UPDATE_ERROR_ROLLED_BACK)
                (void)snprintf(ret->error, sizeof(ret->error), "%s", update_failure_text(failure));
}

void host_run(const char *root, Session *ret)
{
        const ManagerPrograms programs = { .worker = (char *)"worker",
                                           .postinst = (char *)"postinst" };
        _cleanup_(manager_free_p) Manager *manager = NULL;
        sd_event *event = NULL;
        int r;

        *ret = (Session) {};
        CHECK(sd_event_new(&event) >= 0);
        CHECK(manager_new(event, root, &programs, &manager) >= 0);
        r = manager_start(manager);
        if (r >= 0)
                loop_run(event, manager);
        if (r >= 0 && manager->report.status != UPDATE_STATUS_UPDATED_NEED_REBOOT
            && !manager_is_on_trial(manager))
                r = manager_attempt(manager, ATTEMPT_ON_DEMAND);
        if (r >= 0) {
                loop_run(event, manager);
                session_fill(manager, ret);
        } else
                (void)snprintf(ret->error, sizeof(ret->error), "the daemon does not start: %s",
                               strerror(-r));
        sd_event_unref(event);
}

/* What runs has its image beside it, as it was made. */
static bool package_is_whole(const char *root, const Release *release)
{
        _cleanup_free_ char *data = NULL;
        size_t size;

        return file_read(root, release->package_path, PACKAGE_SIZE, &data, &size) >= 0
               && size == PACKAGE_SIZE && memcmp(data, release->package_image, PACKAGE_SIZE) == 0;
}

static bool host_settle(const char *root, const Release *running, const Release *wanted,
                        char **ret_why)
{
        unsigned reboots = peers_reboots();
        Session session = {};

        for (unsigned boots = 0; boots < HOST_BOOTS_MAX; boots++) {
                if (!running)
                        running = host_boot(root);
                if (!running) {
                        CHECK(text_format(ret_why, "boot %u finds no whole slot", boots) >= 0);
                        return false;
                }
                if (!package_is_whole(root, running)) {
                        CHECK(text_format(ret_why, "boot %u has no whole image beside it", boots)
                              >= 0);
                        return false;
                }
                host_run(root, &session);
                if (peers_reboots() > reboots + 1) {
                        CHECK(text_format(ret_why, "it reboots again and again") >= 0);
                        return false;
                }
                if (session.ill && session.good) {
                        CHECK(text_format(ret_why, "an ill version is marked good") >= 0);
                        return false;
                }
                if (running == wanted && session.good && !*session.error)
                        return true;
                running = NULL;
        }

        CHECK(text_format(ret_why, "not there after %d boots: %s%s", HOST_BOOTS_MAX, session.error,
                          session.refused ? " (the version is remembered as failed)" : "")
              >= 0);
        return false;
}

bool host_converge(const char *root, const Release *wanted, char **ret_why)
{
        return host_settle(root, NULL, wanted, ret_why);
}

bool host_converge_restarted(const char *root, const Release *wanted, char **ret_why)
{
        Session session;

        host_run(root, &session);
        return host_settle(root, NULL, wanted, ret_why);
}
