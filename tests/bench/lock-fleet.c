/*
 * A fleet in one process: N hosts want the lock, hold it for a while, and give it back, each with
 * connections of its own. Prints what it took as one JSON object. tests/bench/lock and
 * tests/integration/lock-queue.py run it.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "locksmith/claim.h"

static const char *arg_etcd = NULL;
static uint64_t arg_hosts = 50, arg_max = 1, arg_hold = 20, arg_poll = 0;
static bool arg_polling = false, arg_in_order = false;

typedef struct Fleet Fleet;

typedef struct Host {
        Fleet *fleet;
        char *id;
        Session session;
        Claim *claim;
        LockOperation *operation;
        sd_event_source *timer;
        bool queued;
} Host;

struct Fleet {
        sd_event *event;
        Settings settings;
        Host *hosts;
        size_t n_started, n_taken, n_done;
        unsigned n_holding, most_holding, n_out_of_order, n_tries, n_failed;
        usec_t began, released;
        usec_t *hand_overs;
        size_t n_hand_overs;
};

static void host_start(Host *host);

static void fleet_fail(Fleet *fleet, const char *why)
{
        fleet->n_failed++;
        (void)sd_event_exit(fleet->event,
                            log_error_return(-EIO, "%s", why)); /* fails in the end only */
}

static void on_released(const LockResult *result, void *userdata)
{
        Host *host = userdata;
        Fleet *fleet = host->fleet;

        host->operation = NULL;
        if (result->outcome != LOCK_DONE) {
                fleet_fail(fleet, result->why);
                return;
        }

        fleet->released = now_boottime();
        fleet->n_done++;
        if (fleet->n_done == arg_hosts)
                (void)sd_event_exit(fleet->event, 0); /* fails in the end only */
}

static int on_held(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Host *host = userdata;

        host->fleet->n_holding--; /* before it is released: whoever gets it now gets it rightly */
        return lock_start(host->fleet->event, host->session.backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_RELEASE,
                                  .id = host->id,
                                  .persistent = true, /* as locksmithd does it */
                                  .on_done = on_released,
                                  .userdata = host,
                          },
                          &host->operation);
}

static int host_later(Host *host, usec_t delay, sd_event_time_handler_t handler)
{
        host->timer = sd_event_source_disable_unref(host->timer);
        return sd_event_add_time_relative(host->fleet->event, &host->timer, CLOCK_MONOTONIC, delay,
                                          1, handler, host);
}

static void host_take(Host *host)
{
        Fleet *fleet = host->fleet;

        if (arg_in_order && (size_t)(host - fleet->hosts) != fleet->n_taken)
                fleet->n_out_of_order++;
        if (fleet->released > 0)
                fleet->hand_overs[fleet->n_hand_overs++] = now_boottime() - fleet->released;
        fleet->released = 0;
        fleet->n_taken++;
        fleet->n_holding++;
        fleet->most_holding = MAX_OF(fleet->most_holding, fleet->n_holding);
        if (host_later(host, arg_hold * USEC_PER_MSEC, on_held) < 0)
                fleet_fail(fleet, "setting a timer");
}

/* In order of arrival: the next one comes when this one has its place. */
static void host_is_queued(Host *host)
{
        Fleet *fleet = host->fleet;

        if (!host->queued && arg_in_order && fleet->n_started < arg_hosts)
                host_start(&fleet->hosts[fleet->n_started]);
        host->queued = true;
}

static void on_wait(const LockResult *result, void *userdata)
{
        if (result->outcome == LOCK_BUSY)
                host_is_queued(userdata);
}

static void on_claimed(_unused_ const LockResult *result, void *userdata)
{
        Host *host = userdata;

        host->claim = NULL;
        host_take(host);
        host_is_queued(host);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata);

static void on_tried(const LockResult *result, void *userdata)
{
        Host *host = userdata;

        host->operation = NULL;
        if (result->outcome == LOCK_DONE)
                host_take(host);
        else if (result->outcome != LOCK_BUSY
                 || host_later(host,
                               arg_poll * USEC_PER_MSEC / 2
                                       + jitter_below(arg_poll * USEC_PER_MSEC),
                               on_poll)
                            < 0)
                fleet_fail(host->fleet, result->why);
}

static int on_poll(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Host *host = userdata;

        host->fleet->n_tries++;
        return lock_start(host->fleet->event, host->session.backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_TAKE,
                                  .id = host->id,
                                  .on_done = on_tried,
                                  .userdata = host,
                          },
                          &host->operation);
}

static void host_start(Host *host)
{
        int r;

        host->fleet->n_started++;
        if (arg_polling)
                r = on_poll(NULL, 0, host);
        else
                r = claim_start(&host->session,
                                &(ClaimRequest) {
                                        .group = "",
                                        .id = host->id,
                                        .on_wait = on_wait,
                                        .on_done = on_claimed,
                                        .userdata = host,
                                },
                                &host->claim);
        if (r < 0)
                fleet_fail(host->fleet, strerror(-r));
}

