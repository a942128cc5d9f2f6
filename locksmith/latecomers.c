#include <stdio.h>

#include "latecomers.h"
#include "lock-key.h"

struct Latecomers {
        Session *session;
        const Settings *settings;
        LockCall *call;
        char *own_id, *prefix;
        Semaphore semaphore;
        LatecomersOnDone on_done;
        void *userdata;
};

size_t latecomers_count(const Semaphore *semaphore, const Peers *holders, const char *own_id,
                        usec_t now, usec_t limit, char why[static LATECOMERS_WHY_MAX])
{
        char id[ETCD_WHY_MAX], span[TIMESPAN_MAX];
        size_t n = 0;

        *why = 0;
        for (size_t i = 0; i < semaphore->holders.n_items; i++) {
                const char *holder = semaphore->holders.items[i];
                const Record *record = peers_find(holders, holder);

                if (streq(holder, own_id) || !record || !record_is_late(record, now, limit)
                    || n++ > 0)
                        continue;
                foreign_text(holder, strlen(holder), id, sizeof(id));
                (void)snprintf(why, LATECOMERS_WHY_MAX,
                               "%.64s (%.64s) went down %s ago and has not come back: mend it, or"
                               " see locksmithctl unlock",
                               id, *record->host ? record->host : "?",
                               timespan_format(now - (usec_t)record->since * USEC_PER_SEC,
                                               span)); /* fits */
        }
        return n;
}

Latecomers *latecomers_cancel(Latecomers *l)
{
        if (!l)
                return NULL;

        lock_call_cancel(l->call);
        semaphore_done(&l->semaphore);
        free(l->own_id);
        free(l->prefix);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(Latecomers *, latecomers_cancel);

static void latecomers_finish(Latecomers *latecomers, const char *why)
{
        _cleanup_(latecomers_cancel_p) Latecomers *l = latecomers;

        l->on_done(why, l->userdata);
}

static int range_ask(Latecomers *l, const EtcdRangeRequest *request, LockOnSide on_reply)
{
        LockBackend *backend = l->session->backend;

        return backend->ops->sides->list(backend, request, on_reply, l, &l->call);
}

static void on_records(const LockSideReply *reply, void *userdata)
{
        _cleanup_(peers_done) Peers holders = {};
        char why[LATECOMERS_WHY_MAX];
        Latecomers *l = userdata;
        size_t n;
        int r;

        l->call = NULL;
        if (reply->why) {
                latecomers_finish(l, reply->why);
                return;
        }
        r = peers_from_range(l->prefix, reply->keys, &holders);
        if (r < 0) {
                latecomers_finish(l, strerror(-r));
                return;
        }

        n = latecomers_count(&l->semaphore, &holders, l->own_id, now_realtime(),
                             l->settings->return_time, why);
        latecomers_finish(l, n > 0 ? why : NULL);
}

static void on_semaphore(const LockSideReply *reply, void *userdata)
{
        Latecomers *l = userdata;
        const char *why = NULL;
        int r = 0;

        l->call = NULL;
        if (reply->why) {
                latecomers_finish(l, reply->why);
                return;
        }
        if (reply->keys->n_keys > 0)
                r = semaphore_parse(reply->keys->keys[0].value, reply->keys->keys[0].value_size,
                                    &l->semaphore, &why);
        if (r >= 0)
                r = range_ask(l, &(EtcdRangeRequest) { .key = l->prefix, .prefix = true },
                              on_records);
        if (r < 0)
                latecomers_finish(l, why ? why : strerror(-r));
}

int latecomers_ask(Session *session, const Settings *settings, LatecomersOnDone on_done,
                   void *userdata, Latecomers **ret)
{
        _cleanup_(latecomers_cancel_p) Latecomers *l = calloc(1, sizeof(Latecomers));
        _cleanup_free_ char *key = NULL;
        int r;

        if (!l)
                return -ENOMEM;
        *l = (Latecomers) {
                .session = session,
                .settings = settings,
                .on_done = on_done,
                .userdata = userdata,
        };
        r = settings_machine_id(settings, &l->own_id);
        if (r >= 0)
                r = lock_key_semaphore(settings->group, &key);
        if (r >= 0)
                r = lock_key_holder(settings->group, NULL, &l->prefix);
        if (r >= 0)
                r = range_ask(l, &(EtcdRangeRequest) { .key = key }, on_semaphore);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(l);
        return 0;
}
