#include <fcntl.h>
#include <sys/random.h>

#include "base/io.h"
#include "base/log.h"
#include "manager.h"

/* Then no check is made by schedule; on demand there still is one. */
static bool manager_is_paused(const Manager *manager)
{
        int fd = root_open(manager->root, HOST_TEST_IMAGE, O_PATH, 0);
        bool test_image = fd >= 0;

        (void)close_fd(fd);
        if (test_image || manager->state.paused)
                log_info("no check by schedule: %s",
                         test_image ? "there is " HOST_TEST_IMAGE
                                    : "checks are paused, until \"update-engine-client resume\"");
        return test_image || manager->state.paused;
}

static int on_check_due(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Manager *manager = userdata;
        bool waits = manager->report.status == UPDATE_STATUS_UPDATED_NEED_REBOOT, paused;
        int r;

        manager->timer = sd_event_source_disable_unref(manager->timer);
        paused = manager_is_paused(manager);
        manager->check_missed = !paused && manager_is_on_trial(manager);
        if (paused || manager->check_missed) {
                manager_plan_check(manager);
                return 0;
        }
        r = manager_attempt(manager, waits ? ATTEMPT_PING : ATTEMPT_SCHEDULED);
        if (r == -EBUSY)
                return 0; /* somebody asked just now: its end plans the next check */
        if (r < 0) {
                (void)log_error_errno(r, "starting an update check: %m");
                manager_plan_check(manager);
        }
        return 0;
}

void manager_plan_check(Manager *manager)
{
        static const char *const changed[] = { "NextCheck", NULL };
        Schedule *schedule = &manager->schedule;
        int r;

        schedule->first = manager->config.check_first;
        schedule->interval = manager->config.check_interval;
        schedule->place = host_place(&manager->host);
        if (getrandom(&schedule->chance, sizeof(schedule->chance), GRND_NONBLOCK)
            != (ssize_t)sizeof(schedule->chance))
                schedule->chance = now_boottime(); /* early boot: still different on each host */
        schedule->last = schedule_next(schedule);
        r = sd_event_add_time_relative(manager->event, &manager->timer, CLOCK_BOOTTIME,
                                       schedule->last, 0, on_check_due, manager);
        if (r < 0) {
                (void)log_error_errno(r, "setting the timer of the next check: %m");
                (void)sd_event_exit(manager->event, r); /* systemd starts us anew */
                return;
        }

        (void)sd_event_source_set_description(manager->timer, "next-check");
        manager->next_check = now_realtime() + schedule->last;
        manager_emit_changed(manager, changed);
}
