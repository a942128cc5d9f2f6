/*
 * Files read and written whole, and the calls that finish short reads and writes.
 * Everything returns 0 (or what is said here) or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

/* The largest configuration or state file anybody needs; more is refused with -EFBIG. */
#define IO_SMALL_FILE_MAX (1 * MIB)

/*
 * The path under which a program with --root=root finds path ("/etc/x"). root may be NULL, "" or "/",
 * which all mean the host itself. *ret is the caller's to free.
 */
int root_join(const char *root, const char *path, char **ret) _must_check_;

/* Opens path as seen below root; flags as for open(2), O_CLOEXEC is added. Returns an fd or -errno. */
int root_open(const char *root, const char *path, int flags, mode_t mode) _must_check_;

/*
 * Reads a whole file of at most max bytes; a NUL follows the data. ret_size may be NULL: then a NUL
 * byte inside the file is refused with -EBADMSG. *ret is the caller's.
 */
int file_read(const char *root, const char *path, size_t max, char **ret,
              size_t *ret_size) _must_check_;

/* The same from an open file descriptor, from its current offset to its end. */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_size) _must_check_;

/* Reads a small file and cuts white space off both ends: machine-id, boot_id, cmdline. */
int file_read_line(const char *root, const char *path, char **ret) _must_check_;

/*
 * Replaces a file so that after a power cut there is the old one or the new one, never a mixture:
 * temporary file beside it, write, fsync, rename, fsync of the directory (style guide, rule 32).
 * Missing parent directories are made (0755).
 */
int file_replace(const char *root, const char *path, const void *data, size_t size,
                 mode_t mode) _must_check_;

/* Removes a file durably; a file that is not there is fine. */
int file_remove(const char *root, const char *path) _must_check_;

/* Makes the missing directories above path, each durable. */
int parents_make(const char *path, mode_t mode) _must_check_;

/* fsync of the directory that holds path. */
int directory_sync_of(const char *path) _must_check_;

/* pread/pwrite until everything is done; a read that meets the end of file is -ENODATA. */
int pread_full(int fd, void *data, size_t size, uint64_t offset) _must_check_;
int pwrite_full(int fd, const void *data, size_t size, uint64_t offset) _must_check_;
int write_full(int fd, const void *data, size_t size) _must_check_;

/* read(2) that goes on after EINTR. Returns the bytes read, 0 at the end of file. */
ssize_t read_some(int fd, void *data, size_t size) _must_check_;
