/*
 * What is wrong with a document, and where exactly: collected while it is read, sorted, shown at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

/* Further findings are only counted: nobody reads more, and a hostile document has millions. */
#define FINDINGS_MAX 100

typedef enum Severity {
        SEVERITY_ERROR,   /* nothing is applied */
        SEVERITY_WARNING, /* applied, but somebody should look; --strict makes it an error */
        SEVERITY_NOTE,    /* good to know */
        _SEVERITY_MAX,
} Severity;

/* A range of characters in one line, all counted from 1. Line 0: the document as a whole. */
typedef struct Place {
        unsigned part; /* of the document: 0 alone, 1… inside a multipart document */
        unsigned line;
        unsigned column;
        unsigned width;
        bool secret; /* what stands there is never shown */
} Place;

typedef struct Finding {
        Severity severity;
        Place place;
        char *path; /* "coreos.update.group", or NULL */
        char *text;
        char *hint; /* what to do, or NULL */
} Finding;

typedef struct Findings {
        Finding *items; /* owned */
        size_t n_items;
        size_t n_errors, n_warnings; /* those that were dropped count too */
        size_t n_dropped;
        int failed; /* -ENOMEM once something could not be recorded */
} Findings;

/* True when further findings are only counted: then nobody reads their texts. */
bool findings_are_full(const Findings *findings);

/* The word that people and JSON read. */
const char *severity_to_string(Severity severity);

/* Records a finding; path and hint may be NULL. Running out of memory is remembered in ->failed. */
void finding_add(Findings *findings, Severity severity, Place place, const char *path,
                 const char *hint, const char *format, ...) _printf_(6, 7);

/* The same with a list of arguments. */
void finding_add_v(Findings *findings, Severity severity, Place place, const char *path,
                   const char *hint, const char *format, va_list arguments) _printf_(6, 0);

/* Sorts by place and drops repetitions. Returns 0, or -ENOMEM when findings were lost. */
int findings_close(Findings *findings) _must_check_;

void findings_done(Findings *findings);
