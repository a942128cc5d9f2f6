/*
 * The inputs that must be refused: every file of a directory below tests/bad/locksmith.
 */
#pragma once

#include <stddef.h>

typedef int (*BadParse)(const char *data, size_t size);

/* Runs parse over each file and wants wanted from it. */
void bad_files_refused(const char *directory, int wanted, BadParse parse);
