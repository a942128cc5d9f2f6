#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/program-internal.h"
#include "version.h"

#define OPTION_HELP    0x100
#define OPTION_VERSION 0x101
#define OPTION_FIRST   0x102

/* The options that one getopt() run understands: the program's, then the verb's. */
typedef struct OptionSet {
        const Option *all[PROGRAM_OPTIONS_MAX];
        struct option table[PROGRAM_OPTIONS_MAX + 3];
        char letters[2 * PROGRAM_OPTIONS_MAX + 5];
        size_t n;
} OptionSet;

static void option_set_letter(OptionSet *set, char letter)
{
        size_t n = strlen(set->letters);

        assert(n + 1 < sizeof(set->letters));
        set->letters[n] = letter;
}

static void option_set_add(OptionSet *set, const Option *options)
{
        for (const Option *o = options; o && o->name; o++) {
                assert(set->n < PROGRAM_OPTIONS_MAX);
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
        option_set_letter(set, ':'); /* a missing argument is told from an unknown option */
        option_set_letter(set, 'h');
        option_set_add(set, program->options);
        option_set_add(set, verb ? verb->options : NULL);
        set->table[set->n] = (struct option) { "help", no_argument, NULL, OPTION_HELP };
        set->table[set->n + 1] = (struct option) { "version", no_argument, NULL, OPTION_VERSION };
}

/* value is what getopt() returned, or left in optopt: a letter or a place in the set. NULL: none of ours. */
static const Option *option_set_find(const OptionSet *set, int value)
{
        if (value >= OPTION_FIRST)
                return set->all[value - OPTION_FIRST];
        for (size_t i = 0; i < set->n && value != 0; i++)
                if (set->all[i]->letter == value)
                        return set->all[i];
        return NULL;
}

static int option_directory(const Option *option, const char *value)
{
        struct stat st;

        if (stat(value, &st) < 0)
                return log_error_errno(-errno, "--%s %s: %m", option->name, value);
        if (!S_ISDIR(st.st_mode))
                return log_error_errno(-ENOTDIR, "--%s %s: %m", option->name, value);
        *(const char **)option->target = value;
        return 0;
}

static int option_number(const Option *option, const char *value)
{
        int r = text_to_u64(value, option->max ? option->max : UINT64_MAX, option->target);

        if (r == -ERANGE && option->max)
                return program_usage("--%s: %s is too large, the most is %llu", option->name, value,
                                     (unsigned long long)option->max);
        return r < 0 ? program_usage("--%s: \"%s\" is not a whole number", option->name, value) : 0;
}

/* Returns 0, EXIT_USAGE, or negative; the reason was said. */
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
                return option_number(option, value);

        case OPTION_DIRECTORY:
                return option_directory(option, value);
        }

        return -EINVAL;
}

/* The verb that knows an option of this name, n bytes of it; NULL: none. */
static const Verb *verb_with_option(const Program *program, const char *name, size_t n)
{
        for (const Verb *v = program->verbs; v && v->name; v++)
                for (const Option *o = v->options; o && o->name; o++)
                        if (strncmp(o->name, name, n) == 0 && !o->name[n])
                                return v;
        return NULL;
}

static int option_ambiguous(const OptionSet *set, const char *word, const char *name, size_t n)
{
        const char *found[2] = {};
        size_t n_found = 0;

        for (size_t i = 0; set->table[i].name && n_found < ELEMENTSOF(found); i++)
                if (strncmp(set->table[i].name, name, n) == 0)
                        found[n_found++] = set->table[i].name;
        if (n_found < ELEMENTSOF(found))
                return 0;
        return program_usage("\"%s\" may be --%s or --%s", word, found[0], found[1]);
}

static int option_unknown(const Program *program, const Verb *verb, const OptionSet *set,
                          const char *word)
{
        const char *names[PROGRAM_OPTIONS_MAX + 2], *name = word + strspn(word, "-"), *nearest;
        _cleanup_free_ char *plain = strndup(name, strcspn(name, "="));
        const Verb *other;
        size_t n = 0;
        int r;

        if (!plain)
                return log_error_errno(-ENOMEM, "reading the command line: %m");
        r = *plain ? option_ambiguous(set, word, plain, strlen(plain)) : 0;
        if (r != 0)
                return r;

        other = verb_with_option(program, plain, strlen(plain));
        if (other && verb)
                return program_usage("%s has no option --%s, %s has", verb->name, plain,
                                     other->name);
        if (other)
                return program_usage("--%s is an option of \"%s\", and is written behind it", plain,
                                     other->name);

        for (size_t i = 0; set->table[i].name; i++)
                names[n++] = set->table[i].name;
        nearest = text_nearest(plain, names, n);
        if (nearest)
                return program_usage("unknown option \"%s\", did you mean --%s?", word, nearest);
        return program_usage("unknown option \"%s\"", word);
}

/* What getopt() did not like, in our words; it has left the place in optopt and optind. */
static int options_complain(const Program *program, const Verb *verb, const OptionSet *set, int c,
                            char **argv)
{
        const Option *option = option_set_find(set, optopt);
        char letter[] = { '-', (char)optopt, 0 };

        if (c == ':' && option)
                return program_usage("--%s needs a value: %s", option->name, option->argument);
        if (optopt >= OPTION_HELP)
                return program_usage("\"%s\" takes no value", argv[optind - 1]);
        if (optopt != 0 && !program->single_dash)
                return option_unknown(program, verb, set, letter);
        return option_unknown(program, verb, set, argv[optind - 1]);
}

int program_options_parse(const Program *program, const Verb *verb, int argc, char **argv)
{
        OptionSet set;
        int c, r;

        option_set_fill(&set, program, verb);
        optind = 0; /* glibc: begin anew */
        opterr = 0;
        while ((c = (program->single_dash ? getopt_long_only : getopt_long)(argc, argv, set.letters,
                                                                            set.table, NULL))
               >= 0) {
                if (c == 'h' || c == OPTION_HELP)
                        return program_help(program, verb), EXIT_DONE + 1;
                if (c == OPTION_VERSION)
                        return printf("%s %s\n", program->name, SLUICE_VERSION), EXIT_DONE + 1;

                r = c == '?' || c == ':' ? options_complain(program, verb, &set, c, argv)
                                         : option_apply(option_set_find(&set, c), optarg);
                if (r != 0)
                        return (r < 0 ? EXIT_REFUSED : r) + 1;
        }

        return 0;
}
