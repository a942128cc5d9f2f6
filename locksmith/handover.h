/*
 * What one stage of locksmithd tells the next one, which is another program in the same process (stage.h): as few facts
 * as it takes to go on as if there had been one program all the time. They travel as words NAME=VALUE on its command line.
 */
#pragma once

#include "base/text.h"

#define HANDOVER_WORDS_MAX 32
#define HANDOVER_TEXT_MAX  (8 * KIB) /* of one value */

/* Texts are owned and may be NULL; the two descriptors are not. */
typedef struct Handover {
        int coordinator; /* coordinator.conf, locked; never -1 behind handover_parse() */
        int bus; /* the connection to the bus so far, with what nobody has read of it; or -1 */

        /* As it was told; strategy is never NULL behind handover_parse(). */
        char *strategy, *group, *metrics_file, *told_late;
        uint64_t took, n_asked, n_refused; /* see LockMetrics */
        bool window_open;

        /* What is known of the update: what counts, and what the update daemon itself has said. */
        bool due;
        char *to_version;
        char *said, *said_version;

        /* What is known of the lock. */
        uint64_t lock;  /* which one that is: a checksum of the settings that say it */
        bool lock_free; /* it was looked at in this boot, and is not ours */
        bool etcd_seen; /* there is one */
        char *host_name, *host_note, *fallback; /* see daemon-internal.h, and the next two */
        bool host_is_new, host_is_known;
        uint64_t n_hosts;
} Handover;

#define HANDOVER_NONE                        \
        (Handover)                           \
        {                                    \
                .coordinator = -1, .bus = -1 \
        }

/* Appends its words to a command line. -E2BIG when a value is too long for it. */
int handover_format(const Handover *handover, TextList *words) _must_check_;

/*
 * Reads such words; ret is untouched after a failure. -EINVAL for what handover_format() does not write: *ret_wrong is
 * that word then, or the name of one that is missing (borrowed). Whether the descriptors are what they should be is for
 * who takes them.
 */
int handover_parse(size_t n, char *const *words, Handover *ret,
                   const char **ret_wrong) _must_check_;

void handover_done(Handover *handover);
