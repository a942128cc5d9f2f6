#include <fcntl.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/program.h"
#include "unit/unit.h"

static struct {
        bool flag, json;
        const char *text, *directory;
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
        log_error("it says \"no\", in \xff");
        return -EIO;
}

static int verb_interrupted(_unused_ int argc, _unused_ char **argv)
{
        return -ECANCELED;
}

static int verb_print(_unused_ int argc, _unused_ char **argv)
{
        printf("[]\n");
        program_answered();
        return EXIT_REFUSED;
}

static const Option verb_options[] = {
        { "key", 'k', OPTION_LIST, &arg.list, "FILE", "a key", 0 },
        { "jobs", 0, OPTION_NUMBER, &arg.number, "N", "how many", 64 },
        {},
};
static const Option options[] = {
        { "force", 'f', OPTION_FLAG, &arg.flag, NULL, "even so", 0 },
        { "root", 0, OPTION_TEXT, &arg.text, "DIR", "where", 0 },
        { "work", 0, OPTION_DIRECTORY, &arg.directory, "DIR", "where else", 0 },
        { "json", 0, OPTION_FLAG, &arg.json, NULL, "print JSON", 0 },
        {},
};
static const Verb verbs[] = {
        { "apply", "FILE", 1, 1, verb_options, "apply it", verb_record },
        { "fail", "", 0, 0, NULL, "fail", verb_fail },
        { "stop", "", 0, 0, NULL, "be interrupted", verb_interrupted },
        { "print", "", 0, 0, NULL, "print a document", verb_print },
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

/* What the last run printed. */
static struct {
        char out[8192], err[1024];
} printed;

static void printed_take(int fd, char *text, size_t size)
{
        ssize_t n = pread(fd, text, size - 1, 0);

        assert_true(n >= 0);
        text[n] = 0;
        close(fd);
}

/* Runs the program with a copy of the words. out, unless NULL, is where its output goes. */
static int run_to(const char *file, const char *const *words)
{
        int to = file ? open(file, O_WRONLY | O_CLOEXEC) : memfd_create("out", MFD_CLOEXEC),
            errors = memfd_create("err", MFD_CLOEXEC), out = dup(STDOUT_FILENO),
            err = dup(STDERR_FILENO);
        char *argv[16] = {};
        int argc = 0, r;

        for (; words[argc]; argc++) {
                assert_int_equal(text_list_add(&words_kept, words[argc]), 0);
                argv[argc] = words_kept.items[words_kept.n_items - 1];
        }
        fflush(stdout);
        assert_true(dup2(to, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0);
        r = program_run(&program, argc, argv);
        fflush(stdout);
        assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
        close(out);
        close(err);
        if (file)
                close(to);
        else
                printed_take(to, printed.out, sizeof(printed.out));
        printed_take(errors, printed.err, sizeof(printed.err));
        return r;
}

static int run(const char *const *words)
{
        return run_to(NULL, words);
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

static void test_what_is_wrong_with_an_option_is_said(_unused_ void **state)
{
        static const struct {
                const char *words[5], *error;
        } table[] = {
                { { "prog", "--forse" }, "unknown option \"--forse\", did you mean --force?" },
                { { "prog", "--zebra" }, "unknown option \"--zebra\"\n" },
                { { "prog", "-x" }, "unknown option \"-x\"\n" },
                { { "prog", "--jobs", "3" }, "--jobs is an option of \"apply\", and is written" },
                { { "prog", "fail", "--jobs=3" }, "fail has no option --jobs, apply has" },
                { { "prog", "apply", "--jobs" }, "--jobs needs a value: N" },
                { { "prog", "apply", "-k" }, "--key needs a value: FILE" },
                { { "prog", "--json=x" }, "\"--json=x\" takes no value" },
                { { "prog", "--help=x" }, "\"--help=x\" takes no value" },
                { { "prog", "apply" }, "apply: FILE is missing" },
                { { "prog", "apply", "a", "b" }, "apply: \"b\" is one argument too many" },
                { { "prog", "prnt" }, "unknown command \"prnt\", did you mean \"print\"?" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                assert_int_equal(run(table[i].words), EXIT_USAGE);
                assert_non_null(after_prefix(printed.err, "prog: "));
                assert_non_null(strstr(printed.err, table[i].error));
                assert_non_null(strstr(printed.err, "Try 'prog --help'."));
                assert_string_equal(printed.out, "");
        }
}

static void test_a_directory_has_to_be_there(_unused_ void **state)
{
        assert_int_equal(RUN("--work", "/", "stop"), EXIT_INTERRUPTED);
        assert_string_equal(arg.directory, "/");
        assert_int_equal(RUN("--work", "/nonexistent/x", "stop"), EXIT_REFUSED);
        assert_string_equal(printed.err,
                            "prog: --work /nonexistent/x: No such file or directory\n");
        assert_int_equal(RUN("--work", "/dev/null", "stop"), EXIT_REFUSED);
        assert_string_equal(printed.err, "prog: --work /dev/null: Not a directory\n");
}

static void test_who_wants_json_gets_one_document(_unused_ void **state)
{
        assert_int_equal(RUN("--json", "apply", "x"), EXIT_DONE);
        assert_string_equal(printed.out, "{\"done\":true}\n");
        assert_int_equal(RUN("--json", "print"), EXIT_REFUSED);
        assert_string_equal(printed.out, "[]\n");
        assert_int_equal(RUN("fail", "--json"), EXIT_REFUSED);
        assert_string_equal(printed.out,
                            "{\"done\":false,\"error\":\"it says \\\"no\\\", in ?\"}\n");
        assert_string_equal(printed.err, "prog: it says \"no\", in \xff\n");
        arg.json = false;
        assert_int_equal(RUN("fail"), EXIT_REFUSED);
        assert_string_equal(printed.out, "");
}

static void test_output_that_goes_nowhere_is_a_failure(_unused_ void **state)
{
        static const char *const table[][5] = {
                { "prog", "--help" },
                { "prog", "--version" },
                { "prog", "--json", "apply", "x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                assert_int_equal(run_to("/dev/full", table[i]), EXIT_REFUSED);
                assert_string_equal(printed.err,
                                    "prog: writing to standard output: No space left on device\n");
        }
        arg.json = false;
        assert_int_equal(run_to("/dev/full", (const char *const[]) { "prog", "apply", "x", NULL }),
                         EXIT_DONE);
}

static void test_the_help_of_a_command_is_of_this_command(_unused_ void **state)
{
        assert_int_equal(RUN("apply", "--help"), EXIT_DONE);
        assert_non_null(
                after_prefix(printed.out, "Usage: prog apply [OPTION...] FILE\n\nApply it.\n"));
        assert_non_null(strstr(printed.out, "--jobs N"));
        assert_non_null(strstr(printed.out, "--force"));
        assert_null(strstr(printed.out, "Commands:"));
        assert_int_equal(RUN("fail", "-h"), EXIT_DONE);
        assert_null(strstr(printed.out, "--jobs N"));
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
                cmocka_unit_test(test_what_is_wrong_with_an_option_is_said),
                cmocka_unit_test(test_a_directory_has_to_be_there),
                cmocka_unit_test(test_who_wants_json_gets_one_document),
                cmocka_unit_test(test_output_that_goes_nowhere_is_a_failure),
                cmocka_unit_test(test_the_help_of_a_command_is_of_this_command),
                cmocka_unit_test(test_everything_behind_two_dashes_is_an_argument),
                cmocka_unit_test(test_one_dash_is_enough_where_the_classic_tool_had_it_so),
        };

        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        text_list_done(&words_kept);
        return failed;
}
