#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "resume-file.h"
#include "unit/unit.h"

#define SLOT_A "7130c94a-213a-4e5a-8e26-6cce9662f132"
#define SLOT_B "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"

static char *root;

static int set_up(_unused_ void **state)
{
        root = directory_make();
        return 0;
}

static UpdatePlan plan_make(void)
{
        return (UpdatePlan) {
                .announced = true,
                .size = 100,
                .sha256 = { 1, 2, 3 },
                .target_offset = 512,
                .target_size = 1000,
        };
}

/* What a worker would leave in it. */
static void room_write(int fd)
{
        assert_int_equal(pwrite_full(fd, "far", 3, RESUME_OFFSET), 0);
        assert_int_equal(close(fd), 0);
}

static bool room_is_empty(int fd)
{
        static const char nothing[PAYLOAD_CHECKPOINT_ROOM];
        char room[PAYLOAD_CHECKPOINT_ROOM];
        struct stat status;

        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_size, RESUME_SIZE);
        assert_int_equal(status.st_mode & 0777, 0600);
        assert_int_equal(pread_full(fd, room, sizeof(room), RESUME_OFFSET), 0);
        assert_int_equal(close(fd), 0);
        return memcmp(room, nothing, sizeof(room)) == 0;
}

static void test_the_same_update_goes_on(_unused_ void **state)
{
        UpdatePlan plan = plan_make();
        bool lost;
        int fd;

        assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 0);
        assert_false(lost);
        room_write(fd);
        assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 1);
        assert_false(lost);
        assert_false(room_is_empty(fd));

        assert_int_equal(resume_file_remove(root), 0);
        assert_int_equal(resume_file_remove(root), 0);
        assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 0);
        assert_false(lost);
        assert_true(room_is_empty(fd));
}

static void test_anything_else_begins_anew(_unused_ void **state)
{
        for (unsigned i = 0; i < 5; i++) {
                UpdatePlan plan = plan_make(), other = plan_make();
                bool lost;
                int fd;

                other.sha256[SHA256_SIZE - 1] += i == 0;
                other.size += i == 1;
                other.target_offset += i == 2;
                other.target_size += i == 3;
                assert_int_equal(resume_file_remove(root), 0);
                assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 0);
                room_write(fd);
                assert_int_equal(
                        resume_file_open(root, &other, i == 4 ? SLOT_A : SLOT_B, &fd, &lost), 0);
                assert_true(lost);
                assert_true(room_is_empty(fd));
                assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 0);
                assert_true(lost); /* it does not come back */
                assert_true(room_is_empty(fd));
        }
}

static void test_an_unknown_payload_has_no_file(_unused_ void **state)
{
        UpdatePlan plan = plan_make();
        bool lost;
        int fd;

        plan.announced = false;
        assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), -EINVAL);
}

static void make_short(const char *path)
{
        assert_int_equal(file_replace(NULL, path, "short", 5, 0600), 0);
}

static void make_fifo(const char *path)
{
        assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_link(const char *path)
{
        assert_int_equal(symlink("../../../other", path), 0);
}

/* Nobody but us writes there; still nothing that lies in its place does harm. */
static void test_what_lies_in_its_place_is_replaced(_unused_ void **state)
{
        static void (*const makers[])(const char *path) = { make_short, make_fifo, make_link };
        _cleanup_free_ char *path = NULL, *other = NULL;
        UpdatePlan plan = plan_make();
        struct stat status;
        bool lost;
        int fd;

        assert_true(text_format(&path, "%s" RESUME_PATH, root) >= 0);
        assert_int_equal(parents_make(path, 0755), 0);
        assert_int_equal(file_replace(root, "/other", "it", 2, 0600), 0);
        for (size_t i = 0; i < ELEMENTSOF(makers); i++) {
                makers[i](path);
                assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), 0);
                assert_true(lost);
                assert_true(room_is_empty(fd));
                assert_int_equal(resume_file_remove(root), 0);
        }
        assert_true(text_format(&other, "%s/other", root) >= 0);
        assert_int_equal(stat(other, &status), 0);
        assert_int_equal(status.st_size, 2); /* through the link nothing was written */

        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(resume_file_open(root, &plan, SLOT_B, &fd, &lost), -EISDIR);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_the_same_update_goes_on, set_up),
                cmocka_unit_test_setup(test_anything_else_begins_anew, set_up),
                cmocka_unit_test_setup(test_an_unknown_payload_has_no_file, set_up),
                cmocka_unit_test_setup(test_what_lies_in_its_place_is_replaced, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
