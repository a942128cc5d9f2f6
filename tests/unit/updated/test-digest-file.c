#include <fcntl.h>

#include "base/bus.h"
#include "base/disk-io.h"
#include "base/io.h"
#include "base/text.h"
#include "digest-file.h"
#include "unit/unit.h"

#define LARGE (MIB + 17)

typedef struct Seen {
        sd_event *event;
        DigestFile *digest;
        int error;
        uint8_t sha256[SHA256_SIZE];
        unsigned n_other; /* times that the loop had its turn */
} Seen;

static void on_end(int error, const uint8_t sha256[static SHA256_SIZE], void *userdata)
{
        Seen *seen = userdata;

        seen->error = error;
        memcpy(seen->sha256, sha256, SHA256_SIZE);
        seen->digest = digest_file_free(seen->digest);
        assert_true(sd_event_exit(seen->event, 0) >= 0);
}

static int on_other(_unused_ sd_event_source *source, void *userdata)
{
        ((Seen *)userdata)->n_other++;
        return 0;
}

static int file_make(size_t size)
{
        _cleanup_free_ char *data = calloc(1, size + 1);
        char *root = directory_make();
        int fd = root_open(root, "file", O_RDWR | O_CREAT, 0600);

        assert_true(data && fd >= 0 && write_full(fd, data, size) >= 0);
        return fd;
}

static void digest_run(int fd, Seen *ret)
{
        sd_event_source *other;

        *ret = (Seen) {};
        assert_int_equal(event_new(&ret->event), 0);
        assert_true(sd_event_add_post(ret->event, &other, on_other, ret) >= 0);
        assert_int_equal(digest_file_new(ret->event, fd, on_end, ret, &ret->digest), 0);
        assert_int_equal(sd_event_loop(ret->event), 0);
        sd_event_source_unref(other);
        sd_event_unref(ret->event);
}

/* As sha256sum has them: of nothing, and of zeros. */
static void test_it_is_that_of_the_whole_file(_unused_ void **state)
{
        static const struct {
                size_t size;
                const char *sha256;
        } table[] = {
                { 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
                { 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
                { LARGE, "f2c67c81372d31a24e3fe5ac0c10685e97d8d6b671ace65d75fd243d3741f59e" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_close_ int fd = file_make(table[i].size);
                _cleanup_free_ char *sha256 = NULL;
                Seen seen;

                digest_run(fd, &seen);
                assert_int_equal(seen.error, 0);
                assert_return_code(hex_encode(seen.sha256, SHA256_SIZE, &sha256), 0);
                assert_string_equal(sha256, table[i].sha256);
                assert_true(table[i].size < LARGE || seen.n_other >= LARGE / (256 * KIB));
        }
}

static ssize_t read_badly(int fd, void *data, size_t size, uint64_t offset)
{
        static unsigned n;

        if (offset > 0)
                return -EIO;
        return n++ == 0 ? -EINTR : disk_io_system.pread(fd, data, size / 2, offset);
}

static void test_what_can_not_be_read_has_none(_unused_ void **state)
{
        DiskIo table = disk_io_system;
        _cleanup_close_ int fd = file_make(LARGE);
        Seen seen;

        table.pread = read_badly;
        disk_io_set(&table);
        digest_run(fd, &seen);
        disk_io_set(NULL);
        assert_int_equal(seen.error, -EIO);
}

static void test_it_can_be_left_alone(_unused_ void **state)
{
        _cleanup_close_ int fd = file_make(LARGE);
        Seen seen = {};

        assert_int_equal(event_new(&seen.event), 0);
        assert_int_equal(digest_file_new(seen.event, fd, on_end, &seen, &seen.digest), 0);
        assert_true(sd_event_run(seen.event, 0) > 0);
        assert_null(digest_file_free(seen.digest));
        assert_int_equal(sd_event_run(seen.event, 0), 0); /* nobody is called */
        sd_event_unref(seen.event);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_is_that_of_the_whole_file),
                cmocka_unit_test(test_what_can_not_be_read_has_none),
                cmocka_unit_test(test_it_can_be_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
