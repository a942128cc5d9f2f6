/*
 * The lock's document as a key of etcd, v3 or v2.
 */
#pragma once

#include "etcd.h"
#include "lock-backend.h"

/* The lock of a group. etcd is borrowed; group and key are copied. */
int backend_etcd_new(Etcd *etcd, const char *group, LockBackend **ret) _must_check_;
int backend_etcd_v2_new(Etcd *etcd, const char *key, LockBackend **ret) _must_check_;

/* In the API where the lock of the group is: found out by the first call. group is copied. */
int backend_auto_new(Etcd *etcd, const char *group, LockBackend **ret) _must_check_;
