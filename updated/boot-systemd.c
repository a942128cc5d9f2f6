/*
 * systemd-boot: a slot can be started when it has an entry, sluice-a… or sluice-b…, of type 1 (loader/entries) or
 * type 2 (EFI/Linux) of the Boot Loader Specification; its tries are counted in the name of the file. vfat
 * aware: a rename may lose both names in a power cut, so what can be is written anew under its new name.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "bls.h"
#include "boot-chooser.h"
#include "slots.h"
#include "uki.h"

#define ENTRIES_MAX 256 /* in one directory */
#define VERSION_MAX \
        128 /* bytes of a version in a file name, which has 255, a counter and a temporary one beside it */

static const char *const boot_directories[] = { BOOT_DIRECTORY_DEFAULT, "/efi", "/boot/efi" };

static const char *const type_directories[] = {
        [BLS_TYPE_CONF] = "loader/entries",
        [BLS_TYPE_UKI] = "EFI/Linux",
};

typedef struct Menu {
        BlsEntry *entries; /* ours */
        size_t n_entries;
} Menu;

static void menu_done(Menu *menu)
{
        for (size_t i = 0; i < menu->n_entries; i++)
                bls_entry_done(&menu->entries[i]);
        free(menu->entries);
        *menu = (Menu) {};
}

static char slot_letter(const Slots *slots, size_t slot)
{
        return *slot_name(&slots->gpt.partitions[slot]);
}

/* On the host: below the boot directory. */
static int boot_path(const Slots *slots, const char *name, char **ret)
{
        const char *boot = slots->boot_directory ? slots->boot_directory : slots->place;
        _cleanup_free_ char *path = NULL;
        int r;

        r = text_format(&path, "%s/%s", boot, name);
        return r < 0 ? r : root_join(slots->root, path, ret);
}

static int entry_path(const Slots *slots, BlsType type, const char *file, char **ret)
{
        _cleanup_free_ char *name = NULL;
        int r;

        r = text_format(&name, "%s/%s", type_directories[type], file);
        return r < 0 ? r : boot_path(slots, name, ret);
}

static int entry_read_keys(const Slots *slots, BlsEntry *entry)
{
        _cleanup_free_ char *path = NULL, *text = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = entry_path(slots, entry->name.type, entry->file, &path);
        if (r < 0)
                return r;
        if (entry->name.type == BLS_TYPE_CONF) {
                r = file_read(NULL, path, BLS_ENTRY_MAX, &text, NULL);
                return r < 0 ? r : bls_entry_parse(text, entry);
        }

        fd = root_open(NULL, path, O_RDONLY, 0);
        return fd < 0 ? fd : uki_read(fd, &entry->sort_key, &entry->version);
}

/* An entry that systemd-boot would not show is none. */
static int menu_add(const Slots *slots, Menu *menu, const char *file, const BlsName *name)
{
        _cleanup_(bls_entry_done) BlsEntry entry = { .name = *name };
        BlsEntry *grown;
        int r;

        r = text_set(&entry.file, file);
        if (r >= 0)
                r = entry_read_keys(slots, &entry);
        if (r == -EBADMSG || r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        grown = reallocarray(menu->entries, menu->n_entries + 1, sizeof(BlsEntry));
        if (!grown)
                return -ENOMEM;

        menu->entries = grown;
        menu->entries[menu->n_entries++] = entry;
        entry = (BlsEntry) {};
        return 0;
}

/* The names in a directory of the boot partition; one that is not there has none. */
static int directory_list(const Slots *slots, BlsType type, TextList *ret)
{
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        DIR *directory;
        int r;

        r = boot_path(slots, type_directories[type], &path);
        if (r < 0)
                return r;
        directory = opendir(path);
        if (!directory)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (entry = readdir(directory)))
                r = ret->n_items < ENTRIES_MAX ? text_list_add(ret, entry->d_name) : -E2BIG;
        (void)closedir(directory);
        return r;
}

static int menu_read(const Slots *slots, Menu *ret)
{
        _cleanup_(menu_done) Menu menu = {};
        int r = 0;

        for (size_t type = 0; type < ELEMENTSOF(type_directories) && r >= 0; type++) {
                _cleanup_(text_list_done) TextList files = {};

                r = directory_list(slots, (BlsType)type, &files);
                for (size_t i = 0; i < files.n_items && r >= 0; i++) {
                        BlsName name;

                        if (bls_name_parse(files.items[i], &name) >= 0 && name.type == (BlsType)type
                            && name.slot)
                                r = menu_add(slots, &menu, files.items[i], &name);
                }
        }
        if (r < 0)
                return r;

        *ret = menu;
        menu = (Menu) {};
        return 0;
}

