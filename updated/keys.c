#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/io.h"
#include "base/text.h"
#include "keys.h"
#include "worker.h"

static int keys_append_file(const char *root, const char *path, Buffer *pem)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, path, KEYS_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;

        r = buffer_append_text(pem, text);
        return r < 0 ? r : buffer_append_text(pem, "\n");
}

static int entry_is_key(const struct dirent *entry)
{
        return fnmatch("*.pem", entry->d_name, FNM_PERIOD) == 0;
}

static int keys_append_directory(const char *root, Buffer *pem)
{
        _cleanup_free_ char *directory = NULL;
        struct dirent **entries;
        int n, r;

        r = root_join(root, KEYS_DIRECTORY, &directory);
        if (r < 0)
                return r;
        n = scandir(directory, &entries, entry_is_key, alphasort);
        if (n < 0)
                return errno == ENOENT ? 0 : -errno;

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;

                if (r >= 0 && text_format(&path, KEYS_DIRECTORY "/%s", entries[i]->d_name) < 0)
                        r = -ENOMEM;
                if (r >= 0)
                        r = keys_append_file(root, path, pem);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int keys_read(const char *root, char **ret, UpdateFailure *failure)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_MAX(WORKER_KEYS_MAX);
        int r;

        r = keys_append_file(root, KEYS_FILE, &pem);
        if (r >= 0 || r == -ENOENT)
                r = keys_append_directory(root, &pem);
        if (r < 0)
                return update_failure_set(failure, r, UPDATE_ERROR_KEYS,
                                          "reading the trusted keys in " KEYS_FILE
                                          " and " KEYS_DIRECTORY ": %s",
                                          strerror(-r));
        if (pem.size == 0)
                return update_failure_set(failure, -ENOKEY, UPDATE_ERROR_KEYS,
                                          "this host trusts no key: there is neither " KEYS_FILE
                                          " nor a *.pem in " KEYS_DIRECTORY
                                          "; nothing unsigned is ever installed");

        return buffer_take_text(&pem, ret, NULL);
}
