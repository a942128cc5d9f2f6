#include <inttypes.h>
#include <stdio.h>

#include "base/program.h"
#include "base/text.h"
#include "base/time-util.h"
#include "client-show.h"

#define CLIENT_MOMENT_MAX 64

static const char *report_status(const UpdateReport *report)
{
        const char *status = update_status_to_string(report->status);

        return status ? status : "UPDATE_STATUS_UNKNOWN";
}

/* "2 min 5 s ago", "in 40 min 3 s", "never": a time in seconds since 1970. The buffer is returned. */
static const char *client_moment(int64_t when, int64_t now, char buffer[static CLIENT_MOMENT_MAX])
{
        char span[TIMESPAN_MAX];
        uint64_t seconds = (uint64_t)(when > now ? when - now : now - when);

        timespan_format(seconds * USEC_PER_SEC, span);
        if (when == now)
                snprintf(buffer, CLIENT_MOMENT_MAX, "now");
        else if (when <= 0)
                snprintf(buffer, CLIENT_MOMENT_MAX, "never");
        else if (when > now)
                snprintf(buffer, CLIENT_MOMENT_MAX, "in %s", span);
        else
                snprintf(buffer, CLIENT_MOMENT_MAX, "%s ago", span);
        return buffer;
}

static const char *report_sentence(const UpdateReport *report)
{
        static const char *const sentences[_UPDATE_STATUS_MAX] = {
                [UPDATE_STATUS_IDLE] = "nothing to do",
                [UPDATE_STATUS_CHECKING_FOR_UPDATE] = "asking the update server",
                [UPDATE_STATUS_UPDATE_AVAILABLE] = "an update was found",
                [UPDATE_STATUS_DOWNLOADING] = "fetching and writing an update",
                [UPDATE_STATUS_VERIFYING] = "verifying what was written",
                [UPDATE_STATUS_FINALIZING] = "verifying what was written",
                [UPDATE_STATUS_UPDATED_NEED_REBOOT] = "an update waits for its reboot",
                [UPDATE_STATUS_REPORTING_ERROR_EVENT] = "telling the update server of a failure",
        };

        return report->status < 0 ? "a state that this program does not know"
                                  : sentences[report->status];
}

static const char *slots_running(const UpdateSlots *slots)
{
        for (size_t i = 0; i < slots->n_slots; i++)
                if (slots->slots[i].running)
                        return slots->slots[i].label;
        return "unknown";
}

static void details_show_progress(const ClientDetails *details)
{
        char done[BYTES_MAX], speed[BYTES_MAX], left[TIMESPAN_MAX];

        printf("Progress:    %.0f%%, %s", details->report.progress * 100,
               bytes_format(details->bytes_done, done));
        if (details->speed > 0)
                printf(", %s/s, %s left", bytes_format(details->speed, speed),
                       timespan_format(details->time_left * USEC_PER_SEC, left));
        printf("\n");
}

void client_show_details(const ClientDetails *details)
{
        const UpdateReport *report = &details->report;
        char moment[CLIENT_MOMENT_MAX], size[BYTES_MAX];
        int64_t now = (int64_t)(now_realtime() / USEC_PER_SEC);
        int64_t next_min = details->next_check > 0 ? now : 0; /* what is due happens now */

        printf("State:       %s (%s)\n", report_sentence(report), report_status(report));
        printf("Running:     version %s from slot %s, channel %s\n", details->running_version,
               slots_running(&details->slots), details->channel);
        if (*details->trial)
                printf("Trial:       %s%s\n",
                       streq(details->trial, "failed") ? "not good: " : "it ", details->trial_text);
        if (report->new_size > 0)
                printf("Update:      version %s, %s\n", report->new_version,
                       bytes_format((uint64_t)report->new_size, size));
        if (report->status == UPDATE_STATUS_DOWNLOADING)
                details_show_progress(details);
        printf("Last check:  %s\n", client_moment(report->last_checked, now, moment));
        printf("Next check:  %s\n",
               details->paused ? "paused, until \"update-engine-client resume\""
                               : client_moment(MAX_OF((int64_t)details->next_check, next_min), now,
                                               moment));
        if (report->status == UPDATE_STATUS_IDLE && details->not_before > (uint64_t)now)
                printf("Put off:     %s, after %" PRIu64 " rounds through the payload's addresses; "
                       "\"update-engine-client update\" tries at once\n",
                       client_moment((int64_t)details->not_before, now, moment), details->rounds);
        for (size_t i = 0; i < details->n_settings; i++)
                printf("%s%s=%s (%s)\n", i == 0 ? "Settings:    " : "             ",
                       details->settings[i].name, details->settings[i].value,
                       details->settings[i].origin);
        if (*details->error_text)
                printf("Last error:  %s (code %d)\n", details->error_text, details->error_code);
}

void client_show_slots(const UpdateSlots *slots, const char *chooser)
{
        printf("%-4s  %-10s  %-18s  %8s  %5s  %-4s  %s\n", "SLOT", "LABEL", "VERSION", "PRIORITY",
               "TRIES", "GOOD", "ROLE");
        for (size_t i = 0; i < slots->n_slots; i++) {
                const UpdateSlot *slot = &slots->slots[i];

                printf("%-4s  %-10s  %-18s  %8" PRIu64 "  %5" PRIu64 "  %-4s  %s\n", slot->name,
                       slot->label, *slot->version ? slot->version : "-", slot->priority,
                       slot->tries, slot->successful ? "yes" : "no",
                       slot->running  ? "running"
                       : slot->target ? "target"
                                      : "");
                if (*slot->packages)
                        printf("      with %s\n", slot->packages);
        }
        printf("Boot chooser: %s\n", chooser);
}

