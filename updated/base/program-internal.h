/*
 * The parts of base/program: the options of a command line, the help, and how a program ends.
 */
#pragma once

#include "base/program.h"

#define PROGRAM_OPTIONS_MAX 64 /* of a program and one of its verbs together */

/*
 * Parses the options of the program and, unless verb is NULL, of the verb; optind is behind them. Returns 0 to go
 * on, or the exit status plus one: help or version was printed, or what is wrong was said.
 */
int program_options_parse(const Program *program, const Verb *verb, int argc, char **argv);

/* Prints the help of the whole program, or that of one verb. */
void program_help(const Program *program, const Verb *verb);

/* Opens what of standard input, output and error is closed, so that no file gets their numbers. */
void program_streams_open(void);

/*
 * The last words: with json, the answer of a verb that printed none; then what is left in the buffer of standard
 * output. Returns status, or EXIT_REFUSED when it is EXIT_DONE and the output could not be written.
 */
int program_finish(bool json, int status);
