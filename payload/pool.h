/*
 * Threads for work that is given out and taken back in the same order: the only file of the
 * project that starts any. A pool without threads works in the caller's.
 */
#pragma once

#include "base/macros.h"

#define POOL_THREADS_MAX 64

/* The first member of whatever the work is done on; belongs to the pool from submit to take. */
typedef struct PoolJob {
        struct PoolJob *next;
        bool done;
} PoolJob;

typedef struct Pool Pool;

/* work runs in any thread, on one job at a time each; it keeps its result in the job. */
int pool_new(unsigned n_threads, void (*work)(PoolJob *job), Pool **ret) _must_check_;

/*
 * Waits for the jobs that were begun; those that were not are never done. The jobs are the
 * caller's.
 */
Pool *pool_free(Pool *pool);
DEFINE_CLEANUP(Pool *, pool_free);

/*
 * At most n jobs use a processor at once: the other threads take part when one of those waits for something
 * else, which it says by pool_leave() before and pool_enter() after. Before the first job.
 */
void pool_limit(Pool *pool, unsigned n);
void pool_leave(Pool *pool);
void pool_enter(Pool *pool);

/* Gives a job out. The pool owns it until pool_take() returns it. */
void pool_submit(Pool *pool, PoolJob *job);

/* Takes back the job that was submitted first, when it is done. NULL: there is none. */
PoolJob *pool_take(Pool *pool);

/* Waits until a job that was submitted is done; it is still to be taken back. For any thread. */
void pool_wait(Pool *pool, const PoolJob *job);

/* As many threads as this host has processors for us. */
unsigned pool_threads_default(void);
