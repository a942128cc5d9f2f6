/*
 * The administrator's programs in a directory, run one after another in the order of their names.
 * The first that fails, or takes too long, ends the run.
 */
#pragma once

#include "base/process.h"
#include "base/text.h"

#define HOOKS_MAX 100 /* more in a directory are refused */

typedef struct Hooks Hooks;

typedef struct HooksRequest {
        const char *root, *directory;   /* borrowed for as long as they run */
        const char *const *environment; /* see hooks_environment(); borrowed during the call */
        /* What starts each of them: a program and its options, ended by NULL; NULL: nothing. The same. */
        const char *const *prefix;
        usec_t time_limit;                                 /* of each */
        void (*on_line)(const char *line, void *userdata); /* "10-name: what it printed" */
        /* why is NULL when all went well; else which failed, how, and its last words. */
        void (*on_done)(const char *why, void *userdata);
        void *userdata;
} HooksRequest;

/*
 * The executable files of a directory, sorted; a directory that is not there has none. Names with a
 * dot in front or a tilde behind do not count.
 */
int hooks_list(const char *root, const char *directory, TextList *ret) _must_check_;

/*
 * The environment of a hook: the few variables of ours that programs need, then more ("NAME=value"
 * each, ended by NULL; NULL: none). Passwords in our environment are not handed on.
 */
int hooks_environment(const char *const *more, TextList *ret) _must_check_;

/* Callbacks come from the event loop, never from inside this call. */
int hooks_start(sd_event *event, const HooksRequest *request, Hooks **ret) _must_check_;

/* Kills what runs, without calling back. Returns NULL; NULL is fine. */
Hooks *hooks_cancel(Hooks *hooks);
