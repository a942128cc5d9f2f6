#include <ctype.h>
#include <stdio.h>

#include "base/program-internal.h"

#define HELP_COLUMN 30

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

static void help_common_options(const Program *program)
{
        printf("\nOptions:\n");
        help_options(program->options);
        help_line("-h, --help", "show this help");
        help_line("--version", "show the version");
}

static void help_verb_options(const Verb *verb)
{
        if (!verb->options)
                return;
        printf("\nOptions of %s:\n", verb->name);
        help_options(verb->options);
}

static void help_verbs(const Program *program)
{
        if (!program->verbs)
                return;
        printf("\nCommands:\n");
        for (const Verb *v = program->verbs; v->name; v++) {
                _cleanup_free_ char *left = NULL;

                if (text_format(&left, "%s %s", v->name, v->arguments) < 0)
                        continue;
                help_line(left, v->help);
        }
        for (const Verb *v = program->verbs; v->name; v++)
                help_verb_options(v);
}

/* The line of the verb's help as a sentence. */
static void help_verb_sentence(const Verb *verb)
{
        printf("%c", toupper((unsigned char)verb->help[0]));
        for (const char *p = verb->help + 1; *p; p++)
                printf("%c", *p == '\n' ? ' ' : *p);
        printf(".\n");
}

void program_help(const Program *program, const Verb *verb)
{
        if (verb) {
                printf("Usage: %s %s [OPTION...]%s%s\n\n", program->name, verb->name,
                       *verb->arguments ? " " : "", verb->arguments);
                help_verb_sentence(verb);
                help_verb_options(verb);
        } else {
                printf("Usage: %s %s\n\n%s\n", program->name, program->synopsis, program->summary);
                help_verbs(program);
        }

        help_common_options(program);
        if (program->footer && !verb)
                printf("\n%s\n", program->footer);
        if (program->verbs && !verb)
                printf("\n%s COMMAND --help shows the help of one command only.\n", program->name);
}
