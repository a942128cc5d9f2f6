#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/program-internal.h"

int program_usage(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        log_valist(LOG_ERR, format, arguments);
        va_end(arguments);
        fprintf(stderr, "Try '%s --help'.\n", log_program());

        return EXIT_USAGE;
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
        const char *names[PROGRAM_OPTIONS_MAX];
        const char *nearest;
        size_t n = 0;

        for (const Verb *v = program->verbs; v->name && n < PROGRAM_OPTIONS_MAX; v++)
                names[n++] = v->name;

        nearest = text_nearest(name, names, n);
        if (nearest)
                return program_usage("unknown command \"%s\", did you mean \"%s\"?", name, nearest);
        return program_usage("unknown command \"%s\"", name);
}

/* arguments are those behind the options. */
static int arguments_check(const Verb *verb, int n, char **arguments)
{
        if (n < verb->min)
                return program_usage("%s: %s is missing", verb->name, verb->arguments);
        if (verb->max >= 0 && n > verb->max)
                return program_usage("%s: \"%s\" is one argument too many", verb->name,
                                     arguments[verb->max]);
        return 0;
}

static int exit_status(int r)
{
        if (r == -ECANCELED)
                return EXIT_INTERRUPTED;
        return r < 0 ? EXIT_REFUSED : r;
}

static bool json_is_wanted(const Option *options)
{
        for (const Option *o = options; o && o->name; o++)
                if (streq(o->name, "json"))
                        return *(const bool *)o->target;
        return false;
}

/* --json is an option of the program, or of the verb. */
static int verb_run(const Program *program, const Verb *verb, int argc, char **argv)
{
        int status = exit_status(verb->run(argc, argv));

        return program_finish(json_is_wanted(program->options) || json_is_wanted(verb->options),
                              status);
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
                return verb_run(program, verb, 0, argv);

        /* getopt() prints argv[0] in its messages: there the program's name is wanted, not the verb. */
        argv[0] = (char *)program->name;
        r = program_options_parse(program, verb, argc, argv);
        if (r != 0)
                return program_finish(false, r - 1);

        r = arguments_check(verb, argc - optind, argv + optind);
        if (r != 0)
                return r;

        argv[optind - 1] = (char *)verb->name;
        return verb_run(program, verb, argc - optind + 1, argv + optind - 1);
}

/* No verb: the program itself. */
static int program_run_alone(const Program *program, int argc, char **argv)
{
        if (argc - optind > program->max_arguments)
                return program_usage("\"%s\" is one argument too many",
                                     argv[optind + program->max_arguments]);

        argv[optind - 1] = (char *)program->name;
        return program_finish(json_is_wanted(program->options),
                              exit_status(program->run(argc - optind + 1, argv + optind - 1)));
}

int program_run(const Program *program, int argc, char **argv)
{
        int r;

        program_streams_open();
        log_open(program->name);
        argv[0] = (char *)program->name;

        r = program_options_parse(program, NULL, argc, argv);
        if (r != 0)
                return program_finish(false, r - 1);
        if (program->verbs && !(program->run && optind == argc))
                return program_run_verb(program, argc - optind, argv + optind);
        return program_run_alone(program, argc, argv);
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
