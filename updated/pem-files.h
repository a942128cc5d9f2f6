/*
 * Keys and certificates (PEM) in files and directories of the administrator, put together to one text.
 */
#pragma once

#include "base/buffer.h"

/* Appends a file of at most max bytes, and a newline. */
int pem_append_file(const char *root, const char *path, size_t max, Buffer *pem) _must_check_;

/* All *.pem of a directory, in the order of their names, max bytes each; -ENOENT: there is no directory. */
int pem_append_directory(const char *root, const char *path, size_t max, Buffer *pem) _must_check_;
