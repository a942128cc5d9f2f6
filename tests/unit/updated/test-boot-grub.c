/* The GRUB chooser on a file: what the updater thinks of each state is what the boot loader does with it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "double/boot-grub.h"
#include "slots.h"
#include "unit/unit.h"

static char *root;

static GptPartition partitions[] = {
        { .label = (char *)"USR-A" },
        { .label = (char *)"USR-B" },
};

static void env_write(const char *path, const char *order, const char *values)
{
        char block[BOOT_GRUBENV_SIZE + 1] = {}, text[256];
        _cleanup_free_ char *full = NULL;
        _cleanup_close_ int fd = -1;

        memset(block, '#', BOOT_GRUBENV_SIZE);
        (void)snprintf(text, sizeof(text),
                       "# GRUB Environment Block\nsluice_order=%s\nsluice_ok_a=%c\n"
                       "sluice_tries_a=%c\nsluice_ok_b=%c\nsluice_tries_b=%c\nx=y\n",
                       order, values[0], values[1], values[2], values[3]);
        memcpy(block, text, strlen(text));
        assert_true(text_format(&full, "%s%s", root, path) >= 0);
        assert_int_equal(parents_make(full, 0755), 0);
        fd = root_open(NULL, full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write_full(fd, block, BOOT_GRUBENV_SIZE), 0);
}

static void env_read(const char *path, char *block)
{
        _cleanup_free_ char *data = NULL;
        size_t size;

        assert_int_equal(file_read(root, path, BOOT_GRUBENV_SIZE, &data, &size), 0);
        assert_int_equal(size, BOOT_GRUBENV_SIZE);
        memcpy(block, data, size);
}

static void slots_begin(Slots *slots, size_t running)
{
        *slots = (Slots) {
                .gpt = { .partitions = partitions, .n_partitions = 2 },
                .running = running,
                .target = 1 - running,
                .chooser = &boot_grub,
        };
        assert_true(text_set(&slots->root, root) >= 0);
}

static void slots_end(Slots *slots)
{
        slots->gpt = (Gpt) {}; /* the test's own array */
        slots_done(slots);
}

static bool state_is_selectable(const BootState *state)
{
        return state->priority > 0 && (state->good || state->tries > 0);
}

/* What the updater believes: the higher priority that can be started. */
static char choice_believed(const Slots *slots)
{
        const BootState *a = slots->running == 0 ? &slots->running_state : &slots->target_state;
        const BootState *b = slots->running == 0 ? &slots->target_state : &slots->running_state;

        if (state_is_selectable(a) && state_is_selectable(b))
                return a->priority > b->priority ? 'A' : 'B';
        return state_is_selectable(a) ? 'A' : state_is_selectable(b) ? 'B' : 0;
}

static void test_each_state_is_read_as_the_boot_loader_reads_it(_unused_ void **state)
{
        for (unsigned i = 0; i < 2 * 2 * 2 * 10 * 10; i++) {
                const char values[] = { (char)('0' + i / 2 % 2), (char)('0' + i / 8 % 10),
                                        (char)('0' + i / 4 % 2), (char)('0' + i / 80) };
                char block[BOOT_GRUBENV_SIZE], believed;
                UpdateFailure failure = {};
                Slots slots;

                env_write("/boot/grub/grubenv", i % 2 == 0 ? "A B" : "B A", values);
                slots_begin(&slots, i % 2);
                assert_int_equal(boot_grub.read(&slots, &failure), 0);
                env_read("/boot/grub/grubenv", block);
                believed = choice_believed(&slots);
                if (believed)
                        assert_int_equal(boot_grub_choose(block), believed);
                slots_end(&slots);
        }
}

static const struct {
        const char *name;
        size_t running;
        int (*change)(Slots *slots);
        const char *before, *after;
} changes[] = {
        { "unselectable", 0, NULL, "B A 1010", "A B 1000" },
        { "unselectable", 1, NULL, "A B 0310", "B A 0010" },
        { "good", 1, slots_mark_running_good, "B A 1002", "B A 1010" },
        { "good again", 1, slots_mark_running_good, "B A 1010", "B A 1010" },
        { "bad", 1, slots_mark_running_bad, "B A 1002", "B A 1000" },
};

static int change_tries_three(Slots *slots)
{
        return slots_activate_target(slots, NULL, 3);
}

static int change_back(Slots *slots)
{
        return slots_activate_target(slots, NULL, 0);
}

