/*
 * The difference of two texts, line by line, as a person wants to see it before saying yes.
 */
#pragma once

#include <stdio.h>

#include "base/macros.h"

/*
 * Prints "--- path" and the lines that go ("-") and come ("+"). A text may be NULL: no such file.
 * secret: lines with a password are not shown.
 */
void diff_print(FILE *stream, const char *path, const char *old, const char *new, bool secret);