/* The entry of a slot that systemd-boot would take, or NULL. */
static const BlsEntry *menu_find(const Menu *menu, char slot)
{
        const BlsEntry *best = NULL;

        for (size_t i = 0; i < menu->n_entries; i++)
                if (menu->entries[i].name.slot == slot
                    && (!best || bls_entry_compare(&menu->entries[i], best) < 0))
                        best = &menu->entries[i];
        return best;
}

static BootState entry_state(const BlsEntry *entry, const BlsEntry *other)
{
        if (!entry)
                return (BootState) {};
        return (BootState) {
                .priority = !other || bls_entry_compare(entry, other) < 0 ? 2 : 1,
                .tries = entry->name.counted ? entry->name.left : 0,
                .good = !entry->name.counted,
        };
}

static void menu_take_states(const Menu *menu, Slots *slots)
{
        const BlsEntry *running = menu_find(menu, slot_letter(slots, slots->running));
        const BlsEntry *target = slots->target == SLOT_NONE
                                         ? NULL
                                         : menu_find(menu, slot_letter(slots, slots->target));

        slots->running_state = entry_state(running, target);
        slots->target_state = entry_state(target, running);
}

static int menu_update_states(Slots *slots)
{
        _cleanup_(menu_done) Menu menu = {};
        int r;

        r = menu_read(slots, &menu);
        if (r < 0)
                return r;
        menu_take_states(&menu, slots);
        return 0;
}

static bool place_has_loader(const Slots *slots, const char *boot)
{
        _cleanup_free_ char *path = NULL, *full = NULL;

        return text_format(&path, "%s/loader", boot) >= 0
               && root_join(slots->root, path, &full) >= 0 && access(full, F_OK) >= 0;
}

/* Where the boot partition is: that of the settings, or the first place with a loader directory. */
static int place_find(Slots *slots)
{
        if (slots->boot_directory)
                return text_set(&slots->place, slots->boot_directory);

        for (size_t i = 0; i < ELEMENTSOF(boot_directories); i++)
                if (place_has_loader(slots, boot_directories[i]))
                        return text_set(&slots->place, boot_directories[i]);
        return -ENOENT;
}

static int systemd_kernel_name(const Slots *slots, size_t slot, char **ret)
{
        return text_format(ret, "/sluice/vmlinuz-%c", slot_letter(slots, slot) == 'A' ? 'a' : 'b');
}

static int systemd_kernel_path(const Slots *slots, char **ret)
{
        _cleanup_free_ char *name = NULL;
        int r;

        r = systemd_kernel_name(slots, slots->target, &name);
        return r < 0 ? r : boot_path(slots, name + 1, ret);
}

/* What makes the entries no boot chooser; a text, or NULL. */
static const char *menu_problem(const Slots *slots, const Menu *menu)
{
        const BlsEntry *running = menu_find(menu, slot_letter(slots, slots->running));
        _cleanup_free_ char *kernel = NULL;

        if (!running)
                return "no boot entry of the running slot, sluice-a*.conf or sluice-b*.conf in "
                       "loader/entries, or *.efi in EFI/Linux";
        if (slots->target != SLOT_NONE && running->kernel
            && systemd_kernel_name(slots, slots->target, &kernel) >= 0
            && strcasecmp(kernel, running->kernel) == 0)
                return "the boot entry of the running slot starts the kernel of the other one";
        return NULL;
}

static int systemd_read(Slots *slots, UpdateFailure *failure)
{
        const char letter = slot_letter(slots, slots->running);
        _cleanup_(menu_done) Menu menu = {};
        const char *problem = NULL;
        int r;

        r = place_find(slots);
        if (r >= 0)
                r = menu_read(slots, &menu);
        if (r >= 0 && letter != 'A' && letter != 'B')
                problem =
                        "the boot entries are those of slots A and B, and the running one is neither";
        if (r >= 0 && !problem)
                problem = menu_problem(slots, &menu);
        if (r < 0 || problem)
                return update_failure_set(failure, r < 0 ? r : -ENODEV, UPDATE_ERROR_SLOTS,
                                          "%s: systemd-boot can not be used: %s",
                                          slots->place ? slots->place : "the boot partition",
                                          problem ? problem : strerror(-r));
        menu_take_states(&menu, slots);
        return 0;
}

static int file_unlink(const Slots *slots, BlsType type, const char *file)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = entry_path(slots, type, file, &path);
        return r < 0 ? r : file_remove(NULL, path);
}

/* Also what a power cut left half made. Never a file of the running slot. */
static int entries_remove(const Slots *slots, BlsType type, char slot)
{
        _cleanup_(text_list_done) TextList files = {};
        int r;

        assert(slot != slot_letter(slots, slots->running));
        r = directory_list(slots, type, &files);
        for (size_t i = 0; i < files.n_items && r >= 0; i++)
                if (bls_name_is_of_slot(files.items[i], slot))
                        r = file_unlink(slots, type, files.items[i]);
        return r;
}

