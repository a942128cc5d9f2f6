#include <ftw.h>
#include <unistd.h>

#include "base/io.h"
#include "unit/unit.h"

#define DIRECTORIES_MAX 1024

static char *directories[DIRECTORIES_MAX];
static size_t n_directories;
static pid_t owner;

static int entry_remove(const char *path, _unused_ const struct stat *status, _unused_ int type,
                        _unused_ struct FTW *walk)
{
        return remove(path);
}

/* Also behind a test that has failed in the middle. A child of a test has made none of them. */
static void directories_remove(void)
{
        while (getpid() == owner && n_directories > 0) {
                directory_remove(directories[--n_directories]);
                free(directories[n_directories]);
        }
}

char *directory_make(void)
{
        char *path = strdup("/tmp/sluice-test-XXXXXX");

        assert_non_null(path);
        assert_true(n_directories < DIRECTORIES_MAX);
        assert_non_null(mkdtemp(path));
        if (!owner)
                assert_int_equal(atexit(directories_remove), 0);
        owner = getpid();
        directories[n_directories++] = path;
        return path;
}

void directory_remove(const char *path)
{
        (void)nftw(path, entry_remove, 16,
                   FTW_DEPTH | FTW_PHYS); /* a left-over directory in /tmp is no failure */
}

void file_put(const char *root, const char *path, const char *text)
{
        assert_int_equal(file_replace(root, path, text, strlen(text), 0644), 0);
}
