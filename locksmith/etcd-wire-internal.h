/*
 * What the readers of etcd's answers share, v2 and v3; for nobody else.
 */
#pragma once

#include <jansson.h>

#include "etcd-wire.h"

/* An object, or NULL. */
json_t *etcd_json_load(const char *text, size_t size);

/* 64-bit numbers come as texts, some as numbers, and not at all when they are zero. */
int etcd_json_int64(const json_t *object, const char *name, int64_t *ret) _must_check_;
int etcd_json_bool(const json_t *object, const char *name, bool *ret) _must_check_;

/* As it may be shown, "" when it is no text. A 64-bit id with its top bit set is no int64: it stays
 * a text. */
void etcd_json_text(const json_t *value, char *out, size_t size);

/* The members in an array; their id has another name in v2 and in v3. */
int etcd_json_members(const json_t *array, const char *id_name, EtcdMembers *ret) _must_check_;
