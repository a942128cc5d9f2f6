/*
 * Lines for people: on a terminal they end at its edge, at a blank, and go on below where they began;
 * rather between two columns, which two blanks part. Elsewhere they are as long as they are.
 */
#pragma once

#include <stdio.h>

#include "base/time-util.h"

/* Columns of the tables of hosts: an id, as long as a machine-id, an age, and the rest. */
#define CTL_ID_WIDTH    32
#define CTL_AGE_WIDTH   6
#define CTL_REST_COLUMN (CTL_ID_WIDTH + 2 + CTL_AGE_WIDTH + 2)

/* Of the terminal on stdout, COLUMNS first; 0: it is none. */
size_t ctl_width(void);
size_t ctl_height(void);

/* Prints a text that begins in that column, behind what is there, and a newline. width 0: in one line. */
void ctl_print_from(FILE *out, size_t width, size_t column, const char *text);

/* Prints a line, and a newline; what it goes on with is indented. */
void ctl_printf(FILE *out, size_t width, size_t indent, const char *format, ...) _printf_(4, 5);
