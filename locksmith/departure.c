#include "departure.h"
#include "lock-key.h"
#include "record.h"

struct Departure {
        Session *session;
        const Settings *settings;
        char *group, *id;
        LockBackend *backend; /* of its own: the lock may be in use meanwhile */
        LockCall *call;
        LockOperation *operation;
        char *record_key, *away_key, *keep_key;
        Record record;
        int64_t away_lease, keep_lease;
        DepartureOnDone on_done;
        void *userdata;
};

Departure *departure_cancel(Departure *d)
{
        if (!d)
                return NULL;

        lock_call_cancel(d->call);
        lock_cancel(d->operation);
        lock_backend_free(d->backend);
        record_done(&d->record);
        free(d->group);
        free(d->id);
        free(d->record_key);
        free(d->away_key);
        free(d->keep_key);
        free(d);
        return NULL;
}
DEFINE_CLEANUP(Departure *, departure_cancel);

static void departure_finish(Departure *departure, const char *why)
{
        _cleanup_(departure_cancel_p) Departure *d = departure;

        d->on_done(why, d->userdata);
}

/* Leases come in whole seconds: a part of one counts. */
static int64_t whole_seconds(usec_t span)
{
        return (int64_t)((span + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

static void on_written(const LockResult *result, void *userdata)
{
        Departure *d = userdata;

        d->operation = NULL;
        if (result->view && !result->view->kept)
                departure_finish(d, NULL); /* there is nobody to tell */
        else if (result->outcome == LOCK_NOT_HOLDER)
                departure_finish(d, "somebody has freed the lock of this host");
        else
                departure_finish(d, result->outcome == LOCK_DONE ? NULL : result->why);
}

static int held_edit(Semaphore *semaphore, _unused_ PolicyView *view, _unused_ int64_t revision,
                     void *userdata)
{
        const Departure *d = userdata;

        return semaphore_is_held_by(semaphore, d->id) ? 1 : -ENOENT;
}

static int departure_write(Departure *d)
{
        _cleanup_free_ char *text = NULL;
        LockSide sides[2];
        size_t n = 0;
        int r;

        d->record.departed = (int64_t)(now_realtime() / USEC_PER_SEC);
        d->record.return_within = whole_seconds(d->settings->return_time);
        d->record.free_after = whole_seconds(d->settings->free_gone);
        r = record_format(&d->record, &text);
        if (r < 0)
                return r;

        if (d->away_lease > 0)
                sides[n++] = (LockSide) { d->away_key, "{}", d->away_lease };
        if (d->keep_lease > 0)
                sides[n++] = (LockSide) { d->keep_key, "{}", d->keep_lease };
        return lock_start(d->session->event, d->backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_EDIT,
                                  .record_key = d->record_key,
                                  .record = text,
                                  .sides = sides,
                                  .n_sides = n,
                                  .edit = held_edit,
                                  .edit_userdata = d,
                                  .on_done = on_written,
                                  .userdata = d,
                          },
                          &d->operation);
}

static int departure_go_on(Departure *d);

static void departure_step(Departure *d, const LockSideReply *reply)
{
        int r;

        d->call = NULL;
        if (reply->why) {
                departure_finish(d, reply->why);
                return;
        }
        r = departure_go_on(d);
        if (r < 0)
                departure_finish(d, r == -EOPNOTSUPP ? NULL : strerror(-r));
}

static void on_away_lease(const LockSideReply *reply, void *userdata)
{
        Departure *d = userdata;

        d->away_lease = reply->lease;
        departure_step(d, reply);
}

static void on_keep_lease(const LockSideReply *reply, void *userdata)
{
        Departure *d = userdata;

        d->keep_lease = reply->lease;
        departure_step(d, reply);
}

/* One lease after the other, where they are wanted; then all is written at once. */
static int departure_go_on(Departure *d)
{
        const LockSideOps *sides = d->backend->ops->sides;
        usec_t away = d->settings->return_time, keep = d->settings->free_gone;

        if (!sides->lease)
                return -EOPNOTSUPP;
        if (away > 0 && d->away_lease == 0)
                return sides->lease(d->backend, whole_seconds(away), on_away_lease, d, &d->call);
        if (keep > 0 && d->keep_lease == 0)
                return sides->lease(d->backend, whole_seconds(keep), on_keep_lease, d, &d->call);
        return departure_write(d);
}

/* The record of the taking of the lock stays, but for what is added; without one, or with one that
 * is none, there is a new one. */
static void on_record(const LockSideReply *reply, void *userdata)
{
        Departure *d = userdata;
        const EtcdKey *key = reply->why || reply->keys->n_keys == 0 ? NULL : &reply->keys->keys[0];
        int r = -EBADMSG;

        if (key)
                r = record_parse(key->value, key->value_size, &d->record);
        if (r == -EBADMSG && !reply->why)
                r = record_of_host(d->settings->root, RECORD_REASON_REBOOT, NULL, &d->record);
        if (r < 0 && !reply->why) {
                d->call = NULL;
                departure_finish(d, strerror(-r));
        } else
                departure_step(d, reply);
}

static int departure_set_up(Departure *d, const HolderName *of)
{
        int r;

        r = session_holder(d->session, d->settings, of, &d->group, &d->id, &d->backend);
        if (r >= 0)
                r = lock_key_holder(d->group, d->id, &d->record_key);
        if (r >= 0)
                r = lock_key_away(d->group, d->id, &d->away_key);
        if (r >= 0)
                r = lock_key_keep(d->group, d->id, &d->keep_key);
        return r;
}

int departure_start(const DepartureRequest *request, Departure **ret)
{
        _cleanup_(departure_cancel_p) Departure *d = calloc(1, sizeof(Departure));
        int r;

        if (!d)
                return -ENOMEM;
        *d = (Departure) {
                .session = request->session,
                .settings = request->settings,
                .on_done = request->on_done,
                .userdata = request->userdata,
        };
        r = departure_set_up(d, request->of);
        if (r >= 0)
                r = d->backend->ops->sides->list(d->backend,
                                                 &(EtcdRangeRequest) { .key = d->record_key },
                                                 on_record, d, &d->call);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(d);
        return 0;
}

void departure_sides_done(DepartureSides *sides)
{
        for (size_t i = 0; i < ELEMENTSOF(sides->sides); i++)
                free((char *)sides->sides[i].key);
        *sides = (DepartureSides) {};
}

int departure_sides(const char *group, const char *id, DepartureSides *ret)
{
        _cleanup_free_ char *away = NULL, *keep = NULL;
        int r;

        r = lock_key_away(group, id, &away);
        if (r >= 0)
                r = lock_key_keep(group, id, &keep);
        if (r < 0)
                return r;

        *ret = (DepartureSides) { { { .key = TAKE_PTR(away) }, { .key = TAKE_PTR(keep) } } };
        return 0;
}
