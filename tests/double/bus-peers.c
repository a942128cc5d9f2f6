/*
 * The neighbours of locksmithd on a private bus: the update daemon and logind, as far as locksmithd
 * can see them. What they say is set by lines on standard input:
 *
 *   status WORD     the update daemon's status; told by the signal StatusUpdate
 *   silent WORD     the same without a signal
 *   good yes|no     its property RunningSlotGood
 *   refuse TEXT     Reboot is refused with this text from now on
 *   accept          and accepted again
 *   inhibitor WHO   WHO blocks shutdowns; without WHO nobody does
 *   user NAME [CLASS [STATE]]  has a session ("user", "active"); without NAME nobody has
 *   leave, return   the update daemon gives up its name, or takes it again
 *
 * Reboot calls are written to standard output, one line each.
 */
#include <stdio.h>

#include "base/bus.h"
#include "base/log.h"
#include "base/text.h"
#include "updated/client.h"

#define LINE_MAX_BYTES 512
#define WORD_MAX       64
#define SESSION_PATH   "/org/freedesktop/login1/session/c1"

typedef struct Peers {
        sd_bus *bus;
        char status[64];
        bool good;
        char refusal[LINE_MAX_BYTES];                   /* "" : reboots are accepted */
        char inhibitor[LINE_MAX_BYTES], user[WORD_MAX]; /* "": none */
        char class[WORD_MAX], state[WORD_MAX];          /* of the user's session */
        char line[LINE_MAX_BYTES];
        size_t n_line;
} Peers;

static int method_get_status(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error)
{
        Peers *peers = userdata;

        return sd_bus_reply_method_return(message, "xdssx", (int64_t)1, 0.0, peers->status, "2.0.0",
                                          (int64_t)4096);
}

static int property_get_good(_unused_ sd_bus *bus, _unused_ const char *path,
                             _unused_ const char *interface, _unused_ const char *property,
                             sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Peers *peers = userdata;

        return sd_bus_message_append(reply, "b", (int)peers->good);
}

static int method_reboot(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        Peers *peers = userdata;
        int interactive, r;

        r = sd_bus_message_read(message, "b", &interactive);
        if (r < 0)
                return r;

        printf("reboot interactive=%d %s\n", interactive, *peers->refusal ? "refused" : "accepted");
        fflush(stdout);
        if (*peers->refusal)
                return sd_bus_error_set(error, "org.freedesktop.DBus.Error.AccessDenied",
                                        peers->refusal);
        return sd_bus_reply_method_return(message, NULL);
}

/* One that delays is always there, as on every host with a network manager. */
static int method_list_inhibitors(sd_bus_message *message, void *userdata,
                                  _unused_ sd_bus_error *error)
{
        Peers *peers = userdata;

        if (*peers->inhibitor)
                return sd_bus_reply_method_return(message, "a(ssssuu)", 2, "sleep:shutdown", "net",
                                                  "it says good-bye", "delay", 0U, 1U,
                                                  "shutdown:sleep", peers->inhibitor,
                                                  "it is not done yet", "block", 0U, 2U);
        return sd_bus_reply_method_return(message, "a(ssssuu)", 2, "sleep:shutdown", "net",
                                          "it says good-bye", "delay", 0U, 1U, "idle", "player",
                                          "music", "block", 0U, 2U);
}

static int method_list_sessions(sd_bus_message *message, void *userdata,
                                _unused_ sd_bus_error *error)
{
        Peers *peers = userdata;

        if (*peers->user)
                return sd_bus_reply_method_return(message, "a(susso)", 1, "c1", 1000U, peers->user,
                                                  "seat0", SESSION_PATH);
        return sd_bus_reply_method_return(message, "a(susso)", 0);
}

static int property_get_session(_unused_ sd_bus *bus, _unused_ const char *path,
                                _unused_ const char *interface, const char *property,
                                sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Peers *peers = userdata;

        return sd_bus_message_append(reply, "s",
                                     streq(property, "Class")   ? peers->class
                                     : streq(property, "State") ? peers->state
                                                                : peers->user);
}

