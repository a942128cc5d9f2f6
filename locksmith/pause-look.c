#include <stdio.h>

#include "base/text.h"
#include "lock-key.h"
#include "pause-look.h"
#include "pause.h"

#define WHY_MAX 512

struct PauseLook {
        LockBackend *backend; /* of the session */
        LockCall *call;
        char *pause_key;
        PauseOnDone on_done;
        void *userdata;
};

PauseLook *pause_look_cancel(PauseLook *look)
{
        if (!look)
                return NULL;

        lock_call_cancel(look->call);
        free(look->pause_key);
        free(look);
        return NULL;
}
DEFINE_CLEANUP(PauseLook *, pause_look_cancel);

static void look_finish(PauseLook *owned, const char *why)
{
        _cleanup_(pause_look_cancel_p) PauseLook *look = owned;

        look->on_done(why, look->userdata);
}

/* Nobody may have left a word about it: then max was set to 0 by hand. */
static void on_reason(const LockSideReply *reply, void *userdata)
{
        const EtcdKey *key = !reply->why && reply->keys->n_keys > 0 ? &reply->keys->keys[0] : NULL;
        _cleanup_(pause_done) Pause pause = {};
        char why[WHY_MAX] = "paused: max is 0, see locksmithctl set-max";
        PauseLook *look = userdata;

        look->call = NULL;
        if (key && pause_parse(key->value, key->value_size, &pause) == 0)
                (void)snprintf(why, sizeof(why), "paused on %.64s: %.300s; see locksmithctl resume",
                               *pause.host ? pause.host : "?",
                               *pause.reason ? pause.reason : "no reason given"); /* fits */
        look_finish(look, why);
}

static void on_semaphore(const LockSideReply *reply, void *userdata)
{
        _cleanup_(semaphore_done) Semaphore semaphore = SEMAPHORE_INITIAL;
        PauseLook *look = userdata;
        const char *why = NULL;
        int r = 0;

        look->call = NULL;
        if (reply->why) {
                look_finish(look, reply->why);
                return;
        }
        if (reply->keys->n_keys > 0)
                r = semaphore_parse(reply->keys->keys[0].value, reply->keys->keys[0].value_size,
                                    &semaphore, &why);
        if (r >= 0 && semaphore.max > 0) {
                look_finish(look, NULL);
                return;
        }
        if (r >= 0)
                r = look->backend->ops->sides->list(look->backend,
                                                    &(EtcdRangeRequest) { .key = look->pause_key },
                                                    on_reason, look, &look->call);
        if (r < 0)
                look_finish(look, why ? why : strerror(-r));
}

int pause_look(Session *session, const Settings *settings, PauseOnDone on_done, void *userdata,
               PauseLook **ret)
{
        _cleanup_(pause_look_cancel_p) PauseLook *look = calloc(1, sizeof(PauseLook));
        _cleanup_free_ char *key = NULL;
        int r;

        if (!look)
                return -ENOMEM;
        *look = (PauseLook) {
                .backend = session->backend,
                .on_done = on_done,
                .userdata = userdata,
        };
        r = lock_key_pause(settings->group, &look->pause_key);
        if (r >= 0)
                r = lock_key_semaphore(settings->group, &key);
        if (r >= 0)
                r = look->backend->ops->sides->list(look->backend,
                                                    &(EtcdRangeRequest) { .key = key },
                                                    on_semaphore, look, &look->call);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(look);
        return 0;
}
