/* Boot Loader Specification: names with counters, the keys of entries, the order, and versions against systemd. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/text.h"
#include "bls.h"
#include "unit/unit.h"

static const struct {
        const char *name;
        int r;
        BlsType type;
        size_t stem;
        bool counted;
        unsigned left, done;
        char slot;
} names[] = {
        { "sluice-a.conf", 0, BLS_TYPE_CONF, 8, false, 0, 0, 'A' },
        { "SLUICE-B.CONF", 0, BLS_TYPE_CONF, 8, false, 0, 0, 'B' },
        { "sluice-b_1.2+3.efi", 0, BLS_TYPE_UKI, 12, true, 3, 0, 'B' },
        { "sluice-b+3-1.conf", 0, BLS_TYPE_CONF, 8, true, 3, 1, 'B' },
        { "sluice-b+0-3.conf", 0, BLS_TYPE_CONF, 8, true, 0, 3, 'B' },
        { "sluice-b+00-03.conf", 0, BLS_TYPE_CONF, 8, true, 0, 3, 'B' },
        { "sluice-b+3-1x.conf", 0, BLS_TYPE_CONF, 13, false, 0, 0, 'B' },
        { "sluice-b+3-.conf", 0, BLS_TYPE_CONF, 11, false, 0, 0, 'B' },
        { "sluice-b+.conf", 0, BLS_TYPE_CONF, 9, false, 0, 0, 'B' },
        { "sluice-b+100.conf", 0, BLS_TYPE_CONF, 12, false, 0, 0, 'B' },
        { "sluice-b+1+2.conf", 0, BLS_TYPE_CONF, 10, true, 2, 0, 'B' },
        { "+3.conf", 0, BLS_TYPE_CONF, 2, false, 0, 0, 0 },
        { "sluice-ab.conf", 0, BLS_TYPE_CONF, 9, false, 0, 0, 0 },
        { "sluice-c.conf", 0, BLS_TYPE_CONF, 8, false, 0, 0, 0 },
        { "other+1.conf", 0, BLS_TYPE_CONF, 5, true, 1, 0, 0 },
        { ".conf", -EINVAL, BLS_TYPE_CONF, 0, false, 0, 0, 0 },
        { ".sluice-a.conf", -EINVAL, BLS_TYPE_CONF, 0, false, 0, 0, 0 },
        { "sluice-a.conf.abcdef", -EINVAL, BLS_TYPE_CONF, 0, false, 0, 0, 0 },
        { "sluice-a", -EINVAL, BLS_TYPE_CONF, 0, false, 0, 0, 0 },
        { "", -EINVAL, BLS_TYPE_CONF, 0, false, 0, 0, 0 },
};

static void test_names_and_their_counters(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                BlsName name = {};

                if (bls_name_parse(names[i].name, &name) != names[i].r || name.type != names[i].type
                    || name.stem != names[i].stem || name.counted != names[i].counted
                    || name.left != names[i].left || name.done != names[i].done
                    || name.slot != names[i].slot)
                        fail_msg("%s: %zu %d %u %u %d", names[i].name, name.stem, name.counted,
                                 name.left, name.done, name.slot);
        }
        assert_true(bls_name_is_of_slot("sluice-b+3.conf.abcdef", 'B'));
        assert_true(bls_name_is_of_slot(".#sluice-b+3.conf.abcdef", 'B'));
        assert_false(bls_name_is_of_slot(".#sluice-a+3.conf.abcdef", 'B'));
        assert_false(bls_name_is_of_slot(".sluice-b.conf", 'B'));
        assert_false(bls_name_is_of_slot("sluice-a.conf", 'B'));
        assert_false(bls_name_is_of_slot("sluice-bus.conf", 'B'));
}

static void test_another_counter_is_another_name(_unused_ void **state)
{
        static const struct {
                BlsName counter;
                const char *wanted;
        } cases[] = {
                { { .counted = true, .left = 3 }, "sluice-b_1+3.conf" },
                { { .counted = true, .left = 0, .done = 2 }, "sluice-b_1+0-2.conf" },
                { { .counted = false, .left = 3 }, "sluice-b_1.conf" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *name = NULL;
                BlsName counter = cases[i].counter;

                counter.stem = strlen("sluice-b_1");
                assert_int_equal(bls_name_print("sluice-b_1+7-2.conf", &counter, &name), 0);
                assert_string_equal(name, cases[i].wanted);
        }
}

/* In the order of the menu: systemd's rule, in words of UAPI.1. */
static const struct {
        const char *file, *sort_key, *machine_id, *version;
} menu[] = {
        { "a+1.conf", "a", NULL, "2" },    { "a.conf", "a", NULL, "1.10" },
        { "z.conf", "a", NULL, "1.9" },    { "y.conf", "a", NULL, "1.9" },
        { "y+5.conf", "a", NULL, "1.9" },  { "y+4-1.conf", "a", NULL, "1.9" },
        { "n.conf", "a", NULL, NULL },     { "m.conf", "a", "1", "9" },
        { "b.conf", "b", NULL, "9" },      { "k-10.conf", NULL, NULL, "1" },
        { "k-9.conf", NULL, NULL, "2" },   { "a+0-1.conf", "a", NULL, "3" },
        { "a+0-2.conf", NULL, NULL, "3" },
};

