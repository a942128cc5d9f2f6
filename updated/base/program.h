/*
 * The command line of every program, as a table: options, verbs, help, version, exit codes.
 * What is parsed is what --help prints, so they can not disagree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/text.h"

/* What a program's exit status means, everywhere. */
enum {
        EXIT_DONE = 0,
        EXIT_REFUSED = 1, /* refused or failed */
        EXIT_USAGE = 2,
        EXIT_INTERRUPTED = 130, /* by Ctrl-C, as a shell says it */
};

typedef enum OptionType {
        OPTION_FLAG,      /* no argument; target is bool */
        OPTION_TEXT,      /* target is const char *, borrowed from argv */
        OPTION_LIST,      /* may be given several times; target is TextList */
        OPTION_NUMBER,    /* target is uint64_t, at most .max (0: no limit) */
        OPTION_DIRECTORY, /* as OPTION_TEXT; refused when it is no directory */
} OptionType;

typedef struct Option {
        const char *name; /* long name, without dashes; NULL ends a table */
        char letter;      /* short name, or 0 */
        OptionType type;
        void *target;         /* where the value goes, see OptionType */
        const char *argument; /* placeholder in the help, or NULL for a flag */
        const char *help;     /* "\n" begins a new line */
        uint64_t max;
} Option;

typedef struct Verb {
        const char *name;      /* NULL ends a table */
        const char *arguments; /* for the help: "FILE", "[ID]", or "" */
        int min, max;          /* how many arguments; max -1: any number */
        const Option *options; /* of this verb only, or NULL */
        const char *help;      /* one line */
        /*
         * argv[0] is the verb. Returns an exit status, or negative: the reason was logged. -ECANCELED is
         * EXIT_INTERRUPTED.
         */
        int (*run)(int argc, char **argv);
} Verb;

typedef struct Program {
        const char *name;
        const char *synopsis;     /* behind the name in the usage line */
        const char *summary;      /* one or more lines below it */
        const Option *options;    /* understood before and behind a verb, or NULL */
        const Verb *verbs;        /* or NULL for a program without verbs */
        const char *default_verb; /* run when none is given; NULL: usage error */
        /* Instead of verbs, or beside them when none is given; argv[0] is the program. */
        int (*run)(int argc, char **argv);
        int max_arguments;  /* of run */
        bool single_dash;   /* "-name" means "--name" too, as the classic tools had it */
        const char *footer; /* last lines of the help, or NULL */
} Program;

/*
 * Parses the command line, runs the verb, returns the exit status for main(). --help and --version are
 * always there, also behind a verb. Wrong usage prints one line and a hint on stderr and gives EXIT_USAGE.
 * Output that could not be written gives EXIT_REFUSED. Where there is a flag "json", a verb that printed no
 * document (see program_answered()) gets one: {"done":true}, or {"done":false,"error":"…"} with the last error.
 */
int program_run(const Program *program, int argc, char **argv);

/* To be called by who has printed the JSON document that was asked for: program_run() adds none then. */
void program_answered(void);

/* Prints "program: text" and the hint to read --help; returns EXIT_USAGE. For checks across options. */
int program_usage(const char *format, ...) _printf_(1, 2);

/*
 * Finds another program of ours: in a build tree it is beside us, else in the directory where it is installed. The caller
 * frees the path; whether there is such a file shows when it is run.
 */
int program_find(const char *directory, const char *name, char **ret) _must_check_;
