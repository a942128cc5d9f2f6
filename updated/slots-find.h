/*
 * Which partition runs, and on which disk it is: from the kernel command line, or from the device behind /usr.
 */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

/* How the running partition is known: exactly one of uuid, label and number. */
typedef struct RunningPartition {
        char *uuid;     /* of PARTUUID= */
        char *label;    /* of PARTLABEL= */
        size_t number;  /* from 0, on disk; only when by_device */
        char *disk;     /* device node of its disk; only when by_device */
        bool by_device; /* found through the device behind /usr */
} RunningPartition;

void running_partition_done(RunningPartition *running);

/* What a kernel command line says. -ENODATA: nothing. Only uuid or label is set. */
int running_partition_parse(const char *cmdline, RunningPartition *ret) _must_check_;

/*
 * From /proc/cmdline below root; on the host itself (no root) also from the device behind /usr or /, through
 * device mapper and loop devices. -ENODATA when neither tells.
 */
int running_partition_find(const char *root, RunningPartition *ret) _must_check_;

/*
 * The directory of the partition that a block device is, or lies on, through device mapper (verity, crypt, linear) and
 * loop devices; sysfs is "/sys". -ENOTUNIQ: on several devices; -ELOOP: no end to it.
 */
int sysfs_of_partition(const char *sysfs, dev_t device, char **ret) _must_check_;

/* The device node of a disk from the directory of one of its partitions. */
int disk_of_sysfs(const char *partition, char **ret) _must_check_;

/* The device node of the disk with that partition, on the host itself. -ENODEV. */
int running_partition_disk(const RunningPartition *running, char **ret) _must_check_;

/* Is that block device the partition that /usr or / of this host is on, also through device mapper? */
bool device_is_running(dev_t device);
