#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cloud-config/characters.h"
#include "cloud-config/check.h"
#include "cloud-config/url.h"
#include "locksmith/window.h"

#define GROUP_MAX 64
#define ALNUM     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const strategies[] = { "etcd-lock", "reboot", "best-effort", "off" };

#define SERVER_HINT   "as in https://update.example.com/v1/update/"
#define ENDPOINT_HINT "as in http://10.0.0.1:2379"
#define LENGTH_HINT   "as in 1h30m or 45m"
#define STRATEGY_HINT "write etcd-lock, reboot, best-effort or off"

/* Always -EBADMSG. */
static _printf_(3, 4) int candidate_refuse(const Candidate *candidate, const char *hint,
                                           const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        finding_add_v(candidate->findings, candidate->severity, candidate->place, candidate->path,
                      hint, format, arguments);
        va_end(arguments);
        return -EBADMSG;
}

static _printf_(3, 4) void candidate_warn(const Candidate *candidate, const char *hint,
                                          const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        finding_add_v(candidate->findings, SEVERITY_WARNING, candidate->place, candidate->path,
                      hint, format, arguments);
        va_end(arguments);
}

int check_nothing(_unused_ Candidate *candidate)
{
        return 0;
}

static int character_length(const char *p)
{
        uint32_t code;

        return (int)character_decode(p, strlen(p), &code);
}

/* A name in the charset that every reader of update.conf takes as it stands. */
static int name_check(const Candidate *candidate, const char *charset, const char *hint)
{
        size_t n = strspn(candidate->text, charset);

        if (candidate->text[n])
                return candidate_refuse(candidate, hint,
                                        "\"%s\" is not a group name: \"%.*s\" can not be in it",
                                        candidate->text, character_length(candidate->text + n),
                                        candidate->text + n);
        if (!isalnum((unsigned char)*candidate->text) || strlen(candidate->text) > GROUP_MAX)
                return candidate_refuse(
                        candidate, hint,
                        "a group begins with a letter or digit and has at most 64 characters");

        return 0;
}

int check_group(Candidate *candidate)
{
        bool value;

        if (candidate->node->plain && text_to_bool(candidate->text, &value) == 0
            && isalpha((unsigned char)*candidate->text))
                candidate_warn(candidate, "put it in quotes to be safe",
                               "\"%s\" is taken as a name; other YAML readers see a boolean",
                               candidate->text);
        return name_check(candidate, ALNUM "._-", "letters, digits, \".\", \"_\" and \"-\"");
}

int check_lock_group(Candidate *candidate)
{
        return name_check(candidate, ALNUM "._/-",
                          "letters, digits, \".\", \"_\", \"/\" and \"-\"");
}

/* The words that YAML 1.1 takes for booleans: -1 for none of them. */
static int boolean_word(const char *text)
{
        static const char *const words[][9] = {
                { "n", "no", "false", "off" },
                { "y", "yes", "true", "on" },
        };

        for (int value = 0; value < 2; value++)
                for (size_t i = 0; words[value][i]; i++)
                        if (strcasecmp(words[value][i], text) == 0)
                                return value;

        return -1;
}

static int strategy_refuse(const Candidate *candidate)
{
        const char *nearest = text_nearest(candidate->text, strategies, ELEMENTSOF(strategies));

        if (nearest)
                return candidate_refuse(candidate, STRATEGY_HINT,
                                        "\"%s\" is not a strategy, did you mean \"%s\"?",
                                        candidate->text, nearest);
        return candidate_refuse(candidate, STRATEGY_HINT, "\"%s\" is not a strategy",
                                candidate->text);
}

int check_strategy(Candidate *candidate)
{
        const Node *node = candidate->node;
        int value;

        for (size_t i = 0; i < ELEMENTSOF(strategies) && !node_is_boolean(node); i++)
                if (streq(candidate->text, strategies[i]))
                        return 0;

        /* Only without quotes is a word a YAML boolean. */
        value = node->plain ? boolean_word(candidate->text) : -1;
        if (value == 1)
                return candidate_refuse(candidate, STRATEGY_HINT,
                                        "a YAML \"true\" is not a strategy");
        if (value < 0)
                return strategy_refuse(candidate);

        candidate_warn(candidate, "write off", "the YAML boolean \"%s\" is taken as off",
                       candidate->text);
        return text_set(&candidate->text, "off");
}

