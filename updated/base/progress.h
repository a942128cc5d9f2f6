/*
 * The progress line of long work: percent, bar, bytes, speed, time left. Drawn on a terminal only,
 * at most ten times a second; elsewhere it stays silent.
 */
#pragma once

#include <stdio.h>

#include "base/time-util.h"

typedef struct Progress {
        FILE *stream;      /* borrowed */
        const char *label; /* borrowed: "applying" */
        uint64_t total;    /* bytes, or 0 when unknown */
        usec_t started;
        usec_t drawn;
        bool terminal;
} Progress;

/* Begins the line; label and stream are borrowed, total is in bytes. */
void progress_start(Progress *progress, FILE *stream, const char *label, uint64_t total);
void progress_update(Progress *progress, uint64_t done);

/* Draws the last state and ends the line. */
void progress_finish(Progress *progress, uint64_t done);

/* Fills buffer with a bar of width characters: "██████▌   ", or "######    " when ascii. */
#define PROGRESS_BAR_MAX 256
const char *progress_bar(double fraction, unsigned width, bool ascii,
                         char buffer[static PROGRESS_BAR_MAX]);
