/*
 * Waiting for the change of one key over etcd's v2 API: a long poll, and what becomes of it when its
 * history is gone or the member that answers it ends.
 */
#pragma once

#include "etcd.h"

typedef struct EtcdV2Watch EtcdV2Watch;

/*
 * Called once, with what the key is now (answer->error ETCD_V2_OK, or ETCD_V2_KEY_NOT_FOUND when it was
 * removed; of another error answer->why tells), or with NULL and why. Borrowed: valid inside the
 * callback only.
 */
typedef void (*EtcdV2OnChange)(const EtcdV2Answer *answer, const char *why, void *userdata);

/* Waits until the key is not that any more which was last changed by the write before
 * request->start_revision. */
int etcd_v2_watch(Etcd *etcd, const EtcdWatchRequest *request, EtcdV2OnChange on_change,
                  void *userdata, EtcdV2Watch **ret) _must_check_;

/* Ends it without calling back. Returns NULL; NULL is fine. */
EtcdV2Watch *etcd_v2_watch_cancel(EtcdV2Watch *watch);
DEFINE_CLEANUP(EtcdV2Watch *, etcd_v2_watch_cancel);
