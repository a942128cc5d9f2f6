/*
 * How long a reboot of this host takes, so that it is not begun when too little of a window is left:
 * as configured, or as the last ones took, from the request to logind until locksmithd runs again.
 */
#pragma once

#include "settings.h"

#define DURATION_FILE     "/var/lib/updated/reboot-times"
#define DURATION_KEPT     5                   /* of so many reboots the longest counts */
#define DURATION_MAX      (2 * USEC_PER_HOUR) /* the host was off, or its clock was wrong: not learned */
#define DURATION_TEXT_MAX (4 * KIB)

/* What is in the file. */
typedef struct Durations {
        usec_t took[DURATION_KEPT]; /* the youngest first */
        size_t n_took;
        usec_t asked;  /* when a reboot was asked for, by the clock; 0: none is open */
        char *boot_id; /* of the boot that was to end by it; "" without one */
} Durations;

/* Anything that is not as we write it is -EBADMSG. */
int durations_parse(const char *text, Durations *ret) _must_check_;
int durations_format(const Durations *durations, char **ret) _must_check_;
void durations_done(Durations *durations);

/* The host came up as boot_id: a reboot that was asked for in another boot is over. Pure. Returns
 * whether one was, and how long it took if that can be (0: it can not). */
bool durations_close(Durations *durations, const char *boot_id, usec_t now, usec_t *ret_took);

/* To be called before a reboot is asked for, when it was refused, and at the start. A failure costs
 * what would have been learned, nothing else. */
int duration_begin(const char *root) _must_check_;
int duration_cancel(const char *root) _must_check_;

/* Returns 1 when this is the first start behind a reboot that was asked for, with what it took (0:
 * not known), else 0. */
int duration_end(const char *root, usec_t *ret_took) _must_check_;

/* What settings say, else the longest of those learned: that counts up to half of the longest
 * window, so that it never keeps a host from its updates for good. */
usec_t duration_expected(const Settings *settings);
