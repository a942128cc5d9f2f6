/*
 * locksmithd: watches the update daemon, and reboots the host when strategy, window and lock allow
 * it.
 *
 * Everything that happens is recorded as a fact; behind every change of a fact strategy_next() is
 * asked what to do, and that is begun unless it is under way already. So there is no sequence of
 * steps that could be left in an unexpected place.
 */
#pragma once

#include "settings.h"
#include "stage.h"

#define DAEMON_RETRY_FIRST     (1 * USEC_PER_SEC) /* asking again whether this host is well */
#define DAEMON_RETRY_MAX       (30 * USEC_PER_SEC)
#define DAEMON_REFUSED_FIRST   (10 * USEC_PER_SEC) /* asking for a reboot again that was refused */
#define DAEMON_REFUSED_MAX     (10 * USEC_PER_MINUTE)
#define DAEMON_CLEARANCE_FIRST (5 * USEC_PER_SEC) /* asking those again who did not agree */
#define DAEMON_CLEARANCE_MAX   (5 * USEC_PER_MINUTE)
#define DAEMON_PATIENCE \
        (15 * USEC_PER_MINUTE) /* a reboot that was accepted has not come by then: it failed */
#define DAEMON_LEAVE_TIME (4 * USEC_PER_SEC) /* for giving the lock back at the end */

#define DAEMON_ETCD_SEEN "/var/lib/updated/etcd-seen" /* there was an etcd here once */

/*
 * Runs until SIGTERM or SIGINT. A lock that was taken for a reboot that has not been asked for is given back then. At rest
 * it becomes the other stage of this process, and does not come back. woken is what that has handed over, or NULL at the
 * first start. Returns an exit status, or negative: the reason was logged.
 */
int daemon_run(const Settings *settings, const StageOptions *options, Handover *woken);
