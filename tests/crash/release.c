#include <endian.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/release.h"
#include "payload/digest.h"

#define PAYLOAD_MAX (8 * MIB)

static Release plain_releases[_RELEASE_MAX] = {
        [RELEASE_OLD] = { .version = "0.9.0" },
        [RELEASE_INSTALLED] = { .version = "1.0.0" },
        [RELEASE_WANTED] = { .version = "2.0.0" },
        [RELEASE_LATER] = { .version = "3.0.0" },
};

/* The same with unified kernel images. */
static Release uki_releases[_RELEASE_MAX];
static Release *releases = plain_releases;

void releases_use_uki(bool uki)
{
        releases = uki ? uki_releases : plain_releases;
}

const Release *release_get(ReleaseNumber number)
{
        return &releases[number];
}

static void command_run(const char *const *arguments)
{
        pid_t pid;
        int status;

        errno = posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)arguments, environ);
        CHECK(errno == 0);
        CHECK(waitpid(pid, &status, 0) == pid);
        if (status != 0)
                printf("# %s failed\n", arguments[0]);
        CHECK(status == 0);
}

static char *path_in(const char *directory, const char *name)
{
        char *path;

        CHECK(text_format(&path, "%s/%s", directory, name) >= 0);
        return path;
}

/* No two blocks are equal, within a release and between them; half of it compresses; some of it is zeros. */
static uint8_t *image_make(size_t size, uint64_t seed)
{
        uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        uint8_t *image = malloc(size);

        CHECK(image);
        for (size_t i = 0; i < size; i++) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                image[i] = (uint8_t)(i / 4096 % 2 ? state : seed + i / 4096 + (state & 1));
        }
        memset(image + size / 2, 0, size / 16);
        image[size / 2] = (uint8_t)seed;
        return image;
}

static void put_u32(char *data, size_t at, size_t value)
{
        uint32_t bytes = htole32((uint32_t)value);

        memcpy(data + at, &bytes, sizeof(bytes));
}

/* A PE file with the one section that matters here. */
static void uki_fill(char *kernel, const char *version)
{
        enum {
                PE = 64,
                SECTION = PE + 24,
                TEXT = 512
        };
        int n = snprintf(kernel + TEXT, TEXT, "ID=test\nVERSION_ID=%s\n", version);

        memset(kernel, 0, TEXT);
        memcpy(kernel, "MZ", 2);
        put_u32(kernel, 60, PE);
        memcpy(kernel + PE, "PE", 2);
        kernel[PE + 6] = 1;
        memcpy(kernel + SECTION, ".osrel", 6);
        put_u32(kernel, SECTION + 8, (size_t)n);
        put_u32(kernel, SECTION + 16, (size_t)n);
        put_u32(kernel, SECTION + 20, TEXT);
}

/* A kernel that no other release has. */
static void kernel_make(Release *release, bool uki)
{
        release->kernel_size = KERNEL_SIZE;
        release->kernel = malloc(KERNEL_SIZE);
        CHECK(release->kernel);
        memcpy(release->kernel, release->image, KERNEL_SIZE);
        if (uki)
                uki_fill(release->kernel, release->version);
}

/* The payload of an image; that of a slot has a kernel. */
static void payload_make(const Release *release, const char *directory, const char *payload_tool,
                         const uint8_t *data, size_t size, char **ret, size_t *ret_size)
{
        bool kernel = size == IMAGE_SIZE;
        _cleanup_free_ char *image = path_in(directory, "image"),
                            *payload = path_in(directory, "payload"),
                            *key = path_in(directory, "key.pem"),
                            *kernel_path = path_in(directory, "kernel");
        const char *const create[] = { payload_tool,
                                       "create",
                                       "--image",
                                       image,
                                       "--output",
                                       payload,
                                       "--key",
                                       key,
                                       "--version",
                                       release->version,
                                       "--jobs",
                                       "1",
                                       kernel ? "--kernel" : NULL,
                                       kernel_path,
                                       NULL };

        if (kernel)
                CHECK(file_replace(NULL, kernel_path, release->kernel, release->kernel_size, 0644)
                      >= 0);
        CHECK(file_replace(NULL, image, data, size, 0644) >= 0);
        command_run(create);
        CHECK(file_read(NULL, payload, PAYLOAD_MAX, ret, ret_size) >= 0);
}

static void release_make(Release *release, const char *directory, const char *payload_tool)
{
        uint64_t seed = (uint64_t)(release - releases) + 1;

        release->image = image_make(IMAGE_SIZE, seed);
        kernel_make(release, releases == uki_releases);
        payload_make(release, directory, payload_tool, release->image, IMAGE_SIZE,
                     &release->payload, &release->payload_size);
        CHECK(digest_of(release->payload, release->payload_size, release->sha256) >= 0);

        release->package_image = image_make(PACKAGE_SIZE, seed + 100);
        payload_make(release, directory, payload_tool, release->package_image, PACKAGE_SIZE,
                     &release->package, &release->package_size);
        CHECK(digest_of(release->package, release->package_size, release->package_sha256) >= 0);
        CHECK(text_format(&release->package_path, PACKAGE_DIRECTORY "/" PACKAGE_NAME "-%s.raw",
                          release->version)
              >= 0);
}

void releases_make(const char *directory, const char *payload_tool)
{
        _cleanup_free_ char *key = path_in(directory, "key.pem"),
                            *public = path_in(directory, "key.pub.pem");
        const char *const generate[] = { "openssl", "genpkey", "-quiet", "-algorithm",
                                         "ED25519", "-out",    key,      NULL };
        const char *const publish[] = { "openssl", "pkey", "-in",  key,
                                        "-pubout", "-out", public, NULL };

        command_run(generate);
        command_run(publish);
        for (int uki = 1; uki >= 0; uki--) {
                releases_use_uki(uki);
                for (size_t i = 0; i < _RELEASE_MAX; i++) {
                        releases[i].version = plain_releases[i].version;
                        release_make(&releases[i], directory, payload_tool);
                }
        }
}

void releases_done(void)
{
        for (size_t i = 0; i < 2 * (size_t)_RELEASE_MAX; i++) {
                Release *release =
                        i < _RELEASE_MAX ? &plain_releases[i] : &uki_releases[i - _RELEASE_MAX];

                free(release->image);
                free(release->payload);
                free(release->kernel);
                free(release->package_image);
                free(release->package);
                free(release->package_path);
        }
}

const Release *release_of(const uint8_t *slot)
{
        for (size_t i = 0; i < _RELEASE_MAX; i++)
                if (memcmp(slot, releases[i].image, IMAGE_SIZE) == 0)
                        return &releases[i];
        return NULL;
}