/* The entries first, then the kernel that they name: it makes room for the next one. */
static int systemd_make_unselectable(Slots *slots)
{
        _cleanup_free_ char *kernel = NULL;
        int r = 0;

        for (size_t type = 0; type < ELEMENTSOF(type_directories) && r >= 0; type++)
                r = entries_remove(slots, (BlsType)type, slot_letter(slots, slots->target));
        if (r >= 0)
                r = systemd_kernel_path(slots, &kernel);
        if (r >= 0)
                r = file_remove(NULL, kernel);
        return r < 0 ? r : menu_update_states(slots);
}

/*
 * Another counter for an entry. Text is written anew before the old name goes. A unified kernel is too large to have
 * it twice, and is renamed; should a power cut lose both names, there is the other slot.
 */
static int entry_set_counter(const Slots *slots, const BlsEntry *entry, const BlsName *name)
{
        _cleanup_free_ char *file = NULL, *from = NULL, *to = NULL, *text = NULL;
        size_t size;
        int r;

        r = bls_name_print(entry->file, name, &file);
        if (r >= 0)
                r = entry_path(slots, name->type, entry->file, &from);
        if (r >= 0)
                r = entry_path(slots, name->type, file, &to);
        if (r >= 0 && strcasecmp(from, to) == 0)
                return directory_sync_of(to); /* an earlier process may have died before it did */
        if (r < 0)
                return r;
        if (name->type == BLS_TYPE_UKI) {
                r = disk_io()->rename(from, to);
                return r < 0 ? r : directory_sync_of(to);
        }
        r = file_read(NULL, from, BLS_ENTRY_MAX, &text, &size);
        if (r >= 0)
                r = file_replace(NULL, to, text, size, 0644);
        return r < 0 ? r : file_remove(NULL, from);
}

/* All entries of a slot: one is what systemd-boot starts, others a power cut left behind. */
static int slot_set_counter(Slots *slots, char slot, bool counted, unsigned left)
{
        _cleanup_(menu_done) Menu menu = {};
        bool found = false;
        int r;

        r = menu_read(slots, &menu);
        for (size_t i = 0; i < menu.n_entries && r >= 0; i++) {
                BlsName name = menu.entries[i].name;

                if (name.slot != slot)
                        continue;
                found = true;
                name.counted = counted;
                name.left = left;
                name.done = left > 0 ? 0 : name.done;
                r = entry_set_counter(slots, &menu.entries[i], &name);
        }
        if (r >= 0 && !found)
                r = -ENOENT;
        return r < 0 ? r : menu_update_states(slots);
}

static int systemd_mark_good(Slots *slots)
{
        return slot_set_counter(slots, slot_letter(slots, slots->running), false, 0);
}

static int systemd_mark_bad(Slots *slots)
{
        return slot_set_counter(slots, slot_letter(slots, slots->running), true, 0);
}

/* Letters that a file name may have on vfat, and that are no counter; so many of them that it still is one. */
static void name_make_plain(char *name)
{
        name[strnlen(name, VERSION_MAX)] = 0;
        for (; *name; name++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~^-",
                            *name))
                        *name = '_';
}

/* The name of the target's new entry. */
static int entry_name_new(const Slots *slots, BlsType type, const char *version, unsigned tries,
                          char **ret)
{
        BlsName name = { .type = type, .counted = tries > 0, .left = tries };
        _cleanup_free_ char *stem = NULL, *plain = NULL, *file = NULL;
        const char *letter = slot_letter(slots, slots->target) == 'A' ? "a" : "b";
        int r;

        r = text_set(&plain, version ? version : "");
        if (r < 0)
                return r;
        name_make_plain(plain);
        r = text_format(&stem, "sluice-%s%s%s", letter, *plain ? "_" : "", plain);
        if (r < 0)
                return r;
        name.stem = strlen(stem);
        r = bls_name_print(stem, &name, &file);
        return r < 0 ? r : entry_path(slots, type, file, ret);
}

/* The kernel goes to where systemd-boot finds it, under its name with the tries. */
static int activate_uki(Slots *slots, const char *kernel, const char *version, unsigned tries)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = entry_name_new(slots, BLS_TYPE_UKI, version, tries, &path);
        if (r >= 0)
                r = parents_make(path, 0755);
        if (r >= 0)
                r = disk_io()->rename(kernel, path);
        if (r >= 0)
                r = directory_sync_of(path);
        return r < 0 ? r : directory_sync_of(kernel);
}

