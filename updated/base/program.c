#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "version.h"

#define HELP_COLUMN    30
#define OPTIONS_MAX    64
#define OPTION_HELP    0x100
#define OPTION_VERSION 0x101
#define OPTION_FIRST   0x102

/* The options that one getopt() run understands: the program's, then the verb's. */
typedef struct OptionSet {
        const Option *all[OPTIONS_MAX];
        struct option table[OPTIONS_MAX + 3];
        char letters[2 * OPTIONS_MAX + 4];
        size_t n;
} OptionSet;

int program_usage(const char *format, ...)
{
        va_list arguments;

        fprintf(stderr, "%s: ", log_program());
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fprintf(stderr, "\nTry '%s --help'.\n", log_program());

        return EXIT_USAGE;
}

static void option_set_letter(OptionSet *set, char letter)
{
        size_t n = strlen(set->letters);

        assert(n + 1 < sizeof(set->letters));
        set->letters[n] = letter;
}

static void option_set_add(OptionSet *set, const Option *options)
{
        for (const Option *o = options; o && o->name; o++) {
                assert(set->n < OPTIONS_MAX);
                set->table[set->n] = (struct option) {
                        .name = o->name,
                        .has_arg = o->type == OPTION_FLAG ? no_argument : required_argument,
                        .val = OPTION_FIRST + (int)set->n,
                };
                if (o->letter)
                        option_set_letter(set, o->letter);
                if (o->letter && o->type != OPTION_FLAG)
                        option_set_letter(set, ':');
                set->all[set->n++] = o;
        }
}

static void option_set_fill(OptionSet *set, const Program *program, const Verb *verb)
{
        /* "+": the first word that is no option ends the global ones, it is the verb. */
        *set = (OptionSet) {};
        if (!verb && program->verbs)
                option_set_letter(set, '+');
        option_set_letter(set, 'h');
        option_set_add(set, program->options);
        option_set_add(set, verb ? verb->options : NULL);
        set->table[set->n] = (struct option) { "help", no_argument, NULL, OPTION_HELP };
        set->table[set->n + 1] = (struct option) { "version", no_argument, NULL, OPTION_VERSION };
}

static int option_apply(const Option *option, const char *value)
{
        int r;

        switch (option->type) {
        case OPTION_FLAG:
                *(bool *)option->target = true;
                return 0;

        case OPTION_TEXT:
                *(const char **)option->target = value;
                return 0;

        case OPTION_LIST:
                r = text_list_add(option->target, value);
                return r < 0 ? log_error_errno(r, "reading the command line: %m") : 0;

        case OPTION_NUMBER:
                r = text_to_u64(value, option->max ? option->max : UINT64_MAX, option->target);
                if (r == -ERANGE && option->max)
                        return program_usage("--%s: %s is too large, the most is %llu",
                                             option->name, value, (unsigned long long)option->max);
                if (r < 0)
                        return program_usage("--%s: \"%s\" is not a whole number", option->name,
                                             value);
                return 0;
        }

        return -EINVAL;
}

static void help_line(const char *left, const char *help)
{
        int width = printf("  %s", left);

        if (width >= HELP_COLUMN)
                width = printf("\n") * 0;
        for (const char *line = help; line;) {
                int n = (int)strcspn(line, "\n");

                printf("%*s%.*s\n", HELP_COLUMN - width, "", n, line);
                width = 0;
                line = line[n] ? line + n + 1 : NULL;
        }
}

static void help_options(const Option *options)
{
        for (const Option *o = options; o && o->name; o++) {
                _cleanup_free_ char *left = NULL;
                char letter[] = { '-', o->letter, ',', ' ', 0 };

                if (text_format(&left, "%s--%s%s%s", o->letter ? letter : "", o->name,
                                o->argument ? " " : "", o->argument ? o->argument : "")
                    < 0)
                        continue;
                help_line(left, o->help);
        }
}

static void help_verb_options(const Verb *verb)
{
        if (!verb->options)
                return;
        printf("\nOptions of %s:\n", verb->name);
        help_options(verb->options);
}

static void help_print(const Program *program)
{
        printf("Usage: %s %s\n\n%s\n", program->name, program->synopsis, program->summary);

        if (program->verbs)
                printf("\nCommands:\n");
        for (const Verb *v = program->verbs; v && v->name; v++) {
                _cleanup_free_ char *left = NULL;

                if (text_format(&left, "%s %s", v->name, v->arguments) < 0)
                        continue;
                help_line(left, v->help);
        }
        for (const Verb *v = program->verbs; v && v->name; v++)
                help_verb_options(v);

        printf("\nOptions:\n");
        help_options(program->options);
        help_line("-h, --help", "show this help");
        help_line("--version", "show the version");
        if (program->footer)
                printf("\n%s\n", program->footer);
}