void client_show_report(const UpdateReport *report)
{
        printf("%s", report_status(report));
        if (report->new_size > 0 && !streq(report->new_version, "0.0.0"))
                printf(" version %s", report->new_version);
        if (report->status == UPDATE_STATUS_DOWNLOADING)
                printf(" %.0f%%", report->progress * 100);
        printf("\n");
        fflush(stdout);
}

static json_t *report_to_json(const UpdateReport *report)
{
        return json_pack("{sI sf ss ss sI}", "last_checked_time", (json_int_t)report->last_checked,
                         "progress", report->progress, "current_operation", report_status(report),
                         "new_version", report->new_version, "new_size",
                         (json_int_t)report->new_size);
}

static json_t *packages_to_json(const char *packages)
{
        _cleanup_(text_list_done) TextList names = {};
        json_t *list = json_array();

        if (text_list_split(&names, packages, ",") < 0) {
                json_decref(list);
                return NULL;
        }
        for (size_t i = 0; i < names.n_items && list; i++)
                if (json_array_append_new(list, json_string(names.items[i])) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        return list;
}

static json_t *slots_to_json(const UpdateSlots *slots)
{
        json_t *list = json_array();

        for (size_t i = 0; i < slots->n_slots && list; i++) {
                const UpdateSlot *slot = &slots->slots[i];
                json_t *item = json_pack("{ss ss ss sI sI sb sb sb so}", "slot", slot->name,
                                         "label", slot->label, "version", slot->version, "priority",
                                         (json_int_t)slot->priority, "tries",
                                         (json_int_t)slot->tries, "good", (int)slot->successful,
                                         "running", (int)slot->running, "target", (int)slot->target,
                                         "packages", packages_to_json(slot->packages));

                if (json_array_append_new(list, item) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        }

        return list;
}

static json_t *settings_to_json(const ClientDetails *details)
{
        json_t *object = json_object();

        for (size_t i = 0; i < details->n_settings && object; i++) {
                const ClientSetting *setting = &details->settings[i];
                json_t *item =
                        json_pack("{ss ss}", "value", setting->value, "origin", setting->origin);

                if (json_object_set_new(object, setting->name, item) < 0) {
                        json_decref(object);
                        object = NULL;
                }
        }

        return object;
}

/* Takes the value over. */
static int json_print(json_t *value)
{
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

        json_decref(value);
        if (!text)
                return -ENOMEM;

        printf("%s\n", text);
        fflush(stdout);
        return 0;
}

int client_answer_json(json_t *value)
{
        program_answered();
        return json_print(value);
}

int client_show_report_json(const UpdateReport *report)
{
        return json_print(report_to_json(report));
}

int client_show_slots_json(const UpdateSlots *slots)
{
        return client_answer_json(slots_to_json(slots));
}

static json_t *failures_to_json(const ClientDetails *details)
{
        json_t *list = json_array();

        for (size_t i = 0; i < details->n_failures && list; i++) {
                if (json_array_append_new(list, json_integer(details->failures[i])) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        }

        return list;
}

int client_show_details_json(const ClientDetails *details)
{
        json_t *value = report_to_json(&details->report);
        json_t *more = json_pack(
                "{ss ss so so si ss ss ss sI sb sI sI sI sI sI sI so}", "running_version",
                details->running_version, "channel", details->channel, "slots",
                slots_to_json(&details->slots), "settings", settings_to_json(details), "error_code",
                details->error_code, "error", details->error_text, "trial", details->trial,
                "trial_text", details->trial_text, "next_check", (json_int_t)details->next_check,
                "paused", (int)details->paused, "bytes_done", (json_int_t)details->bytes_done,
                "bytes_total", (json_int_t)details->bytes_total, "speed",
                (json_int_t)details->speed, "time_left", (json_int_t)details->time_left, "rounds",
                (json_int_t)details->rounds, "not_before", (json_int_t)details->not_before,
                "address_failures", failures_to_json(details));

        if (!value || !more || json_object_update(value, more) < 0) {
                json_decref(value);
                value = NULL;
        }
        json_decref(more);
        return client_answer_json(value);
}

void client_show_report_classic(const UpdateReport *report)
{
        printf("LAST_CHECKED_TIME=%" PRId64
               "\nPROGRESS=%f\nCURRENT_OP=%s\nNEW_VERSION=%s\nNEW_SIZE=%" PRId64 "\n",
               report->last_checked, report->progress, report_status(report), report->new_version,
               report->new_size);
        fflush(stdout);
}

void client_show_signal_classic(const UpdateReport *report)
{
        fprintf(stderr,
                "Got status update:\n  last_checked_time: %" PRId64
                "\n  progress: %f\n  current_operation: %s\n  new_version: %s\n  new_size: %" PRId64
                "\n",
                report->last_checked, report->progress, report_status(report), report->new_version,
                report->new_size);
}
