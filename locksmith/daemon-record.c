/*
 * Giving back a lock that this host may hold since before locksmithd started: the record beside it
 * tells whose it is.
 */
#include "base/log.h"
#include "daemon-internal.h"
#include "record.h"

static void daemon_ask_record(Daemon *d);

static int on_record_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        daemon_ask_record(userdata);
        return 0;
}

static void daemon_ask_record_later(Daemon *d, const char *why)
{
        int r;

        daemon_set_lock(d, LOCK_STATE_RELEASING, why);
        daemon_decide_later(d);
        r = daemon_retry_later(d, &d->record_retry, &d->record_backoff, on_record_retry);
        if (r < 0)
                (void)sd_event_exit(
                        d->event,
                        log_error_errno(r, "setting a timer: %m")); /* fails in the end only */
}

/*
 * An operator has taken it in this boot, for a work of their own: that it is not over locksmithd
 * can not know. One from before the boot, one of locksmithd itself, and one without a record (of an
 * old client) end with the boot.
 */
static bool is_taken_by_hand(const Daemon *d, const EtcdRange *range)
{
        _cleanup_(record_done) Record record = {}, host = {};

        if (range->n_keys != 1
            || record_parse(range->keys[0].value, range->keys[0].value_size, &record) < 0
            || record_of_host(d->settings->root, "", NULL, &host) < 0)
                return false;

        return *record.boot_id && streq(record.boot_id, host.boot_id)
               && !streq(record.reason, RECORD_REASON_UPDATE);
}

static void on_record(const LockSideReply *reply, void *userdata)
{
        Daemon *d = userdata;

        d->record_call = NULL;
        if (reply->why) {
                daemon_ask_record_later(d, reply->why);
                return;
        }

        backoff_reset(&d->record_backoff);
        if (is_taken_by_hand(d, reply->keys)) {
                log_notice("the lock of this host was taken by hand in this boot: it stays");
                daemon_set_lock(d, LOCK_STATE_FREE, NULL);
                daemon_decide_later(d);
        } else
                daemon_release(d);
}

static void daemon_ask_record(Daemon *d)
{
        LockBackend *backend = d->session.backend;
        int r;

        r = backend->ops->sides->list(backend, &(EtcdRangeRequest) { .key = d->record_key },
                                      on_record, d, &d->record_call);
        if (r < 0)
                daemon_ask_record_later(d, strerror(-r));
}

void daemon_release_old(Daemon *d)
{
        d->record_backoff = (Backoff) { .first = LOCK_RETRY_FIRST, .max = LOCK_RETRY_MAX };
        daemon_set_lock(d, LOCK_STATE_RELEASING, NULL);
        if (d->session.backend->ops->sides)
                daemon_ask_record(d);
        else
                daemon_release(d); /* nothing tells whose it is */
}

void daemon_record_done(Daemon *d)
{
        d->record_call = lock_call_cancel(d->record_call);
        d->record_retry = sd_event_source_disable_unref(d->record_retry);
}
