#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "cloud-config/apply.h"
#include "unit/unit.h"

/* One apply: what the document says, what update.conf says before (NULL: as it is) and after, and what is to be done. */
typedef struct Step {
        const char *group, *strategy, *endpoint;
        const char *before, *after;
        unsigned steps;
        MaskAction mask;
} Step;

static void setting_set(Settings *settings, KeyId id, const char *value)
{
        assert_int_equal(text_set(&settings->items[id].value, value), 0);
}

static void step_run(const char *root, const Step *step)
{
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_free_ char *why = NULL, *path = NULL, *text = NULL;
        int r;

        if (step->before)
                file_put(root, CONF_PATH, step->before);
        setting_set(&settings, KEY_GROUP, step->group);
        setting_set(&settings, KEY_REBOOT_STRATEGY, step->strategy);
        setting_set(&settings, KEY_ENDPOINT, step->endpoint);

        assert_int_equal(plan_make(root, &settings, &plan, &why), 0);
        assert_int_equal(plan.steps, step->steps);
        assert_int_equal(plan.mask, step->mask);
        assert_int_equal(apply_files(root, &plan, false, &path), 0);

        r = file_read(root, CONF_PATH, KIB, &text, NULL);
        assert_int_equal(r, step->after ? 0 : -ENOENT);
        if (step->after)
                assert_string_equal(text, step->after);
}

static void steps_run(const Step *steps, size_t n)
{
        char *root = directory_make();

        for (size_t i = 0; i < n; i++)
                step_run(root, &steps[i]);
}

static void test_what_is_no_longer_named_goes_back_to_what_was_there(_unused_ void **state)
{
        static const Step steps[] = {
                { .group = "beta",
                  .before = "# mine\n GROUP=\"stable\"\n",
                  .after = "# mine\nGROUP=beta\n",
                  .steps = STEP_RESTART_ENGINE },
                { .group = "beta", .after = "# mine\nGROUP=beta\n" },
                { .group = "alpha",
                  .after = "# mine\nGROUP=alpha\n",
                  .steps = STEP_RESTART_ENGINE },
                { .after = "# mine\nGROUP=\"stable\"\n", .steps = STEP_RESTART_ENGINE },
                { .after = "# mine\nGROUP=\"stable\"\n" },
        };

        steps_run(steps, ELEMENTSOF(steps));
}

static void test_a_file_that_we_made_goes_with_its_last_line(_unused_ void **state)
{
        static const Step steps[] = {
                { .group = "beta", .after = "GROUP=beta\n", .steps = STEP_RESTART_ENGINE },
                { .steps = STEP_RESTART_ENGINE },
                {},
        };

        steps_run(steps, ELEMENTSOF(steps));
}

static void test_what_others_changed_since_is_theirs(_unused_ void **state)
{
        static const Step steps[] = {
                { .group = "beta", .after = "GROUP=beta\n", .steps = STEP_RESTART_ENGINE },
                { .before = "GROUP=mine\n", .after = "GROUP=mine\n" },
                /* what was there all the time was never ours */
                { .group = "mine", .after = "GROUP=mine\n" },
                { .after = "GROUP=mine\n" },
        };

        steps_run(steps, ELEMENTSOF(steps));
}

static void test_off_masks_and_the_next_strategy_unmasks(_unused_ void **state)
{
        static const Step steps[] = {
                { .strategy = "off",
                  .after = "REBOOT_STRATEGY=off\n",
                  .steps = STEP_RELOAD | STEP_STOP_LOCKSMITHD,
                  .mask = MASK_SET },
                { .strategy = "off", .after = "REBOOT_STRATEGY=off\n" },
                { .strategy = "reboot",
                  .after = "REBOOT_STRATEGY=reboot\n",
                  .steps = STEP_RELOAD | STEP_RESTART_LOCKSMITHD,
                  .mask = MASK_REMOVE },
                { .strategy = "reboot", .after = "REBOOT_STRATEGY=reboot\n" },
                { .strategy = "off",
                  .after = "REBOOT_STRATEGY=off\n",
                  .steps = STEP_RELOAD | STEP_STOP_LOCKSMITHD,
                  .mask = MASK_SET },
                { .steps = STEP_RELOAD | STEP_RESTART_LOCKSMITHD, .mask = MASK_REMOVE },
        };

        steps_run(steps, ELEMENTSOF(steps));
}

