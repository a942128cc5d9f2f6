/*
 * A fleet in one process: N hosts want the lock, hold it for a while, and give it back, each with
 * connections of its own, once or several times. Prints what it took as one JSON object.
 * tests/bench/lock, tests/integration/lock-queue.py and lock-chaos.py run it.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "lock-old-client.h"
#include "locksmith/claim.h"
#include "locksmith/lock-key.h"

/* How the old locksmithd waits: the doubled span comes first. */
#define OLD_INTERVAL_FIRST (5 * USEC_PER_SEC)
#define OLD_INTERVAL_MAX   (5 * USEC_PER_MINUTE)

#define PAUSE (10 * USEC_PER_MSEC) /* at most, before a host comes again */

static const char *arg_etcd = NULL;
static uint64_t arg_hosts = 50, arg_max = 1, arg_hold = 20, arg_poll = 0, arg_rounds = 1,
                arg_give_up = 0;
static bool arg_polling = false, arg_doubling = false, arg_in_order = false;

typedef struct Fleet Fleet;

typedef struct Host {
        Fleet *fleet;
        char *id, *record_key;
        Session session;
        Claim *claim;
        LockOperation *operation;
        OldClient old;
        usec_t interval; /* of the old client */
        sd_event_source *timer;
        uint64_t n_turns;
        size_t came_at; /* so many turns had been taken when it came */
        bool queued;
} Host;

