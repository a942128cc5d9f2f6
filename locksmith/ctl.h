/*
 * What the verbs of locksmithctl share: its options, and one way to reach the lock.
 */
#pragma once

#include <jansson.h>

#include "base/program.h"
#include "peers.h"
#include "session.h"

/* One operation on the lock, run to its end. */
typedef struct Ctl {
        Settings settings;
        sd_event *event;
        Session session;
} Ctl;

/* Wants JSON? */
bool ctl_json(void);

/* Reads the settings, with the options of the command line before everything else. Logs what is
 * wrong. */
int ctl_settings(Settings *ret) _must_check_;

/* For who needs strategy and window: 0, or -EINVAL when they are wrong, and that was logged. */
int ctl_reboot_settings(const Settings *settings) _must_check_;

/*
 * The same, and opens the lock. The session borrows from the settings beside it, so *ctl must stay
 * where it is; ctl_done() is for the caller in any case.
 */
int ctl_open(Ctl *ctl) _must_check_;
void ctl_done(Ctl *ctl);

/* What goes behind a failure to reach etcd: where to say where it is, or "" when that was said. */
const char *ctl_endpoint_hint(const Ctl *ctl);

/*
 * Runs an operation; on_done gets the result only when it is LOCK_DONE. Anything else is logged as
 * "what: why", where what is the classic tool's word for it ("Error locking"). Returns 0, or
 * negative: logged.
 */
int ctl_run(Ctl *ctl, const LockRequest *request, const char *what) _must_check_;

/* Everything that there is to know about the lock of a group. */
typedef struct CtlView {
        Semaphore semaphore;
        PolicyView policy;
        Peers holders, queue, hosts; /* where they are wanted */
} CtlView;

/* Reads the lock, with all hosts when they are wanted. Logs what is wrong. */
int ctl_read(Ctl *ctl, bool hosts, CtlView *ret) _must_check_;

/* The same, silently: *ret_why, the caller's, tells what is wrong. */
int ctl_try_read(Ctl *ctl, bool hosts, CtlView *ret, char **ret_why) _must_check_;
void ctl_view_done(CtlView *view);

/* How many wait before id; all of them when it does not wait. */
size_t ctl_queue_position(const CtlView *view, const char *id);

/* How long somebody will wait who has so many before it. -ENODATA when nobody can know. */
int ctl_estimate(const CtlView *view, size_t before, usec_t *ret);

/* Who works here, for what others read later: "core on web-7". The caller frees it. */
int ctl_who(const Ctl *ctl, char **ret) _must_check_;

/*
 * What is done by hand is written down in the policy of the group, in the transaction that does it, where
 * the backend keeps one. ctl_deed() says who does it now; logs what is wrong. ctl_note() is for a LockEdit,
 * and returns as one; ctl_note_edit() is one, with the Deed as its userdata.
 */
int ctl_deed(const Ctl *ctl, Deed *ret, const char *format, ...) _must_check_ _printf_(3, 4);
int ctl_note(PolicyView *view, const Deed *deed) _must_check_;
int ctl_note_edit(Semaphore *semaphore, PolicyView *view, int64_t revision, void *deed);

/* The id of a holder: the argument as it is, else this host's machine-id. Logs what is wrong. */
int ctl_id(const Ctl *ctl, const char *argument, char **ret) _must_check_;

/* Takes or releases the slot of id; with reason a record of this host goes with it, with a deed that.
 * Logs what is wrong. */
int ctl_change_holder(Ctl *ctl, LockKind kind, const char *id, const char *reason,
                      const Deed *deed) _must_check_;

/* May this host go down, as far as etcd's quorum is concerned? *ret_why is the caller's. Logs what is
 * wrong. */
int ctl_ask_guard(Ctl *ctl, bool *ret_agrees, char **ret_why) _must_check_;

/* Does the strategy of this host want the lock? */
bool ctl_needs_lock(const Settings *settings);

/* Prints a JSON document and takes it; NULL is "out of memory". */
int ctl_print(json_t *document) _must_check_;

/* "Sun 2026-11-22 14:00 CET": local time, as windows are. The buffer is returned. */
#define CTL_TIME_MAX 64
const char *ctl_time(usec_t when, char buffer[static CTL_TIME_MAX]);

/* How long ago that is, in short. Another host's clock has said it: an age is a hint, and one from the
 * future is none. The buffer is returned, or "?". */
const char *ctl_age(int64_t since, char buffer[static TIMESPAN_MAX]);

extern const Option status_options[], simulate_options[], set_max_options[], resume_options[],
        migrate_options[], serve_fleetlock_options[];

int verb_status(int argc, char **argv);
int verb_lock(int argc, char **argv);
int verb_unlock(int argc, char **argv);
int verb_set_max(int argc, char **argv);
int verb_reboot(int argc, char **argv);
int verb_send_need_reboot(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_simulate(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_hosts(int argc, char **argv);
int verb_forget(int argc, char **argv);
int verb_log(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_resume(int argc, char **argv);
int verb_migrate(int argc, char **argv);
int verb_serve_fleetlock(int argc, char **argv);
