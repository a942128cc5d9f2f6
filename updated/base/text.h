/*
 * Text in, numbers and lists out: strict parsing and the few string helpers of the house.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/* Cuts ASCII white space off both ends, in place. Returns the first byte that stays. */
char *text_strip(char *text);

/* ASCII letters in lower case, in place. */
void text_lower(char *text);

/* Decimal digits only, no sign, no blanks, the whole text. -EINVAL, or -ERANGE above max. */
int text_to_u64(const char *text, uint64_t max, uint64_t *ret) _must_check_;

/* yes/no, true/false, on/off, 1/0, in any case. -EINVAL for anything else. */
int text_to_bool(const char *text, bool *ret) _must_check_;

/* A list of texts, ended by NULL. */
typedef struct TextList {
        char **items; /* owned, with a NULL behind the last; NULL while empty */
        size_t n_items;
} TextList;

/* Appends a copy. -ENOMEM. */
int text_list_add(TextList *list, const char *text) _must_check_;
void text_list_done(TextList *list);

/* Splits at any of the separators; items are stripped, empty ones skipped. */
int text_list_split(TextList *list, const char *text, const char *separators) _must_check_;

/*
 * A checksum (FNV-1a) against accidents: it differs after every change of one byte. Who may write the text may
 * compute it. sum: of what is in front, or 0.
 */
uint64_t text_checksum(const char *text, size_t size, uint64_t sum);

/* As asprintf(), but 0 or -ENOMEM, and *ret stays as it was after a failure. The caller frees it. */
int text_format(char **ret, const char *format, ...) _printf_(2, 3);
int text_vformat(char **ret, const char *format, va_list arguments) _printf_(2, 0);

/* Replaces an owned text by a copy of value (NULL frees it). -ENOMEM leaves the old one. */
int text_set(char **target, const char *value) _must_check_;

/* Frees an owned text and forgets it. */
void text_clear(char **target);

/* Lower-case hexadecimal of size bytes; the caller frees it. */
int hex_encode(const uint8_t *data, size_t size, char **ret) _must_check_;

/* The other way: exactly 2 * size hexadecimal digits, in either case. -EBADMSG. */
int hex_decode(const char *text, uint8_t *ret, size_t size) _must_check_;

/* Does a URL take the character as it is, everywhere (RFC 3986, unreserved)? */
bool text_is_url_plain(char c);

/* True for valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(const char *text, size_t size);

/* Makes one printable line of UTF-8 of it, for logs, the bus and pipes: whatever does not fit becomes '?'. */
void text_make_plain(char *text);

/* Copies a foreign text so that it can be shown: one line, valid UTF-8, nothing that a terminal
 * obeys. */
void foreign_text(const char *text, size_t size, char *out, size_t out_size);

/*
 * The nearest of candidates[0..n) for a mistyped word, or NULL when none is near: at most two
 * single-letter changes (Damerau-Levenshtein with adjacent swaps), letter case ignored.
 */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

/*
 * Compares two versions part by part, numbers as numbers ("1.10" is after "1.9").
 * Returns < 0, 0 or > 0 as strcmp() does.
 */
int version_compare(const char *a, const char *b);
