#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"
#include "peers.h"

static bool arg_details = false;

const Option status_options[] = {
        { "details", 0, OPTION_FLAG, &arg_details, NULL, "also who waits, and what the hosts tell",
          0 },
        {},
};

/* Ids are whatever somebody has put there: nothing in them may act on the terminal. */
static const char *shown(const char *id, char text[static ETCD_WHY_MAX])
{
        foreign_text(id, strlen(id), text, ETCD_WHY_MAX);
        return text;
}

static void status_print(const Semaphore *semaphore)
{
        char text[ETCD_WHY_MAX];

        printf("Available: %" PRId64 "\nMax: %" PRId64 "\n", semaphore->free, semaphore->max);
        if (semaphore->holders.n_items > 0)
                printf("\nMACHINE ID\n");
        for (size_t i = 0; i < semaphore->holders.n_items; i++)
                printf("%s\n", shown(semaphore->holders.items[i], text));
}

static void since_print(int64_t since)
{
        char text[TIMESPAN_MAX];
        usec_t now = now_realtime(), then = (usec_t)since * USEC_PER_SEC;

        /* Another host's clock: an age is a hint, and one from the future is none. */
        printf("  %-12s", since > 0 && then <= now ? timespan_format(now - then, text) : "?");
}

static void record_print(const char *id, const Record *record, bool late)
{
        char text[ETCD_WHY_MAX];

        printf("%-32s", shown(id, text));
        if (record) {
                since_print(record->since);
                printf("  %s%s  %s%s%s  %s", late ? "OVERDUE " : "",
                       *record->host ? record->host : "?", record->from_version,
                       *record->to_version ? " -> " : "", record->to_version, record->reason);
        } else
                printf("  (no record: taken by an old client, or for another host)");
        printf("\n");
}

static void details_print(const Semaphore *semaphore, const Peers *holders, const Peers *queue,
                          usec_t limit)
{
        usec_t now = now_realtime();

        printf("\n%-32s  %-12s  %s\n", "HOLDER", "FOR", "HOST, VERSIONS, REASON");
        for (size_t i = 0; i < semaphore->holders.n_items; i++) {
                const char *id = semaphore->holders.items[i];
                const Record *record = peers_find(holders, id);

                record_print(id, record, record && record_is_late(record, now, limit));
        }
        printf("\n%-32s  %-12s  %s\n", "WAITER, IN ORDER", "FOR", "HOST, VERSIONS, REASON");
        for (size_t i = 0; i < queue->n_peers; i++)
                record_print(queue->peers[i].id, &queue->peers[i].record, false);
}

static json_t *peer_json(const char *id, const Record *record, bool late)
{
        if (!record)
                return json_pack("{s:s}", "id", id);
        return json_pack("{s:s, s:b, s:s, s:s, s:I, s:s, s:s, s:s}", "id", id, "overdue", (int)late,
                         "host", record->host, "boot_id", record->boot_id, "since",
                         (json_int_t)record->since, "reason", record->reason, "from_version",
                         record->from_version, "to_version", record->to_version);
}

static json_t *status_json(const Semaphore *semaphore, const Settings *settings,
                           const Peers *holders, const Peers *queue)
{
        usec_t now = now_realtime(), limit = settings->return_time;
        json_auto_t *ids = json_array(), *records = json_array(), *waiters = json_array();
        int r = 0;

        for (size_t i = 0; i < semaphore->holders.n_items; i++) {
                const char *id = semaphore->holders.items[i];
                const Record *record = peers_find(holders, id);

                r |= json_array_append_new(ids, json_string(id));
                r |= json_array_append_new(
                        records,
                        peer_json(id, record, record && record_is_late(record, now, limit)));
        }
        for (size_t i = 0; i < queue->n_peers; i++)
                r |= json_array_append_new(
                        waiters, peer_json(queue->peers[i].id, &queue->peers[i].record, false));
        if (r < 0)
                return NULL;

        return json_pack("{s:s, s:I, s:I, s:O, s:O, s:O}", "group", settings->group, "available",
                         (json_int_t)semaphore->free, "max", (json_int_t)semaphore->max, "holders",
                         ids, "records", records, "queue", waiters);
}

typedef struct Reading {
        Semaphore *semaphore;
        int r;
} Reading;

static void on_read(const LockResult *result, void *userdata)
{
        Reading *reading = userdata;

        reading->r = semaphore_copy(result->semaphore, reading->semaphore);
}

int ctl_read(Ctl *ctl, Semaphore *ret)
{
        Reading reading = { .semaphore = ret };
        int r;

        r = ctl_run(
                ctl,
                &(LockRequest) { .kind = LOCK_KIND_READ, .on_done = on_read, .userdata = &reading },
                "Error reading the lock");
        return r < 0 ? r : reading.r;
}

int ctl_peers(Ctl *ctl, Peers *ret_holders, Peers *ret_queue)
{
        _cleanup_free_ char *why = NULL;
        int r;

        r = peers_read_holders(&ctl->session, ctl->settings.group, ret_holders, &why);
        if (r >= 0)
                r = peers_read_queue(&ctl->session, ctl->settings.group, ret_queue, &why);
        if (r < 0 && why)
                return log_error_return(r, "Error reading the queue: %s", why);
        return r < 0 ? log_error_errno(r, "Error reading the queue: %m") : 0;
}

int verb_status(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(semaphore_done) Semaphore semaphore = {};
        _cleanup_(peers_done) Peers holders = {}, queue = {};
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_read(&ctl, &semaphore);
        if (r >= 0 && (arg_details || ctl_json()))
                r = ctl_peers(&ctl, &holders, &queue);
        if (r < 0)
                return r;

        if (semaphore.stored != semaphore.free)
                log_warning("the stored number of free slots, %" PRId64
                            ", is wrong; the next change of the lock corrects it",
                            semaphore.stored);
        if (ctl_json())
                return ctl_print(status_json(&semaphore, &ctl.settings, &holders, &queue));
        status_print(&semaphore);
        if (arg_details)
                details_print(&semaphore, &holders, &queue, ctl.settings.return_time);
        return EXIT_DONE;
}
