#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl.h"

typedef struct SetMax {
        int64_t max;
        int r;
} SetMax;

static void on_max_set(const LockResult *result, void *userdata)
{
        const Semaphore *semaphore = result->semaphore;
        SetMax *set = userdata;

        if (ctl_json())
                set->r = ctl_print(json_pack("{s:I, s:I}", "old_max", (json_int_t)result->old_max,
                                             "max", (json_int_t)semaphore->max));
        else
                printf("Old-Max: %" PRId64 "\nMax: %" PRId64 "\n", result->old_max, semaphore->max);
        if (semaphore->free < 0)
                log_warning("%zu hosts hold the lock: nobody new gets in until fewer than %" PRId64
                            " do",
                            semaphore->holders.n_items, semaphore->max);
}

int verb_set_max(int argc, char **argv)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        SetMax set = {};
        uint64_t max;
        int r;

        /* Refused as the classic tool refuses it, with 1; but before etcd is asked for anything. */
        if (argc != 2)
                return log_error_return(-EINVAL, "New maximum value must be set.");
        if (text_to_u64(argv[1], INT64_MAX, &max) < 0)
                return log_error_return(-EINVAL, "Invalid maximum value: %s", argv[1]);

        r = ctl_open(&ctl);
        if (r < 0)
                return r;

        r = ctl_run(&ctl,
                    &(LockRequest) {
                            .kind = LOCK_KIND_SET_MAX,
                            .max = (int64_t)max,
                            .on_done = on_max_set,
                            .userdata = &set,
                    },
                    "Error setting value");
        return r < 0 ? r : set.r;
}
