/*
 * The lock's document as a key of etcd v3.
 */
#pragma once

#include "etcd.h"
#include "lock-backend.h"

/* The lock of a group. etcd is borrowed; group is copied. */
int backend_etcd_new(Etcd *etcd, const char *group, LockBackend **ret) _must_check_;
