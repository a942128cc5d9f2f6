#include "base/log.h"
#include "base/text.h"
#include "ctl.h"

static TextList arg_endpoints;
static const char *arg_root = NULL, *arg_group = NULL;
static const char *arg_ca_file = NULL, *arg_certificate_file = NULL, *arg_key_file = NULL;
static const char *arg_user = NULL, *arg_password = NULL, *arg_api = NULL;
static bool arg_json = false, arg_debug = false;

bool ctl_json(void)
{
        return arg_json;
}

/* Endpoints given one by one mean the same as one list of them. */
static int endpoints_join(char **ret)
{
        _cleanup_free_ char *joined = NULL;

        for (size_t i = 0; i < arg_endpoints.n_items; i++) {
                char *longer;

                if (text_format(&longer, "%s%s%s", joined ? joined : "", joined ? "," : "",
                                arg_endpoints.items[i])
                    < 0)
                        return -ENOMEM;
                free(joined);
                joined = longer;
        }

        *ret = TAKE_PTR(joined);
        return 0;
}

static int settings_from_options(Settings *settings)
{
        const struct {
                const char *value;
                char **field;
        } table[] = {
                { arg_root, &settings->root },
                { arg_group, &settings->group },
                { arg_ca_file, &settings->ca_file },
                { arg_certificate_file, &settings->certificate_file },
                { arg_key_file, &settings->key_file },
                { arg_user, &settings->user },
                { arg_password, &settings->password },
                { arg_api, &settings->api_text },
        };
        int r = endpoints_join(&settings->endpoint);

        for (size_t i = 0; i < ELEMENTSOF(table) && r >= 0; i++)
                r = text_set(table[i].field, table[i].value);
        return r;
}

int ctl_settings(Settings *ret)
{
        _cleanup_(settings_done) Settings settings = {};
        _cleanup_free_ char *why = NULL;
        int r;

        if (arg_debug)
                log_set_max_level(LOG_DEBUG);
        r = settings_from_options(&settings);
        if (r >= 0)
                r = settings_read(&settings, true, &why);
        if (r < 0 && why)
                return log_error_return(r, "%s", why);
        if (r < 0)
                return log_error_errno(r, "reading the settings: %m");

        *ret = settings;
        settings = (Settings) {};
        return 0;
}

int ctl_reboot_settings(const Settings *settings)
{
        return settings->reboot_problem ? log_error_return(-EINVAL, "%s", settings->reboot_problem)
                                        : 0;
}

static int verb_help(int argc, char **argv);

static const Option options[] = {
        { "endpoint", 0, OPTION_LIST, &arg_endpoints, "URL[,URL]",
          "etcd; default 127.0.0.1, ports 2379 and 4001", 0 },
        { "group", 0, OPTION_TEXT, &arg_group, "GROUP", "whose lock", 0 },
        { "etcd-cafile", 0, OPTION_TEXT, &arg_ca_file, "FILE",
          "PEM of the CA that etcd's certificate is\nsigned by", 0 },
        { "etcd-certfile", 0, OPTION_TEXT, &arg_certificate_file, "FILE",
          "client certificate (PEM)", 0 },
        { "etcd-keyfile", 0, OPTION_TEXT, &arg_key_file, "FILE", "its key (PEM)", 0 },
        { "etcd-username", 0, OPTION_TEXT, &arg_user, "NAME", "user of etcd", 0 },
        { "etcd-password", 0, OPTION_TEXT, &arg_password, "TEXT",
          "password; better: LOCKSMITHCTL_ETCD_PASSWORD", 0 },
        { "etcd-api", 0, OPTION_TEXT, &arg_api, "v3|v2|auto", "which keys of etcd; default: v3",
          0 },
        { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON", 0 },
        { "root", 0, OPTION_DIRECTORY, &arg_root, "DIR", "see DIR as / for all files", 0 },
        { "debug", 0, OPTION_FLAG, &arg_debug, NULL, "log more", 0 },
        {},
};

static const Verb verbs[] = {
        { "status", "", 0, 0, status_options, "show free slots and holders", verb_status },
        { "lock", "[ID]", 0, 1, NULL, "take a slot for ID, default: this host", verb_lock },
        { "unlock", "[ID]", 0, 1, NULL, "give the slot of ID back", verb_unlock },
        { "set-max", "N[%]", 0, -1, set_max_options, "set how many may hold the lock; 0: nobody",
          verb_set_max },
        { "reboot", "", 0, 0, NULL, "reboot this host, with the lock if its strategy\nwants that",
          verb_reboot },
        { "send-need-reboot", "", 0, 0, NULL, "tell locksmithd that a reboot is due",
          verb_send_need_reboot },
        { "explain", "", 0, 0, NULL, "show what the next reboot waits for", verb_explain },
        { "simulate", "", 0, 0, simulate_options, "show when the reboot window is open",
          verb_simulate },
        { "check", "", 0, 0, NULL, "check all settings and every endpoint of etcd", verb_check },
        { "hosts", "", 0, 0, NULL, "list the hosts of which a share is taken", verb_hosts },
        { "forget", "HOST...", 1, -1, NULL, "count a host that is no more no longer", verb_forget },
        { "log", "", 0, 0, NULL, "show what was done to the lock by hand", verb_log },
        { "pause", "[REASON]", 0, 1, NULL, "let nobody take the lock from now on", verb_pause },
        { "resume", "", 0, 0, resume_options, "end the pause, or what failed hosts have stopped",
          verb_resume },
        { "migrate", "", 0, 0, migrate_options, "move the lock between etcd's v2 and v3 keys",
          verb_migrate },
        { "serve-fleetlock", "", 0, 0, serve_fleetlock_options,
          "let Zincati's hosts share the lock", verb_serve_fleetlock },
        { "help", "[COMMAND]", 0, 1, NULL, "show this help", verb_help },
        {},
};

static const Program program = {
        .name = "locksmithctl",
        .synopsis = "[OPTION...] COMMAND [ARGUMENT]",
        .summary = "Shows and changes the lock that lets hosts reboot one after another.",
        .options = options,
        .verbs = verbs,
        .default_verb = "help",
        .single_dash = true,
        .footer = "What says where the lock is can come from the environment as well:\n"
                  "LOCKSMITHCTL_ENDPOINT for --endpoint, and so on; what is given neither way\n"
                  "comes from the settings of locksmithd(8).",
};

static int verb_help(int argc, char **argv)
{
        char *help[] = { NULL, argc > 1 ? argv[1] : (char *)"--help", (char *)"--help", NULL };
        bool known = argc <= 1;

        for (const Verb *v = verbs; !known && v->name; v++)
                known = streq(v->name, argv[1]);
        if (!known)
                return log_error_return(-EINVAL, "Unrecognized command: %s", argv[1]);

        return program_run(&program, 3, help);
}

int main(int argc, char **argv)
{
        int status = program_run(&program, argc, argv);

        text_list_done(&arg_endpoints);
        return status;
}
