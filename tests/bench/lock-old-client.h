/*
 * One command of the old locksmithctl, for comparison: read the document, write the new one, and
 * fail if somebody else was faster. Its first request, which creates the document, is left out.
 */
#pragma once

#include "locksmith/lock-backend.h"

typedef enum OldAnswer {
        OLD_DONE,
        OLD_BUSY,   /* no free slot */
        OLD_LOST,   /* a lost race: the old client gives up then */
        OLD_FAILED, /* etcd did not answer */
} OldAnswer;

typedef struct OldClient {
        LockBackend *backend; /* borrowed, as id */
        const char *id;
        void (*on_done)(OldAnswer answer, void *userdata);
        void *userdata;
        bool release; /* the command under way is "unlock" */
} OldClient;

/* Runs "lock", or "unlock"; the client must stay where it is until on_done. */
int old_client_start(OldClient *client, bool release) _must_check_;
