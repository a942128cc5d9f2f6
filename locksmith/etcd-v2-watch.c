#include <stdio.h>

#include "etcd-v2-watch.h"

#define QUERY_MAX 96

struct EtcdV2Watch {
        Etcd *etcd;
        EtcdCall *call;
        char *key;
        int64_t revision; /* of the key that is known */
        int64_t index;    /* changes count from here on */
        EtcdV2OnChange on_change;
        void *userdata;
};

EtcdV2Watch *etcd_v2_watch_cancel(EtcdV2Watch *watch)
{
        if (!watch)
                return NULL;

        etcd_cancel(watch->call);
        free(watch->key);
        free(watch);
        return NULL;
}

static void watch_end(EtcdV2Watch *ended, const EtcdV2Answer *answer, const char *why)
{
        _cleanup_(etcd_v2_watch_cancel_p) EtcdV2Watch *watch = ended;

        watch->on_change(answer, why, watch->userdata);
}

/* Returns false when the answer is none: the watch has ended then. */
static bool watch_take(EtcdV2Watch *watch, const EtcdReply *reply, EtcdV2Answer *ret)
{
        watch->call = NULL;
        if (reply->outcome != ETCD_DONE)
                watch_end(watch, NULL, reply->why);
        else if (etcd_v2_answer_parse(reply->body, reply->size, watch->key, ret) < 0)
                watch_end(watch, NULL, ETCD_V2_NO_ANSWER);
        else
                return true;
        return false;
}

static int watch_send(EtcdV2Watch *watch);

/* Nobody knows what happened since: is the key still the one that is known? */
static void on_read_again(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        EtcdV2Watch *watch = userdata;
        int r;

        if (!watch_take(watch, reply, &answer))
                return;
        if (answer.error != ETCD_V2_OK || answer.key.mod_revision != watch->revision) {
                watch_end(watch, &answer, NULL);
                return;
        }
        r = watch_send(watch);
        if (r < 0)
                watch_end(watch, NULL, strerror(-r));
}

static void watch_read_again(EtcdV2Watch *watch)
{
        int r = etcd_v2_call(watch->etcd, &ETCD_V2_GET(watch->key), on_read_again, watch,
                             &watch->call);

        if (r < 0)
                watch_end(watch, NULL, strerror(-r));
}

static void on_changed(const EtcdReply *reply, void *userdata)
{
        _cleanup_(etcd_v2_answer_done) EtcdV2Answer answer = {};
        EtcdV2Watch *watch = userdata;

        /* A member that ends waits on its own does so with an empty answer. */
        if (reply->outcome == ETCD_DONE && reply->size == 0) {
                watch->call = NULL;
                watch_read_again(watch);
                return;
        }
        if (!watch_take(watch, reply, &answer))
                return;
        if (answer.error == ETCD_V2_EVENT_INDEX_CLEARED && answer.index >= watch->index) {
                watch->index = answer.index + 1;
                watch_read_again(watch);
        } else
                watch_end(watch, &answer, NULL);
}

static int watch_send(EtcdV2Watch *watch)
{
        char query[QUERY_MAX];

        (void)snprintf(query, sizeof(query), "wait=true&waitIndex=%lld",
                       (long long)watch->index); /* fits */
        return etcd_v2_call(watch->etcd,
                            &(EtcdV2Message) {
                                    .method = "GET",
                                    .key = watch->key,
                                    .query = query,
                                    .wait = true,
                            },
                            on_changed, watch, &watch->call);
}

int etcd_v2_watch(Etcd *etcd, const EtcdWatchRequest *request, EtcdV2OnChange on_change,
                  void *userdata, EtcdV2Watch **ret)
{
        _cleanup_(etcd_v2_watch_cancel_p) EtcdV2Watch *watch = calloc(1, sizeof(EtcdV2Watch));
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (EtcdV2Watch) {
                .etcd = etcd,
                .revision = request->start_revision - 1,
                .index = request->start_revision,
                .on_change = on_change,
                .userdata = userdata,
        };
        r = text_set(&watch->key, request->key);
        if (r >= 0)
                r = watch_send(watch);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(watch);
        return 0;
}
