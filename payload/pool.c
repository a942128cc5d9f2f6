#include <pthread.h>
#include <sched.h>

#include "payload/pool.h"

struct Pool {
        void (*work)(PoolJob *job);
        pthread_t threads[POOL_THREADS_MAX];
        unsigned n_threads; /* 0: submit does the work */
        unsigned n_busy;    /* threads that do work, and do not wait for the disk */
        unsigned n_busy_max;
        pthread_mutex_t lock;
        pthread_cond_t submitted; /* there is a job to begin, or the end */
        pthread_cond_t done;      /* a job is done */
        PoolJob *first;           /* submitted and not taken, oldest first */
        PoolJob *last;
        PoolJob *waiting; /* the oldest that nobody has begun */
        bool ending;
};

static void *pool_thread(void *userdata)
{
        Pool *pool = userdata;

        (void)pthread_mutex_lock(
                &pool->lock); /* a default mutex that is used rightly can not fail */
        for (;;) {
                PoolJob *job;

                while ((!pool->waiting || pool->n_busy >= pool->n_busy_max) && !pool->ending)
                        (void)pthread_cond_wait(&pool->submitted, &pool->lock);
                if (pool->ending)
                        break;

                job = pool->waiting;
                pool->waiting = job->next;
                pool->n_busy++;
                (void)pthread_mutex_unlock(&pool->lock);
                pool->work(job);
                (void)pthread_mutex_lock(&pool->lock);
                pool->n_busy--;
                job->done = true;
                (void)pthread_cond_broadcast(&pool->done);
        }
        (void)pthread_mutex_unlock(&pool->lock);

        return NULL;
}

Pool *pool_free(Pool *pool)
{
        if (!pool)
                return NULL;

        (void)pthread_mutex_lock(&pool->lock);
        pool->ending = true;
        (void)pthread_cond_broadcast(&pool->submitted);
        (void)pthread_mutex_unlock(&pool->lock);
        for (unsigned i = 0; i < pool->n_threads; i++)
                (void)pthread_join(pool->threads[i], NULL);

        (void)pthread_cond_destroy(&pool->done);
        (void)pthread_cond_destroy(&pool->submitted);
        (void)pthread_mutex_destroy(&pool->lock);
        free(pool);
        return NULL;
}

int pool_new(unsigned n_threads, void (*work)(PoolJob *job), Pool **ret)
{
        _cleanup_(pool_free_p) Pool *pool = calloc(1, sizeof(*pool));
        int r;

        if (!pool)
                return -ENOMEM;

        pool->work = work;
        pool->n_busy_max = POOL_THREADS_MAX;
        (void)pthread_mutex_init(&pool->lock,
                                 NULL); /* with default attributes none of these fails */
        (void)pthread_cond_init(&pool->submitted, NULL);
        (void)pthread_cond_init(&pool->done, NULL);

        n_threads = MIN_OF(n_threads, (unsigned)POOL_THREADS_MAX);
        while (pool->n_threads < n_threads) {
                r = pthread_create(&pool->threads[pool->n_threads], NULL, pool_thread, pool);
                if (r != 0)
                        return -r;
                pool->n_threads++;
        }

        *ret = TAKE_PTR(pool);
        return 0;
}

void pool_limit(Pool *pool, unsigned n)
{
        (void)pthread_mutex_lock(&pool->lock);
        pool->n_busy_max = n;
        (void)pthread_mutex_unlock(&pool->lock);
}

void pool_leave(Pool *pool)
{
        (void)pthread_mutex_lock(&pool->lock);
        pool->n_busy--;
        (void)pthread_cond_signal(&pool->submitted);
        (void)pthread_mutex_unlock(&pool->lock);
}

void pool_enter(Pool *pool)
{
        (void)pthread_mutex_lock(&pool->lock);
        pool->n_busy++; /* without waiting: it has begun its job */
        (void)pthread_mutex_unlock(&pool->lock);
}

void pool_submit(Pool *pool, PoolJob *job)
{
        *job = (PoolJob) {};
        if (pool->n_threads == 0) {
                pool->work(job);
                job->done = true;
        }

        (void)pthread_mutex_lock(&pool->lock);
        if (pool->first)
                pool->last->next = job;
        else
                pool->first = job;
        pool->last = job;
        if (!job->done && !pool->waiting)
                pool->waiting = job;
        (void)pthread_cond_signal(&pool->submitted);
        (void)pthread_mutex_unlock(&pool->lock);
}

PoolJob *pool_take(Pool *pool)
{
        PoolJob *job;

        (void)pthread_mutex_lock(&pool->lock);
        job = pool->first;
        while (job && !job->done)
                (void)pthread_cond_wait(&pool->done, &pool->lock);
        if (job)
                pool->first = job->next;
        (void)pthread_mutex_unlock(&pool->lock);

        return job;
}

void pool_wait(Pool *pool, const PoolJob *job)
{
        (void)pthread_mutex_lock(&pool->lock);
        while (!job->done)
                (void)pthread_cond_wait(&pool->done, &pool->lock);
        (void)pthread_mutex_unlock(&pool->lock);
}

unsigned pool_threads_default(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

        return (unsigned)MAX_OF(MIN_OF(n, POOL_THREADS_MAX), 1);
}
