/*
 * Every state in which a power cut can leave the media of a recorded run: after each record, with every subset of
 * what is not flushed (all of them up to EXPLORE_EXHAUSTIVE pieces, a sample above). A piece is what a disk
 * writes at once: a sector. Dropping a newer write of a sector and keeping an older one is how reordering shows.
 */
#pragma once

#include "crash/recorder.h"
#include "crash/release.h"
#include "crash/world.h"

#define EXPLORE_EXHAUSTIVE 6

typedef struct Exploration {
        const char *root; /* where the real code runs */
        unsigned samples; /* subsets of more than EXPLORE_EXHAUSTIVE pieces, for each record */
        unsigned
                converge; /* the real code runs after each record and in each so many-th state; 0: never */
        const Release *wanted,
                *later; /* where it has to come to; and when that one was tried in vain */
        unsigned keep;  /* each so many-th state is kept for the caller; 0: none */

        /* Results. */
        uint64_t n_states, n_converged, n_fallen_back;
        World *kept; /* owned, as the next one; exploration_done() */
        size_t n_kept;
        char *violation; /* owned; the first one; NULL: none */
} Exploration;

/* begin is the world before the first record. */
void explore(const World *begin, const Record *records, size_t n, Exploration *exploration);

/* Takes over all that was recorded, as if nothing ever failed. */
void explore_replay(World *world, const Record *records, size_t n);

void exploration_done(Exploration *exploration);

/*
 * I1, I2 and the state files of one world, the rules of which are in explore.c and loader.c. complete NULL: of what a boot
 * loader sees only. NULL, or what is wrong.
 */
char *world_violation(World *world, const World *complete);
