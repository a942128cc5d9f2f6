/* The files of locksmithd, one by one (scenario.h). */
#include "base/io.h"
#include "crash/check.h"
#include "crash/scenario.h"
#include "locksmith/coordinator.h"

#define MARKER "/var/lib/updated/etcd-seen"

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
        };

        return scenarios_run(scenarios, ELEMENTSOF(scenarios));
}
