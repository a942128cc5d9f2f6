/*
 * What "locksmithctl explain" shows: the gates that a reboot of this host has to pass.
 */
#pragma once

#include "clearance.h"
#include "ctl.h"
#include "login.h"

#define GATES_MAX 16
#define WHY_MAX   400

typedef enum Verdict {
        VERDICT_OPEN,
        VERDICT_CLOSED,
        VERDICT_UNKNOWN,
        _VERDICT_MAX,
} Verdict;

/* What a reboot has to pass. */
typedef struct Gate {
        const char *name;
        Verdict verdict;
        char why[WHY_MAX];
        usec_t changes;    /* when it will be another verdict; 0: nobody knows */
        const char *until; /* or what changes it; NULL: nobody knows */
} Gate;

typedef struct Gates {
        Gate gates[GATES_MAX];
        size_t n_gates;
} Gates;

/* Adds a gate; the text is cut where it is too long. */
Gate *gate_add(Gates *gates, const char *name, Verdict verdict, const char *format, ...)
        _printf_(4, 5);

/* ctl-explain-lock.c: what etcd says about the lock, read once. */
typedef struct LockFacts {
        CtlView view;
        char *id;    /* of this host */
        char *why;   /* what of it can not be read, or NULL */
        bool needed; /* by the strategy of this host */
        bool known;
} LockFacts;

int lock_facts_read(Ctl *ctl, LockFacts *ret) _must_check_; /* *ret is to be done in any case */
void lock_facts_done(LockFacts *facts);

/* These say nothing when it is not known or not needed; explain_lock() does. */
void explain_pause(Gates *gates, Ctl *ctl, const LockFacts *facts);
void explain_fleet(Gates *gates, const Ctl *ctl, const LockFacts *facts);
void explain_lock(Gates *gates, const LockFacts *facts);

/* ctl-explain-host.c: what the host itself has to say; bus may be NULL. */
void explain_inhibitors(Gates *gates, sd_bus *bus);
void explain_users(Gates *gates, sd_bus *bus, const Settings *settings);
void explain_quorum(Gates *gates, Ctl *ctl);
void explain_hooks(Gates *gates, const char *name, const Settings *settings, const char *directory);
