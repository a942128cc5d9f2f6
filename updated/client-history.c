#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client-history.h"
#include "client-show.h"

#define WHEN_MAX 32

/* Reads one (tstuss). Returns 1, or 0 at the end of the array. */
static int entry_read(sd_bus_message *message, HistoryEntry *ret)
{
        const char *outcome, *version, *text;
        HistoryEntry entry = {};
        int r;

        r = sd_bus_message_read(message, "(tstuss)", &entry.when, &outcome, &entry.count,
                                &entry.code, &version, &text);
        if (r <= 0)
                return r;

        entry.outcome = history_outcome_from_string(outcome);
        entry.version = strdup(version);
        entry.text = strdup(text);
        if (!entry.version || !entry.text || entry.outcome < 0) {
                r = entry.outcome < 0 ? -EBADMSG : -ENOMEM;
                free(entry.version);
                free(entry.text);
                return r;
        }

        *ret = entry;
        return 1;
}

int client_history_get(sd_bus *bus, History *ret, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(history_done) History history = {};
        int r;

        r = sd_bus_call_method(bus, UPDATE_BUS_NAME, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                               "GetHistory", error, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(tstuss)");
        while (r >= 0 && history.n_entries < HISTORY_MAX) {
                r = entry_read(reply, &history.entries[history.n_entries]);
                if (r <= 0)
                        break;
                history.n_entries++;
        }
        if (r < 0)
                return r;

        *ret = history;
        history.n_entries = 0;
        return 0;
}

static const char *when_format(uint64_t when, char buffer[static WHEN_MAX])
{
        time_t seconds = (time_t)when;
        struct tm local;

        if (!localtime_r(&seconds, &local) || strftime(buffer, WHEN_MAX, "%F %T", &local) == 0)
                snprintf(buffer, WHEN_MAX, "%" PRIu64, when);
        return buffer;
}

void client_history_show(const History *history)
{
        char when[WHEN_MAX];

        printf("%-19s  %-11s  %-18s  %s\n", "WHEN", "OUTCOME", "VERSION", "WHY");
        for (size_t i = 0; i < history->n_entries; i++) {
                const HistoryEntry *entry = &history->entries[i];

                printf("%-19s  %-11s  %-18s  %s", when_format(entry->when, when),
                       history_outcome_to_string(entry->outcome),
                       *entry->version ? entry->version : "-", *entry->text ? entry->text : "-");
                if (entry->code)
                        printf(" (code %" PRIu32 ")", entry->code);
                if (entry->count > 1)
                        printf(" (%" PRIu64 " times)", entry->count);
                printf("\n");
        }
}

int client_history_show_json(const History *history)
{
        json_t *list = json_array();

        for (size_t i = 0; i < history->n_entries && list; i++) {
                const HistoryEntry *entry = &history->entries[i];
                bool staged = entry->outcome == HISTORY_STAGED; /* then the text is no reason */
                json_t *item =
                        json_pack("{sI ss sI sI ss ss ss}", "time", (json_int_t)entry->when,
                                  "outcome", history_outcome_to_string(entry->outcome), "count",
                                  (json_int_t)entry->count, "code", (json_int_t)entry->code,
                                  "version", entry->version, "error", staged ? "" : entry->text,
                                  "note", staged ? entry->text : "");

                if (json_array_append_new(list, item) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        }

        return client_answer_json(list);
}
