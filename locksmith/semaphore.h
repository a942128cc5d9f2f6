/*
 * The value of the lock's key: who holds it, how many may. Pure: document in, document out, nothing
 * else. It reads whatever locksmith (Go's encoding/json) reads and writes what locksmith writes,
 * byte for byte, so that old and new hosts share one lock (spec/locksmith.md §1.2, §1.4).
 */
#pragma once

#include "base/text.h"

/* etcd itself refuses requests above 1.5 MiB. */
#define SEMAPHORE_TEXT_MAX (1 * MIB)

typedef struct Semaphore {
        int64_t max;       /* how many may hold it; 0: nobody, the fleet is paused */
        int64_t free;      /* max less the holders: recomputed, the stored number is not believed */
        int64_t stored;    /* what the document said was free */
        TextList holders;  /* sorted by their bytes, each once */
        bool holders_null; /* no holders written as "null", which is how the first document looks */
} Semaphore;

/* What an absent key means: one slot, free. */
#define SEMAPHORE_INITIAL                                               \
        (Semaphore)                                                     \
        {                                                               \
                .max = 1, .free = 1, .stored = 1, .holders_null = true, \
        }

/*
 * Reads a document. -EBADMSG with a constant text in *ret_why when it is none: not JSON, not an
 * object, a wrong type, a number out of range, trailing bytes.
 */
int semaphore_parse(const char *text, size_t size, Semaphore *ret,
                    const char **ret_why) _must_check_;

/* Writes the document, compact; the caller frees it. */
int semaphore_format(const Semaphore *semaphore, char **ret) _must_check_;

bool semaphore_is_held_by(const Semaphore *semaphore, const char *id);

/*
 * Takes a slot for id. Returns 1 when the document changed, 0 when id holds it already,
 * -EBUSY when there is no free slot.
 */
int semaphore_take(Semaphore *semaphore, const char *id) _must_check_;

/* Gives the slot of id back. Returns 1, or -ENOENT when id holds none. */
int semaphore_release(Semaphore *semaphore, const char *id) _must_check_;

/*
 * Sets how many may hold the lock. Below the number of holders everybody stays, and nobody new gets
 * in until enough have left. Returns 1, 0 when it was so already, -ERANGE for a negative number.
 */
int semaphore_set_max(Semaphore *semaphore, int64_t max) _must_check_;

void semaphore_done(Semaphore *semaphore);