static BlsEntry menu_entry(size_t i)
{
        BlsEntry entry = {
                .file = (char *)menu[i].file,
                .sort_key = (char *)menu[i].sort_key,
                .machine_id = (char *)menu[i].machine_id,
                .version = (char *)menu[i].version,
        };

        assert_int_equal(bls_name_parse(menu[i].file, &entry.name), 0);
        return entry;
}

static void test_the_order_of_the_menu(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(menu); i++)
                for (size_t k = 0; k < ELEMENTSOF(menu); k++) {
                        BlsEntry a = menu_entry(i), b = menu_entry(k);
                        int r = bls_entry_compare(&a, &b);

                        if ((r > 0) - (r < 0) != (i > k) - (i < k))
                                fail_msg("%s and %s: %d", a.file, b.file, r);
                }
}

#define ENTRY                                                                                      \
        "# a comment\n\n  title\tExample\nversion 1\nlinux  /vmlinuz-a\ninitrd /i\nsort-key s\r\n" \
        "machine-id 12\nunknown x y\noptions a PARTUUID=AB-cd PARTLABEL=USR-A "                    \
        "PARTUUID=ab-cde\noptions usr=PARTUUID=ab-CD/PARTNROFF=1"

static void test_the_keys_of_an_entry(_unused_ void **state)
{
        static const char *const bad[] = { "", "title x\n", "linux\n", "linux \nlinuxx /a\n",
                                           "# linux /a" };
        char text[] = ENTRY;
        BlsEntry entry = {};

        assert_int_equal(bls_entry_parse(text, &entry), 0);
        assert_string_equal(entry.version, "1");
        assert_string_equal(entry.sort_key, "s");
        assert_string_equal(entry.machine_id, "12");
        assert_string_equal(entry.kernel, "/vmlinuz-a");
        bls_entry_done(&entry);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *copy = strdup(bad[i]);

                assert_int_equal(bls_entry_parse(copy, &entry), -EBADMSG);
                bls_entry_done(&entry);
        }
}

static void test_an_entry_for_the_other_slot(_unused_ void **state)
{
        BlsChange change = {
                .kernel = "/sluice/vmlinuz-b",
                .version = "2",
                .uuid_from = "ab-cd",
                .uuid_to = "EF",
                .label_from = "USR-A",
                .label_to = "USR-B",
        };
        _cleanup_free_ char *text = NULL, *plain = NULL;

        assert_int_equal(bls_entry_change(ENTRY, &change, &text), 0);
        assert_string_equal(text,
                            "title Example\nlinux /sluice/vmlinuz-b\ninitrd /i\nsort-key s\n"
                            "machine-id 12\nunknown x y\noptions a PARTUUID=EF PARTLABEL=USR-B "
                            "PARTUUID=ab-cde\noptions usr=PARTUUID=EF/PARTNROFF=1\nversion 2\n");
        change.version = "";
        assert_int_equal(bls_entry_change("linux /a\noptions PARTLABEL=USR-A\n", &change, &plain),
                         0);
        assert_string_equal(plain,
                            "linux /sluice/vmlinuz-b\noptions PARTLABEL=USR-B\nsort-key sluice\n");
        assert_int_equal(bls_entry_change("linux /a\noptions root=/dev/sda1\n", &change, &plain),
                         -ENOTUNIQ);
        assert_int_equal(bls_entry_change("title PARTUUID=ab-cd\nlinux /a\n", &change, &plain),
                         -ENOTUNIQ);
}

