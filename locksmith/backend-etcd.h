/*
 * The lock's document as a key of etcd v3.
 */
#pragma once

#include "etcd.h"
#include "lock-backend.h"

/* etcd is borrowed; key is copied. */
int backend_etcd_new(Etcd *etcd, const char *key, LockBackend **ret) _must_check_;
