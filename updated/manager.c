#include "manager.h"
#include "base/bus.h"
#include "base/log.h"
#include "base/text.h"

#define VERSION_NONE      "0.0.0"             /* new_version when there is none */
#define PROGRESS_STEP     0.01                /* a signal for each percent … */
#define PROGRESS_INTERVAL (10 * USEC_PER_SEC) /* … or after this */

void manager_read_slots(Manager *manager)
{
        _cleanup_(update_failure_done) UpdateFailure failure = {};
        Slots slots;
        int r;

        r = slots_read(manager->root, &manager->config.slots, &slots, &failure);
        slots_done(&manager->slots);
        if (r >= 0)
                manager->slots = slots;
        else
                log_warning("%s", update_failure_text(&failure));
}

void manager_save_state(Manager *manager)
{
        int r = state_write(manager->root, &manager->state);

        if (r < 0)
                (void)log_warning_errno(r, STATE_PATH " can not be written: %m");
}

int manager_read_settings(Manager *manager)
{
        Config config;
        Host host;
        int r;

        r = config_read(manager->root, &config);
        if (r < 0)
                return r;
        config_done(&manager->config);
        manager->config = config;

        r = host_read(manager->root, &host);
        if (r < 0)
                return r;
        host_done(&manager->host);
        manager->host = host;

        return reporter_set_server(manager->reporter, manager->config.server,
                                   &manager->config.transport);
}

int manager_set_report(Manager *manager, UpdateStatus status, const char *version, uint64_t size)
{
        manager->report.status = status;
        manager->report.progress = 0;
        manager->report.new_size = (int64_t)size;
        return text_set(&manager->report.new_version, is_empty(version) ? VERSION_NONE : version);
}

/* Signals every change of state, and progress now and then. */
void manager_tell(Manager *manager, bool state_changed)
{
        double progress = manager->report.progress;
        usec_t now = now_boottime();

        if (!state_changed && progress - manager->emitted_progress < PROGRESS_STEP && progress < 1
            && now - manager->emitted_at < PROGRESS_INTERVAL)
                return;

        manager->emitted_progress = progress;
        manager->emitted_at = now;
        manager_emit_status(manager);
        manager_emit_progress(manager);
}

int manager_reset(Manager *manager)
{
        static const char *const changed[] = { "LastError", "Rounds", "NotBefore",
                                               "AddressFailures", NULL };

        if (manager->attempt && manager->attempt->kind != ATTEMPT_PING)
                return -EBUSY;

        /* Also what did not boot gets another chance: somebody has looked at it. */
        text_clear(&manager->state.failed_version);
        text_clear(&manager->state.failed_sha256);
        text_clear(&manager->state.retries);
        text_clear(&manager->state.left_version);
        update_failure_done(&manager->last_error);
        manager_emit_changed(manager, changed);
        if (manager->report.status != UPDATE_STATUS_UPDATED_NEED_REBOOT) {
                manager_save_state(manager);
                return 0;
        }

        state_unstage(&manager->state);
        manager_save_state(manager);
        log_notice("the update that waits for its reboot is forgotten; its slot stays the next to "
                   "boot until another update begins");
        manager_tell(manager, manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0) >= 0);
        manager_write_metrics(manager);
        return 0;
}

int manager_start(Manager *manager)
{
        int r;

        /* First, before anything is changed: the name is what keeps a second daemon away. Calls wait for the loop. */
        r = manager_bus_open(manager);
        if (r == -EEXIST)
                return log_error_return(r,
                                        "another update daemon runs on this host: " UPDATE_BUS_NAME
                                        " is taken on the system bus; nothing was changed");
        if (r < 0)
                return log_error_errno(r, "connecting to the system bus as %s: %m%s",
                                       UPDATE_BUS_NAME, bus_open_hint(r));
        manager_sweep(manager);
        r = state_read(manager->root, &manager->state);
        if (r >= 0)
                r = manager_read_settings(manager);
        if (r < 0)
                return log_error_errno(r, "reading settings and state: %m");

        manager_read_slots(manager);
        r = manager_settle_state(manager);
        if (r < 0)
                return log_error_errno(r, "reading settings and state: %m");
        manager_settle_health(manager);
        manager_write_metrics(manager);

        if (manager_needs_trial(manager)) {
                r = manager_begin_trial(manager);
                if (r < 0)
                        return log_error_errno(r, "beginning the trial of the running slot: %m");
        }
        manager_emit_status(manager);
        manager_plan_check(manager);
        r = reporter_flush(manager->reporter, NULL, NULL);
        if (r < 0)
                (void)log_warning_errno(r, "reading the queue of events: %m");
        return 0;
}

int manager_new(sd_event *event, const char *root, const ManagerPrograms *programs, Manager **ret)
{
        _cleanup_(manager_free_p) Manager *manager = calloc(1, sizeof(Manager));
        int r;

        if (!manager)
                return -ENOMEM;

        manager->event = sd_event_ref(event);
        manager->slots = (Slots) { .running = SLOT_NONE, .target = SLOT_NONE };
        r = text_set(&manager->root, root && !streq(root, "/") ? root : "");
        if (r >= 0)
                r = text_set(&manager->programs.worker, programs->worker);
        if (r >= 0)
                r = text_set(&manager->programs.postinst, programs->postinst);
        if (r >= 0)
                r = manager_set_report(manager, UPDATE_STATUS_IDLE, NULL, 0);
        if (r >= 0)
                r = http_new(event, &manager->http);
        if (r >= 0)
                r = reporter_new(event, manager->http, manager->root, &manager->reporter);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(manager);
        return 0;
}

Manager *manager_free(Manager *manager)
{
        if (!manager)
                return NULL;

        trial_free(manager->trial);
        attempt_free(manager->attempt);
        sd_event_source_disable_unref(manager->reboot_retry);
        free(manager->ill);
        sd_event_source_disable_unref(manager->timer);
        reporter_free(manager->reporter);
        http_free(manager->http);
        sd_bus_flush_close_unref(manager->bus);
        state_done(&manager->state);
        slots_done(&manager->slots);
        host_done(&manager->host);
        config_done(&manager->config);
        update_report_done(&manager->report);
        update_failure_done(&manager->last_error);
        free(manager->root);
        free(manager->programs.worker);
        free(manager->programs.postinst);
        sd_event_unref(manager->event);
        free(manager);
        return NULL;
}
