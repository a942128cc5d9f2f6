/*
 * What every unit test includes: cmocka with the headers it wants before it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A fresh directory, which goes when the program ends; the path is borrowed. */
char *directory_make(void);

/* Removes a directory with all that is in it. */
void directory_remove(const char *path);

/* A file of mode 0644 with that text; path as file_replace() has it. */
void file_put(const char *root, const char *path, const char *text);
