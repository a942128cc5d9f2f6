/*
 * The smallest of the tables of operations: the power goes before the n-th call that changes something, or that call
 * fails; and it watches the order. A file gets its name only when its content is durable, and the next name is changed
 * only when the one before is: then what a power cut leaves is a prefix of the run.
 */
#pragma once

#include "base/macros.h"

typedef enum CutKind {
        CUT_NONE,  /* only count and watch */
        CUT_POWER, /* the process ends with CUT_STATUS */
        CUT_ERROR, /* the call returns -EIO */
} CutKind;

#define CUT_STATUS 77

/* From now on, until cut_end(). at: from 1. */
void cut_begin(CutKind kind, unsigned at);

/* Returns the number of calls; *ret_violation is what was done in a wrong order, or NULL. */
unsigned cut_end(const char **ret_violation);
