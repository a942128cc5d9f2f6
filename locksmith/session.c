#include "session.h"
#include "backend-etcd.h"
#include "backend-fleetlock.h"
#include "lock-key.h"

typedef struct Run {
        LockOperation *operation;
        LockOnResult on_done;
        void *userdata;
        bool done;
} Run;

void session_done(Session *session)
{
        lock_backend_free(session->backend);
        etcd_free(session->etcd);
        http_free(session->http);
        sd_event_unref(session->event);
        *session = (Session) {};
}

int session_backend(const Session *session, const Settings *settings, const char *group,
                    LockBackend **ret)
{
        _cleanup_free_ char *key = NULL;
        int r;

        r = lock_key_semaphore(group, &key);
        if (r < 0)
                return r;

        switch (settings->etcd.api) {
        case ETCD_API_V3:
                return backend_etcd_new(session->etcd, group, ret);
        case ETCD_API_V2:
                return backend_etcd_v2_new(session->etcd, key, ret);
        case ETCD_API_AUTO:
                return backend_auto_new(session->etcd, group, ret);
        case _ETCD_API_MAX:
        case _ETCD_API_INVALID:
                break;
        }
        return -EINVAL;
}

static int session_open_etcd(Session *session, const Settings *settings)
{
        int r;

        r = etcd_new(session->http, &settings->etcd, &session->etcd);
        return r < 0 ? r : session_backend(session, settings, settings->group, &session->backend);
}

static int session_open_fleetlock(Session *session, const Settings *settings)
{
        return backend_fleetlock_new(session->http,
                                     &(FleetlockSettings) {
                                             .url = settings->fleetlock_url,
                                             .group = settings->group,
                                             .ca_file = settings->ca_file,
                                             .certificate_file = settings->certificate_file,
                                             .key_file = settings->key_file,
                                     },
                                     &session->backend);
}

int session_open(sd_event *event, const Settings *settings, Session *ret)
{
        _cleanup_(session_done) Session session = { .event = sd_event_ref(event) };
        int r;

        r = http_new(event, &session.http);
        if (r >= 0)
                r = settings->backend == SETTINGS_BACKEND_FLEETLOCK
                            ? session_open_fleetlock(&session, settings)
                            : session_open_etcd(&session, settings);
        if (r < 0)
                return r;

        *ret = session;
        session = (Session) {};
        return 0;
}

int session_holder(const Session *session, const Settings *settings, const HolderName *of,
                   char **ret_group, char **ret_id, LockBackend **ret_backend)
{
        const LockBackend *backend = of ? of->backend : session->backend;
        int r;

        r = text_set(ret_group, of ? of->group : settings->group);
        if (r >= 0)
                r = of ? text_set(ret_id, of->id) : settings_machine_id(settings, ret_id);
        return r < 0 ? r : backend->ops->clone(backend, ret_backend);
}

static void on_run_done(const LockResult *result, void *userdata)
{
        Run *run = userdata;

        run->operation = NULL;
        run->done = true;
        run->on_done(result, run->userdata);
}

static int on_run_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        *(bool *)userdata = true;
        return 0;
}

int session_wait(Session *session, const bool *done, usec_t timeout)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        bool late = false;
        int r = 0;

        if (timeout > 0)
                r = sd_event_add_time_relative(session->event, &timer, CLOCK_MONOTONIC, timeout, 0,
                                               on_run_timeout, &late);
        while (r >= 0 && !*done && !late) {
                if (sd_event_get_state(session->event) == SD_EVENT_FINISHED)
                        return -ECANCELED; /* a signal */
                r = sd_event_run(session->event, UINT64_MAX);
        }
        if (r < 0)
                return r;

        return *done ? 0 : -ETIMEDOUT;
}

int session_run(Session *session, const LockRequest *request, usec_t timeout)
{
        Run run = { .on_done = request->on_done, .userdata = request->userdata };
        LockRequest ours = *request;
        int r;

        ours.on_wait = NULL; /* nobody waits for news here */
        ours.on_done = on_run_done;
        ours.userdata = &run;
        r = lock_start(session->event, session->backend, &ours, &run.operation);
        if (r < 0)
                return r;

        r = session_wait(session, &run.done, timeout);
        if (!run.done)
                lock_cancel(run.operation);
        return r;
}
