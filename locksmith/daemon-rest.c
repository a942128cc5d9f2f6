/*
 * At rest: when nothing is left to do but to wait for an update, the other stage waits for it with less memory (stage.h).
 * What it is handed over, and what comes back with the update.
 */
#include "base/log.h"
#include "daemon-internal.h"
#include "record.h"

/* Nothing is under way, and nothing is to be told still. Whatever ends one of these asks for a decision. */
static bool is_at_rest(const Daemon *d)
{
        return d->action == ACTION_WAIT_FOR_UPDATE && !d->facts.backing_off && !d->came_back
               && !d->claim && !d->operation && !d->clearance && !d->guard && !d->record_call
               && !d->slot_call && !d->reboot_call && !d->notification
               && update_watch_may_leave(&d->watch);
}

/* What is known of the lock counts for this one only: settings are read anew at the next waking. Never 0. */
static int lock_checksum(const Daemon *d, uint64_t *ret)
{
        const Settings *s = d->settings;
        _cleanup_free_ char *text = NULL;
        int r;

        r = text_format(&text, "%s\n%s\n%s\n%s\n%s\n%s", s->group ? s->group : "",
                        s->endpoint ? s->endpoint : "", s->api_text ? s->api_text : "",
                        s->backend_text ? s->backend_text : "",
                        s->fleetlock_url ? s->fleetlock_url : "", d->machine_id);
        if (r >= 0)
                *ret = text_checksum(text, strlen(text), 0) | 1;
        return r;
}

static int lock_hand_over(const Daemon *d, Handover *h)
{
        int r;

        r = lock_checksum(d, &h->lock);
        if (r >= 0)
                r = text_set(&h->host_name, d->host_name);
        if (r >= 0)
                r = text_set(&h->host_note, d->host_note);
        if (r >= 0)
                r = text_set(&h->fallback, d->fallback);
        if (r < 0)
                return r;

        h->lock_free = d->facts.lock == LOCK_STATE_FREE;
        h->etcd_seen = d->facts.etcd_seen;
        h->host_is_new = d->is_new;
        h->host_is_known = d->is_known;
        h->n_hosts = d->n_hosts;
        return 0;
}

static int daemon_hand_over(Daemon *d, Handover *h)
{
        const LockMetrics *metrics = &d->tell.metrics;
        int r;

        r = text_set(&h->strategy, metrics->strategy);
        if (r >= 0)
                r = text_set(&h->group, metrics->group);
        if (r >= 0)
                r = text_set(&h->metrics_file, d->tell.metrics_file);
        if (r >= 0)
                r = text_set(&h->told_late, d->told_late);
        if (r >= 0)
                r = text_set(&h->to_version, d->to_version);
        if (r >= 0)
                r = lock_hand_over(d, h);
        if (r >= 0)
                r = update_watch_leave(&d->watch, h);
        if (r < 0)
                return r;

        h->took = metrics->took;
        h->n_asked = metrics->n_asked;
        h->n_refused = metrics->n_refused;
        h->window_open = metrics->window_open;
        h->coordinator = TAKE_FD(d->tell.coordinator.fd);
        return 0;
}

/* The end of the loop closes the bus: this comes before it. */
static int on_rest(_unused_ sd_event_source *source, void *userdata)
{
        Daemon *d = userdata;
        int r;

        if (!is_at_rest(d))
                return 0;

        r = daemon_hand_over(d, d->next);
        return sd_event_exit(d->event,
                             r < 0 ? log_error_errno(r, "handing over to locksmithd-idle: %m")
                                   : DAEMON_AT_REST);
}

int daemon_rest_start(Daemon *d)
{
        int r;

        /* Behind all that is there to be dispatched: a signal or a message that was read already is not left behind. */
        r = sd_event_add_defer(d->event, &d->rest, on_rest, d);
        if (r >= 0)
                r = sd_event_source_set_priority(d->rest, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->rest, SD_EVENT_OFF);
        return r;
}

void daemon_rest_later(Daemon *d)
{
        if (d->next && is_at_rest(d))
                (void)sd_event_source_set_enabled(
                        d->rest, SD_EVENT_ONESHOT); /* can only fail for a freed source */
}

static int lock_take_over(Daemon *d, const Handover *h)
{
        _cleanup_(record_done) Record note = {};
        uint64_t lock;
        int r;

        r = lock_checksum(d, &lock);
        if (r < 0 || lock != h->lock)
                return r; /* another lock: all is to be learned, as at a start */
        r = h->host_note ? record_parse(h->host_note, strlen(h->host_note), &note) : 0;
        if (r >= 0)
                r = text_set(&d->host_name, h->host_name);
        if (r >= 0)
                r = text_set(&d->host_note, h->host_note);
        if (r >= 0)
                r = text_set(&d->fallback, h->fallback);
        if (r < 0)
                return r;

        d->facts.lock = h->lock_free ? LOCK_STATE_FREE : LOCK_STATE_NOT_KNOWN;
        d->facts.etcd_seen |= h->etcd_seen;
        d->is_new = h->host_is_new;
        d->is_known = h->host_is_known;
        d->n_hosts = h->n_hosts;
        return 0;
}

int daemon_take_over(Daemon *d, Handover *h)
{
        LockMetrics *metrics = &d->tell.metrics;
        int r;

        r = lock_take_over(d, h);
        if (r >= 0)
                r = text_set(&d->told_late, h->told_late);
        if (r < 0)
                return r;

        metrics->took = h->took;
        metrics->n_asked = h->n_asked;
        metrics->n_refused = h->n_refused;
        daemon_take_report(d, h->due, h->to_version);
        return 0;
}
