#include "locksmith/migrate.h"
#include "unit/unit.h"

/* A side in words: "" nothing there; else "MAX HOLDERS" with holders "a,b" or "-"; behind it "p" for a pause by an
 * operator, "m1" or "m2" for one of a migration, "x" for a marker. */
static MigrateSide side_of(const char *name, const char *words)
{
        MigrateSide side = { .name = name };
        _cleanup_(text_list_done) TextList parts = {}, holders = {};

        assert_int_equal(text_list_split(&parts, words, " "), 0);
        if (parts.n_items == 0)
                return side;
        side.exists = true;
        side.revision = 7;
        side.semaphore = (Semaphore) { .max = parts.items[0][0] - '0' };
        side.semaphore.max = 9; /* room for the holders */
        side.semaphore.free = 9;
        if (!streq(parts.items[1], "-"))
                assert_int_equal(text_list_split(&holders, parts.items[1], ","), 0);
        for (size_t i = 0; i < holders.n_items; i++)
                assert_int_equal(semaphore_take(&side.semaphore, holders.items[i]), 1);
        assert_int_equal(semaphore_set_max(&side.semaphore, parts.items[0][0] - '0'), 1);
        for (size_t i = 2; i < parts.n_items; i++) {
                const char *part = parts.items[i];

                if (streq(part, "x")) {
                        side.moved = true;
                        continue;
                }
                assert_int_equal(text_format(&side.pause.reason, "%s %s",
                                             *part == 'm' ? MIGRATE_REASON : "tea", part),
                                 0);
                side.pause.max = 3;
                assert_int_equal(pause_format(&(Pause) { .max = 3,
                                                         .host = (char *)"h",
                                                         .reason = side.pause.reason },
                                              &side.pause_text),
                                 0);
        }
        return side;
}

static const struct {
        const char *from, *to;
        int step;
        int64_t max;
        const char *holders; /* of the document that the step writes */
} table[] = {
        { "3 a,b", "", MIGRATE_PAUSE, 0, "a,b" },
        { "3 -", "", MIGRATE_PAUSE, 0, "-" },
        { "3 a,b", "1 -", MIGRATE_PAUSE, 0, "a,b" }, /* an old tool has looked there */
        { "3 a", "1 a", MIGRATE_PAUSE, 0, "a" },
        { "0 a,b m1", "", MIGRATE_COPY, 0, "a,b" },
        { "0 a,b m1", "1 -", MIGRATE_COPY, 0, "a,b" },
        { "0 a,b m1", "0 a,b m1", MIGRATE_MARK, 0, "a,b" },
        { "0 a,b m1 x", "0 a,b m1", MIGRATE_OPEN, 3, "a,b" },
        { "0 a,b m1 x", "3 a,b", MIGRATE_DONE, 3, "a,b" },
        { "0 a,b m1 x", "3 a,b,c", MIGRATE_DONE, 3, "a,b,c" }, /* long ago */
        /* somebody has left between two runs, here or there */
        { "0 a m1", "0 a,b m1", MIGRATE_COPY, 0, "a" },
        { "0 a,b m1", "0 a m1", MIGRATE_MARK, 0, "a,b" },
        { "0 a,b m1", "0 - m1", MIGRATE_MARK, 0, "a,b" },
        { "0 a,c m1", "0 a,b m1", MIGRATE_COPY, 0, "a" },
        /* what another migration has copied counts no longer: the source was open since */
        { "0 a,b m2", "0 a m1", MIGRATE_COPY, 0, "a,b" },
        { "3 a,b", "0 a m1", MIGRATE_PAUSE, 0, "a,b" },
        { "0 a m2", "0 a,b m1", -EBUSY, 0, "" },
        /* an operator's pause goes with it */
        { "0 a p", "", MIGRATE_COPY, 0, "a" },
        { "0 a p", "0 a p", MIGRATE_MARK, 0, "a" },
        { "0 a p x", "0 a p", MIGRATE_DONE, 0, "a" },
        { "0 a", "", MIGRATE_COPY, 0, "a" },
        { "0 a", "0 a", MIGRATE_MARK, 0, "a" },
        { "0 a", "0 -", MIGRATE_COPY, 0, "a" },
        /* and back again */
        { "3 a", "0 b,c m1 x", MIGRATE_PAUSE, 0, "a" },
        { "0 a m2", "0 b,c m1 x", MIGRATE_COPY, 0, "a" },
        { "0 a m2", "0 a m2 x", MIGRATE_COPY, 0, "a" },
        /* nobody is lost */
        { "3 a", "1 b", -EBUSY, 0, "" },
        { "3 -", "1 b", -EBUSY, 0, "" },
        { "0 a m1", "3 a,c", -EBUSY, 0, "" },
        { "0 a m1", "0 a,c p", -EBUSY, 0, "" },
        { "", "", -ENOENT, 0, "" },
        { "", "1 a", -ENOENT, 0, "" },
        { "0 a m1 x", "", -ENOENT, 0, "" },
        { "0 a m1 x", "0 a m2 x", -ENOENT, 0, "" },
};

static void test_the_next_step_follows_from_what_is_there(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                MigrateSide from = side_of("v2", table[i].from), to = side_of("v3", table[i].to);
                MigrateSide wanted = {};
                _cleanup_(semaphore_done) Semaphore document = {};
                char why[MIGRATE_WHY_MAX] = "", words[64];
                int step;

                print_message("# \"%s\" to \"%s\"\n", table[i].from, table[i].to);
                step = migrate_next(&from, &to, &document, why);
                assert_int_equal(step, table[i].step);
                if (step >= 0) {
                        assert_int_equal(document.max, table[i].max);
                        snprintf(words, sizeof(words), "%d %s", (int)table[i].max,
                                 table[i].holders);
                        wanted = side_of("", words);
                        assert_int_equal(document.holders.n_items,
                                         wanted.semaphore.holders.n_items);
                        for (size_t j = 0; j < document.holders.n_items; j++)
                                assert_string_equal(document.holders.items[j],
                                                    wanted.semaphore.holders.items[j]);
                } else
                        assert_true(*why);
                migrate_side_done(&from);
                migrate_side_done(&to);
                migrate_side_done(&wanted);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_next_step_follows_from_what_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