/* The text of the running slot's entry, for another slot, kernel and version. */
static int entry_text_new(Slots *slots, const char *version, char **ret)
{
        const GptPartition *running = &slots->gpt.partitions[slots->running];
        const GptPartition *target = &slots->gpt.partitions[slots->target];
        _cleanup_free_ char *path = NULL, *text = NULL, *kernel = NULL;
        _cleanup_(menu_done) Menu menu = {};
        const BlsEntry *template;
        int r;

        r = menu_read(slots, &menu);
        if (r < 0)
                return r;
        template = menu_find(&menu, slot_letter(slots, slots->running));
        if (!template || template->name.type != BLS_TYPE_CONF) {
                slots->problem = "the payload's kernel is no unified kernel image, and the running "
                                 "slot has no entry in loader/entries to make one from";
                return -ENOEXEC;
        }
        r = entry_path(slots, BLS_TYPE_CONF, template->file, &path);
        if (r >= 0)
                r = file_read(NULL, path, BLS_ENTRY_MAX, &text, NULL);
        if (r >= 0)
                r = systemd_kernel_name(slots, slots->target, &kernel);
        if (r < 0)
                return r;
        r = bls_entry_change(text,
                             &(BlsChange) { .kernel = kernel,
                                            .version = version,
                                            .uuid_from = running->uuid,
                                            .uuid_to = target->uuid,
                                            .label_from = running->label,
                                            .label_to = target->label },
                             ret);
        if (r == -ESTALE)
                slots->problem =
                        "the options of the running slot's boot entry name the hash of its image "
                        "(usrhash=, roothash=), which the new one does not have; a unified kernel "
                        "image has its own";
        if (r == -ENOTUNIQ)
                slots->problem =
                        "the options of the running slot's boot entry name its partition by "
                        "neither PARTUUID= nor PARTLABEL=, so there is no telling how the "
                        "other slot is started";
        return r;
}

static int activate_conf(Slots *slots, const char *version, unsigned tries)
{
        _cleanup_free_ char *path = NULL, *text = NULL, *there = NULL;
        int r;

        r = entry_text_new(slots, version, &text);
        if (r >= 0)
                r = entry_name_new(slots, BLS_TYPE_CONF, version, tries, &path);
        if (r >= 0)
                r = file_replace(NULL, path, text, strlen(text), 0644);
        if (r >= 0)
                r = file_read(NULL, path, BLS_ENTRY_MAX, &there, NULL);
        if (r < 0)
                return r;
        return streq(text, there) ? 0 : -EIO;
}

/* An entry for the kernel that is there by now. */
static int activate_kernel(Slots *slots, const char *version, unsigned tries)
{
        _cleanup_free_ char *kernel = NULL, *sort_key = NULL, *release = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = systemd_kernel_path(slots, &kernel);
        if (r < 0)
                return r;
        fd = root_open(NULL, kernel, O_RDONLY, 0);
        if (fd == -ENOENT)
                slots->problem = "the payload has no kernel, and systemd-boot starts nothing else";
        if (fd < 0)
                return fd;
        r = uki_read(fd, &sort_key, &release);
        if (r >= 0)
                return activate_uki(slots, kernel, release, tries);
        return r == -EBADMSG || r == -ENOENT ? activate_conf(slots, version, tries) : r;
}

/*
 * By its version the target comes first in the menu. Where it does not (an older version, on demand), the
 * running slot's entry goes to its end, as one that was tried in vain; there it still is the way back.
 */
static int activate_order(Slots *slots)
{
        if (slots->target_state.priority > slots->running_state.priority)
                return 0;
        return systemd_mark_bad(slots);
}

static int systemd_activate(Slots *slots, const char *version, unsigned tries)
{
        char slot = slot_letter(slots, slots->target);
        int r;

        slots->problem = NULL;
        r = menu_update_states(slots);
        if (r >= 0)
                r = slots->target_state.priority > 0
                            ? slot_set_counter(slots, slot, tries > 0, tries)
                            : activate_kernel(slots, version, tries);
        if (r >= 0)
                r = menu_update_states(slots);
        if (r >= 0)
                r = activate_order(slots);
        if (r < 0)
                return r;
        return slots->target_state.priority > slots->running_state.priority ? 0 : -EIO;
}

static bool systemd_is_used(const Slots *slots)
{
        Slots other = {
                .gpt = slots->gpt,
                .running = slots->running,
                .target = slots->target,
                .root = slots->root,
                .boot_directory = slots->boot_directory,
        };
        _cleanup_(menu_done) Menu menu = {};
        bool used = place_find(&other) >= 0 && menu_read(&other, &menu) >= 0 && menu.n_entries > 0;

        free(other.place);
        return used;
}

const BootChooser boot_systemd = {
        .type = BOOT_CHOOSER_SYSTEMD_BOOT,
        .is_used = systemd_is_used,
        .read = systemd_read,
        .make_unselectable = systemd_make_unselectable,
        .kernel_path = systemd_kernel_path,
        .activate = systemd_activate,
        .mark_good = systemd_mark_good,
        .mark_bad = systemd_mark_bad,
};
