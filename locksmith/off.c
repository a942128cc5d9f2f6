#include <fcntl.h>

#include "base/bus.h"
#include "base/io.h"
#include "base/log.h"
#include "daemon.h"
#include "departure.h"
#include "lock-key.h"
#include "off.h"
#include "peers.h"

#define OFF_TIME (8 * USEC_PER_SEC)

/* The keys of this host at the lock. */
typedef struct Off {
        sd_event *event;
        Session session;
        char *id, *record_key;
        DepartureSides departure;
} Off;

static void off_done(Off *off)
{
        session_done(&off->session);
        sd_event_unref(off->event);
        free(off->id);
        free(off->record_key);
        departure_sides_done(&off->departure);
}

static int off_open(const Settings *settings, Off *off)
{
        int r;

        r = settings_machine_id(settings, &off->id);
        if (r >= 0)
                r = lock_key_holder(settings->group, off->id, &off->record_key);
        if (r >= 0)
                r = departure_sides(settings->group, off->id, &off->departure);
        if (r >= 0)
                r = event_new(&off->event);
        return r < 0 ? r : session_open(off->event, settings, &off->session);
}

/* Says the record that it was taken by hand in this boot? 1, 0, or -errno. */
static int is_by_hand(Off *off, const Settings *settings)
{
        _cleanup_(record_done) Record record = {}, host = {};
        _cleanup_free_ char *text = NULL, *why = NULL;
        int r;

        if (!off->session.backend->ops->sides)
                return 0; /* nothing tells whose it is */
        r = peers_read_text(&off->session, off->record_key, &text, &why);
        if (r < 0 && why)
                log_warning("asking whether this host holds the lock: %s", why);
        if (r < 0)
                return r;
        r = record_of_host(settings->root, "", NULL, &host);
        if (r < 0 || record_parse(text, strlen(text), &record) < 0)
                return r < 0 ? r : 0;
        return record_is_by_hand(&record, &host);
}

static void on_released(const LockResult *result, _unused_ void *userdata)
{
        if (result->outcome == LOCK_DONE)
                log_notice("gave the lock back that this host has held since before its boot");
        else if (result->outcome != LOCK_NOT_HOLDER)
                log_warning("the lock could not be given back: %s; see locksmithctl unlock",
                            result->why);
}

static int off_run(const Settings *settings)
{
        _cleanup_(off_done) Off off = {};
        int r;

        r = off_open(settings, &off);
        if (r >= 0)
                r = is_by_hand(&off, settings);
        if (r != 0)
                return r;

        return session_run(&off.session,
                           &(LockRequest) {
                                   .kind = LOCK_KIND_RELEASE,
                                   .id = off.id,
                                   .record_key = off.record_key,
                                   .sides = off.departure.sides,
                                   .n_sides = ELEMENTSOF(off.departure.sides),
                                   .on_done = on_released,
                           },
                           OFF_TIME);
}

void off_release(const Settings *settings)
{
        _cleanup_close_ int marker = root_open(settings->root, DAEMON_ETCD_SEEN, O_RDONLY, 0);
        int r;

        if (marker < 0 && settings->backend == SETTINGS_BACKEND_ETCD)
                return;
        r = off_run(settings);
        if (r < 0 && r != -EIO) /* that was told */
                log_warning_errno(r, "whether this host holds the lock is not known: %m");
}