static void test_an_entry_that_names_the_image_fits_no_other(_unused_ void **state)
{
        static const struct {
                const char *options;
                int r;
        } cases[] = {
                { "usr=PARTLABEL=USR-A usrhash=00ff", -ESTALE },
                { "roothash=00ff root=PARTLABEL=USR-A", -ESTALE },
                { "usr=PARTLABEL=USR-A\nlinux /a\noptions quiet verity.usrhash=00ff", -ESTALE },
                { "usr=PARTLABEL=USR-A x.usrhash=00ff usrhash roothashes=1", 0 },
        };
        const BlsChange change = { .kernel = "/b", .label_from = "USR-A", .label_to = "USR-B" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *entry = NULL, *text = NULL;

                assert_true(text_format(&entry, "linux /a\noptions %s\n", cases[i].options) >= 0);
                if (bls_entry_change(entry, &change, &text) != cases[i].r)
                        fail_msg("%s", cases[i].options);
        }
}

/* -1, 0, 1 as systemd-analyze(1) says; 2: it is not there. */
static int systemd_compares(const char *a, const char *b)
{
        const char *const arguments[] = { "systemd-analyze", "compare-versions", a, b, NULL };
        posix_spawn_file_actions_t actions;
        int status;
        pid_t pid;

        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0),
                         0);
        if (posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ)
            != 0)
                return 2;
        assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status) == 11   ? 1
               : WEXITSTATUS(status) == 12 ? -1
               : WEXITSTATUS(status) == 0  ? 0
                                           : 2;
}

static const char *const versions[] = {
        "1",          "1.0",
        "1.2",        "1.10",
        "01.2",       "1.2~rc1",
        "1.2~rc2",    "1.2^1",
        "1.2-3",      "1.2-10",
        "a",          "abc",
        "ABC",        "1a",
        "1.a",        "1_2",
        "1..2",       "~1",
        "1~",         "1-",
        "1.",         "1^",
        "1.2.3",      "1.2.3-4",
        "4593.2.1",   "4593.10.0+build",
        "2026-11-22", "v1.2",
        "1.2%",
};

static void versions_check(const char *a, const char *b)
{
        int theirs = systemd_compares(a, b), ours = bls_version_compare(a, b);

        assert_int_not_equal(theirs, 2);
        if (ours != theirs || bls_version_compare(b, a) != -ours)
                fail_msg("\"%s\" and \"%s\": %d, and systemd says %d", a, b, ours, theirs);
}

static void test_versions_are_ordered_as_systemd_orders_them(_unused_ void **state)
{
        static const char letters[] = "0011299aAbz~-^..+_";
        uint64_t chance = 88172645463325252;

        for (size_t i = 0; i + 1 < ELEMENTSOF(versions); i++)
                versions_check(versions[i], versions[i + 1]);
        for (size_t i = 0; i < 200; i++) {
                char texts[2][8] = {};

                for (size_t k = 0; k < 2 * 6; k++) {
                        chance ^= chance << 13;
                        chance ^= chance >> 7;
                        chance ^= chance << 17;
                        texts[k % 2][k / 2] = letters[chance % (sizeof(letters) - 1)];
                }
                texts[0][0] = texts[1][0] = '1'; /* no option, and not empty */
                versions_check(texts[0], texts[1]);
        }
        assert_int_equal(bls_version_compare(NULL, NULL), 0);
        assert_int_equal(bls_version_compare("", "0"), -1);
        assert_int_equal(bls_version_compare("0", NULL), 1);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_and_their_counters),
                cmocka_unit_test(test_another_counter_is_another_name),
                cmocka_unit_test(test_the_order_of_the_menu),
                cmocka_unit_test(test_the_keys_of_an_entry),
                cmocka_unit_test(test_an_entry_for_the_other_slot),
                cmocka_unit_test(test_an_entry_that_names_the_image_fits_no_other),
                cmocka_unit_test(test_versions_are_ordered_as_systemd_orders_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
