/* GRUB: the choice is five variables of its environment block, which a fragment of grub.cfg goes by. */
#include <fcntl.h>
#include <stdio.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "boot-chooser.h"
#include "grubenv.h"
#include "slots.h"

/* Below the boot directory: Debian's and update_engine's name, Fedora's. */
static const char *const grubenv_paths[] = { "grub/grubenv", "grub2/grubenv" };

/* The first one that can be opened, or -errno of the last one. */
static int grubenv_open(const Slots *slots, int flags, char **ret_path)
{
        const char *boot = slots->boot_directory ? slots->boot_directory : BOOT_DIRECTORY_DEFAULT;
        int fd = -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(grubenv_paths) && fd == -ENOENT; i++) {
                _cleanup_free_ char *path = NULL;
                int r = text_format(&path, "%s/%s", boot, grubenv_paths[i]);

                if (r < 0)
                        return r;
                fd = root_open(slots->root, path, flags, 0);
                if (fd != -ENOENT || i == 0) {
                        free(*ret_path);
                        *ret_path = TAKE_PTR(path);
                }
        }

        return fd;
}

static int grubenv_read_fd(int fd, Grubenv *ret, const char **ret_why)
{
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = fd_read_all(fd, 2 * GRUBENV_SIZE, &data, &size);
        if (r < 0)
                return r;
        return grubenv_parse(data, size, ret, ret_why);
}

/* 0 for A, 1 for B. A slot of another name is none of this boot loader's. */
static unsigned slot_number(const Slots *slots, size_t slot)
{
        return streq(slot_name(&slots->gpt.partitions[slot]), "A") ? 0 : 1;
}

static BootState grub_state(const Grubenv *env, unsigned slot)
{
        BootState state = { .tries = grubenv_tries(env, slot), .good = grubenv_ok(env, slot) };

        if (grubenv_first(env) == slot)
                state.priority = 2;
        else if (state.good || state.tries > 0)
                state.priority = 1;
        return state;
}

static void grub_take_states(Slots *slots, const Grubenv *env)
{
        unsigned running = slot_number(slots, slots->running);

        slots->running_state = grub_state(env, running);
        slots->target_state =
                slots->target == SLOT_NONE ? (BootState) {} : grub_state(env, 1 - running);
}

static int grub_read(Slots *slots, UpdateFailure *failure)
{
        const char *name = slot_name(&slots->gpt.partitions[slots->running]), *why = NULL;
        _cleanup_close_ int fd = -1;
        Grubenv env;
        int r;

        fd = grubenv_open(slots, O_RDONLY, &slots->place);
        r = fd < 0 ? fd : grubenv_read_fd(fd, &env, &why);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_SLOTS,
                                          "%s: the environment block of GRUB can not be used: %s; "
                                          "update.conf(5) says how it is made with grub-editenv",
                                          slots->place ? slots->place : "grubenv",
                                          why ? why : strerror(-r));
        if (!streq(name, "A") && !streq(name, "B"))
                return update_failure_set(failure, -EINVAL, UPDATE_ERROR_SLOTS,
                                          "%s: GRUB knows the slots A and B, and %s is neither",
                                          slots->place,
                                          slots->gpt.partitions[slots->running].label);
        grub_take_states(slots, &env);
        return 0;
}

/* One sector, in place. Synced also when nothing changes: an earlier process may have died before its fsync. */
static int grubenv_write(int fd, const Grubenv *env)
{
        const char *why;
        Grubenv there;
        int r;

        r = pwrite_full(fd, env->data, GRUBENV_SECTOR, 0);
        if (r < 0)
                return r;
        r = disk_io()->sync_data(fd);
        if (r < 0)
                return r;

        /* what the medium holds, where it can be asked */
        (void)posix_fadvise(fd, 0, GRUBENV_SIZE, POSIX_FADV_DONTNEED);
        r = pread_full(fd, there.data, GRUBENV_SIZE, 0);
        if (r < 0)
                return r;
        r = memcmp(there.data, env->data, GRUBENV_SIZE) == 0
                    ? grubenv_parse(there.data, GRUBENV_SIZE, &there, &why)
                    : -EIO;
        return r < 0 ? -EIO : 0;
}

typedef void (*GrubChange)(Grubenv *env, unsigned running, unsigned tries);

static int grub_change(Slots *slots, GrubChange change, unsigned tries)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        const char *why;
        Grubenv env;
        int r;

        fd = grubenv_open(slots, O_RDWR, &path);
        if (fd < 0)
                return fd;
        r = grubenv_read_fd(fd, &env, &why);
        if (r < 0)
                return r;
        change(&env, slot_number(slots, slots->running), tries);
        r = grubenv_write(fd, &env);
        if (r < 0)
                return r;

        grub_take_states(slots, &env);
        return 0;
}

static void change_unselectable(Grubenv *env, unsigned running, _unused_ unsigned tries)
{
        grubenv_set_first(env, running);
        grubenv_set(env, 1 - running, false, 0);
}

static void change_next(Grubenv *env, unsigned running, unsigned tries)
{
        grubenv_set_first(env, 1 - running);
        grubenv_set(env, 1 - running, tries == 0, tries);
}

static void change_good(Grubenv *env, unsigned running, _unused_ unsigned tries)
{
        grubenv_set(env, running, true, 0);
}

static void change_bad(Grubenv *env, unsigned running, _unused_ unsigned tries)
{
        grubenv_set(env, running, false, 0);
}

static int grub_make_unselectable(Slots *slots)
{
        return grub_change(slots, change_unselectable, 0);
}

static int grub_activate(Slots *slots, _unused_ const char *version, unsigned tries)
{
        return grub_change(slots, change_next, tries);
}

static int grub_mark_good(Slots *slots)
{
        return grub_change(slots, change_good, 0);
}

static int grub_mark_bad(Slots *slots)
{
        return grub_change(slots, change_bad, 0);
}

static bool grub_is_used(const Slots *slots)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = grubenv_open(slots, O_RDONLY, &path);
        const char *why;
        Grubenv env;

        return fd >= 0 && grubenv_read_fd(fd, &env, &why) >= 0;
}

const BootChooser boot_grub = {
        .type = BOOT_CHOOSER_GRUB,
        .is_used = grub_is_used,
        .read = grub_read,
        .make_unselectable = grub_make_unselectable,
        .kernel_path = boot_kernel_path_default,
        .activate = grub_activate,
        .mark_good = grub_mark_good,
        .mark_bad = grub_mark_bad,
};
