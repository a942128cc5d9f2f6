#include <stdio.h>

#include "base/io.h"
#include "base/log.h"
#include "base/program.h"
#include "base/progress.h"
#include "base/update-conf.h"
#include "cloud-config/apply.h"
#include "cloud-config/diff.h"
#include "cloud-config/document.h"
#include "cloud-config/metadata.h"
#include "cloud-config/report.h"
#include "cloud-config/show.h"
#include "cloud-config/source.h"

/* How long a second program waits for the first. */
#define LOCK_TIMEOUT (5 * USEC_PER_SEC)

static const char *arg_root;
static bool arg_dry_run;
static bool arg_strict;
static bool arg_json;
static bool arg_no_wait;

static bool root_is_host(void)
{
        return is_empty(arg_root) || streq(arg_root, "/");
}

/* What the cloud tells comes first: the files of an image may be those of another host. */
static int addresses_find(Addresses *addresses)
{
        const char *path;
        int r;

        r = metadata_read(arg_root, addresses, &path);
        if (r == -EBADMSG)
                log_warning("%s is damaged: no addresses are taken from it", path);
        else if (r < 0)
                log_warning_errno(r, "%s: no addresses are taken from it: %m", path);

        r = addresses_read(arg_root, addresses);
        return r < 0 ? log_error_errno(r, "reading /etc/environment: %m") : 0;
}

/* Reads the document that the user named, or the host's own. Returns 1, 0 when there is none, or negative. */
static int document_open(int argc, char **argv, Source *source, Document *document)
{
        _cleanup_(addresses_done) Addresses addresses = {};
        _cleanup_free_ char *why = NULL;
        int r;

        if (argc > 1) {
                r = source_read(argv[1], source, &why);
                r = r < 0 ? r : 1;
        } else
                r = source_find(arg_root, source, &why);
        if (r < 0 && why)
                return log_error_return(r, "reading %s", why);
        if (r < 0)
                return log_error_errno(r, "reading the user data: %m");
        if (r == 0)
                return 0;

        r = addresses_find(&addresses);
        if (r < 0)
                return r;
        r = document_read(source->data, source->size, &addresses, document);
        if (r < 0)
                return log_error_errno(r, "checking %s: %m", source->name);

        return 1;
}

static bool document_is_valid(const Document *document)
{
        return document->findings.n_errors == 0
               && !(arg_strict && document->findings.n_warnings > 0);
}

/* Shows the findings; excerpts of user data do not go into a log. */
static int findings_show(const Source *source, const Document *document, bool excerpts)
{
        const Report report = {
                .file = source->name,
                .user_data = excerpts ? &document->user_data : NULL,
                .findings = &document->findings,
        };
        int r;

        r = report_print(&report, stderr);
        return r < 0 ? log_error_errno(r, "writing findings: %m") : 0;
}

