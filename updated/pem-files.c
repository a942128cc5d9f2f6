#include <dirent.h>
#include <fnmatch.h>

#include "base/io.h"
#include "base/text.h"
#include "pem-files.h"

int pem_append_file(const char *root, const char *path, size_t max, Buffer *pem)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, path, max, &text, NULL);
        if (r < 0)
                return r;

        r = buffer_append_text(pem, text);
        return r < 0 ? r : buffer_append_text(pem, "\n");
}

static int entry_is_pem(const struct dirent *entry)
{
        return fnmatch("*.pem", entry->d_name, FNM_PERIOD) == 0;
}

int pem_append_directory(const char *root, const char *path, size_t max, Buffer *pem)
{
        _cleanup_free_ char *directory = NULL;
        struct dirent **entries;
        int n, r;

        r = root_join(root, path, &directory);
        if (r < 0)
                return r;
        n = RET_ERRNO(scandir(directory, &entries, entry_is_pem, alphasort));
        if (n < 0)
                return n;

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (r >= 0)
                        r = text_format(&file, "%s/%s", path, entries[i]->d_name);
                if (r >= 0)
                        r = pem_append_file(root, file, max, pem);
                free(entries[i]);
        }
        free(entries);
        return r;
}