/* logind's has some more. */
static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", property_get_session, 0, 0),
        SD_BUS_PROPERTY("State", "s", property_get_session, 0, 0),
        SD_BUS_PROPERTY("Class", "s", property_get_session, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable update_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetStatus", "", "xdssx", method_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable update_vtable2[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("RunningSlotGood", "b", property_get_good, 0, 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable login_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Reboot", "b", "", method_reboot, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListInhibitors", "", "a(ssssuu)", method_list_inhibitors,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListSessions", "", "a(susso)", method_list_sessions,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* A test's words are short enough. */
static int text_take(char target[static LINE_MAX_BYTES], const char *text)
{
        return snprintf(target, LINE_MAX_BYTES, "%s", text) < 0 ? -EINVAL : 0;
}

static int status_set(Peers *peers, const char *word, bool tell)
{
        (void)snprintf(peers->status, sizeof(peers->status), "%s",
                       word); /* a test's word is short */
        if (!tell)
                return 0;

        return sd_bus_emit_signal(peers->bus, UPDATE_BUS_PATH, UPDATE_BUS_IFACE, "StatusUpdate",
                                  "xdssx", (int64_t)1, 0.0, peers->status, "2.0.0", (int64_t)4096);
}

static int user_take(Peers *peers, const char *words)
{
        *peers->user = 0;
        (void)snprintf(peers->class, WORD_MAX, "user");
        (void)snprintf(peers->state, WORD_MAX, "active");
        /* what is not there stays as it is */
        (void)sscanf(words, " %63s %63s %63s", peers->user, peers->class, peers->state);
        return 0;
}

static int line_obey(Peers *peers)
{
        const char *rest;

        if ((rest = after_prefix(peers->line, "status ")))
                return status_set(peers, rest, true);
        if ((rest = after_prefix(peers->line, "silent ")))
                return status_set(peers, rest, false);
        if ((rest = after_prefix(peers->line, "good ")))
                return text_to_bool(rest, &peers->good);
        if ((rest = after_prefix(peers->line, "refuse ")))
                return text_take(peers->refusal, rest);
        if ((rest = after_prefix(peers->line, "inhibitor")))
                return text_take(peers->inhibitor, rest + strspn(rest, " "));
        if ((rest = after_prefix(peers->line, "user")))
                return user_take(peers, rest);
        if (streq(peers->line, "accept"))
                return *peers->refusal = 0;
        if (streq(peers->line, "leave"))
                return sd_bus_release_name(peers->bus, UPDATE_BUS_NAME);
        if (streq(peers->line, "return"))
                return sd_bus_request_name(peers->bus, UPDATE_BUS_NAME, 0);
        return -EINVAL;
}

static int on_input(sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
        Peers *peers = userdata;
        char c;
        int r;

        if (read(fd, &c, 1) <= 0)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        if (c != '\n') {
                if (peers->n_line + 1 < sizeof(peers->line))
                        peers->line[peers->n_line++] = c;
                return 0;
        }

        peers->line[peers->n_line] = 0;
        peers->n_line = 0;
        r = line_obey(peers);
        return r < 0 ? log_error_errno(r, "\"%s\": %m", peers->line) : 0;
}

static int peers_appear(Peers *peers)
{
        int r;

        r = sd_bus_add_object_vtable(peers->bus, NULL, UPDATE_BUS_PATH, UPDATE_BUS_IFACE,
                                     update_vtable, peers);
        if (r >= 0)
                r = sd_bus_add_object_vtable(peers->bus, NULL, UPDATE_BUS_PATH, UPDATE_BUS_IFACE2,
                                             update_vtable2, peers);
        if (r >= 0)
                r = sd_bus_add_object_vtable(peers->bus, NULL, "/org/freedesktop/login1",
                                             "org.freedesktop.login1.Manager", login_vtable, peers);
        if (r >= 0)
                r = sd_bus_add_object_vtable(peers->bus, NULL, SESSION_PATH,
                                             "org.freedesktop.login1.Session", session_vtable,
                                             peers);
        if (r >= 0)
                r = sd_bus_request_name(peers->bus, "org.freedesktop.login1", 0);
        if (r >= 0)
                r = sd_bus_request_name(peers->bus, UPDATE_BUS_NAME, 0);
        return r;
}

int main(void)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        Peers peers = { .status = "UPDATE_STATUS_IDLE", .good = true };
        int r;

        log_open("bus-peers");
        r = event_new(&event);
        if (r >= 0)
                r = bus_open(event, &bus);
        peers.bus = bus;
        if (r >= 0)
                r = peers_appear(&peers);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, &peers);
        if (r >= 0)
                r = sd_event_loop(event);

        return r < 0 ? log_error_errno(r, "%m"), EXIT_FAILURE : EXIT_SUCCESS;
}
