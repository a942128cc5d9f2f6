#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "api-choice.h"
#include "base/log.h"
#include "ctl.h"
#include "lock-key.h"
#include "migrate.h"

#define STEPS_MAX 32 /* hosts that give the lock back meanwhile make a step count twice */

static const char *arg_from = NULL, *arg_to = NULL;
static bool arg_dry_run = false;

const Option migrate_options[] = {
        { "from", 0, OPTION_TEXT, &arg_from, "v2|v3", "which keys of etcd the lock leaves", 0 },
        { "to", 0, OPTION_TEXT, &arg_to, "v2|v3", "and where it goes", 0 },
        { "dry-run", 0, OPTION_FLAG, &arg_dry_run, NULL, "only tell what would be done next", 0 },
        {},
};

/* One side of the move, and how it is reached. */
typedef struct Side {
        Settings settings; /* a copy whose texts are those of ctl */
        Session session;
        MigrateSide view;
} Side;

typedef struct Migration {
        Ctl ctl; /* its session is not used */
        Side from, to;
        char *pause_key, *moved_key;
} Migration;

static void migration_done(Migration *m)
{
        Side *const sides[] = { &m->from, &m->to };

        for (size_t i = 0; i < ELEMENTSOF(sides); i++) {
                migrate_side_done(&sides[i]->view);
                session_done(&sides[i]->session);
        }
        free(m->pause_key);
        free(m->moved_key);
        ctl_done(&m->ctl);
}

typedef struct Waiting {
        MigrateSide *view; /* of a read */
        LockAnswer answer;
        int64_t revision;
        char *why;
        bool done;
        int r;
} Waiting;

static void on_reply(const LockReply *reply, void *userdata)
{
        Waiting *w = userdata;
        const char *reason = NULL;

        w->done = true;
        w->answer = reply->answer;
        w->revision = reply->revision;
        if (reply->answer == LOCK_ANSWER_FAILED || reply->answer == LOCK_ANSWER_UNKNOWN)
                w->r = text_set(&w->why, reply->why) < 0 ? -ENOMEM : -EIO;
        if (reply->answer != LOCK_ANSWER_DOCUMENT || !w->view)
                return;

        w->view->exists = reply->text;
        w->view->revision = reply->revision;
        if (reply->text)
                w->r = semaphore_parse(reply->text, reply->size, &w->view->semaphore, &reason);
        if (reason)
                w->r = text_set(&w->why, reason) < 0 ? -ENOMEM : -EBADMSG;
}

/* Runs what was started to its end. Logs what is wrong. */
static int side_wait(Side *side, Waiting *w, int r)
{
        _cleanup_free_ char *why = NULL;

        if (r >= 0)
                r = session_wait(&side->session, &w->done, 0);
        if (!w->done)
                lock_backend_cancel(side->session.backend);
        why = TAKE_PTR(w->why);
        if (r >= 0)
                r = w->r;
        if (r < 0 && why)
                return log_error_return(r, "etcd %s: %s", side->view.name, why);
        return r < 0 ? log_error_errno(r, "etcd %s: %m", side->view.name) : 0;
}

/* *ret is NULL when the key is not there. */
static int side_read_text(Side *side, const char *key, char **ret)
{
        _cleanup_free_ char *text = NULL, *why = NULL;
        int r;

        r = peers_read_text(&side->session, key, &text, &why);
        if (r < 0)
                return log_error_return(r, "etcd %s: %s", side->view.name,
                                        why ? why : strerror(-r));
        *ret = is_empty(text) ? NULL : TAKE_PTR(text);
        return 0;
}

static int side_look(const Migration *m, Side *side)
{
        _cleanup_free_ char *moved = NULL;
        Waiting w = { .view = &side->view };
        int r;

        migrate_side_done(&side->view);
        r = lock_backend_read(side->session.backend, on_reply, &w);
        r = side_wait(side, &w, r);
        if (r >= 0)
                r = side_read_text(side, m->moved_key, &moved);
        if (r >= 0)
                r = side_read_text(side, m->pause_key, &side->view.pause_text);
        if (r < 0)
                return r;

        side->view.moved = moved;
        if (side->view.pause_text
            && pause_parse(side->view.pause_text, strlen(side->view.pause_text), &side->view.pause)
                       < 0) {
                free(side->view.pause_text); /* not as we write it: none of ours */
                side->view.pause_text = NULL;
        }
        return 0;
}

