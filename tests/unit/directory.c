#include <ftw.h>

#include "base/macros.h"
#include "unit/unit.h"

char *directory_make(void)
{
        char *path = strdup("/tmp/sluice-test-XXXXXX");

        assert_non_null(path);
        assert_non_null(mkdtemp(path));
        return path;
}

static int entry_remove(const char *path, _unused_ const struct stat *status, _unused_ int type,
                        _unused_ struct FTW *walk)
{
        return remove(path);
}

void directory_remove(char *path)
{
        (void)nftw(path, entry_remove, 16,
                   FTW_DEPTH | FTW_PHYS); /* a left-over directory in /tmp is no failure */
        free(path);
}