int check_server(Candidate *candidate)
{
        const char *why, *hint;
        bool credentials;
        int r;

        if (streq(candidate->text, "disabled"))
                return 0;

        r = url_check(candidate->text, &why, &hint, &credentials);
        if (r < 0)
                return r == -EINVAL
                               ? candidate_refuse(candidate, hint ? hint : SERVER_HINT, "%s", why)
                               : r;

        if (credentials)
                candidate_warn(candidate, "give the server another way to know this host",
                               "the URL holds a password, and everybody may read update.conf");
        return 0;
}

static int endpoint_check(const Candidate *candidate, const char *url)
{
        const char *at = strrchr(url, '@'), *why, *hint;
        bool credentials;
        int r;

        r = url_check(url, &why, &hint, &credentials);
        if (r == -EINVAL)
                return candidate_refuse(candidate, hint ? hint : ENDPOINT_HINT, "\"%s\": %s",
                                        at ? at + 1 : url, why); /* no password */
        if (r < 0)
                return r;
        if (credentials)
                return candidate_refuse(candidate, "use etcd-username and etcd-password",
                                        "an endpoint can not hold a user name");

        return 0;
}

/* The items with commas between them. */
static int list_join(const TextList *list, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(VALUE_MAX);
        int r;

        for (size_t i = 0; i < list->n_items; i++) {
                r = buffer_appendf(&buffer, "%s%s", i > 0 ? "," : "", list->items[i]);
                if (r < 0)
                        return r;
        }

        return buffer_take_text(&buffer, ret, NULL);
}

/* "http://a:2379, http://b:2379": blanks are fine here, the consumer gets none. */
int check_endpoints(Candidate *candidate)
{
        _cleanup_(text_list_done) TextList urls = {};
        _cleanup_free_ char *joined = NULL;
        int r;

        r = text_list_split(&urls, candidate->text, ",");
        if (r < 0)
                return r;
        if (urls.n_items == 0)
                return candidate_refuse(candidate, ENDPOINT_HINT, "there is no URL in this list");

        for (size_t i = 0; i < urls.n_items; i++) {
                r = endpoint_check(candidate, urls.items[i]);
                if (r < 0)
                        return r;
        }

        r = list_join(&urls, &joined);
        if (r < 0)
                return r;

        free(candidate->text);
        candidate->text = TAKE_PTR(joined);
        return 0;
}

/* etcd 0.4 named itself by "ADDRESS:PORT". */
int check_etcd_address(Candidate *candidate)
{
        char *url;

        if (text_format(&url, "http://%s", candidate->text) < 0)
                return -ENOMEM;

        free(candidate->text);
        candidate->text = url;
        return check_endpoints(candidate);
}

int check_path(Candidate *candidate)
{
        if (*candidate->text != '/')
                return candidate_refuse(candidate, "as in /etc/ssl/etcd/ca.pem",
                                        "a path begins with \"/\"");
        return 0;
}

int check_username(Candidate *candidate)
{
        if (strchr(candidate->text, ':'))
                return candidate_refuse(candidate, NULL, "a user name can not contain \":\"");
        return 0;
}

int check_window_start(Candidate *candidate)
{
        const char *why;
        Window window;

        if (window_parse_start(candidate->text, &window, &why) < 0)
                return candidate_refuse(candidate, "as in 04:00 or Thu 04:00",
                                        "\"%s\" is not a time: %s", candidate->text, why);
        return 0;
}

int check_window_length(Candidate *candidate)
{
        const char *why;
        usec_t length;

        if (window_parse_length(candidate->text, &length, &why) < 0)
                return candidate_refuse(candidate, LENGTH_HINT, "\"%s\" is not a duration: %s",
                                        candidate->text, why);
        if (length == 0)
                return candidate_refuse(candidate, LENGTH_HINT,
                                        "a window of length zero is never met");
        if (length < CHECK_WINDOW_SHORT)
                candidate_warn(candidate, LENGTH_HINT,
                               "a window shorter than a minute is hardly ever met");
        return 0;
}