static void change_check(size_t running, int (*change)(Slots *), const char *before,
                         const char *after)
{
        char block[BOOT_GRUBENV_SIZE], wanted[BOOT_GRUBENV_SIZE], order[4] = {};
        struct stat status, same;
        _cleanup_free_ char *path = NULL;
        UpdateFailure failure = {};
        Slots slots;

        assert_true(text_format(&path, "%s/boot/grub/grubenv", root) >= 0);
        memcpy(order, after, 3);
        env_write("/boot/grub/grubenv", order, after + 4);
        env_read("/boot/grub/grubenv", wanted);
        memcpy(order, before, 3);
        env_write("/boot/grub/grubenv", order, before + 4);
        assert_int_equal(stat(path, &status), 0);

        slots_begin(&slots, running);
        assert_int_equal(slots.chooser->read(&slots, &failure), 0);
        assert_string_equal(slots.place, "/boot/grub/grubenv");
        assert_int_equal(change ? change(&slots) : slots_make_target_unselectable(&slots), 0);
        env_read("/boot/grub/grubenv", block);
        assert_memory_equal(block, wanted, BOOT_GRUBENV_SIZE);
        assert_int_equal(stat(path, &same), 0);
        assert_int_equal(same.st_ino, status.st_ino); /* in place */
        slots_end(&slots);
}

static void test_each_change_is_what_it_says(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(changes); i++)
                change_check(changes[i].running, changes[i].change, changes[i].before,
                             changes[i].after);
        change_check(0, change_tries_three, "A B 1000", "B A 1003");
        change_check(1, change_back, "B A 1010", "A B 1010");
}

static void test_an_update_and_its_fall_back(_unused_ void **state)
{
        char block[BOOT_GRUBENV_SIZE];
        UpdateFailure failure = {};
        Slots slots;

        env_write("/boot/grub/grubenv", "A B", "1010");
        slots_begin(&slots, 0);
        assert_int_equal(slots_make_target_unselectable(&slots), 0);
        assert_false(slots_target_was_next(&slots));
        env_read("/boot/grub/grubenv", block);
        assert_int_equal(boot_grub_choose(block), 'A');
        assert_false(boot_grub_is_selectable(block, 'B'));

        assert_int_equal(slots_activate_target(&slots, NULL, 2), 0);
        assert_true(slots_target_is_next(&slots));
        env_read("/boot/grub/grubenv", block);
        assert_int_equal(boot_grub_choose(block), 'B');
        assert_int_equal(boot_grub_choose(block), 'B');
        assert_int_equal(boot_grub_choose(block), 'A'); /* two tries in vain */

        assert_int_equal(file_replace(root, "/boot/grub/grubenv", block, sizeof(block), 0600), 0);
        assert_int_equal(boot_grub.read(&slots, &failure), 0);
        assert_false(slots_target_is_next(&slots));
        assert_true(slots_target_was_next(
                &slots)); /* so it is a fall back, and no update that never was */
        slots_end(&slots);
}

static void test_what_can_not_be_used_is_refused_untouched(_unused_ void **state)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        _cleanup_free_ char *data = NULL;
        Slots slots;
        size_t size;

        env_write("/boot/grub/grubenv", "A A", "1010");
        slots_begin(&slots, 0);
        assert_int_equal(boot_grub.read(&slots, &failure), -EBADMSG);
        assert_non_null(strstr(update_failure_text(&failure), "grub-editenv"));
        assert_int_equal(slots_activate_target(&slots, NULL, 1), -EBADMSG);
        assert_int_equal(file_replace(root, "/boot/grub/grubenv", "x", 1, 0600), 0);
        assert_int_equal(slots_make_target_unselectable(&slots), -EBADMSG);
        assert_int_equal(file_read(root, "/boot/grub/grubenv", 10, &data, &size), 0);
        assert_int_equal(size, 1);
        assert_false(boot_grub.is_used(&slots));

        env_write("/boot/grub/grubenv", "A B", "1010");
        assert_true(boot_grub.is_used(&slots));
        partitions[0].label = (char *)"USR-C";
        assert_int_equal(boot_grub.read(&slots, &failure), -EINVAL);
        partitions[0].label = (char *)"USR-A";
        assert_true(text_set(&slots.boot_directory, "/efi") >= 0);
        assert_int_equal(boot_grub.read(&slots, &failure), -ENOENT);
        env_write("/efi/grub2/grubenv", "A B", "1010");
        assert_int_equal(boot_grub.read(&slots, &failure), 0);
        slots_end(&slots);
}

static int set_up(_unused_ void **state)
{
        root = directory_make();
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_each_state_is_read_as_the_boot_loader_reads_it, set_up),
                cmocka_unit_test_setup(test_each_change_is_what_it_says, set_up),
                cmocka_unit_test_setup(test_an_update_and_its_fall_back, set_up),
                cmocka_unit_test_setup(test_what_can_not_be_used_is_refused_untouched, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
