#include <fcntl.h>

#include "base/log.h"
#include "base/program.h"
#include "unit/unit.h"

static struct {
        bool flag;
        const char *text;
        TextList list;
        uint64_t number;
        int argc;
        char *argv[8];
} arg;

static int verb_record(int argc, char **argv)
{
        arg.argc = argc;
        for (int i = 0; i < argc && i < (int)ELEMENTSOF(arg.argv); i++)
                arg.argv[i] = argv[i];
        return EXIT_DONE;
}

static int verb_fail(_unused_ int argc, _unused_ char **argv)
{
        return -EIO;
}

static const Option verb_options[] = {
        { "key", 'k', OPTION_LIST, &arg.list, "FILE", "a key", 0 },
        { "jobs", 0, OPTION_NUMBER, &arg.number, "N", "how many", 64 },
        {},
};
static const Option options[] = {
        { "force", 'f', OPTION_FLAG, &arg.flag, NULL, "even so", 0 },
        { "root", 0, OPTION_TEXT, &arg.text, "DIR", "where", 0 },
        {},
};
static const Verb verbs[] = {
        { "apply", "FILE", 1, 1, verb_options, "apply it", verb_record },
        { "fail", "", 0, 0, NULL, "fail", verb_fail },
        {},
};
static Program program = {
        .name = "prog",
        .synopsis = "COMMAND",
        .summary = "Does it.",
        .options = options,
        .verbs = verbs,
};

/* What the program borrowed from its command lines stays until the end. */
static TextList words_kept;

/* Runs the program with a copy of the words, its output thrown away. */
static int run(const char *const *words)
{
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC), out = dup(STDOUT_FILENO),
            err = dup(STDERR_FILENO);
        char *argv[16] = {};
        int argc = 0, r;

        for (; words[argc]; argc++) {
                assert_int_equal(text_list_add(&words_kept, words[argc]), 0);
                argv[argc] = words_kept.items[words_kept.n_items - 1];
        }
        fflush(stdout);
        assert_true(dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0);
        r = program_run(&program, argc, argv);
        fflush(stdout);
        assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
        close(null);
        close(out);
        close(err);
        return r;
}

#define RUN(...) run((const char *const[]) { "prog", __VA_ARGS__, NULL })

static void test_options_are_understood_before_and_behind_the_verb(_unused_ void **state)
{
        assert_int_equal(
                RUN("--root", "/x", "apply", "-k", "a", "file", "--key=b", "--jobs", "3", "-f"),
                EXIT_DONE);
        assert_true(arg.flag);
        assert_string_equal(arg.text, "/x");
        assert_int_equal(arg.list.n_items, 2);
        assert_string_equal(arg.list.items[1], "b");
        assert_int_equal(arg.number, 3);
        assert_int_equal(arg.argc, 2);
        assert_string_equal(arg.argv[0], "apply");
        assert_string_equal(arg.argv[1], "file");
        text_list_done(&arg.list);
}

static void test_wrong_usage_gives_2_and_a_failing_verb_1(_unused_ void **state)
{
        assert_int_equal(RUN("--nonsense"), EXIT_USAGE);
        assert_int_equal(RUN("aply", "x"), EXIT_USAGE);
        assert_int_equal(RUN("apply"), EXIT_USAGE);
        assert_int_equal(RUN("apply", "a", "b"), EXIT_USAGE);
        assert_int_equal(RUN("apply", "--jobs", "65", "a"), EXIT_USAGE);
        assert_int_equal(RUN("apply", "--jobs", "-1", "a"), EXIT_USAGE);
        assert_int_equal(RUN("apply", "--root"), EXIT_USAGE);
        assert_int_equal(run((const char *const[]) { "prog", NULL }), EXIT_USAGE);
        assert_int_equal(RUN("fail"), EXIT_REFUSED);
        assert_int_equal(RUN("--help"), EXIT_DONE);
        assert_int_equal(RUN("apply", "--version"), EXIT_DONE);
}

static void test_everything_behind_two_dashes_is_an_argument(_unused_ void **state)
{
        assert_int_equal(RUN("apply", "--", "--force"), EXIT_DONE);
        assert_string_equal(arg.argv[1], "--force");
}

static void test_one_dash_is_enough_where_the_classic_tool_had_it_so(_unused_ void **state)
{
        program.single_dash = true;
        assert_int_equal(RUN("-root", "/y", "apply", "x"), EXIT_DONE);
        assert_string_equal(arg.text, "/y");
        assert_int_equal(RUN("-root=/z", "apply", "x"), EXIT_DONE);
        assert_string_equal(arg.text, "/z");
        program.single_dash = false;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options_are_understood_before_and_behind_the_verb),
                cmocka_unit_test(test_wrong_usage_gives_2_and_a_failing_verb_1),
                cmocka_unit_test(test_everything_behind_two_dashes_is_an_argument),
                cmocka_unit_test(test_one_dash_is_enough_where_the_classic_tool_had_it_so),
        };

        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        text_list_done(&words_kept);
        return failed;
}
