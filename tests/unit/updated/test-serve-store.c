#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "serve-store.h"
#include "unit/unit.h"

/* Puts size bytes of data into a file of directory; the caller frees its path. */
static char *file_make(const char *directory, const void *data, size_t size)
{
        char *path;

        assert_int_equal(file_replace(directory, "/original", data, size, 0600), 0);
        assert_int_equal(root_join(directory, "/original", &path), 0);
        return path;
}

static void test_a_payload_is_copied_under_its_digest(_unused_ void **state)
{
        char *directory = directory_make();
        _cleanup_free_ char *path = file_make(directory, "CrAU1", 5), *text = NULL;
        _cleanup_(stored_payload_done) StoredPayload stored = {};
        _cleanup_close_ int fd = -1;
        struct stat status;

        assert_int_equal(store_add(directory, path, stderr, &stored), 0);
        assert_int_equal(stored.size, 5);
        /* printf CrAU1 | sha256sum, and the binary forms through base64 */
        assert_string_equal(stored.sha256,
                            "6428b9ce11a6ef078d44529f96946b568708c8c9ecba791300777328f6b6e3fe");
        assert_string_equal(stored.sha256_base64, "ZCi5zhGm7weNRFKflpRrVocIyMnsunkTAHdzKPa24/4=");
        assert_string_equal(stored.sha1_base64, "iW6VOQ9fcUgOi1umKX92G9nzvU4=");

        /* A later change of the original does not reach the copy. */
        free(path);
        path = file_make(directory, "CrAU2", 5);
        fd = store_open(directory, stored.sha256);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0644);
        assert_int_equal(fd_read_all(fd, 10, &text, NULL), 0);
        assert_string_equal(text, "CrAU1");

        assert_int_equal(store_remove(directory, stored.sha256), 0);
        assert_int_equal(store_open(directory, stored.sha256), -ENOENT);
}

static void test_what_is_no_payload_leaves_nothing_behind(_unused_ void **state)
{
        static const struct {
                const char *data;
                size_t size;
        } bad[] = { { "", 0 }, { "CrA", 3 }, { "crau", 4 }, { "<html>", 6 }, { "\0CrAU", 5 } };
        char *directory = directory_make();
        StoredPayload stored = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *path = file_make(directory, bad[i].data, bad[i].size);

                assert_int_equal(store_add(directory, path, stderr, &stored), -EBADMSG);
                assert_null(stored.sha256);
        }
        assert_int_equal(store_add(directory, "/nonexistent", stderr, &stored), -ENOENT);
        assert_int_equal(store_add(directory, directory, stderr, &stored), -EISDIR);
        assert_int_equal(store_add(directory, "/dev/null", stderr, &stored), -EBADMSG);
        assert_int_equal(root_open(directory, "/" STORE_DIRECTORY, O_RDONLY, 0), -ENOENT);
}

static void test_a_link_in_the_store_is_not_followed(_unused_ void **state)
{
        char *directory = directory_make();
        _cleanup_free_ char *store = NULL, *link = NULL;

        assert_int_equal(root_join(directory, "/" STORE_DIRECTORY, &store), 0);
        assert_int_equal(mkdir(store, 0755), 0);
        assert_int_equal(root_join(store, "/abc", &link), 0);
        assert_int_equal(symlink("/etc/passwd", link), 0);
        assert_int_equal(store_open(directory, "abc"), -ELOOP);
        assert_int_equal(store_open(directory, "abd"), -ENOENT);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_payload_is_copied_under_its_digest),
                cmocka_unit_test(test_what_is_no_payload_leaves_nothing_behind),
                cmocka_unit_test(test_a_link_in_the_store_is_not_followed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