/* Returns 0 to go on, or the exit status plus one. */
static int options_parse(const Program *program, const Verb *verb, int argc, char **argv)
{
        OptionSet set;
        int c, r;

        option_set_fill(&set, program, verb);
        optind = 0; /* glibc: begin anew */
        while ((c = (program->single_dash ? getopt_long_only : getopt_long)(argc, argv, set.letters,
                                                                            set.table, NULL))
               >= 0) {
                const Option *option = NULL;

                if (c == 'h' || c == OPTION_HELP)
                        return help_print(program), EXIT_DONE + 1;
                if (c == OPTION_VERSION)
                        return printf("%s %s\n", program->name, SLUICE_VERSION), EXIT_DONE + 1;
                if (c == '?') {
                        fprintf(stderr, "Try '%s --help'.\n", program->name);
                        return EXIT_USAGE + 1;
                }

                if (c >= OPTION_FIRST)
                        option = set.all[c - OPTION_FIRST];
                for (size_t i = 0; i < set.n && !option; i++)
                        if (set.all[i]->letter == c)
                                option = set.all[i];
                assert(option);

                r = option_apply(option, optarg);
                if (r != 0)
                        return (r < 0 ? EXIT_REFUSED : r) + 1;
        }

        return 0;
}

static const Verb *verb_find(const Program *program, const char *name)
{
        for (const Verb *v = program->verbs; v->name; v++)
                if (streq(v->name, name))
                        return v;

        return NULL;
}

static int verb_unknown(const Program *program, const char *name)
{
        const char *names[OPTIONS_MAX];
        const char *nearest;
        size_t n = 0;

        for (const Verb *v = program->verbs; v->name && n < OPTIONS_MAX; v++)
                names[n++] = v->name;

        nearest = text_nearest(name, names, n);
        if (nearest)
                return program_usage("unknown command \"%s\", did you mean \"%s\"?", name, nearest);
        return program_usage("unknown command \"%s\"", name);
}

/* verb may be NULL: the program itself. */
static int arguments_check(const Verb *verb, int n, int min, int max)
{
        const char *name = verb ? verb->name : "", *colon = verb ? ": " : "";

        if (n < min)
                return program_usage("%s%san argument is missing", name, colon);
        if (max >= 0 && n > max)
                return program_usage("%s%stoo many arguments", name, colon);
        return 0;
}

static int exit_status(int r)
{
        return r < 0 ? EXIT_REFUSED : r;
}

static int program_run_verb(const Program *program, int argc, char **argv)
{
        const char *name = argc > 0 ? argv[0] : program->default_verb;
        const Verb *verb;
        int r;

        if (!name)
                return program_usage("no command given");

        verb = verb_find(program, name);
        if (!verb)
                return verb_unknown(program, name);
        if (argc == 0)
                return exit_status(verb->run(0, argv));

        /* getopt() prints argv[0] in its messages: there the program's name is wanted, not the verb. */
        argv[0] = (char *)program->name;
        r = options_parse(program, verb, argc, argv);
        if (r != 0)
                return r - 1;

        r = arguments_check(verb, argc - optind, verb->min, verb->max);
        if (r != 0)
                return r;

        argv[optind - 1] = (char *)verb->name;
        return exit_status(verb->run(argc - optind + 1, argv + optind - 1));
}

int program_run(const Program *program, int argc, char **argv)
{
        int r;

        log_open(program->name);
        argv[0] = (char *)program->name;

        r = options_parse(program, NULL, argc, argv);
        if (r != 0)
                return r - 1;
        if (program->verbs && !(program->run && optind == argc))
                return program_run_verb(program, argc - optind, argv + optind);

        r = arguments_check(NULL, argc - optind, 0, program->max_arguments);
        if (r != 0)
                return r;

        argv[optind - 1] = (char *)program->name;
        return exit_status(program->run(argc - optind + 1, argv + optind - 1));
}

int program_find(const char *directory, const char *name, char **ret)
{
        _cleanup_free_ char *beside = NULL;
        char self[PATH_MAX];
        const char *slash;
        ssize_t n;
        int r;

        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
                return -errno;
        self[n] = 0;
        slash = strrchr(self, '/');
        r = text_format(&beside, "%.*s/%s", (int)(slash ? slash - self : 0), self, name);
        if (r < 0)
                return r;
        if (access(beside, X_OK) >= 0)
                return text_set(ret, beside);

        return text_format(ret, "%s/%s", directory, name);
}
