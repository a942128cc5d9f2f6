#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"

/* Ids are whatever somebody has put there: nothing in them may act on the terminal. */
static void holder_print(const char *id)
{
        char shown[ETCD_WHY_MAX];

        foreign_text(id, strlen(id), shown, sizeof(shown));
        printf("%s\n", shown);
}

static void status_print(const Semaphore *semaphore)
{
        printf("Available: %" PRId64 "\nMax: %" PRId64 "\n", semaphore->free, semaphore->max);
        if (semaphore->holders.n_items > 0)
                printf("\nMACHINE ID\n");
        for (size_t i = 0; i < semaphore->holders.n_items; i++)
                holder_print(semaphore->holders.items[i]);
}

static json_t *status_json(const Semaphore *semaphore, const char *group)
{
        json_t *holders = json_array();

        for (size_t i = 0; i < semaphore->holders.n_items; i++)
                if (json_array_append_new(holders, json_string(semaphore->holders.items[i])) < 0) {
                        json_decref(holders);
                        return NULL;
                }

        return json_pack("{s:s, s:I, s:I, s:o}", "group", group, "available",
                         (json_int_t)semaphore->free, "max", (json_int_t)semaphore->max, "holders",
                         holders);
}

typedef struct Status {
        const char *group;
        int r;
} Status;

static void on_status(const LockResult *result, void *userdata)
{
        const Semaphore *semaphore = result->semaphore;
        Status *status = userdata;

        if (semaphore->stored != semaphore->free)
                log_warning("the stored number of free slots, %" PRId64
                            ", is wrong; the next change of the lock corrects it",
                            semaphore->stored);
        if (ctl_json())
                status->r = ctl_print(status_json(semaphore, status->group));
        else
                status_print(semaphore);
}

int verb_status(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        Status status = {};
        int r;

        r = ctl_open(&ctl);
        if (r < 0)
                return r;

        status.group = ctl.settings.group;
        r = ctl_run(&ctl,
                    &(LockRequest) {
                            .kind = LOCK_KIND_READ, .on_done = on_status, .userdata = &status },
                    "Error reading the lock");
        return r < 0 ? r : status.r;
}
