#include <stdio.h>

#include "etcd-wire.h"
#include "login.h"

#define MARGIN 8

int login_list_inhibitors_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message_handler_t handler,
                                void *userdata)
{
        int r;

        r = sd_bus_call_method_async(bus, ret, LOGIN_BUS_NAME, LOGIN_BUS_PATH, LOGIN_BUS_IFACE,
                                     "ListInhibitors", handler, userdata, NULL);
        return r < 0 ? r : 0;
}

int login_list_inhibitors(sd_bus *bus, sd_bus_error *error, sd_bus_message **ret)
{
        return sd_bus_call_method(bus, LOGIN_BUS_NAME, LOGIN_BUS_PATH, LOGIN_BUS_IFACE,
                                  "ListInhibitors", error, ret, NULL);
}

/* Is word one of those in a list with colons? */
static bool list_has(const char *list, const char *word)
{
        size_t n = strlen(word);

        for (const char *p = list; *p; p += strcspn(p, ":"), p += *p == ':')
                if (strncmp(p, word, n) == 0 && (p[n] == ':' || !p[n]))
                        return true;
        return false;
}

void login_text_append(char text[static LOGIN_TEXT_MAX], const char *separator, const char *more)
{
        size_t n = strlen(text);

        if (n > 0 && n + MARGIN < LOGIN_TEXT_MAX)
                n += (size_t)snprintf(text + n, LOGIN_TEXT_MAX - n, "%s", separator); /* short */
        foreign_text(more, strlen(more), text + n, LOGIN_TEXT_MAX - n);
}

int login_reply_enter(sd_bus_message *reply, const char *contents)
{
        int r;

        if (sd_bus_message_is_method_error(reply, NULL))
                return -sd_bus_message_get_errno(reply);
        r = sd_bus_message_enter_container(reply, 'a', contents);
        return r <= 0 ? -EBADMSG : 0;
}

int login_read_inhibitors(sd_bus_message *reply, size_t *ret_blocking,
                          char text[static LOGIN_TEXT_MAX])
{
        const char *what, *who, *why, *mode;
        size_t n = 0;
        int r;

        *text = 0;
        r = login_reply_enter(reply, "(ssssuu)");
        if (r < 0)
                return r;
        for (;;) {
                r = sd_bus_message_read(reply, "(ssssuu)", &what, &who, &why, &mode, NULL, NULL);
                if (r <= 0)
                        break;
                if (!streq(mode, "block") || !list_has(what, "shutdown"))
                        continue;
                if (n++ == 0) {
                        login_text_append(text, "", who);
                        login_text_append(text, ": ", why);
                }
        }
        if (r < 0)
                return -EBADMSG;

        *ret_blocking = n;
        return 0;
}
