/*
 * Text as lines and characters, the way YAML counts them: where a byte stands, what a line says, and whether
 * every character may stand in a document at all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cloud-config/finding.h"

/*
 * Reports the first byte that is not UTF-8 or a character that YAML forbids (controls, a byte order mark inside).
 * Returns 0, or -EBADMSG when there is one.
 */
int characters_check(const char *text, size_t size, unsigned part, Findings *findings) _must_check_;

/* Where the byte at offset stands. */
Place characters_place(const char *text, size_t size, size_t offset, unsigned part);

/* Where the last line that was asked for begins, so that many lines of one text cost one walk. */
typedef struct LineCursor {
        size_t offset;
        unsigned line; /* 0: at the start */
} LineCursor;

/* The line with that number (from 1), without its end. Returns false when there is none. */
bool characters_line(const char *text, size_t size, unsigned number, LineCursor *cursor,
                     const char **ret, size_t *ret_size);

/*
 * True for a character that has no place in a value or on a terminal: C0, DEL, C1, line separators, and those that are
 * invisible or turn the direction of the text round.
 */
bool character_is_control(uint32_t code);

/* The longest character, in bytes. */
#define CHARACTER_MAX 4

/* Decodes the character at p (at most size bytes). Returns its length in bytes, or 0 when it is not UTF-8. */
size_t character_decode(const char *p, size_t size, uint32_t *ret);

/* True when text contains a character_is_control() or is not UTF-8. */
bool characters_have_control(const char *text, size_t size);
