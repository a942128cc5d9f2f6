#include "sessions.h"
#include "base/bus.h"

#define IFACE "org.freedesktop.login1.Session"

struct Sessions {
        sd_bus *bus;
        sd_bus_slot *call;
        TextList paths, users; /* of those that are still to be asked for, from current on */
        size_t current, n_users;
        char who[LOGIN_TEXT_MAX];
        SessionsOnDone on_done;
        void *userdata;
};

Sessions *sessions_cancel(Sessions *s)
{
        if (!s)
                return NULL;

        sd_bus_slot_unref(s->call);
        text_list_done(&s->paths);
        text_list_done(&s->users);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(Sessions *, sessions_cancel);

bool session_counts(const char *class, const char *state)
{
        static const char *const classes[] = { "user", "user-early", "user-incomplete" };

        if (streq(state, "closing"))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                if (streq(class, classes[i]))
                        return true;
        return !*class; /* not told: it may be one */
}

static void sessions_finish(Sessions *sessions, const char *failure)
{
        _cleanup_(sessions_cancel_p) Sessions *s = sessions;

        s->on_done(&(SessionsAnswer) { .failure = failure, .n_users = s->n_users, .who = s->who },
                   s->userdata);
}

static void session_add(Sessions *s)
{
        login_text_append(s->who, s->n_users++ > 0 ? ", " : "", s->users.items[s->current]);
}

/* One property of the answer, if it is one of those that count. */
static int property_read(sd_bus_message *reply, const char **class, const char **state)
{
        const char *name;
        int r;

        r = sd_bus_message_read(reply, "s", &name);
        if (r < 0)
                return r;
        if (streq(name, "Class"))
                return sd_bus_message_read(reply, "v", "s", class);
        if (streq(name, "State"))
                return sd_bus_message_read(reply, "v", "s", state);
        return sd_bus_message_skip(reply, "v");
}

static int session_read(sd_bus_message *reply, bool *ret_counts)
{
        const char *class = "", *state = "";
        int r;

        r = login_reply_enter(reply, "{sv}");
        if (r < 0)
                return r;
        for (;;) {
                r = sd_bus_message_enter_container(reply, 'e', "sv");
                if (r <= 0)
                        break;
                r = property_read(reply, &class, &state);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        break;
        }
        if (r < 0)
                return -EBADMSG;

        *ret_counts = session_counts(class, state);
        return 0;
}

static int session_ask(Sessions *s);

/* The next one, or the end. */
static void sessions_go_on(Sessions *s)
{
        int r;

        for (; s->current >= SESSIONS_MAX && s->current < s->paths.n_items; s->current++)
                session_add(s);
        if (s->current == s->paths.n_items) {
                sessions_finish(s, NULL);
                return;
        }
        r = session_ask(s);
        if (r < 0)
                sessions_finish(s, strerror(-r));
}

static int on_session(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Sessions *s = userdata;
        bool counts = false;
        int r;

        s->call = sd_bus_slot_unref(s->call);
        r = session_read(reply, &counts);
        if (r < 0
            && !(failure
                 && (sd_bus_error_has_name(failure, "org.freedesktop.DBus.Error.UnknownObject")
                     || sd_bus_error_has_name(failure, "org.freedesktop.login1.NoSuchSession")))) {
                sessions_finish(s, bus_error_text(failure, r));
                return 0;
        }

        if (counts) /* else it is none of a user, or it has ended meanwhile */
                session_add(s);
        s->current++;
        sessions_go_on(s);
        return 0;
}

static int session_ask(Sessions *s)
{
        int r;

        r = sd_bus_call_method_async(s->bus, &s->call, LOGIN_BUS_NAME, s->paths.items[s->current],
                                     "org.freedesktop.DBus.Properties", "GetAll", on_session, s,
                                     "s", IFACE);
        return r < 0 ? r : 0;
}

static int list_read(sd_bus_message *reply, TextList *users, TextList *paths)
{
        const char *user, *path;
        int r;

        r = login_reply_enter(reply, "(susso)");
        if (r < 0)
                return r;
        for (;;) {
                r = sd_bus_message_read(reply, "(susso)", NULL, NULL, &user, NULL, &path);
                if (r <= 0)
                        return r < 0 ? -EBADMSG : 0;
                r = text_list_add(users, user);
                if (r >= 0)
                        r = text_list_add(paths, path);
                if (r < 0)
                        return r;
        }
}

static int on_list(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        Sessions *s = userdata;
        int r;

        s->call = sd_bus_slot_unref(s->call);
        r = list_read(reply, &s->users, &s->paths);
        if (r < 0)
                sessions_finish(s, bus_error_text(sd_bus_message_get_error(reply), r));
        else
                sessions_go_on(s);
        return 0;
}

int sessions_ask(sd_bus *bus, SessionsOnDone on_done, void *userdata, Sessions **ret)
{
        _cleanup_(sessions_cancel_p) Sessions *s = calloc(1, sizeof(Sessions));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Sessions) { .bus = bus, .on_done = on_done, .userdata = userdata };
        r = sd_bus_call_method_async(bus, &s->call, LOGIN_BUS_NAME, LOGIN_BUS_PATH, LOGIN_BUS_IFACE,
                                     "ListSessions", on_list, s, NULL);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}