static void on_max_set(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* Then the fleet begins. */
}

static int fleet_open(Fleet *fleet)
{
        int r = 0;

        fleet->hosts = calloc(arg_hosts, sizeof(Host));
        fleet->hand_overs = calloc(arg_hosts, sizeof(usec_t));
        if (!fleet->hosts || !fleet->hand_overs)
                return -ENOMEM;

        for (size_t i = 0; i < arg_hosts && r >= 0; i++) {
                Host *host = &fleet->hosts[i];

                host->fleet = fleet;
                if (text_format(&host->id, "host-%04zu", i) < 0)
                        return -ENOMEM;
                r = session_open(fleet->event, &fleet->settings, &host->session);
        }
        if (r < 0)
                return r;

        return session_run(&fleet->hosts[0].session,
                           &(LockRequest) {
                                   .kind = LOCK_KIND_SET_MAX,
                                   .max = (int64_t)arg_max,
                                   .on_done = on_max_set,
                           },
                           0);
}

static void fleet_close(Fleet *fleet)
{
        for (size_t i = 0; i < arg_hosts && fleet->hosts; i++) {
                Host *host = &fleet->hosts[i];

                claim_cancel(host->claim);
                lock_cancel(host->operation);
                sd_event_source_disable_unref(host->timer);
                session_done(&host->session);
                free(host->id);
        }
        free(fleet->hosts);
        free(fleet->hand_overs);
        settings_done(&fleet->settings);
        sd_event_unref(fleet->event);
}

static int span_compare(const void *a, const void *b)
{
        usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

        return (x > y) - (x < y);
}

static void fleet_print(Fleet *fleet)
{
        usec_t total = now_boottime() - fleet->began, median = 0;
        json_auto_t *report = NULL;
        _cleanup_free_ char *text = NULL;

        qsort(fleet->hand_overs, fleet->n_hand_overs, sizeof(usec_t), span_compare);
        if (fleet->n_hand_overs > 0)
                median = fleet->hand_overs[fleet->n_hand_overs / 2];
        report = json_pack("{s:f, s:f, s:i, s:i, s:i, s:i, s:i}", "total_s",
                           (double)total / (double)USEC_PER_SEC, "hand_over_median_ms",
                           (double)median / (double)USEC_PER_MSEC, "taken", (int)fleet->n_taken,
                           "most_holding", (int)fleet->most_holding, "out_of_order",
                           (int)fleet->n_out_of_order, "poll_tries", (int)fleet->n_tries, "failed",
                           (int)fleet->n_failed);
        text = report ? json_dumps(report, JSON_REAL_PRECISION(6)) : NULL;
        printf("%s\n", text ? text : "");
}

static int fleet_run(Fleet *fleet)
{
        int r;

        r = event_new(&fleet->event);
        if (r >= 0)
                r = fleet_open(fleet);
        if (r < 0)
                return log_error_errno(r, "setting up: %m");

        fleet->began = now_boottime();
        host_start(&fleet->hosts[0]);
        for (size_t i = 1; i < arg_hosts && !arg_in_order; i++)
                host_start(&fleet->hosts[i]);
        r = sd_event_loop(fleet->event);
        if (r >= 0)
                fleet_print(fleet);
        return r;
}

static int run(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(fleet_close) Fleet fleet = {};
        _cleanup_free_ char *why = NULL;
        struct rlimit files;
        int r;

        if (!arg_etcd)
                return program_usage("--etcd is needed");
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &files); /* then a large fleet fails, and says so */
        }

        r = text_set(&fleet.settings.endpoint, arg_etcd);
        if (r >= 0)
                r = text_set(&fleet.settings.root, "/nonexistent");
        if (r >= 0)
                r = settings_read(&fleet.settings, false, &why);
        return r < 0 ? r : fleet_run(&fleet);
}

int main(int argc, char **argv)
{
        static const Option options[] = {
                { "etcd", 0, OPTION_TEXT, &arg_etcd, "URL", "where etcd is", 0 },
                { "hosts", 0, OPTION_NUMBER, &arg_hosts, "N", "how many want the lock", 100000 },
                { "max", 0, OPTION_NUMBER, &arg_max, "N", "how many may hold it", 100000 },
                { "hold", 0, OPTION_NUMBER, &arg_hold, "MS", "how long each holds it", 100000 },
                { "in-order", 0, OPTION_FLAG, &arg_in_order, NULL,
                  "they come one after another, and must get it so", 0 },
                { "polling", 0, OPTION_FLAG, &arg_polling, NULL, "no queue: try, and try again",
                  0 },
                { "poll", 0, OPTION_NUMBER, &arg_poll, "MS", "after about so long", 100000 },
                {},
        };
        static const Program program = {
                .name = "lock-fleet",
                .synopsis = "--etcd URL [OPTION...]",
                .summary = "Lets many hosts contend for the reboot lock, in one process.",
                .options = options,
                .run = run,
        };

        return program_run(&program, argc, argv);
}
