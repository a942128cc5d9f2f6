#include <endian.h>

#include "payload/error.h"
#include "payload/header.h"

#define VERSION_OFFSET                 4
#define MANIFEST_SIZE_OFFSET           12
#define METADATA_SIGNATURE_SIZE_OFFSET 20

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

static uint32_t read_be32(const uint8_t *data)
{
        uint32_t number;

        memcpy(&number, data, sizeof(number));
        return be32toh(number);
}

static void write_be32(uint8_t *data, uint32_t number)
{
        number = htobe32(number);
        memcpy(data, &number, sizeof(number));
}

static int sizes_check(uint64_t manifest_size, uint32_t metadata_signature_size,
                       PayloadError *error)
{
        if (manifest_size == 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST, "the manifest is empty");
        if (manifest_size > MANIFEST_SIZE_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "the manifest has %llu bytes, the most is %llu",
                                      (unsigned long long)manifest_size,
                                      (unsigned long long)MANIFEST_SIZE_MAX);
        if (metadata_signature_size > SIGNATURES_SIZE_MAX)
                return payload_refuse(error, PAYLOAD_REFUSAL_MANIFEST,
                                      "signatures of the metadata of %u bytes, the most is %llu",
                                      metadata_signature_size,
                                      (unsigned long long)SIGNATURES_SIZE_MAX);
        return 0;
}

int header_parse(const uint8_t *data, size_t size, PayloadHeader *ret, PayloadError *error)
{
        uint32_t metadata_signature_size = 0;
        uint64_t version, manifest_size;
        size_t header_size;
        int r;

        if (memcmp(data, HEADER_MAGIC, MIN_OF(size, (size_t)HEADER_MAGIC_SIZE)) != 0)
                return payload_refuse(error, PAYLOAD_REFUSAL_MAGIC,
                                      "not an update payload: it does not begin with \"CrAU\"");
        if (size < MANIFEST_SIZE_OFFSET)
                return 0;

        version = read_be64(data + VERSION_OFFSET);
        if (version != HEADER_VERSION_1 && version != HEADER_VERSION_2)
                return payload_refuse(
                        error, PAYLOAD_REFUSAL_VERSION,
                        "format version %llu needs a newer updater: this one reads 1 and 2",
                        (unsigned long long)version);
        header_size = version == HEADER_VERSION_1 ? HEADER_V1_SIZE : HEADER_V2_SIZE;
        if (size < header_size)
                return 0;

        manifest_size = read_be64(data + MANIFEST_SIZE_OFFSET);
        if (version == HEADER_VERSION_2)
                metadata_signature_size = read_be32(data + METADATA_SIGNATURE_SIZE_OFFSET);
        r = sizes_check(manifest_size, metadata_signature_size, error);
        if (r < 0)
                return r;

        *ret = (PayloadHeader) {
                .version = version,
                .size = header_size,
                .manifest_size = (size_t)manifest_size,
                .metadata_signature_size = metadata_signature_size,
        };
        return 1;
}

size_t header_write(const PayloadHeader *header, uint8_t ret[static HEADER_SIZE_MAX])
{
        memcpy(ret, HEADER_MAGIC, HEADER_MAGIC_SIZE);
        write_be64(ret + VERSION_OFFSET, header->version);
        write_be64(ret + MANIFEST_SIZE_OFFSET, header->manifest_size);
        if (header->version == HEADER_VERSION_1)
                return HEADER_V1_SIZE;

        write_be32(ret + METADATA_SIGNATURE_SIZE_OFFSET, (uint32_t)header->metadata_signature_size);
        return HEADER_V2_SIZE;
}
