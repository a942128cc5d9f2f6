/* The files of locksmithd, one by one (scenario.h). */
#include "base/io.h"
#include "base/text.h"
#include "base/time-util.h"
#include "crash/check.h"
#include "crash/scenario.h"
#include "locksmith/coordinator.h"
#include "locksmith/duration.h"

#define MARKER  "/var/lib/updated/etcd-seen"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define ASKED   60 /* seconds ago */

static void coordinator_prepare(const char *root)
{
        scenario_put(root, COORDINATOR_FILE, "NAME=locksmithd\nSTRATEGY=reboot\nSTATE=running\n");
}

static int coordinator_run(const char *root)
{
        Coordinator coordinator;
        int r;

        r = coordinator_become(root, &coordinator);
        if (r < 0)
                return r;
        r = coordinator_write(&coordinator, "reboot", "rebooting", "now");
        coordinator_done(&coordinator);
        return r;
}

static void marker_prepare(_unused_ const char *root)
{
}

/* As daemon.c and guard.c write theirs. */
static int marker_run(const char *root)
{
        return file_replace(root, MARKER, "seen\n", 5, 0644);
}

static int marker_remove(const char *root)
{
        return file_remove(root, MARKER);
}

static void marker_prepare_more(const char *root)
{
        CHECK(marker_run(root) >= 0);
}

/* Durations are no loss that anybody would notice: what is there has to be what was there, and whole. */
static int times_check(const char *root, size_t n_took, bool asked)
{
        _cleanup_(durations_done) Durations durations = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, DURATION_FILE, DURATION_TEXT_MAX, &text, NULL);
        if (r >= 0)
                r = durations_parse(text, &durations);
        if (r < 0)
                return r;
        return durations.n_took == n_took && (durations.asked > 0) == asked
                               && durations.took[n_took - 1] == 90 * USEC_PER_SEC
                       ? 0
                       : -EBADMSG;
}

static void times_prepare(const char *root)
{
        scenario_put(root, BOOT_ID, "this-boot\n");
        scenario_put(root, DURATION_FILE, "took 80\ntook 90\n");
}

static int times_begin(const char *root)
{
        int r;

        r = times_check(root, 2, false);
        if (r < 0 && times_check(root, 2, true) < 0)
                return r;
        r = duration_begin(root);
        return r < 0 ? r : times_check(root, 2, true);
}

static void times_prepare_asked(const char *root)
{
        scenario_put(root, BOOT_ID, "this-boot\n");
        scenario_put(root, DURATION_FILE, "asked 1000000000 this-boot\ntook 80\ntook 90\n");
}

static void times_prepare_rebooted(const char *root)
{
        _cleanup_free_ char *text = NULL;

        CHECK(text_format(&text, "asked %llu boot-before\ntook 80\ntook 90\n",
                          (unsigned long long)(now_realtime() / USEC_PER_SEC - ASKED))
              >= 0);
        scenario_put(root, BOOT_ID, "this-boot\n");
        scenario_put(root, DURATION_FILE, text);
}

static int times_end(const char *root)
{
        usec_t took;
        int r;

        r = times_check(root, 2, true);
        if (r < 0 && times_check(root, 3, false) < 0)
                return r;
        r = duration_end(root, &took);
        if (r < 0)
                return r;
        CHECK(r == 0 || took >= ASKED * USEC_PER_SEC);
        return times_check(root, 3, false);
}

int main(void)
{
        static const Scenario scenarios[] = {
                { "coordinator.conf",
                  coordinator_prepare,
                  coordinator_run,
                  { COORDINATOR_FILE, NULL },
                  NULL,
                  false },
                { "a note that an etcd was seen, or which members ran here",
                  marker_prepare,
                  marker_run,
                  { MARKER, NULL },
                  NULL,
                  false },
                { "a note that goes",
                  marker_prepare_more,
                  marker_remove,
                  { MARKER, NULL },
                  NULL,
                  false },
                { "how long reboots take: one is asked for",
                  times_prepare,
                  times_begin,
                  { DURATION_FILE, NULL },
                  NULL,
                  true },
                { "… it is refused",
                  times_prepare_asked,
                  duration_cancel,
                  { DURATION_FILE, NULL },
                  NULL,
                  false },
                { "… it is over",
                  times_prepare_rebooted,
                  times_end,
                  { DURATION_FILE, NULL },
                  NULL,
                  true },
        };

        return scenarios_run(scenarios, ELEMENTSOF(scenarios));
}
