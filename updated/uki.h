/*
 * Unified kernel images (UAPI.5): a PE file with the kernel and what belongs to it in sections. Only the one
 * is read by which systemd-boot orders them: .osrel, a text as /etc/os-release.
 */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

#define UKI_HEAD_MAX     (4 * KIB) /* in which the table of sections has to be */
#define UKI_SECTIONS_MAX 96
#define UKI_OSREL_MAX    (16 * KIB)

/* Where a section is in the file. size bytes of its beginning are at hand. -EBADMSG: no PE file; -ENOENT. */
int uki_find_section(const void *head, size_t size, const char *name, uint32_t *ret_offset,
                     uint32_t *ret_size) _must_check_;

/* The key and the version by which systemd-boot orders it; NULL: it does not say. The caller frees both. */
int uki_release_parse(const char *text, char **ret_sort_key, char **ret_version) _must_check_;

/* The same of an open file. -EBADMSG or -ENOENT: it is no unified kernel image. */
int uki_read(int fd, char **ret_sort_key, char **ret_version) _must_check_;
