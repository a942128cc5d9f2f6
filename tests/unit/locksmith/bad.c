#include <dirent.h>

#include "base/io.h"
#include "base/text.h"
#include "unit/locksmith/bad.h"
#include "unit/unit.h"

void bad_files_refused(const char *directory, int wanted, BadParse parse)
{
        _cleanup_free_ char *path = NULL;
        struct dirent **entries;
        int n, tried = 0;

        assert_true(
                text_format(&path, "%s/tests/bad/locksmith/%s", getenv("SLUICE_SOURCE"), directory)
                >= 0);
        n = scandir(path, &entries, NULL, alphasort);
        assert_true(n > 2);

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL, *data = NULL;
                size_t size;

                assert_true(text_format(&file, "%s/%s", path, entries[i]->d_name) >= 0);
                if (entries[i]->d_name[0] != '.') {
                        assert_int_equal(file_read(NULL, file, 4 * MIB, &data, &size), 0);
                        print_message("# %s/%s\n", directory, entries[i]->d_name);
                        assert_int_equal(parse(data, size), wanted);
                        tried++;
                }
                free(entries[i]);
        }
        free(entries);
        assert_true(tried > 0);
}
