/*
 * A host whose strategy has become "off" while it held the lock for a reboot: nobody else would ever give
 * that slot back.
 */
#pragma once

#include "settings.h"

/*
 * Gives the lock back, if this host holds it since before its boot; one that was taken by hand in this
 * boot stays. Asks only where an etcd has ever answered, for a few seconds, and logs what came of it.
 */
void off_release(const Settings *settings);
