/*
 * What the daemon talks to, in the same process: the update server (in the place of base/http.c), the worker (in
 * the place of worker.c; the payload engine in it is the real one), the bus (in the place of manager-bus.c).
 */
#pragma once

#include "crash/release.h"

/* What the update server offers from now on. */
void peers_offer(const Release *release);

/* How many workers went on from a checkpoint so far, and how many of those could not rely on what they found. */
unsigned peers_continued(void);
unsigned peers_disappointed(void);

/* How often the daemon asked for a reboot, since the start of the test. */
unsigned peers_reboots(void);
