/*
 * Giving back a lock that this host may hold since before locksmithd started: the record beside it
 * tells whose it is.
 */
#include <stdio.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon-internal.h"
#include "record.h"

#define HELD_MAX       (7 * 24 * 3600) /* longer is no reboot */
#define UPTIME_FILE    "/proc/uptime"
#define UPTIME_MAX     (UINT64_MAX / USEC_PER_SEC)
#define SETTLE_WHY_MAX 128

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

/* How long the lock was held for the reboot that lies behind us; both times are of this host's clock. */
static int64_t held_seconds(const Record *record, const Record *host)
{
        int64_t held = host->since - record->since;

        return *record->boot_id && !streq(record->boot_id, host->boot_id) && record->since > 0
                               && held > 0 && held < HELD_MAX
                       ? held
                       : 0;
}

/* What this boot says of the reboot. */
static int record_judge(Daemon *d, const Record *record, Record *host)
{
        int r;

        r = text_set(&d->host_name, host->host);
        if (r < 0)
                return r;
        if (record_is_fallback(record, host)) {
                r = text_format(&d->fallback, "it came back with version %s instead of %s",
                                host->from_version, record->to_version);
                if (r < 0)
                        return r;
                log_error("the reboot has failed: %s", d->fallback);
        }

        host->held = held_seconds(record, host);
        return host->held > 0 ? record_format(host, &d->host_note) : 0;
}

/* Reads the answer about keys. Returns NULL when there is none: it is asked for again then. */
static const EtcdRange *keys_take(Daemon *d, const LockSideReply *reply)
{
        d->record_call = NULL;
        if (reply->why)
                daemon_ask_record_later(d, reply->why);
        return reply->why ? NULL : reply->keys;
}

static void on_count(const LockSideReply *reply, void *userdata)
{
        Daemon *d = userdata;
        const EtcdRange *keys = keys_take(d, reply);

        if (!keys)
                return;
        backoff_reset(&d->record_backoff);
        d->n_hosts = MAX_OF((uint64_t)keys->count, (uint64_t)keys->n_keys) + d->is_new;
        daemon_release(d);
}

static int keys_ask(Daemon *d, const EtcdRangeRequest *request, LockOnSide on_reply)
{
        LockBackend *backend = d->session.backend;

        return backend->ops->sides->list(backend, request, on_reply, d, &d->record_call);
}

/* What is known of this host is of this boot from now on; when it held the lock last, and for how long,
 * stays. */
static int note_renew(Daemon *d, const EtcdRange *keys)
{
        const EtcdKey *key = keys->n_keys > 0 ? &keys->keys[0] : NULL;
        _cleanup_(record_done) Record host = {}, old = {};
        int r;

        r = record_of_host(d->settings->root, "", NULL, &host);
        if (r < 0)
                return r;
        if (key && record_parse(key->value, key->value_size, &old) >= 0) {
                if (streq(old.boot_id, host.boot_id))
                        return 0;
                host.since = old.since;
                host.held = old.held;
        }
        return record_format(&host, &d->host_note);
}

static void on_host(const LockSideReply *reply, void *userdata)
{
        Daemon *d = userdata;
        const EtcdRange *keys = keys_take(d, reply);
        int r;

        if (!keys)
                return;
        d->is_new = keys->n_keys == 0;
        r = d->host_note ? 0 : note_renew(d, keys);
        d->is_known = r >= 0 && !d->host_note;
        if (r >= 0)
                r = keys_ask(d,
                             &(EtcdRangeRequest) {
                                     .key = d->hosts_key, .prefix = true, .count_only = true },
                             on_count);
        if (r < 0)
                daemon_ask_record_later(d, strerror(-r));
}

static void on_record(const LockSideReply *reply, void *userdata)
{
        _cleanup_(record_done) Record record = {}, host = {};
        Daemon *d = userdata;
        const EtcdRange *keys = keys_take(d, reply);
        int r;

        if (!keys)
                return;
        r = keys->n_keys == 1 ? record_parse(keys->keys[0].value, keys->keys[0].value_size, &record)
                              : -EBADMSG;
        if (r == -EBADMSG)
                r = record_parse("{}", strlen("{}"), &record);
        if (r >= 0)
                r = record_of_host(d->settings->root, "", NULL, &host);
        if (r >= 0 && record_is_by_hand(&record, &host)) {
                log_notice("the lock of this host was taken by hand in this boot: it stays");
                daemon_set_lock(d, LOCK_STATE_FREE, NULL);
                daemon_decide_later(d);
                return;
        }
        if (r >= 0)
                r = record_judge(d, &record, &host);
        if (r >= 0)
                r = keys_ask(d, &(EtcdRangeRequest) { .key = d->host_key }, on_host);
        if (r < 0)
                daemon_ask_record_later(d, strerror(-r));
}

