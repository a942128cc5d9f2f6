/*
 * The environment block of GRUB: 1024 bytes that GRUB reads and, where its file system allows, writes itself.
 * Five variables of ours in it carry the choice of a slot. They have values of fixed length and lie in the
 * first sector, so that any change of the choice is the write of one sector in place: no write of it can
 * be torn, and the file keeps its size and its blocks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define GRUBENV_SIZE   1024
#define GRUBENV_SECTOR 512

typedef enum GrubenvVariable {
        GRUBENV_ORDER,   /* "A B" or "B A" */
        GRUBENV_OK_A,    /* "0" or "1" */
        GRUBENV_OK_B,    /* … one behind the other */
        GRUBENV_TRIES_A, /* left: one digit */
        GRUBENV_TRIES_B,
        _GRUBENV_MAX,
} GrubenvVariable;

typedef struct Grubenv {
        char data[GRUBENV_SIZE];
        size_t places[_GRUBENV_MAX]; /* where the values begin */
} Grubenv;

/*
 * -EBADMSG with *ret_why (static text) for anything but a block of GRUBENV_SIZE bytes in which each of our
 * variables is there once, valid, and in the first sector. Variables of others are not looked at.
 */
int grubenv_parse(const void *data, size_t size, Grubenv *ret, const char **ret_why) _must_check_;

/* 0 for A, 1 for B: the slot that comes first. */
unsigned grubenv_first(const Grubenv *env);
unsigned grubenv_tries(const Grubenv *env, unsigned slot);
bool grubenv_ok(const Grubenv *env, unsigned slot);

void grubenv_set_first(Grubenv *env, unsigned slot);
void grubenv_set(Grubenv *env, unsigned slot, bool ok, unsigned tries); /* at most 9 tries */
