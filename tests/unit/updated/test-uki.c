/* The release of a unified kernel image, and every way in which a file is none. */
#include <endian.h>
#include <sys/mman.h>

#include "uki.h"
#include "unit/unit.h"

#define PE       64
#define SECTIONS (PE + 24)
#define TEXT     512
#define SIZE     1024

static void put(uint8_t *image, size_t at, uint32_t value)
{
        value = htole32(value);
        memcpy(image + at, &value, sizeof(value));
}

static void image_make(uint8_t *image, const char *release)
{
        memset(image, 0, SIZE);
        memcpy(image, "MZ", 2);
        put(image, 0x3c, PE);
        memcpy(image + PE, "PE\0\0", 4);
        image[PE + 6] = 2; /* sections */
        memcpy(image + SECTIONS, ".linux", 6);
        memcpy(image + SECTIONS + 40, ".osrel", 6);
        put(image, SECTIONS + 40 + 8, (uint32_t)strlen(release));
        put(image, SECTIONS + 40 + 16, 512);
        put(image, SECTIONS + 40 + 20, TEXT);
        memcpy(image + TEXT, release, strlen(release));
}

static int image_read(const uint8_t *image, size_t size, char **ret_sort_key, char **ret_version)
{
        _cleanup_close_ int fd = memfd_create("uki", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, image, size), (ssize_t)size);
        return uki_read(fd, ret_sort_key, ret_version);
}

static void test_the_release_of_an_image(_unused_ void **state)
{
        static const struct {
                const char *release, *sort_key, *version;
        } cases[] = {
                { "ID=example\nVERSION_ID=\"1.2\"\n", "example", "1.2" },
                { "ID=a\nIMAGE_ID=b\nIMAGE_VERSION=3\nVERSION_ID=4\nBUILD_ID=5\n", "b", "3" },
                { "BUILD_ID=5", NULL, "5" },
                { "", NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *sort_key = NULL, *version = NULL;
                uint8_t image[SIZE];

                image_make(image, cases[i].release);
                assert_int_equal(image_read(image, SIZE, &sort_key, &version), 0);
                assert_true(streq_null(sort_key, cases[i].sort_key)
                            || (!sort_key && !cases[i].sort_key));
                assert_true(streq_null(version, cases[i].version)
                            || (!version && !cases[i].version));
        }
}

static void test_what_is_no_image_is_refused(_unused_ void **state)
{
        static const struct {
                size_t at;
                uint32_t value;
                int r;
        } cases[] = {
                { 0, 0, -EBADMSG },                           /* no MZ */
                { 0x3c, SIZE - 23, -EBADMSG },                /* the header behind the end */
                { 0x3c, UINT32_MAX, -EBADMSG },               /* far behind */
                { PE, 0, -EBADMSG },                          /* no PE */
                { PE + 6, 97, -EBADMSG },                     /* too many sections */
                { PE + 6, 30, -EBADMSG },                     /* their table behind the end */
                { PE + 20, 0xffff, -EBADMSG },                /* the same */
                { PE + 6, 1, -ENOENT },                       /* no .osrel */
                { SECTIONS + 40 + 20, SIZE, -EBADMSG },       /* its text behind the end */
                { SECTIONS + 40 + 20, UINT32_MAX, -EBADMSG }, /* far behind */
        };
        char *sort_key = NULL, *version = NULL;
        uint8_t image[SIZE];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int r;

                image_make(image, "ID=x\n");
                put(image, cases[i].at, cases[i].value);
                r = image_read(image, SIZE, &sort_key, &version);
                if (r != cases[i].r)
                        fail_msg("case %zu: %d", i, r);
        }
        image_make(image, "ID=x\n");
        put(image, SECTIONS + 40 + 8, UINT32_MAX);
        put(image, SECTIONS + 40 + 16, 64 * KIB); /* larger than any release is */
        assert_int_equal(image_read(image, SIZE, &sort_key, &version), -EBADMSG);
        for (size_t n = 0; n < SECTIONS + 80; n++)
                assert_true(image_read(image, n, &sort_key, &version) < 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_release_of_an_image),
                cmocka_unit_test(test_what_is_no_image_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
