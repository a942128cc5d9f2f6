/*
 * What "locksmithctl status" shows, once or as long as somebody looks.
 */
#pragma once

#include "ctl.h"

/* As text; width: of the terminal, 0 without one. */
void status_print(FILE *out, size_t width, const CtlView *view, bool details);

/* NULL: out of memory. */
json_t *status_json(const Ctl *ctl, const CtlView *view);

/* Shows it again at each change, until a signal. */
int status_watch(Ctl *ctl);
