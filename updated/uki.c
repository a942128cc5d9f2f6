#include <sys/stat.h>

#include "base/env-file.h"
#include "base/io.h"
#include "base/text.h"
#include "uki.h"

/* PE format: the offset of the signature, then the fields of the COFF header behind it. */
#define DOS_PE_OFFSET      0x3c
#define PE_SIGNATURE       "PE\0\0"
#define COFF_SECTIONS      6 /* all from the signature on */
#define COFF_OPTIONAL_SIZE 20
#define COFF_SIZE          24

#define SECTION_SIZE         40
#define SECTION_NAME_SIZE    8
#define SECTION_VIRTUAL_SIZE 8
#define SECTION_RAW_SIZE     16
#define SECTION_RAW_OFFSET   20

static uint16_t u16_at(const uint8_t *data)
{
        return (uint16_t)(data[0] | data[1] << 8);
}

static uint32_t u32_at(const uint8_t *data)
{
        return (uint32_t)u16_at(data) | (uint32_t)u16_at(data + 2) << 16;
}

static bool section_is(const uint8_t *section, const char *name)
{
        char found[SECTION_NAME_SIZE + 1] = {};

        memcpy(found, section, SECTION_NAME_SIZE);
        return streq(found, name);
}

int uki_find_section(const void *head, size_t size, const char *name, uint32_t *ret_offset,
                     uint32_t *ret_size)
{
        const uint8_t *data = head, *pe;
        uint64_t at, sections;
        unsigned n;

        if (size < DOS_PE_OFFSET + 4 || memcmp(data, "MZ", 2) != 0)
                return -EBADMSG;
        at = u32_at(data + DOS_PE_OFFSET);
        if (at + COFF_SIZE > size || memcmp(data + at, PE_SIGNATURE, 4) != 0)
                return -EBADMSG;
        pe = data + at;
        n = u16_at(pe + COFF_SECTIONS);
        sections = at + COFF_SIZE + u16_at(pe + COFF_OPTIONAL_SIZE);
        if (n > UKI_SECTIONS_MAX || sections + (uint64_t)n * SECTION_SIZE > size)
                return -EBADMSG;

        for (unsigned i = 0; i < n; i++) {
                const uint8_t *section = data + sections + (size_t)i * SECTION_SIZE;

                if (!section_is(section, name))
                        continue;
                *ret_offset = u32_at(section + SECTION_RAW_OFFSET);
                *ret_size = MIN_OF(u32_at(section + SECTION_VIRTUAL_SIZE),
                                   u32_at(section + SECTION_RAW_SIZE));
                return 0;
        }

        return -ENOENT;
}

/* The first key that the text has. */
static int release_get(const EnvFile *file, const char *const *keys, char **ret)
{
        for (; *keys; keys++) {
                const char *value = env_file_get(file, *keys);

                if (!is_empty(value))
                        return text_set(ret, value);
        }

        *ret = NULL;
        return 0;
}

int uki_release_parse(const char *text, char **ret_sort_key, char **ret_version)
{
        static const char *const sort_keys[] = { "IMAGE_ID", "ID", NULL };
        static const char *const versions[] = { "IMAGE_VERSION", "VERSION_ID", "BUILD_ID", NULL };
        _cleanup_(env_file_done) EnvFile file = {};
        _cleanup_free_ char *sort_key = NULL;
        int r;

        r = env_file_parse(".osrel", text, NULL, NULL, &file);
        if (r >= 0)
                r = release_get(&file, sort_keys, &sort_key);
        if (r >= 0)
                r = release_get(&file, versions, ret_version);
        if (r < 0)
                return r;

        *ret_sort_key = TAKE_PTR(sort_key);
        return 0;
}

int uki_read(int fd, char **ret_sort_key, char **ret_version)
{
        uint8_t head[UKI_HEAD_MAX];
        char text[UKI_OSREL_MAX + 1] = {};
        uint32_t offset, size;
        struct stat status;
        size_t head_size;
        int r;

        r = RET_ERRNO(fstat(fd, &status));
        if (r < 0)
                return r;
        head_size = (size_t)MIN_OF((uint64_t)status.st_size, (uint64_t)sizeof(head));
        r = pread_full(fd, head, head_size, 0);
        if (r >= 0)
                r = uki_find_section(head, head_size, ".osrel", &offset, &size);
        if (r < 0)
                return r;
        if (size > UKI_OSREL_MAX)
                return -EBADMSG;
        r = pread_full(fd, text, size, offset);
        if (r < 0)
                return r == -ENODATA ? -EBADMSG : r;

        return uki_release_parse(text, ret_sort_key, ret_version);
}
