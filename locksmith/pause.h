/*
 * Why the lock is paused: kept beside it, so that resuming gives it back the max that it had.
 */
#pragma once

#include "base/macros.h"

typedef struct Pause {
        int64_t max;   /* before; at least 1 */
        char *host;    /* where it was paused */
        char *reason;  /* "" when none was given */
        int64_t since; /* seconds since 1970, by the clock of that host */
} Pause;

int pause_format(const Pause *pause, char **ret) _must_check_;

/* -EBADMSG when it is none. Its texts can be shown as they are. */
int pause_parse(const char *text, size_t size, Pause *ret) _must_check_;

void pause_done(Pause *pause);
