/*
 * Files read and written whole, and the calls that finish short reads and writes.
 * Everything returns 0 (or what is said here) or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

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

#define TEMPORARY_PREFIX ".#" /* of the temporary file's name */

/*
 * The first half of file_replace(), for those who have something to do in between: an empty file beside path, that
 * nobody takes for the file itself (".#NAME.xxxxxx"). Returns an fd or -errno; *ret_path is the caller's, who renames
 * or unlinks it.
 */
int temporary_create(const char *path, char **ret_path) _must_check_;

/* The name alone, which nobody has now. */
int temporary_name(const char *path, char **ret) _must_check_;

/* Gives it content and mode, and syncs it. */
int temporary_fill(int fd, const void *data, size_t size, mode_t mode) _must_check_;

#define TEMPORARY_AGE 3600 /* s; nobody takes as long to write a file */

/*
 * The names in an open directory that match pattern (fnmatch(3), which passes hidden ones over unless it names their
 * dot; NULL: all, "." and ".." too), sorted by their bytes. *ret is untouched after a failure.
 */
int directory_names(int fd, const char *pattern, TextList *ret) _must_check_;

/*
 * Removes what power cuts left of writing files in these directories (ended by NULL; they need not be there): regular
 * files with our kind of name, of our user, that were not touched for TEMPORARY_AGE. Nothing else, and no link. now:
 * seconds since 1970. Returns how many were removed, or the first -errno.
 */
int temporaries_sweep(const char *root, const char *const *directories, uint64_t now) _must_check_;

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