/* Prints a JSON object, which is taken over; NULL means that there was no memory for it. */
static int json_show(json_t *json)
{
        json_auto_t *owned = json;

        if (!owned || json_dumpf(owned, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF)
                return log_error_errno(-EIO, "writing JSON: %m");
        program_answered();
        return 0;
}

static json_t *document_json(const Source *source, const Document *document)
{
        const Report report = { .file = source->name, .findings = &document->findings };

        return json_pack("{s:s, s:b, s:b, s:o}", "file", source->name, "valid",
                         document_is_valid(document), "cloud-config", document->n_cloud_configs > 0,
                         "findings", report_json(&report));
}

static int nothing_found(void)
{
        if (arg_json)
                return json_show(json_pack("{s:n, s:b, s:b, s:[]}", "file", "valid", true,
                                           "cloud-config", false, "findings"));
        printf("no user data found\n");
        return EXIT_DONE;
}

static int verb_validate(int argc, char **argv)
{
        _cleanup_(document_done) Document document = {};
        _cleanup_(source_done) Source source = {};
        bool valid;
        int r;

        r = document_open(argc, argv, &source, &document);
        if (r < 0)
                return r;
        if (r == 0)
                return nothing_found();

        valid = document_is_valid(&document);
        r = arg_json ? json_show(document_json(&source, &document))
                     : findings_show(&source, &document, true);
        if (r < 0)
                return r;
        if (!valid && document.findings.n_errors == 0 && !arg_json)
                log_error("%s: refused, because --strict makes warnings errors", source.name);
        if (!valid)
                return EXIT_REFUSED;

        if (!arg_json)
                printf("%s: %s\n", source.name,
                       document.n_cloud_configs == 0            ? "no cloud-config in it"
                       : settings_are_empty(&document.settings) ? "valid, sets nothing"
                                                                : "valid");
        return EXIT_DONE;
}

/* What apply did, for people or as JSON. */
typedef struct Outcome {
        json_t *files, *units; /* NULL without --json */
        bool skipped;          /* unit actions are only listed */
} Outcome;

static void on_unit(const char *action, const char *unit, const char *problem, void *userdata)
{
        Outcome *outcome = userdata;
        const char *name = unit ? unit : "systemd";

        if (outcome->units)
                (void)json_array_append_new(/* a report that lacks a line is no failure */
                                            outcome->units,
                                            json_pack("{s:s, s:s, s:b, s:s?}", "action", action,
                                                      "unit", name, "skipped", outcome->skipped,
                                                      "problem", problem));
        if (problem)
                log_warning("%s %s: %s", action, name, problem);
        else if (!outcome->units)
                printf("%s %s%s\n", action, name, outcome->skipped ? " (skipped)" : "");
}

static void file_show(Outcome *outcome, const char *path, const char *action)
{
        if (outcome->files)
                (void)json_array_append_new(
                        outcome->files, json_pack("{s:s, s:s}", "path", path, "action", action));
        else
                printf("%s %s\n", action, path);
}

static void plan_show(const Plan *plan, Outcome *outcome)
{
        for (size_t i = FILE_UPDATE_CONF; i < _FILE_MAX; i++) {
                const PlannedFile *file = &plan->files[i];

                if (!planned_file_changes(file))
                        continue;
                file_show(outcome, file->path, file->new ? "write" : "remove");
                if (arg_dry_run && !outcome->files)
                        diff_print(stdout, file->path, file->old, file->new, file->secret);
        }
        if (plan->mask != MASK_KEEP)
                file_show(outcome, RUNTIME_UNIT_PATH, plan->mask == MASK_SET ? "mask" : "unmask");
}

static int units_apply(Plan *plan, Outcome *outcome)
{
        unsigned pending;
        int r, q;

        r = units_run(plan->steps, !arg_no_wait, on_unit, outcome, &pending);
        if (plan->steps == 0)
                return 0;

        q = apply_finish(arg_root, plan, pending);
        if (r < 0)
                return log_error_return(r, "the files are written, but not every unit action was "
                                           "done; run apply again to repeat them");
        return q < 0 ? log_error_errno(q, "writing %s: %m", STATE_PATH) : 0;
}

static int plan_apply(Plan *plan, Outcome *outcome)
{
        _cleanup_free_ char *path = NULL;
        int r;

        outcome->skipped = arg_dry_run || !root_is_host();
        if (!arg_dry_run) {
                r = apply_files(arg_root, plan, root_is_host(), &path);
                if (r < 0)
                        return log_error_errno(r, "writing %s: %m", path ? path : "files");
        }
        plan_show(plan, outcome);
        if (!outcome->skipped)
                return units_apply(plan, outcome);

        units_list(plan->steps, on_unit, outcome);
        return 0;
}

/* From the plan to the last step. Returns a descriptor that holds the lock, or the error. */
static int host_lock(void)
{
        int fd = update_conf_lock(arg_root, LOCK_TIMEOUT);

        if (fd == -EBUSY)
                return log_error_return(fd, "nothing was changed: another program is changing "
                                            "update.conf; try again when it has finished");
        return fd < 0 ? log_error_errno(fd, "nothing was changed: locking " UPDATE_CONF_LOCK ": %m")
                      : fd;
}

/* Nobody else writes these while we hold the lock. */
static void host_sweep(void)
{
        static const char *const directories[] = { "/etc/coreos", "/etc/flatcar",
                                                   "/run/systemd/system/locksmithd.service.d",
                                                   "/var/lib/updated", NULL };
        int r = temporaries_sweep(arg_root, directories, now_realtime() / USEC_PER_SEC);

        if (r < 0)
                log_warning("removing what a power cut left: %s", strerror(-r));
}

static int document_apply(const Document *document, Outcome *outcome)
{
        _cleanup_close_ int lock = -1;
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_free_ char *why = NULL;
        int r;

        if (!arg_dry_run) {
                lock = host_lock();
                if (lock < 0)
                        return lock;
                host_sweep();
        }
        r = plan_make(arg_root, &document->settings, &plan, &why);
        if (r < 0)
                return log_error_return(r, "nothing was changed: %s", why ? why : strerror(-r));
        for (size_t i = 0; i < plan.warnings.n_items; i++)
                log_warning("%s", plan.warnings.items[i]);
        if (!plan_is_empty(&plan))
                return plan_apply(&plan, outcome);

        if (!arg_json)
                printf("nothing to change\n");
        return 0;
}

static int document_apply_json(const Source *source, const Document *document)
{
        json_auto_t *json = document_json(source, document);
        Outcome outcome = { .files = json_array(), .units = json_array() };
        int r, q;

        if (json_object_set_new(json, "files", outcome.files) < 0
            || json_object_set_new(json, "units", outcome.units) < 0)
                return log_error_errno(-ENOMEM, "writing JSON: %m");

        r = document_is_valid(document) && document->n_cloud_configs > 0
                    ? document_apply(document, &outcome)
                    : 0;
        if (json_object_set_new(json, "problem",
                                r < 0 ? json_string(log_last_error()) : json_null())
            < 0)
                return log_error_errno(-ENOMEM, "writing JSON: %m");
        q = json_show(json_incref(json));
        return r < 0 ? r : q;
}

static int verb_apply(int argc, char **argv)
{
        _cleanup_(document_done) Document document = {};
        _cleanup_(source_done) Source source = {};
        Outcome outcome = {};
        int r;

        r = document_open(argc, argv, &source, &document);
        if (r < 0)
                return r;
        if (r == 0)
                return nothing_found();

        if (arg_json) {
                r = document_apply_json(&source, &document);
                return r < 0 ? r : document_is_valid(&document) ? EXIT_DONE : EXIT_REFUSED;
        }

        r = findings_show(&source, &document, isatty(STDERR_FILENO));
        if (r < 0)
                return r;
        if (!document_is_valid(&document))
                return log_error_return(EXIT_REFUSED, "nothing was changed: %s is not valid",
                                        source.name);
        if (document.n_cloud_configs == 0) {
                printf("%s: no cloud-config in it\n", source.name);
                return EXIT_DONE;
        }

        return document_apply(&document, &outcome);
}

static int conf_show(const Settings *settings, const char *source)
{
        _cleanup_(conf_done) Conf conf = {};
        int r;

        r = conf_read(arg_root, env_file_log, NULL, &conf);
        if (r < 0)
                return log_error_errno(r, "reading update.conf: %m");
        r = conf_read_drop_in(arg_root, &conf);
        if (r == -EACCES)
                log_warning("only root can read %s: what it sets is not shown", CONF_DROP_IN);
        else if (r < 0)
                return log_error_errno(r, "reading %s: %m", CONF_DROP_IN);

        program_answered();
        r = show_print(&conf, settings, source, arg_json, stdout);
        return r < 0 ? log_error_errno(r, "showing the settings: %m") : 0;
}

static int verb_show(int argc, char **argv)
{
        _cleanup_(document_done) Document document = {};
        _cleanup_(source_done) Source source = {};
        int r;

        r = document_open(argc, argv, &source, &document);
        if (r < 0)
                return r;
        if (r > 0) {
                r = findings_show(&source, &document, isatty(STDERR_FILENO));
                if (r < 0)
                        return r;
        }

        r = conf_show(&document.settings, source.name);
        if (r < 0)
                return r;
        return document_is_valid(&document) ? EXIT_DONE : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
        static const Option apply_options[] = {
                { "dry-run", 'n', OPTION_FLAG, &arg_dry_run, NULL,
                  "show what would change, change nothing" },
                { "no-wait", 0, OPTION_FLAG, &arg_no_wait, NULL,
                  "do not wait for unit actions (in a unit at boot)" },
                {},
        };
        static const Option options[] = {
                { "root", 0, OPTION_DIRECTORY, &arg_root, "DIR",
                  "see DIR as / (FILE excepted); no unit actions" },
                { "strict", 0, OPTION_FLAG, &arg_strict, NULL, "warnings are errors" },
                { "json", 0, OPTION_FLAG, &arg_json, NULL, "print JSON on standard output" },
                {},
        };
        static const Verb verbs[] = {
                { "validate", "[FILE]", 0, 1, NULL, "check a document, change nothing",
                  verb_validate },
                { "apply", "[FILE]", 0, 1, apply_options, "check it, then make it so", verb_apply },
                { "show", "[FILE]", 0, 1, NULL, "the settings in force, and where each came from",
                  verb_show },
                {},
        };
        static const Program program = {
                .name = "cloud-config",
                .synopsis = "[OPTION…] validate|apply|show [FILE|URL|-]",
                .summary =
                        "Checks and applies the stanzas coreos.update and coreos.locksmith of a\n"
                        "cloud-config. Without FILE: the user data of this host.",
                .options = options,
                .verbs = verbs,
        };

        return program_run(&program, argc, argv);
}
