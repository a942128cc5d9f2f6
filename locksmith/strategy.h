/*
 * What locksmithd does next. Pure: all it knows comes in as facts, and nothing but the answer comes
 * out. The daemon asks anew whenever a fact changes.
 */
#pragma once

#include "base/macros.h"
#include "base/string-table.h"

typedef enum Strategy {
        STRATEGY_REBOOT,      /* as soon as the update is there and the window open */
        STRATEGY_ETCD_LOCK,   /* with the lock only */
        STRATEGY_BEST_EFFORT, /* with the lock where there is an etcd, or ever was one */
        STRATEGY_OFF,
        _STRATEGY_MAX,
        _STRATEGY_INVALID = -EINVAL,
} Strategy;

#define STRATEGY_NAMES "reboot, etcd-lock, best-effort and off"

DECLARE_STRING_TABLE(strategy, Strategy);

typedef enum UpdateState {
        UPDATE_NOT_KNOWN, /* the update daemon has not answered yet */
        UPDATE_NONE,      /* nothing waits for a reboot */
        UPDATE_DUE,
} UpdateState;

typedef enum LockState {
        LOCK_STATE_NOT_KNOWN, /* since the start: we may hold it from before the boot */
        LOCK_STATE_FREE,      /* not ours */
        LOCK_STATE_WANTED,    /* being taken; may be ours already */
        LOCK_STATE_HELD,
        LOCK_STATE_RELEASING,
} LockState;

/* A round of questions to all who have a say besides the lock, see clearance.h. */
typedef enum ClearanceState {
        CLEARANCE_NOT_ASKED,
        CLEARANCE_ASKING,
        CLEARANCE_GIVEN,
        CLEARANCE_REFUSED,
} ClearanceState;

typedef struct Facts {
        UpdateState update;
        LockState lock;
        ClearanceState to_lock, to_reboot; /* before the lock is taken; while it is held */
        bool window_open;                  /* a reboot is allowed at this time of the day */
        bool slot_good;                    /* what runs was found healthy */
        bool member_good;                  /* so was the member of etcd here, if there is one */
        bool etcd_seen;                    /* an etcd has answered on this host, at any time */
        bool etcd_asked;                   /* it was asked for this purpose, without an answer */
        bool backing_off;                  /* a reboot was refused a short while ago */
        bool rebooting;                    /* the reboot was asked for, and not refused so far */
} Facts;

typedef enum Action {
        ACTION_WAIT_FOR_DAEMON, /* the update daemon is to answer */
        ACTION_WAIT_FOR_UPDATE,
        ACTION_WAIT_FOR_WINDOW,
        ACTION_WAIT_FOR_CLEARANCE, /* to take the lock */
        ACTION_WAIT_FOR_LOCK,      /* being taken */
        ACTION_WAIT_FOR_DRAIN,     /* with the lock */
        ACTION_WAIT_FOR_RELEASE,   /* being given back */
        ACTION_WAIT_FOR_RETRY,
        ACTION_WAIT_FOR_REBOOT,
        ACTION_CHECK_SLOT,   /* ask whether what runs is good */
        ACTION_CHECK_MEMBER, /* ask whether the member of etcd here is well */
        ACTION_ASK_ETCD,     /* find out whether there is one */
        ACTION_ASK_CLEARANCE,
        ACTION_TAKE,
        ACTION_DRAIN, /* the clearance to reboot, which empties the host */
        ACTION_RELEASE,
        ACTION_REBOOT,
        _ACTION_MAX,
} Action;

/* May a reboot be prepared now? If not, what was agreed about it before counts no longer. */
bool strategy_may_reboot(Strategy strategy, const Facts *facts);

/* The one thing to do now; the ACTION_WAIT_… say what for, and that nothing is to be done. */
Action strategy_next(Strategy strategy, const Facts *facts);

/* Does a reboot take the lock first? */
bool strategy_needs_lock(Strategy strategy, bool etcd_seen);
