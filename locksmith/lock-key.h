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

/* Why the lock of a group is paused, and what its max was before. */
int lock_key_pause(const char *group, char **ret) _must_check_;

/* That the lock of a group has gone to the other API of etcd: locksmithctl migrate puts it. */
int lock_key_moved(const char *group, char **ret) _must_check_;

/* The id in a side key that begins with prefix. -EBADMSG when that is no name as we write it. */
int lock_key_id(const char *prefix, const char *key, char **ret) _must_check_;
