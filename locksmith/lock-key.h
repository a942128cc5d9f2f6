/*
 * The names of the lock's keys in etcd (spec/locksmith.md §1.1). The semaphore key is locksmith's
 * own, byte for byte; everything of ours lies beside it under one prefix that old clients never
 * look at.
 */
#pragma once

#include "base/macros.h"

#define LOCK_KEY_ROOT "coreos.com/updateengine/rebootlock"

/* Longer names of groups and holders are refused. */
#define LOCK_NAME_MAX 256

/*
 * The semaphore of a group; "" or NULL is the default group. The name is escaped as in a URL query.
 * -EINVAL for "." and "..", which the original lets wander into other groups' keys, -ENAMETOOLONG.
 */
int lock_key_semaphore(const char *group, char **ret) _must_check_;

/* The side keys of a group: "holders" or "queue", then what belongs to one host. With id NULL: the
 * prefix of all. */
int lock_key_holder(const char *group, const char *id, char **ret) _must_check_;
int lock_key_ticket(const char *group, const char *id, char **ret) _must_check_;

/* The same for the hosts that are known, for those that are down and expected back ("away"), for those
 * whose slot nobody may free yet ("keep"), and for what is told of slots that were freed. */
int lock_key_host(const char *group, const char *id, char **ret) _must_check_;
int lock_key_away(const char *group, const char *id, char **ret) _must_check_;
int lock_key_keep(const char *group, const char *id, char **ret) _must_check_;
int lock_key_freed(const char *group, const char *id, char **ret) _must_check_;

/*
 * What decides about locks, of all groups: the semaphores, and our policy documents. The latter are
 * named so that all of these lie next to each other, and one range reads, compares and watches them.
 */
#define LOCK_KEY_DECISIONS     LOCK_KEY_ROOT "/groups/"
#define LOCK_KEY_DECISIONS_END LOCK_KEY_ROOT "/sluice/,"
#define LOCK_KEY_LIMIT         LOCK_KEY_ROOT "/sluice/+limit" /* of all groups together */

/* The policy of a group. */
int lock_key_policy(const char *group, char **ret) _must_check_;

/* Is this key of that range somebody's semaphore? */
bool lock_key_is_semaphore(const char *key);

/* Why the lock of a group is paused, and what its max was before. */
int lock_key_pause(const char *group, char **ret) _must_check_;

/* That the lock of a group has gone to the other API of etcd: locksmithctl migrate puts it. */
int lock_key_moved(const char *group, char **ret) _must_check_;

/* The id in a side key that begins with prefix. -EBADMSG when that is no name as we write it. */
int lock_key_id(const char *prefix, const char *key, char **ret) _must_check_;