/* Writes the document, and keys of ours beside it. Somebody else's change in between is no failure:
 * the next look sees it. */
static int side_write(Side *side, const Semaphore *semaphore, const LockSide *sides, size_t n_sides)
{
        _cleanup_free_ char *text = NULL;
        Waiting w = {};
        int r;

        r = semaphore_format(semaphore, &text);
        if (r < 0)
                return log_error_errno(r, "%m");
        r = lock_backend_swap(side->session.backend,
                              &(LockSwap) {
                                      .text = text,
                                      .revision = side->view.revision,
                                      .sides = sides,
                                      .n_sides = n_sides,
                              },
                              on_reply, &w);
        r = side_wait(side, &w, r);
        if (r < 0)
                return r;

        if (w.answer != LOCK_ANSWER_WRITTEN)
                return 0;
        side->view.revision = w.revision;
        return 1;
}

/* Why the source is paused; with a random number, so that each migration knows its own copy again. */
static int pause_make(const Migration *m, char **ret)
{
        _cleanup_(record_done) Record host = {};
        _cleanup_free_ char *reason = NULL, *number = NULL;
        uint8_t bytes[8];
        int r;

        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                return -EIO;
        r = hex_encode(bytes, sizeof(bytes), &number);
        if (r >= 0)
                r = text_format(&reason, MIGRATE_REASON " %s", number);
        if (r >= 0)
                r = record_of_host(m->ctl.settings.root, reason, NULL, &host);
        if (r < 0)
                return r;

        return pause_format(&(Pause) { .max = m->from.view.semaphore.max,
                                       .host = host.host,
                                       .reason = host.reason,
                                       .since = host.since },
                            ret);
}

static int step_pause(Migration *m, const Semaphore *document)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = pause_make(m, &text);
        if (r < 0)
                return log_error_errno(r, "pausing: %m");
        return side_write(&m->from, document, &(LockSide) { .key = m->pause_key, .value = text },
                          1);
}

/* What hosts tell about themselves goes with their slots. */
static int step_copy_records(Migration *m, const Semaphore *document)
{
        _cleanup_(peers_done) Peers peers = {};
        _cleanup_free_ char *why = NULL;
        int r;

        r = peers_read_holders(&m->from.session, m->ctl.settings.group, &peers, &why);
        if (r < 0)
                return log_error_return(r, "etcd %s: %s", m->from.view.name,
                                        why ? why : strerror(-r));
        for (size_t i = 0; i < document->holders.n_items; i++) {
                const Peer *peer = peers_find(&peers, document->holders.items[i]);
                _cleanup_free_ char *key = NULL, *text = NULL;

                if (!peer)
                        continue;
                r = lock_key_holder(m->ctl.settings.group, document->holders.items[i], &key);
                if (r >= 0)
                        r = record_format(&peer->record, &text);
                if (r < 0)
                        return log_error_errno(r, "%m");
                r = side_write(&m->to, document, &(LockSide) { .key = key, .value = text }, 1);
                if (r <= 0)
                        return r;
        }

        return 1;
}

/* Last of all comes what marks the copy as complete. */
static int step_copy(Migration *m, const Semaphore *document)
{
        const LockSide sides[] = {
                { .key = m->pause_key, .value = m->from.view.pause_text },
                { .key = m->moved_key },
        };
        int r;

        r = step_copy_records(m, document);
        return r <= 0 ? r : side_write(&m->to, document, sides, ELEMENTSOF(sides));
}

static int step_mark(Migration *m, const Semaphore *document)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = text_format(&text, "{\"to\":\"%s\"}", m->to.view.name);
        if (r < 0)
                return log_error_errno(r, "%m");
        return side_write(&m->from, document, &(LockSide) { .key = m->moved_key, .value = text },
                          1);
}

static int step_open(Migration *m, const Semaphore *document)
{
        return side_write(&m->to, document, &(LockSide) { .key = m->pause_key }, 1);
}

static const struct {
        const char *text; /* the name of the source follows */
        int (*run)(Migration *m, const Semaphore *document);
} step_table[_MIGRATE_STEP_MAX] = {
        [MIGRATE_PAUSE] = { "pausing the lock in ", step_pause },
        [MIGRATE_COPY] = { "copying who holds it from ", step_copy },
        [MIGRATE_MARK] = { "marking it as gone from ", step_mark },
        [MIGRATE_OPEN] = { "opening it, no longer in ", step_open },
        [MIGRATE_DONE] = { "nothing is left to move from ", NULL },
};

