#include <endian.h>

#include "payload/error.h"
#include "payload/header.h"

#define VERSION_OFFSET       4
#define MANIFEST_SIZE_OFFSET 12

static uint64_t read_be64(const uint8_t *data)
{
        uint64_t number;

        memcpy(&number, data, sizeof(number));
        return be64toh(number);
}

static void write_be64(uint8_t *data, uint64_t number)
{
        number = htobe64(number);
        memcpy(data, &number, sizeof(number));
}

int header_parse(const uint8_t *data, size_t size, PayloadHeader *ret, PayloadError *error)
{
        uint64_t version, manifest_size;

        if (memcmp(data, HEADER_MAGIC, MIN_OF(size, (size_t)HEADER_MAGIC_SIZE)) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_MAGIC,
                                      "not an update payload: it does not begin with \"CrAU\"");
        if (size < MANIFEST_SIZE_OFFSET)
                return 0;

        version = read_be64(data + VERSION_OFFSET);
        if (version != HEADER_VERSION_1)
                return payload_refuse(
                        error, PAYLOAD_REFUSAL_VERSION,
                        "format version %llu, needs a newer updater: this one reads version 1",
                        (unsigned long long)version);
        if (size < HEADER_V1_SIZE)
                return 0;

        manifest_size = read_be64(data + MANIFEST_SIZE_OFFSET);
        if (manifest_size == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST, "the manifest is empty");
        if (manifest_size > MANIFEST_SIZE_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the manifest has %llu bytes, the most is %llu",
                                      (unsigned long long)manifest_size,
                                      (unsigned long long)MANIFEST_SIZE_MAX);

        *ret = (PayloadHeader) {
                .version = version,
                .size = HEADER_V1_SIZE,
                .manifest_size = (size_t)manifest_size,
        };
        return 1;
}

void header_write_v1(uint64_t manifest_size, uint8_t ret[static HEADER_V1_SIZE])
{
        memcpy(ret, HEADER_MAGIC, HEADER_MAGIC_SIZE);
        write_be64(ret + VERSION_OFFSET, HEADER_VERSION_1);
        write_be64(ret + MANIFEST_SIZE_OFFSET, manifest_size);
}