struct Fleet {
        sd_event *event;
        Settings settings;
        Host *hosts;
        size_t n_started, n_taken, n_done, longest_wait;
        unsigned n_holding, most_holding, n_out_of_order, n_lost, n_unlocks, n_failed;
        sd_event_source *end;
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

static int host_later(Host *host, usec_t delay, sd_event_time_handler_t handler)
{
        host->timer = sd_event_source_disable_unref(host->timer);
        return sd_event_add_time_relative(host->fleet->event, &host->timer, CLOCK_MONOTONIC, delay,
                                          1, handler, host);
}

static int on_next_turn(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        host_start(userdata);
        return 0;
}

static void host_is_released(Host *host)
{
        Fleet *fleet = host->fleet;

        fleet->released = now_boottime();
        fleet->n_done++;
        host->n_turns++;
        if (fleet->n_done == arg_hosts * arg_rounds)
                (void)sd_event_exit(fleet->event, 0); /* fails in the end only */
        else if (host->n_turns < arg_rounds
                 && host_later(host, jitter_below(PAUSE), on_next_turn) < 0)
                fleet_fail(fleet, "setting a timer");
}

static void on_released(const LockResult *result, void *userdata)
{
        Host *host = userdata;

        host->operation = NULL;
        if (result->outcome == LOCK_DONE)
                host_is_released(host);
        else
                fleet_fail(host->fleet, result->why);
}

static int host_release(Host *host)
{
        return lock_start(host->fleet->event, host->session.backend,
                          &(LockRequest) {
                                  .kind = LOCK_KIND_RELEASE,
                                  .id = host->id,
                                  .record_key = host->record_key,
                                  .persistent = true, /* as locksmithd does it */
                                  .on_done = on_released,
                                  .userdata = host,
                          },
                          &host->operation);
}

static int on_held(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Host *host = userdata;

        host->fleet->n_holding--; /* before it is released: whoever gets it now gets it rightly */
        host->fleet->n_unlocks++;
        host->interval = OLD_INTERVAL_FIRST;
        return arg_polling ? old_client_start(&host->old, true) : host_release(host);
}

static void host_take(Host *host)
{
        Fleet *fleet = host->fleet;

        if (arg_in_order && (size_t)(host - fleet->hosts) != fleet->n_taken)
                fleet->n_out_of_order++;
        if (fleet->released > 0)
                fleet->hand_overs[fleet->n_hand_overs++] = now_boottime() - fleet->released;
        fleet->released = 0;
        fleet->longest_wait = MAX_OF(fleet->longest_wait, fleet->n_taken - host->came_at);
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

/* The next try of a client that does not know the queue. */
static int on_poll(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Host *host = userdata;

        if (host->old.release)
                host->fleet->n_unlocks++;
        return old_client_start(&host->old, host->old.release);
}

static usec_t poll_delay(Host *host)
{
        usec_t poll = arg_poll * USEC_PER_MSEC;

        if (!arg_doubling)
                return poll / 2 + jitter_below(poll);
        host->interval = MIN_OF(2 * host->interval, OLD_INTERVAL_MAX);
        return host->interval;
}

static void on_tried(OldAnswer answer, void *userdata)
{
        Host *host = userdata;

        if (answer == OLD_LOST)
                host->fleet->n_lost++;
        if (answer == OLD_FAILED)
                fleet_fail(host->fleet, "etcd did not answer the old client");
        else if (answer == OLD_DONE && host->old.release)
                host_is_released(host);
        else if (answer == OLD_DONE)
                host_take(host);
        else if (host_later(host, poll_delay(host), on_poll) < 0)
                fleet_fail(host->fleet, "setting a timer");
}

static int host_poll(Host *host)
{
        host->interval = OLD_INTERVAL_FIRST;
        host->old = (OldClient) {
                .backend = host->session.backend,
                .id = host->id,
                .on_done = on_tried,
                .userdata = host,
        };
        return old_client_start(&host->old, false);
}

static int host_claim(Host *host)
{
        return claim_start(&host->session,
                           &(ClaimRequest) {
                                   .group = host->fleet->settings.group,
                                   .id = host->id,
                                   .record = "{}",
                                   .on_wait = on_wait,
                                   .on_done = on_claimed,
                                   .userdata = host,
                           },
                           &host->claim);
}

static void host_start(Host *host)
{
        int r;

        host->fleet->n_started++;
        host->came_at = host->fleet->n_taken;
        r = arg_polling ? host_poll(host) : host_claim(host);
        if (r < 0)
                fleet_fail(host->fleet, strerror(-r));
}

static void on_max_set(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* Then the fleet begins. */
}

/* Not all of them ask the same member first. */
static int host_open(Fleet *fleet, size_t i)
{
        Host *host = &fleet->hosts[i];
        int r;

        host->fleet = fleet;
        r = text_format(&host->id, "host-%04zu", i);
        if (r >= 0)
                r = lock_key_holder(fleet->settings.group, host->id, &host->record_key);
        if (r >= 0)
                r = session_open(fleet->event, &fleet->settings, &host->session);
        for (size_t n = i % fleet->settings.etcd.endpoints.n_items; n > 0 && r >= 0; n--)
                etcd_rotate(host->session.etcd);
        return r;
}

static int fleet_open(Fleet *fleet)
{
        int r = 0;

        fleet->hosts = calloc(arg_hosts, sizeof(Host));
        fleet->hand_overs = calloc(arg_hosts * arg_rounds, sizeof(usec_t));
        if (!fleet->hosts || !fleet->hand_overs)
                return -ENOMEM;

        for (size_t i = 0; i < arg_hosts && r >= 0; i++)
                r = host_open(fleet, i);
        if (r < 0)
                return r;

        return session_run(&fleet->hosts[0].session,
                           &(LockRequest) {
                                   .kind = LOCK_KIND_SET_MAX,
                                   .max = (int64_t)arg_max,
                                   .persistent = true,
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
                free(host->record_key);
        }
        sd_event_source_disable_unref(fleet->end);
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
        report = json_pack("{s:f, s:f, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "total_s",
                           (double)total / (double)USEC_PER_SEC, "hand_over_median_ms",
                           (double)median / (double)USEC_PER_MSEC, "taken", (int)fleet->n_taken,
                           "most_holding", (int)fleet->most_holding, "longest_wait",
                           (int)fleet->longest_wait, "out_of_order", (int)fleet->n_out_of_order,
                           "lost", (int)fleet->n_lost, "unlocks", (int)fleet->n_unlocks, "failed",
                           (int)fleet->n_failed);
        text = report ? json_dumps(report, JSON_REAL_PRECISION(6)) : NULL;
        printf("%s\n", text ? text : "");
}

static int on_end(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Fleet *fleet = userdata;

        return sd_event_exit(fleet->event, 0);
}

static int fleet_run(Fleet *fleet)
{
        int r;

        r = event_new(&fleet->event);
        if (r >= 0)
                r = fleet_open(fleet);
        if (r >= 0 && arg_give_up > 0)
                r = sd_event_add_time_relative(fleet->event, &fleet->end, CLOCK_MONOTONIC,
                                               arg_give_up * USEC_PER_SEC, 0, on_end, fleet);
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
                { "rounds", 0, OPTION_NUMBER, &arg_rounds, "N", "how many turns each wants",
                  100000 },
                { "polling", 0, OPTION_FLAG, &arg_polling, NULL,
                  "no queue: the old client, which tries again after a failure", 0 },
                { "poll", 0, OPTION_NUMBER, &arg_poll, "MS", "after about so long", 100000 },
                { "doubling", 0, OPTION_FLAG, &arg_doubling, NULL,
                  "after 10 s, 20 s, and so on to 300 s", 0 },
                { "give-up", 0, OPTION_NUMBER, &arg_give_up, "SECONDS", "end it behind so long",
                  100000 },
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
