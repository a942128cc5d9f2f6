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

/* Makes a fresh directory for one test; the caller frees the path and removes it with directory_remove(). */
char *directory_make(void);
void directory_remove(char *path);
