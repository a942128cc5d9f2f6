/*
 * Which API of etcd has the lock of a group. The two have separate keys: hosts that use one do not
 * see who holds the lock in the other, so exactly one of them may count. Pure.
 */
#pragma once

#include "base/string-table.h"
#include "etcd.h"
#include "semaphore.h"

/* What one API says of the group. */
typedef struct ApiView {
        bool served; /* the endpoints speak it */
        bool moved;  /* a marker says that the lock has gone to the other one */
        bool exists; /* there is a document; semaphore is filled in */
        Semaphore semaphore;
} ApiView;

#define API_CHOICE_WHY                                                                            \
        "the lock of this group is in use in etcd's v2 API and in its v3 API, with different"     \
        " holders: hosts would not see each other; bring both together with locksmithctl migrate" \
        ", or say which one counts with ETCD_API"

/* ETCD_API_V3 or ETCD_API_V2; negative when both are in use, with different holders: -EADDRINUSE. */
EtcdApi api_choose(const ApiView *v3, const ApiView *v2);

/* The words v2, v3, auto. */
DECLARE_STRING_TABLE(etcd_api, EtcdApi);
