/*
 * What is kept of an update that was interrupted: one file in /var/lib/updated. Its first block says which payload
 * was being written to which slot; behind it is the room for the payload engine's checkpoint, which the worker
 * writes through a descriptor. The daemon compares the one, and never looks into the other.
 */
#pragma once

#include "plan.h"

#define RESUME_PATH   "/var/lib/updated/checkpoint"
#define RESUME_OFFSET 4096 /* of the room */
#define RESUME_SIZE   (RESUME_OFFSET + PAYLOAD_CHECKPOINT_ROOM)

/*
 * Opens the file for the worker: *ret_fd is the caller's. Returns 1 when it is about this very payload (its SHA-256
 * and size) and this target (the slot's UUID, and where it is); else everything that it said is durably gone, and the
 * result is 0. The target of the plan must be filled in. *ret_lost says whether there was something that is of no use
 * now. -EINVAL: a payload without an announced SHA-256 can not be told from another one.
 */
int resume_file_open(const char *root, const UpdatePlan *plan, const char *slot_uuid, int *ret_fd,
                     bool *ret_lost) _must_check_;

/* The update is complete: nobody has to go on with it. */
int resume_file_remove(const char *root) _must_check_;
