/*
 * Findings for people (as compilers print them, with the line and a caret) and for programs (JSON).
 */
#pragma once

#include <stdio.h>

#include <jansson.h>

#include "cloud-config/user-data.h"

/* Characters of a line that are shown around the place. */
#define REPORT_EXCERPT_MAX 100

typedef struct Report {
        const char *file;          /* as given by the user: borrowed, as everything here */
        const UserData *user_data; /* where excerpts come from; NULL: none are shown */
        const Findings *findings;  /* closed */
} Report;

/* Prints "FILE:LINE:COLUMN: error: PATH: TEXT" with excerpt and hint for each finding. */
int report_print(const Report *report, FILE *stream) _must_check_;

/* Returns a JSON array, which the caller owns; NULL when out of memory. */
json_t *report_json(const Report *report);
