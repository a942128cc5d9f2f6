/*
 * Replays every file of the directories (or files) named on the command line through one fuzz target.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

#define REPLAY_FILE_MAX (64 * MIB)

static unsigned n_replayed;

static int replay_file(const char *path)
{
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = file_read(NULL, path, REPLAY_FILE_MAX, &data, &size);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(-r));
                return r;
        }

        n_replayed++;
        return LLVMFuzzerTestOneInput((const uint8_t *)data, size);
}

static int replay_directory(const char *path)
{
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, alphasort), r = 0;

        if (n < 0)
                return -errno;

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (entries[i]->d_name[0] != '.'
                    && text_format(&file, "%s/%s", path, entries[i]->d_name) >= 0)
                        r = replay_file(file) < 0 ? -EIO : r;
                free(entries[i]);
        }
        free(entries);
        return r;
}

int main(int argc, char **argv)
{
        int failed = 0;

        for (int i = 1; i < argc; i++) {
                struct stat status;

                if (stat(argv[i], &status) < 0)
                        failed = 1;
                else if (S_ISDIR(status.st_mode))
                        failed |= replay_directory(argv[i]) < 0;
                else
                        failed |= replay_file(argv[i]) < 0;
        }

        printf("%u inputs replayed\n", n_replayed);
        return failed || n_replayed == 0;
}
