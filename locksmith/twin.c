#include <stdio.h>

#include "base/text.h"
#include "lock-key.h"
#include "record.h"
#include "twin.h"

#define WHY_MAX 400

struct Twin {
        LockBackend *backend; /* of the session */
        LockCall *call;
        Record host; /* this one */
        TwinOnDone on_done;
        void *userdata;
};

Twin *twin_cancel(Twin *twin)
{
        if (!twin)
                return NULL;

        lock_call_cancel(twin->call);
        record_done(&twin->host);
        free(twin);
        return NULL;
}
DEFINE_CLEANUP(Twin *, twin_cancel);

static void twin_finish(Twin *owned, const char *why)
{
        _cleanup_(twin_cancel_p) Twin *twin = owned;

        twin->on_done(why, twin->userdata);
}

static void on_note(const LockSideReply *reply, void *userdata)
{
        const EtcdKey *key = !reply->why && reply->keys->n_keys > 0 ? &reply->keys->keys[0] : NULL;
        _cleanup_(record_done) Record note = {};
        Twin *twin = userdata;
        char why[WHY_MAX];

        twin->call = NULL;
        if (reply->why || !key || record_parse(key->value, key->value_size, &note) < 0
            || !*note.boot_id || !*twin->host.boot_id || streq(note.boot_id, twin->host.boot_id)) {
                twin_finish(twin, reply->why);
                return;
        }

        (void)snprintf(why, sizeof(why),
                       "another machine has the machine-id of this one, its name is %.64s: give one"
                       " of them a new /etc/machine-id; then, or when etcd was restored from a"
                       " backup, restart locksmithd here",
                       *note.host ? note.host : "not known"); /* fits */
        twin_finish(twin, why);
}

int twin_look(Session *session, const Settings *settings, TwinOnDone on_done, void *userdata,
              Twin **ret)
{
        _cleanup_(twin_cancel_p) Twin *twin = calloc(1, sizeof(Twin));
        _cleanup_free_ char *id = NULL, *key = NULL;
        int r;

        if (!twin)
                return -ENOMEM;
        *twin = (Twin) { .backend = session->backend, .on_done = on_done, .userdata = userdata };
        r = record_of_host(settings->root, "", NULL, &twin->host);
        if (r >= 0)
                r = settings_machine_id(settings, &id);
        if (r >= 0)
                r = lock_key_host(settings->group, id, &key);
        if (r >= 0)
                r = twin->backend->ops->sides->list(twin->backend,
                                                    &(EtcdRangeRequest) { .key = key }, on_note,
                                                    twin, &twin->call);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(twin);
        return 0;
}