static void test_a_drop_in_comes_and_goes_with_its_stanza(_unused_ void **state)
{
        static const Step steps[] = {
                { .endpoint = "http://a:2379", .steps = STEP_RELOAD | STEP_RESTART_LOCKSMITHD },
                { .endpoint = "http://a:2379" },
                { .endpoint = "http://b:2379", .steps = STEP_RELOAD | STEP_RESTART_LOCKSMITHD },
                { .steps = STEP_RELOAD | STEP_RESTART_LOCKSMITHD },
        };

        steps_run(steps, ELEMENTSOF(steps));
}

/* Plans one strategy on a host that somebody else has prepared. */
static void strategy_plan(const char *root, const char *strategy, Plan *ret)
{
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_free_ char *why = NULL;

        setting_set(&settings, KEY_REBOOT_STRATEGY, strategy);
        assert_int_equal(plan_make(root, &settings, ret, &why), 0);
}

static void test_a_real_unit_file_is_never_touched(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_(plan_done) Plan plan = {};

        file_put(root, RUNTIME_UNIT_PATH, "[Unit]\n");
        strategy_plan(root, "off", &plan);
        assert_int_equal(plan.mask, MASK_KEEP);
        assert_int_equal(plan.steps, STEP_STOP_LOCKSMITHD);
        assert_int_equal(plan.warnings.n_items, 1);
        assert_non_null(strstr(plan.warnings.items[0], "is a unit file"));
}

static void test_a_mask_that_is_not_ours_stays_and_is_said(_unused_ void **state)
{
        static const char *const paths[] = { RUNTIME_UNIT_PATH, ADMIN_UNIT_PATH };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                char *root = directory_make();
                _cleanup_(plan_done) Plan plan = {};

                file_put(root, paths[i], "");
                strategy_plan(root, "reboot", &plan);
                assert_int_equal(plan.mask, MASK_KEEP);
                assert_int_equal(plan.steps, 0);
                assert_int_equal(plan.warnings.n_items, 1);
                assert_non_null(strstr(plan.warnings.items[0], "not by cloud-config"));
        }
}

static void test_a_host_that_can_not_be_understood_is_left_alone(_unused_ void **state)
{
        static const struct {
                const char *path, *text, *why;
        } table[] = {
                { CONF_PATH, "GROUP=a\\\n", "/etc/coreos/update.conf:1: the line ends" },
                { "/etc/coreos", "", "/etc/coreos/update.conf: a directory above it is a file" },
                { STATE_PATH, "{", "cloud-config.state is damaged" },
                { STATE_PATH, "{\"version\": 2}", "cloud-config.state is damaged" },
                { CONF_DROP_IN "/x", "", "20-cloudinit.conf is not a regular file" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char *root = directory_make();
                _cleanup_(settings_done) Settings settings = {};
                _cleanup_free_ char *why = NULL;
                Plan plan;

                file_put(root, table[i].path, table[i].text);
                setting_set(&settings, KEY_GROUP, "beta");
                assert_true(plan_make(root, &settings, &plan, &why) < 0);
                assert_non_null(why);
                assert_non_null(strstr(why, table[i].why));
        }
}

static void test_a_password_makes_the_drop_in_private(_unused_ void **state)
{
        char *root = directory_make();
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_free_ char *why = NULL;

        setting_set(&settings, KEY_ETCD_USERNAME, "root");
        setting_set(&settings, KEY_ETCD_PASSWORD, "p\"a\\s%n$x");
        assert_int_equal(plan_make(root, &settings, &plan, &why), 0);
        assert_int_equal(plan.files[FILE_DROP_IN].new_mode, 0600);
        assert_true(plan.files[FILE_DROP_IN].secret);
        assert_string_equal(plan.files[FILE_DROP_IN].new,
                            "[Service]\n"
                            "Environment=\"LOCKSMITHD_ETCD_USERNAME=root\"\n"
                            "Environment=\"LOCKSMITHD_ETCD_PASSWORD=p\\\"a\\\\s%%n$x\"\n");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_no_longer_named_goes_back_to_what_was_there),
                cmocka_unit_test(test_a_file_that_we_made_goes_with_its_last_line),
                cmocka_unit_test(test_what_others_changed_since_is_theirs),
                cmocka_unit_test(test_off_masks_and_the_next_strategy_unmasks),
                cmocka_unit_test(test_a_drop_in_comes_and_goes_with_its_stanza),
                cmocka_unit_test(test_a_real_unit_file_is_never_touched),
                cmocka_unit_test(test_a_mask_that_is_not_ours_stays_and_is_said),
                cmocka_unit_test(test_a_host_that_can_not_be_understood_is_left_alone),
                cmocka_unit_test(test_a_password_makes_the_drop_in_private),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
