/*
 * How long a host will wait for the lock. Pure: from how long others have held it lately.
 */
#pragma once

#include "peers.h"

#define ESTIMATE_RECENT 20 /* so many of the last times count */
#define ESTIMATE_MAX    (7 * USEC_PER_DAY)

/*
 * before hosts are before this one in the queue. hosts are those that are known, each with the time
 * that it last held the lock: their median counts. -ENODATA when nobody can know: there is none,
 * or the lock is paused.
 */
int estimate_wait(const Peers *hosts, const Semaphore *semaphore, size_t before,
                  usec_t *ret) _must_check_;