int daemon_release_edit(Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                        void *userdata)
{
        const Daemon *d = userdata;
        int changed, shared;

        if (view->damaged)
                return 0;
        if (d->fallback)
                changed = policy_count(&view->policy,
                                       &(Failure) {
                                               .id = d->machine_id,
                                               .host = d->host_name,
                                               .why = d->fallback,
                                               .since = (int64_t)(now_realtime() / USEC_PER_SEC),
                                       },
                                       d->settings->failure_budget);
        else
                changed = policy_forgive(&view->policy, d->machine_id);
        if (changed < 0)
                return changed;

        shared = d->n_hosts > 0 ? policy_apply_share(&view->policy, d->n_hosts, semaphore) : 0;
        return shared < 0 ? shared : changed | shared;
}

static int register_edit(Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                         void *userdata)
{
        const Daemon *d = userdata;
        int r = view->damaged ? 0 : policy_apply_share(&view->policy, d->n_hosts, semaphore);

        return r < 0 ? r : 1; /* in any case for what goes with it */
}

bool daemon_register(Daemon *d, LockOnResult on_done)
{
        LockSide note = { .key = d->host_key, .value = d->host_note };
        int r;

        if (!d->host_note || !d->session.backend->ops->clone)
                return false;

        r = lock_start(d->event, d->session.backend,
                       &(LockRequest) {
                               .kind = LOCK_KIND_EDIT,
                               .sides = &note,
                               .n_sides = 1,
                               .edit = register_edit,
                               .edit_userdata = d,
                               .persistent = true,
                               .on_done = on_done,
                               .userdata = d,
                       },
                       &d->operation);
        if (r < 0)
                log_warning_errno(r, "making this host known to its group: %m");
        return r >= 0;
}

static void daemon_ask_record(Daemon *d)
{
        int r;

        text_clear(&d->host_note);
        text_clear(&d->fallback);
        r = keys_ask(d, &(EtcdRangeRequest) { .key = d->record_key }, on_record);
        if (r < 0)
                daemon_ask_record_later(d, strerror(-r));
}

/* How long this host has still to be up before the others may follow it. The age of the boot is the
 * kernel's: a restart of ours does not begin it anew. */
static usec_t settle_left(const Settings *settings)
{
        _cleanup_free_ char *line = NULL;
        uint64_t seconds;

        if (settings->settle_time == 0 || file_read_line(settings->root, UPTIME_FILE, &line) < 0)
                return 0;
        line[strcspn(line, ". ")] = 0;
        if (text_to_u64(line, UPTIME_MAX, &seconds) < 0
            || seconds * USEC_PER_SEC >= settings->settle_time)
                return 0;

        return settings->settle_time - seconds * USEC_PER_SEC;
}

static void release_begin(Daemon *d)
{
        daemon_set_lock(d, LOCK_STATE_RELEASING, NULL);
        if (d->session.backend->ops->sides)
                daemon_ask_record(d);
        else
                daemon_release(d); /* nothing tells whose it is */
}

static int on_settled(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        release_begin(userdata);
        return 0;
}

/* Whether it holds the lock does not matter: nobody but its holder has to wait for it. */
static void daemon_settle(Daemon *d, usec_t left)
{
        char why[SETTLE_WHY_MAX], span[TIMESPAN_MAX];
        int r;

        (void)snprintf(why, sizeof(why), "what runs has to prove itself for another %s",
                       timespan_format(left, span)); /* fits */
        daemon_set_lock(d, LOCK_STATE_RELEASING, why);
        daemon_decide_later(d);
        d->record_retry = sd_event_source_disable_unref(d->record_retry);
        r = sd_event_add_time_relative(d->event, &d->record_retry, CLOCK_BOOTTIME, left, 0,
                                       on_settled, d);
        if (r < 0)
                (void)sd_event_exit(d->event, log_error_errno(r, "setting a timer: %m"));
}

void daemon_release_old(Daemon *d)
{
        usec_t left = settle_left(d->settings);

        d->record_backoff = (Backoff) { .first = LOCK_RETRY_FIRST, .max = LOCK_RETRY_MAX };
        if (left > 0)
                daemon_settle(d, left);
        else
                release_begin(d);
}

void daemon_record_done(Daemon *d)
{
        d->record_call = lock_call_cancel(d->record_call);
        d->record_retry = sd_event_source_disable_unref(d->record_retry);
        free(d->host_key);
        free(d->hosts_key);
        free(d->host_note);
        free(d->host_name);
        free(d->fallback);
}