static int side_open(Migration *m, Side *side, EtcdApi api)
{
        side->view.name = etcd_api_to_string(api);
        side->settings = m->ctl.settings;
        side->settings.backend = SETTINGS_BACKEND_ETCD;
        side->settings.etcd.api = api;
        return session_open(m->ctl.event, &side->settings, &side->session);
}

static int migration_open(Migration *m, EtcdApi from, EtcdApi to)
{
        const char *group;
        int r;

        r = ctl_open(&m->ctl);
        if (r < 0)
                return r;
        group = m->ctl.settings.group;
        r = lock_key_pause(group, &m->pause_key);
        if (r >= 0)
                r = lock_key_moved(group, &m->moved_key);
        if (r >= 0)
                r = side_open(m, &m->from, from);
        if (r >= 0)
                r = side_open(m, &m->to, to);
        return r < 0 ? log_error_errno(r, "setting up: %m") : 0;
}

static int migration_report(const Migration *m, MigrateStep step, const Semaphore *document)
{
        if (ctl_json())
                return ctl_print(json_pack("{s:s, s:s, s:s, s:b, s:I, s:I}", "group",
                                           m->ctl.settings.group, "from", m->from.view.name, "to",
                                           m->to.view.name, "done", (int)(step == MIGRATE_DONE),
                                           "max", (json_int_t)document->max, "holders",
                                           (json_int_t)document->holders.n_items));
        if (step == MIGRATE_DONE)
                printf("the lock is in %s: max %" PRId64 ", %zu hosts hold it; %s stays paused\n",
                       m->to.view.name, document->max, document->holders.n_items,
                       m->from.view.name);
        return EXIT_DONE;
}

/* One look and one step. Returns 1 when there is nothing left to do. */
static int migration_step(Migration *m)
{
        _cleanup_(semaphore_done) Semaphore document = {};
        char why[MIGRATE_WHY_MAX];
        int r, step;

        r = side_look(m, &m->from);
        if (r >= 0)
                r = side_look(m, &m->to);
        if (r < 0)
                return r;
        step = migrate_next(&m->from.view, &m->to.view, &document, why);
        if (step == -EBUSY || step == -ENOENT)
                return log_error_return(step, "%s", why);
        if (step < 0)
                return log_error_errno(step, "%m");

        if (!ctl_json() && step != MIGRATE_DONE)
                printf("%s%s%s\n", arg_dry_run ? "next: " : "", step_table[step].text,
                       m->from.view.name);
        if (step == MIGRATE_DONE || arg_dry_run) {
                r = migration_report(m, (MigrateStep)step, &document);
                return r < 0 ? r : 1;
        }
        r = step_table[step].run(m, &document);
        return r < 0 ? r : 0;
}

/* What v2 has no place for is told, and stays where it is. */
static int policy_look(Migration *m)
{
        _cleanup_free_ char *key = NULL, *policy = NULL, *limit = NULL;
        int r;

        if (m->to.settings.etcd.api != ETCD_API_V2)
                return 0;
        r = lock_key_policy(m->ctl.settings.group, &key);
        if (r < 0)
                return log_error_errno(r, "%m");
        r = side_read_text(&m->from, key, &policy);
        if (r >= 0)
                r = side_read_text(&m->from, LOCK_KEY_LIMIT, &limit);
        if (r >= 0 && (policy || limit))
                log_warning("a share of the hosts, a limit on all groups and failures that stop the"
                            " fleet do not count in v2: only max does");
        return r;
}

int verb_migrate(_unused_ int argc, _unused_ char **argv)
{
        _cleanup_(migration_done) Migration m = {};
        EtcdApi from = arg_from ? etcd_api_from_string(arg_from) : _ETCD_API_INVALID;
        EtcdApi to = arg_to ? etcd_api_from_string(arg_to) : _ETCD_API_INVALID;
        int r;

        if ((int)from < 0 || (int)to < 0 || from == to || from == ETCD_API_AUTO
            || to == ETCD_API_AUTO)
                return program_usage("--from v2 --to v3, or --from v3 --to v2, is needed");
        r = migration_open(&m, from, to);
        if (r >= 0)
                r = policy_look(&m);
        for (unsigned n = 0; r == 0 && n < STEPS_MAX; n++)
                r = migration_step(&m);
        if (r < 0)
                return r;
        return r > 0 ? EXIT_DONE
                     : log_error_return(
                             -EAGAIN,
                             "too many others change the lock at the same time: run it again");
}
