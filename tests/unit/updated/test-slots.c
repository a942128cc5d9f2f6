#include "boot-gpt.h"
#include "unit/unit.h"

#define USR   "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
#define OTHER "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
#define BOOT(priority, tries, good) \
        ((uint64_t)(priority) << 48 | (uint64_t)(tries) << 52 | (uint64_t)(good) << 56)

/* A partition of a made-up disk; the texts are borrowed. */
#define PARTITION(n, l, u, t, a)                                                               \
        {                                                                                      \
                .number = (n), .label = (char *)(l), .uuid = (char *)(u), .type = (char *)(t), \
                .attributes = (a)                                                              \
        }

/* The same with a place. */
#define PLACED(n, l, u, o, s)                                                                  \
        {                                                                                      \
                .number = (n), .label = (char *)(l), .uuid = (char *)(u), .type = (char *)USR, \
                .offset = (o), .size = (s)                                                     \
        }

static void slots_forget(Slots *slots)
{
        slots->gpt = (Gpt) {}; /* the test's own array */
        slots_done(slots);
}

static const struct {
        const char *name;
        GptPartition partitions[4];
        size_t n;
        RunningPartition running;
        int r;
        size_t running_wanted, target_wanted;
        const char *why; /* a word of the refusal */
        SlotSettings settings;
} choices[] = {
        { "by label",
          { PARTITION(0, "EFI", "1", OTHER, 0), PARTITION(1, "USR-A", "2", USR, 0),
            PARTITION(2, "USR-B", "3", USR, 0) },
          3,
          { .label = (char *)"USR-B" },
          0,
          2,
          1,
          NULL },
        { "by UUID, in any case",
          { PARTITION(0, "USR-A", "ABC", USR, 0), PARTITION(1, "USR-B", "DEF", USR, 0) },
          2,
          { .uuid = (char *)"abc" },
          0,
          0,
          1,
          NULL },
        { "by number",
          { PARTITION(2, "ROOT-A", "2", OTHER, 0), PARTITION(3, "ROOT-B", "3", OTHER, 0) },
          2,
          { .number = 3, .by_device = true },
          0,
          1,
          0,
          NULL },
        { "not there",
          { PARTITION(0, "USR-A", "2", USR, 0) },
          1,
          { .uuid = (char *)"9" },
          -ENODEV,
          SLOT_NONE,
          SLOT_NONE,
          "is not on this disk" },
        { "two of one label",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "USR-A", "3", USR, 0) },
          2,
          { .label = (char *)"USR-A" },
          -ENOTUNIQ,
          SLOT_NONE,
          SLOT_NONE,
          "ambiguous" },
        { "two of one label, one known by UUID",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "USR-A", "3", USR, 0),
            PARTITION(2, "USR-B", "4", USR, 0) },
          3,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "ambiguous" },
        { "two targets",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "USR-B", "3", USR, 0),
            PARTITION(2, "USR-B", "4", USR, 0) },
          3,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "ambiguous" },
        { "no second slot",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "OEM", "3", USR, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "no second slot" },
        { "a partner of another type",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "USR-B", "3", OTHER, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "no second slot" },
        { "a partner of another name",
          { PARTITION(0, "USR-A", "2", USR, 0), PARTITION(1, "OPT-B", "3", USR, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "no second slot" },
        { "a label without a letter",
          { PARTITION(0, "USR", "2", USR, 0), PARTITION(1, "USR-B", "3", USR, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "does not end in -A or -B" },
        { "no label",
          { PARTITION(0, "", "2", USR, 0), PARTITION(1, "-B", "3", USR, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "does not end in -A or -B" },
        { "a target in the place of the running slot",
          { PLACED(0, "USR-A", "2", 100, 50), PLACED(1, "USR-B", "3", 100, 50) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "overlaps the running slot USR-A" },
        { "a target that reaches into another partition",
          { PLACED(0, "USR-A", "2", 100, 50), PLACED(1, "USR-B", "3", 150, 51),
            PLACED(2, "ROOT", "4", 200, 9) },
          3,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "overlaps partition ROOT" },
        { "a target that is the whole disk",
          { PLACED(0, "USR-A", "2", 100, 50), PLACED(1, "USR-B", "3", 0, 100) },
          2,
          { .uuid = (char *)"2" },
          0,
          0,
          SLOT_NONE,
          "is the whole disk" },
        { "neighbours",
          { PLACED(0, "USR-A", "2", 100, 50), PLACED(1, "USR-B", "3", 150, 50),
            PLACED(2, "ROOT", "4", 200, 9) },
          3,
          { .uuid = (char *)"2" },
          0,
          0,
          1,
          NULL },
        { "slots that update.conf names",
          { PARTITION(0, "one", "1", USR, 0), PARTITION(1, "two", "2", OTHER, 0) },
          2,
          { .uuid = (char *)"2" },
          0,
          1,
          0,
          NULL,
          { .slots = { (char *)"PARTLABEL=one", (char *)"PARTUUID=2" } } },
        { "named slots that do not run",
          { PARTITION(0, "one", "1", USR, 0), PARTITION(1, "two", "2", USR, 0),
            PARTITION(2, "three", "3", USR, 0) },
          3,
          { .uuid = (char *)"3" },
          0,
          2,
          SLOT_NONE,
          "is neither SLOT_A nor SLOT_B",
          { .slots = { (char *)"PARTLABEL=one", (char *)"PARTLABEL=two" } } },
        { "one named slot",
          { PARTITION(0, "USR-A", "1", USR, 0), PARTITION(1, "USR-B", "2", USR, 0) },
          2,
          { .uuid = (char *)"1" },
          0,
          0,
          SLOT_NONE,
          "name both slots",
          { .slots = { NULL, (char *)"PARTLABEL=USR-B" } } },
        { "one partition named twice",
          { PARTITION(0, "USR-A", "a1", USR, 0), PARTITION(1, "USR-B", "2", USR, 0) },
          2,
          { .uuid = (char *)"a1" },
          0,
          0,
          SLOT_NONE,
          "are one partition",
          { .slots = { (char *)"PARTLABEL=USR-A", (char *)"PARTUUID=A1" } } },
        { "a named slot that is not there",
          { PARTITION(0, "USR-A", "1", USR, 0), PARTITION(1, "USR-B", "2", USR, 0) },
          2,
          { .uuid = (char *)"1" },
          0,
          0,
          SLOT_NONE,
          "there is no partition with the PARTUUID=9 that SLOT_B",
          { .slots = { (char *)"PARTLABEL=USR-A", (char *)"PARTUUID=9" } } },
        { "a named slot that is there twice",
          { PARTITION(0, "X", "1", USR, 0), PARTITION(1, "X", "2", USR, 0),
            PARTITION(2, "Y", "3", USR, 0) },
          3,
          { .uuid = (char *)"3" },
          0,
          2,
          SLOT_NONE,
          "SLOT_A is ambiguous",
          { .slots = { (char *)"PARTLABEL=X", (char *)"PARTLABEL=Y" } } },
        { "slots of the wanted type",
          { PARTITION(0, "USR-A", "1", USR, 0), PARTITION(1, "USR-B", "2", USR, 0) },
          2,
          { .uuid = (char *)"1" },
          0,
          0,
          1,
          NULL,
          { .type = (char *)"5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6" } },
        { "slots of another type",
          { PARTITION(0, "USR-A", "1", USR, 0), PARTITION(1, "USR-B", "2", USR, 0) },
          2,
          { .uuid = (char *)"1" },
          0,
          0,
          SLOT_NONE,
          "and not of SLOT_TYPE",
          { .type = (char *)OTHER } },
        { "an empty table",
          { {} },
          0,
          { .uuid = (char *)"2" },
          -ENODEV,
          SLOT_NONE,
          SLOT_NONE,
          "not on" },
};

static void test_the_pair_is_found_or_refused_with_its_own_sentence(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(choices); i++) {
                _cleanup_(update_failure_done) UpdateFailure failure = {};
                GptPartition partitions[4];
                Slots slots = { .gpt = { .path = (char *)"disk",
                                         .partitions = partitions,
                                         .n_partitions = choices[i].n } };
                int r;

                memcpy(partitions, choices[i].partitions, sizeof(partitions));
                r = slots_choose(&slots, &choices[i].settings, &choices[i].running, &failure);
                if (r != choices[i].r || (r >= 0 && slots.running != choices[i].running_wanted)
                    || slots.target != choices[i].target_wanted)
                        fail_msg("%s: %d %zu %zu %s", choices[i].name, r, slots.running,
                                 slots.target, update_failure_text(&failure));
                if (choices[i].why)
                        assert_non_null(
                                strstr(update_failure_text(r < 0 ? &failure : &slots.why_no_target),
                                       choices[i].why));
                slots_forget(&slots);
        }
}

/* A, B and C of one type, D of another; the target is B. */
static const struct {
        uint64_t before[4], after[4];
} activations[] = {
        { { BOOT(1, 0, 1), 0, 0, 0 }, { BOOT(1, 0, 1), BOOT(2, 1, 0), 0, 0 } },
        { { BOOT(15, 0, 1), BOOT(14, 0, 1), 0, 0 }, { BOOT(1, 0, 1), BOOT(2, 1, 0), 0, 0 } },
        { { BOOT(1, 0, 1), BOOT(2, 0, 1), 0, 0 }, { BOOT(1, 0, 1), BOOT(2, 1, 0), 0, 0 } },
        { { BOOT(3, 0, 1), 0, BOOT(7, 2, 0), 0 },
          { BOOT(1, 0, 1), BOOT(3, 1, 0), BOOT(2, 2, 0), 0 } },
        { { BOOT(5, 0, 1), 0, BOOT(5, 0, 1), 0 },
          { BOOT(1, 0, 1), BOOT(2, 1, 0), BOOT(1, 0, 1), 0 } },
        { { BOOT(1, 0, 1), 0, 0, BOOT(9, 0, 1) },
          { BOOT(1, 0, 1), BOOT(2, 1, 0), 0, BOOT(9, 0, 1) } },
        { { BOOT(0, 0, 1), 0, 0, 0 }, { BOOT(0, 0, 1), BOOT(1, 1, 0), 0, 0 } },
        { { BOOT(1, 0, 1) | 5, 7 | UINT64_C(1) << 63, 0, 0 },
          { BOOT(1, 0, 1) | 5, BOOT(2, 1, 0) | 7 | UINT64_C(1) << 63, 0, 0 } },
};

static void test_activation_puts_the_target_first_and_keeps_the_order(_unused_ void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(activations); i++) {
                const uint64_t *before = activations[i].before;
                GptPartition partitions[] = {
                        PARTITION(0, "USR-A", "1", USR, before[0]),
                        PARTITION(1, "USR-B", "2", USR, before[1]),
                        PARTITION(2, "USR-C", "3", USR, before[2]),
                        PARTITION(3, "X", "4", OTHER, before[3]),
                };
                Slots slots = { .gpt = { .partitions = partitions, .n_partitions = 4 },
                                .target = 1 };

                boot_gpt_set_next(&slots, 1);
                for (size_t k = 0; k < 4; k++)
                        if (partitions[k].attributes != activations[i].after[k])
                                fail_msg("case %zu, partition %zu: %llx", i, k,
                                         (unsigned long long)partitions[k].attributes);
                boot_gpt_take_states(&slots);
                assert_true(slots_target_is_next(&slots));
        }
}

static void test_activation_with_all_fifteen_priorities_taken(_unused_ void **state)
{
        GptPartition partitions[16];
        Slots slots = { .gpt = { .partitions = partitions, .n_partitions = 16 }, .target = 15 };

        for (unsigned i = 0; i < 16; i++)
                partitions[i] =
                        (GptPartition)PARTITION(i, "X-A", "1", USR, BOOT((i + 1) % 16, 0, 1));
        boot_gpt_set_next(&slots, 1);
        assert_int_equal(gpt_priority(partitions[15].attributes), 15);
        for (size_t i = 0; i < 15; i++)
                assert_in_range(gpt_priority(partitions[i].attributes), 1, 14);
        for (size_t i = 1; i < 15; i++)
                assert_true(gpt_priority(partitions[i - 1].attributes)
                            <= gpt_priority(partitions[i].attributes));
}

static void test_the_boot_bits_touch_nothing_else(_unused_ void **state)
{
        GptPartition partitions[] = {
                PARTITION(0, "USR-A", "1", USR, UINT64_MAX),
                PARTITION(1, "USR-B", "2", USR, UINT64_MAX),
        };
        Slots slots = { .gpt = { .partitions = partitions, .n_partitions = 2 }, .target = 1 };

        boot_gpt_set_unselectable(&slots);
        boot_gpt_take_states(&slots);
        assert_true(partitions[1].attributes == (UINT64_MAX & ~BOOT(15, 15, 1)));
        assert_false(slots_target_is_next(&slots));
        boot_gpt_set_running_good(&slots);
        boot_gpt_take_states(&slots);
        assert_true(partitions[0].attributes == (UINT64_MAX & ~BOOT(0, 15, 0)));
        assert_true(slots_running_is_good(&slots));
}

static void test_tries_and_whether_there_are_any(_unused_ void **state)
{
        GptPartition partitions[] = {
                PARTITION(0, "USR-A", "1", USR, BOOT(2, 0, 1)),
                PARTITION(1, "USR-B", "2", USR, 0),
        };
        Slots slots = { .gpt = { .partitions = partitions, .n_partitions = 2 }, .target = 1 };

        boot_gpt_set_next(&slots, 3);
        assert_true(partitions[1].attributes == BOOT(2, 3, 0));
        boot_gpt_set_next(&slots, 0); /* good already: a way back, without a trial */
        assert_true(partitions[1].attributes == BOOT(2, 0, 1));
        boot_gpt_take_states(&slots);
        assert_true(slots_target_is_next(&slots) && slots_target_was_next(&slots));
        boot_gpt_set_running_bad(&slots);
        boot_gpt_take_states(&slots);
        assert_false(slots_running_is_good(&slots));
        assert_true(partitions[0].attributes == BOOT(1, 0, 0));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_pair_is_found_or_refused_with_its_own_sentence),
                cmocka_unit_test(test_activation_puts_the_target_first_and_keeps_the_order),
                cmocka_unit_test(test_activation_with_all_fifteen_priorities_taken),
                cmocka_unit_test(test_tries_and_whether_there_are_any),
                cmocka_unit_test(test_the_boot_bits_touch_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
